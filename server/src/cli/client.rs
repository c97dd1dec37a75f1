//! The REST client of the command line.
use super::{Server, credentials};
use crate::{clock::Clock, domain::diff::plain};
use anyhow::{Context, Result, bail};
use pilotlight_types::api::{List, Operation, Problem};
use reqwest::{Method, Response, StatusCode};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::{Serialize, de::DeserializeOwned};
use std::{path::Path, sync::Arc, time::Duration};

/// Where a daemon on this host keeps its first token and its certificate.
const DATA_DIR: &str = "/var/lib/pilotlight";

/// Talks to a server.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// What was asked for, or that it goes on.
pub(super) enum Begun<T> {
    /// It is done.
    Done(T),
    /// It takes long.
    GoesOn(Box<Operation>),
}

/// The server's own words about what it refused.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Box<Problem>);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.detail)?;
        for mistake in self.0.errors.iter().filter(|mistake| !mistake.detail.is_empty()) {
            write!(f, "\n  {}: {}", plain(&mistake.path), plain(&mistake.detail))?;
        }
        match (&self.0.request_id, self.0.status >= 500) {
            (Some(id), true) => write!(f, " (request {id})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Refused {}

impl Client {
    pub(super) fn new(server: &Server) -> Result<Self> {
        let token = match &server.token {
            Some(token) => Some(token.trim().to_owned()),
            None => signed_in(server)?.or_else(first_token),
        };
        Self::with(server, token)
    }

    /// One that does not say who asks.
    pub(super) fn anonymous(server: &Server) -> Result<Self> {
        Self::with(server, None)
    }

    /// One that asks with this token.
    pub(super) fn with_token(server: &Server, token: String) -> Result<Self> {
        Self::with(server, Some(token))
    }

    fn with(server: &Server, token: Option<String>) -> Result<Self> {
        let http = http(server)?;
        Ok(Self { http, base: server.url.trim_end_matches('/').to_owned(), token })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T> {
        let response = self.request(Method::GET, path, query, None::<&()>, &[]).await?;
        Ok(response.json().await?)
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let response = self.request(Method::POST, path, &[], Some(body), &[]).await?;
        Ok(response.json().await?)
    }

    pub(super) async fn post_with<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        body: &impl Serialize,
    ) -> Result<T> {
        let response = self.request(Method::POST, path, query, Some(body), &[]).await?;
        Ok(response.json().await?)
    }

    /// Asks for something that may take long, and does not wait for it (RFC 7240).
    pub(super) async fn begin<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        body: &impl Serialize,
    ) -> Result<Begun<T>> {
        let headers = [("prefer", "respond-async".to_owned())];
        let response = self.request(Method::POST, path, query, Some(body), &headers).await?;
        if response.status() == StatusCode::ACCEPTED {
            return Ok(Begun::GoesOn(response.json().await?));
        }
        Ok(Begun::Done(response.json().await?))
    }

    /// A POST without a body, whose answer has none.
    pub(super) async fn post_for_nothing(&self, path: &str) -> Result<()> {
        self.request(Method::POST, path, &[], None::<&()>, &[]).await.map(drop)
    }

    pub(super) async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let response = self.request(Method::PUT, path, &[], Some(body), &[]).await?;
        Ok(response.json().await?)
    }

    /// `PUT` where nothing is answered.
    pub(super) async fn put_only(&self, path: &str, body: &impl Serialize) -> Result<()> {
        self.request(Method::PUT, path, &[], Some(body), &[]).await.map(drop)
    }

    /// `POST` where nothing is answered.
    pub(super) async fn post_only(&self, path: &str, body: &impl Serialize) -> Result<()> {
        self.request(Method::POST, path, &[], Some(body), &[]).await.map(drop)
    }

    pub(super) async fn delete(&self, path: &str, query: &[(&str, String)]) -> Result<()> {
        self.request(Method::DELETE, path, query, None::<&()>, &[]).await.map(drop)
    }

    /// Every page of a list.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let mut cursor = None;
        loop {
            let query: Vec<_> =
                query.iter().cloned().chain(cursor.map(|cursor| ("cursor", cursor))).collect();
            let page: List<T> = self.get(path, &query).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// The stream of events after `last`.
    pub(super) async fn stream(&self, query: &[(&str, String)], last: Option<i64>) -> Result<Response> {
        let mut headers = vec![("accept", "text/event-stream".to_owned())];
        headers.extend(last.map(|last| ("last-event-id", last.to_string())));
        self.request(Method::GET, "/events", query, None::<&()>, &headers).await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&impl Serialize>,
        headers: &[(&str, String)],
    ) -> Result<Response> {
        let mut url = reqwest::Url::parse(&format!("{}/api/v1{path}", self.base)).with_context(|| {
            format!("`{}` is no URL such as https://10.77.0.1:8443 (--url, PILOTLIGHT_URL)", self.base)
        })?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.with_context(|| format!("{} does not answer", self.base))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status == StatusCode::UNAUTHORIZED
            && self.token.is_none()
            && !["/token", "/token/exchange"].contains(&path)
        {
            bail!(
                "no token: sign in with `pilotlight login`, set PILOTLIGHT_TOKEN, or give --token (the first one is in admin.token in the server's data directory)"
            );
        }
        let text = response.text().await.unwrap_or_default();
        match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => Err(Refused(Box::new(problem)).into()),
            Err(_) => bail!("{} answered {status}, which is no answer of a Pilotlight", self.base),
        }
    }
}

/// The token of whoever signed in there, while it is good.
fn signed_in(server: &Server) -> Result<Option<String>> {
    let Some(kept) = credentials::find(&server.url)? else { return Ok(None) };
    if kept.until <= Clock::System.now() {
        bail!(
            "{} was signed in until {}: sign in again with `pilotlight login`, or `pilotlight logout`",
            kept.holder,
            kept.until
        );
    }
    Ok(Some(kept.token))
}

/// The first token of a daemon on this host.
fn first_token() -> Option<String> {
    let text = std::fs::read_to_string(Path::new(DATA_DIR).join("admin.token")).ok()?;
    Some(text.trim().to_owned())
}

/// An HTTP client that trusts the server's certificate.
pub(super) fn http(server: &Server) -> Result<reqwest::Client> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let local = Path::new(DATA_DIR).join("ca.pem");
    let ca = server.ca.as_deref().or_else(|| Some(local.as_path()).filter(|path| path.is_file()));
    if let Some(path) = ca {
        let of_file = || format!("{}: no certificate can be read from it", path.display());
        for certificate in CertificateDer::pem_file_iter(path).with_context(of_file)? {
            roots.add(certificate.with_context(of_file)?).with_context(of_file)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    Ok(client)
}

/// A user's name as part of a path.
pub(super) fn account(name: &str) -> Result<String> {
    segment(&name.replace('@', "-")).map(|_| name.replace('@', "%40"))
}

/// A name as part of a path: nothing in it leads elsewhere.
pub(super) fn segment(name: &str) -> Result<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if name.is_empty() || !name.chars().all(plain) {
        bail!("`{}` is no name: letters, digits and hyphens are expected", name.escape_default());
    }
    Ok(name)
}
