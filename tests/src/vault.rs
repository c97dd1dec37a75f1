//! A double of Vault, as its public documentation has it (developer.hashicorp.com/vault/api-docs: secret/kv/kv-v2, auth/token,
//! auth/approle, and the page on HTTP status codes): over TLS, with namespaces, policies, tokens that end, and all the ways to be
//! away. It is no Vault: it keeps what the story put there.

mod answers;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::serve::Listener;
use serde_json::{Map, Value};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A Vault in a process of its own, as good as: its connections die with it.
#[derive(Debug)]
pub struct Vault {
    address: SocketAddr,
    ca: PathBuf,
    acceptor: Tls,
    state: Shared,
    runtime: Option<Runtime>,
}

#[derive(Clone)]
pub(crate) struct Tls(pub(crate) TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

type Shared = Arc<Mutex<State>>;

/// What is in it, and how it is.
#[derive(Debug, Default)]
pub struct State {
    /// How it answers.
    pub mood: Mood,
    /// Every request so far: method, path, and the status that it got.
    pub requests: Vec<(String, String, u16)>,
    /// The namespace that everything is in; requests in another one are denied.
    pub namespace: Option<String>,
    /// How long tokens of the AppRole are good for, and whether they can be renewed.
    pub grants: (Duration, bool),
    secrets: HashMap<String, Vec<Version>>,
    tokens: HashMap<String, Token>,
    role: Option<(String, String)>,
    made: usize,
}

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// As it should.
    #[default]
    Well,
    /// 503: sealed.
    Sealed,
    /// 500 to everything.
    Broken,
    /// Not at all, though it takes connections.
    Silent,
    /// With something that is no JSON.
    Odd,
    /// With a redirect to where there is no TLS.
    Astray,
}

/// A version of a secret.
#[derive(Debug, Clone)]
struct Version {
    data: Map<String, Value>,
    deleted: bool,
    destroyed: bool,
}

#[derive(Debug, Clone)]
struct Token {
    ends: Option<Instant>,
    renewable: bool,
    /// The beginnings of the paths that its policy lets it read.
    reads: Vec<String>,
}

impl Vault {
    /// Starts one on a free port of the loopback; its CA's certificate is left in `folder`.
    pub fn start(folder: &Path) -> Result<Self> {
        let key = rcgen::KeyPair::generate()?;
        let mut params = rcgen::CertificateParams::new(Vec::new())?;
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "Vault's CA");
        let certificate = params.self_signed(&key)?;
        let ca = folder.join("vault-ca.pem");
        fs::write(&ca, certificate.pem())?;
        let own_key = rcgen::KeyPair::generate()?;
        let own = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        let own = own.signed_by(&own_key, &rcgen::Issuer::from_params(&params, &key))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![own.der().clone()],
                rustls_pki_types::PrivateKeyDer::Pkcs8(own_key.serialize_der().into()),
            )?;
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let state = State { grants: (Duration::from_secs(3600), true), ..State::default() };
        let acceptor = Tls(TlsAcceptor::from(Arc::new(config)));
        let mut vault =
            Self { address: free, ca, acceptor, state: Arc::new(Mutex::new(state)), runtime: None };
        vault.up()?;
        Ok(vault)
    }

    /// Starts it again, at the same address.
    pub fn up(&mut self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let socket = std::net::TcpListener::bind(self.address).context("Vault's port")?;
        socket.set_nonblocking(true)?;
        let router = answers::router(self.state.clone());
        let acceptor = self.acceptor.clone();
        runtime.spawn(async move {
            let Ok(socket) = TcpListener::from_std(socket) else { return };
            let _ = axum::serve(Port { socket, acceptor }, Router::into_make_service(router)).await;
        });
        self.runtime = Some(runtime);
        Ok(())
    }

    /// Ends it: nobody is at its port any more, and its connections are cut.
    pub fn down(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate of its CA, PEM.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// What is in it, to look at and to change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.down();
    }
}

impl State {
    /// Writes a new version of a secret, by the path that its API has: `secret/data/db`.
    pub fn put(&mut self, path: &str, key: &str, value: impl Into<Value>) {
        let data = Map::from_iter([(key.to_owned(), value.into())]);
        let version = Version { data, deleted: false, destroyed: false };
        self.secrets.entry(path.to_owned()).or_default().push(version);
    }

    /// Deletes the newest version of a secret; `for_ever`: destroys it.
    pub fn delete(&mut self, path: &str, for_ever: bool) {
        if let Some(newest) = self.secrets.get_mut(path).and_then(|versions| versions.last_mut()) {
            (newest.deleted, newest.destroyed) = (!for_ever, for_ever);
        }
    }

    /// Makes a token that reads what begins like this, and is good for so long: for ever, if not said.
    pub fn token(&mut self, name: &str, reads: &[&str], life: Option<Duration>) {
        let reads = reads.iter().map(|&path| path.to_owned()).collect();
        let token = Token { ends: life.map(|life| Instant::now() + life), renewable: life.is_some(), reads };
        self.tokens.insert(name.to_owned(), token);
    }

    /// Ends every token.
    pub fn revoke(&mut self) {
        self.tokens.clear();
    }

    /// The AppRole that there is.
    pub fn role(&mut self, role_id: &str, secret_id: &str) {
        self.role = Some((role_id.to_owned(), secret_id.to_owned()));
    }

    /// How many requests there were whose path ends like this.
    pub fn asked(&self, end: &str) -> usize {
        self.requests.iter().filter(|(_, path, _)| path.ends_with(end)).count()
    }
}

/// A port with TLS. One connection after the other is accepted, which is enough here.
pub(crate) struct Port {
    pub(crate) socket: TcpListener,
    pub(crate) acceptor: Tls,
}

impl Listener for Port {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((stream, peer)) = self.socket.accept().await
                && let Ok(stream) = self.acceptor.0.accept(stream).await
            {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}
