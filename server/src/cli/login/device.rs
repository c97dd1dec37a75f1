//! The device flow (RFC 8628): the issuer gives a code, a person enters it in whatever browser they have, and the issuer is asked until
//! they did. So one signs in on a jump host that has no browser.
use anyhow::{Context, Result, bail};
use pilotlight_types::api::OidcWay;
use reqwest::{Client, Url};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the issuer is asked, whatever it says.
const LONGEST: u64 = 1800;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest answer that is read.
const LARGEST: usize = 512 * 1024;

#[derive(Deserialize)]
struct Published {
    issuer: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
}

/// What the issuer gives to begin with (section 3.2).
#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    #[serde(default = "five")]
    interval: u64,
}

const fn five() -> u64 {
    5
}

#[derive(Deserialize)]
struct Done {
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Signs somebody in at the issuer; gives their ID token.
pub(super) async fn sign_in(way: &OidcWay) -> Result<String> {
    let http = client(way.ca.as_deref())?;
    let url = format!("{}/.well-known/openid-configuration", way.issuer.trim_end_matches('/'));
    let published: Published = answer(&way.issuer, http.get(allowed(way, &url)?)).await?.map_err(told)?;
    if published.issuer != way.issuer {
        bail!("{} calls itself {}", way.issuer, printable(&published.issuer));
    }
    let begin = published.device_authorization_endpoint.as_deref();
    let begin = begin.with_context(|| format!("{} has no device flow: sign in in a browser", way.issuer))?;
    let asked = form(&[("client_id", &way.client_id), ("scope", &way.scopes.join(" "))]);
    let begun: Begun = answer(&way.issuer, post(&http, allowed(way, begin)?, asked)).await?.map_err(told)?;
    let (page, code) = (printable(&begun.verification_uri), printable(&begun.user_code));
    eprintln!("To sign in, open {page} and enter the code {code}");
    if let Some(whole) = &begun.verification_uri_complete {
        eprintln!("(or open {})", printable(whole));
    }
    wait(&http, way, &published.token_endpoint, &begun).await
}

/// Asks until the person has answered, as often as the issuer lets us (section 3.5).
async fn wait(http: &Client, way: &OidcWay, url: &str, begun: &Begun) -> Result<String> {
    let deadline = Instant::now() + Duration::from_secs(begun.expires_in.min(LONGEST));
    let mut interval = begun.interval.clamp(1, 60);
    loop {
        sleep(Duration::from_secs(interval)).await;
        if Instant::now() >= deadline {
            bail!("nobody entered the code in time: begin again");
        }
        let asked = form(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", &begun.device_code),
            ("client_id", &way.client_id),
        ]);
        let sent = answer::<Done>(&way.issuer, post(http, allowed(way, url)?, asked)).await;
        let failed = match sent {
            Ok(Ok(done)) => {
                return done
                    .id_token
                    .context("the issuer gave no ID token: is `openid` among `oidc.scopes`?");
            }
            Ok(Err(failed)) => failed,
            // A connection that broke is tried again, more slowly (section 3.5).
            Err(_) => Failed { error: "slow_down".into(), error_description: String::new() },
        };
        match failed.error.as_str() {
            "authorization_pending" => {}
            "slow_down" => interval = (interval + 5).min(60),
            _ => return Err(told(failed)),
        }
    }
}

fn told(failed: Failed) -> anyhow::Error {
    let Failed { error, error_description } = failed;
    anyhow::anyhow!("the issuer refused: {} {}", printable(&error), printable(&error_description))
}

/// The answer, or what the issuer says is wrong.
async fn answer<T: DeserializeOwned>(
    issuer: &str,
    request: reqwest::RequestBuilder,
) -> Result<std::result::Result<T, Failed>> {
    let away = || format!("the issuer {issuer} cannot be asked");
    let mut response = request.timeout(PATIENCE).send().await.with_context(away)?;
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.with_context(away)? {
        bytes.extend_from_slice(&part);
        if bytes.len() > LARGEST {
            bail!("the answer of {issuer} is too long");
        }
    }
    if response.status().is_success() {
        return Ok(Ok(serde_json::from_slice(&bytes).with_context(away)?));
    }
    let unknown = || format!("{issuer} answered {}", response.status());
    Ok(Err(serde_json::from_slice(&bytes).with_context(unknown)?))
}

fn post(http: &Client, url: Url, body: String) -> reqwest::RequestBuilder {
    http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body)
}

fn form(fields: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse("https://form.invalid/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

/// One of the issuer's URLs: over TLS, unless the issuer itself is without.
fn allowed(way: &OidcWay, url: &str) -> Result<Url> {
    let parsed = Url::parse(url).with_context(|| format!("`{}` is no URL", printable(url)))?;
    if parsed.scheme() != "https" && !way.issuer.starts_with("http://") {
        bail!("`{}` is not https", printable(url));
    }
    Ok(parsed)
}

/// A text of somebody else's, as far as a terminal should have it.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn client(ca: Option<&str>) -> Result<Client> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in CertificateDer::pem_slice_iter(ca.unwrap_or_default().as_bytes()) {
        let failed = "the issuer's authorities, as the server has them, cannot be read";
        roots.add(certificate.context(failed)?).context(failed)?;
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let redirect = reqwest::redirect::Policy::none();
    Ok(Client::builder().tls_backend_preconfigured(tls).redirect(redirect).build()?)
}
