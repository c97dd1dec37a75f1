//! A receiver of webhooks on a real socket, which answers as a test wants it, also as no server should.
use base64::Engine;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

/// What came, as it was on the wire.
#[derive(Debug, Clone)]
pub struct Request {
    /// All of it.
    pub text: String,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        let of = |line: &'_ str| line.split_once(": ").is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
        head.lines()
            .find(|line| of(line))
            .and_then(|line| line.split_once(": "))
            .map(|(_, value)| value.trim())
    }

    /// Fails unless it is signed with this key, as Standard Webhooks has it. (That the libraries of others say so too is in the stories.)
    pub fn verify(&self, key: &str) {
        let base64 = base64::engine::general_purpose::STANDARD;
        let key = base64.decode(key.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let part = |name| self.header(name).unwrap_or_else(|| panic!("no {name} in {}", self.text));
        mac.update(format!("{}.{}.{}", part("webhook-id"), part("webhook-timestamp"), self.body).as_bytes());
        let wanted = format!("v1,{}", base64.encode(mac.finalize().into_bytes()));
        assert!(part("webhook-signature").split(' ').any(|one| one == wanted), "{}", self.text);
    }
}

/// What it does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A proper answer.
    Proper { status: u16, headers: Vec<(String, String)>, body: String, after: Duration },
    /// Nothing, for ever.
    Silence,
    /// It hangs up.
    Close,
    /// What is no HTTP.
    Garbage,
    /// 200, and a body that does not end.
    Endless,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self::Proper { status, headers: Vec::new(), body: String::new(), after: Duration::ZERO }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Proper { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub fn saying(mut self, text: &str) -> Self {
        if let Self::Proper { body, .. } = &mut self {
            text.clone_into(body);
        }
        self
    }

    pub fn after(mut self, wait: Duration) -> Self {
        if let Self::Proper { after, .. } = &mut self {
            *after = wait;
        }
        self
    }
}

type Script = Arc<Mutex<Box<dyn Fn(&Request) -> Answer + Send>>>;

pub struct Receiver {
    url: String,
    ca: String,
    script: Script,
    requests: Arc<Mutex<Vec<Request>>>,
    connections: Arc<AtomicUsize>,
    // It ends with the receiver.
    _serving: JoinSet<()>,
}

impl Receiver {
    pub async fn start(script: impl Fn(&Request) -> Answer + Send + 'static) -> Self {
        Self::new(script, None, String::new()).await
    }

    /// With a certificate of its own, for 127.0.0.1.
    pub async fn start_tls(script: impl Fn(&Request) -> Answer + Send + 'static) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Self::new(script, Some(Arc::new(config)), made.cert.pem()).await
    }

    async fn new(
        script: impl Fn(&Request) -> Answer + Send + 'static,
        tls: Option<Arc<rustls::ServerConfig>>,
        ca: String,
    ) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/", socket.local_addr().unwrap());
        let script: Script = Arc::new(Mutex::new(Box::new(script)));
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let (doing, seen, count) = (script.clone(), Arc::clone(&requests), connections.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (doing, seen, tls) = (doing.clone(), seen.clone(), tls.clone());
                open.spawn(async move {
                    match tls {
                        None => serve(stream, doing, seen).await,
                        Some(tls) => {
                            if let Ok(stream) = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await {
                                serve(stream, doing, seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { url, ca, script, requests, connections, _serving: serving }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// Answers like this from now on.
    pub fn answer(&self, script: impl Fn(&Request) -> Answer + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Script,
    seen: Arc<Mutex<Vec<Request>>>,
) {
    while let Some(request) = read(&mut stream).await {
        let answer = (script.lock().unwrap())(&request);
        seen.lock().unwrap().push(request);
        match answer {
            Answer::Proper { status, headers, body, after } => {
                tokio::time::sleep(after).await;
                let mut text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    text.push_str(&format!("{name}: {value}\r\n"));
                }
                text.push_str("\r\n");
                text.push_str(&body);
                if stream.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
            Answer::Silence => std::future::pending().await,
            Answer::Close => return,
            Answer::Garbage => {
                drop(stream.write_all(b"220 mail.example ESMTP\r\n\r\n").await);
                return;
            }
            Answer::Endless => {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await);
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                return;
            }
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).await.ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            let body = body.to_owned();
            return Some(Request { text, body });
        }
    }
}
