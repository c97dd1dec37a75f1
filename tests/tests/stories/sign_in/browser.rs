//! A real browser, Chromium without a window, driven over WebDriver (W3C) by a few plain requests.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pilotlight_tests::client::Client;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

/// How WebDriver calls an element's id.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub struct Browser {
    driver: Child,
    client: Client,
    session: String,
}

/// A port that nobody has, at this moment.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Browser {
    /// Starts one that takes the site CA's certificates, which it does not know.
    pub async fn start(ca: &str) -> Result<Self> {
        let port = free_port()?;
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver cannot be run: apt-get install chromium chromium-driver")?;
        let client = Client::new(&format!("http://127.0.0.1:{port}"), None, ca)?;
        let mut browser = Self { driver, client, session: String::new() };
        let args = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "acceptInsecureCerts": true, "goog:chromeOptions": {"args": args}}}});
        for _ in 0..100 {
            match browser.client.request(Method::POST, "/session", &[], Some(&wanted)).await {
                Ok(answer) => {
                    let value = answer.json::<Value>()?["value"].clone();
                    let id = value["sessionId"].as_str().with_context(|| format!("no session: {value}"))?;
                    browser.session = format!("/session/{id}");
                    return Ok(browser);
                }
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
        bail!("chromedriver does not answer")
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let path = format!("{}{path}", self.session);
        let answer = self.client.request(method, &path, &[], body).await?;
        let value = answer.json::<Value>()?["value"].clone();
        if !answer.status.is_success() {
            bail!("{path}: {}", value["message"]);
        }
        Ok(value)
    }

    pub async fn open(&self, url: &str) -> Result<()> {
        self.ask(Method::POST, "/url", Some(&json!({"url": url}))).await.map(drop)
    }

    pub async fn url(&self) -> Result<String> {
        Ok(self.ask(Method::GET, "/url", None).await?.as_str().unwrap_or_default().to_owned())
    }

    pub async fn page(&self) -> Result<String> {
        Ok(self.ask(Method::GET, "/source", None).await?.as_str().unwrap_or_default().to_owned())
    }

    /// The path of the first element that a selector of CSS finds.
    async fn find(&self, css: &str) -> Result<String> {
        let found =
            self.ask(Method::POST, "/element", Some(&json!({"using": "css selector", "value": css}))).await?;
        Ok(format!("/element/{}", found[ELEMENT].as_str().context("an element has an id")?))
    }

    pub async fn has(&self, css: &str) -> bool {
        self.find(css).await.is_ok()
    }

    pub async fn enter(&self, css: &str, text: &str) -> Result<()> {
        let element = self.find(css).await?;
        self.ask(Method::POST, &format!("{element}/value"), Some(&json!({"text": text}))).await.map(drop)
    }

    pub async fn click(&self, css: &str) -> Result<()> {
        let element = self.find(css).await?;
        self.ask(Method::POST, &format!("{element}/click"), Some(&json!({}))).await.map(drop)
    }

    /// The names of the cookies that a page's script could read.
    pub async fn readable_cookies(&self) -> Result<String> {
        let script = json!({"script": "return document.cookie", "args": []});
        Ok(self
            .ask(Method::POST, "/execute/sync", Some(&script))
            .await?
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    /// Returns when it is at a page whose URL begins so: a click is over before the page that it leads to is there.
    pub async fn comes_to(&self, url: &str) -> Result<()> {
        for _ in 0..100 {
            if self.url().await?.starts_with(url) {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("led to {} and not to {url}", self.url().await?)
    }

    /// Returns when its page has these words.
    pub async fn shows(&self, words: &str) -> Result<()> {
        for _ in 0..100 {
            if self.page().await?.contains(words) {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("`{words}` is not on {}: {}", self.url().await?, self.page().await?)
    }

    /// Goes through the issuer's own pages, as this person, until they lead away or say that it is done.
    pub async fn agree(&self, issuer: &str, person: &str) -> Result<()> {
        for _ in 0..200 {
            if !self.url().await?.starts_with(issuer) || self.page().await?.contains("Success") {
                return Ok(());
            }
            if self.has("input[name=login]").await {
                self.enter("input[name=login]", person).await?;
                self.enter("input[name=password]", "any").await?;
            }
            // A page may send itself, and has no button then.
            if self.has("button[type=submit]").await {
                self.click("button[type=submit]").await?;
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("the issuer's pages lead nowhere: {} {}", self.url().await?, self.page().await?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // SIGTERM: chromedriver takes the browser with it.
        let pid = nix::unistd::Pid::from_raw(self.driver.id().try_into().unwrap_or(i32::MAX));
        // It may have ended by itself.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        drop(self.driver.wait());
    }
}
