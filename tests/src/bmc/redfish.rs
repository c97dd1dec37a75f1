//! A Redfish service as DSP0266 has it, with one machine, sessions, ETags, a log and sensors; and the faults of the field.

mod answers;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::vault::{Port, Tls};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It takes so long for each answer.
    Slow(Duration),
    /// It knows no password.
    Unauthorized,
    /// Its answers end in the middle, so many times.
    HalfJson(u32),
    /// It takes what it is told about power, and does nothing.
    LiesAboutPower,
    /// It forgets its sessions, so many times.
    DropsSessions(u32),
    /// It takes a boot device, and forgets it.
    ForgetsBoot,
    /// It changes nothing while the machine is in POST, so many times.
    InPost(u32),
    /// 503, so many times.
    Unavailable(u32),
}

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// Nobody's.
    Plain,
    /// AMI's: the boot device goes into the settings object, with If-Match.
    Ami,
    /// HPE's: the boot mode is read-only.
    Hpe,
    /// It has no sessions.
    Basic,
}

/// One Redfish service; it ends when it is dropped.
#[derive(Debug)]
pub struct Redfish {
    address: SocketAddr,
    certificate: String,
    fingerprint: String,
    state: Arc<Mutex<State>>,
    runtime: Option<Runtime>,
}

/// How it is.
#[derive(Debug)]
pub struct State {
    /// What is wrong with it.
    pub fault: Option<Fault>,
    /// Whether its machine is on.
    pub on: bool,
    /// What the machine booted from so far.
    pub boots: Vec<String>,
    /// Sessions that are open.
    pub sessions: BTreeSet<u64>,
    /// The most that were open at once.
    pub most_sessions: usize,
    /// How many were opened.
    pub opened: u64,
    /// Each reset that it took, and `Manager` for one of its own.
    pub resets: Vec<String>,
    /// Whether its light is lit.
    pub lit: bool,
    /// Its log: severity and words.
    pub log: Vec<(String, String)>,
    make: Make,
    boot: Value,
    version: u64,
    refused: usize,
}

impl Redfish {
    /// The user's name and password.
    pub const ACCOUNT: (&str, &str) = ("admin", "sesame-of-the-bmc");

    /// Starts one on a free port of the loopback, its machine off.
    pub fn start(make: Make) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![made.cert.der().clone()],
                rustls_pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()),
            )?;
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let state = Arc::new(Mutex::new(State {
            fault: None,
            on: false,
            boots: Vec::new(),
            sessions: BTreeSet::new(),
            most_sessions: 0,
            opened: 0,
            resets: Vec::new(),
            lit: false,
            log: vec![("OK".to_owned(), "Log cleared".to_owned())],
            make,
            boot: disabled(),
            version: 1,
            refused: 0,
        }));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let router = answers::router(state.clone());
        let acceptor = Tls(TlsAcceptor::from(Arc::new(config)));
        runtime.spawn(async move {
            let Ok(socket) = TcpListener::from_std(socket) else { return };
            let _ = axum::serve(Port { socket, acceptor }, router.into_make_service()).await;
        });
        let fingerprint = hex::encode(Sha256::digest(made.cert.der()));
        Ok(Self { address, certificate: made.cert.pem(), fingerprint, state, runtime: Some(runtime) })
    }

    /// Where it is.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Its certificate, PEM, which is its own authority.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The SHA-256 of that.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// How it is, to look at and to change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Redfish {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl State {
    /// How often a name or a password was not taken.
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// Switches the machine as a reset of that type does.
    fn reset(&mut self, kind: &str) {
        self.resets.push(kind.to_owned());
        if self.fault == Some(Fault::LiesAboutPower) {
            return;
        }
        let boots = kind == "ForceRestart" && self.on || kind == "On" && !self.on;
        self.on = !matches!(kind, "ForceOff" | "GracefulShutdown");
        if boots {
            let once = self.boot["BootSourceOverrideEnabled"] == "Once";
            let target = self.boot["BootSourceOverrideTarget"].as_str();
            self.boots.push(target.filter(|_| once).unwrap_or("Hdd").to_owned());
            self.boot = disabled();
        }
    }
}

fn disabled() -> Value {
    json!({"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None"})
}
