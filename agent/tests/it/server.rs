//! A small HTTPS server with a CA of its own, for an address and not for a name, as a site has it.
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

/// A request that came in.
pub struct Seen {
    /// The request line.
    pub line: String,
    headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Seen {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What to answer.
pub struct Answer {
    status: u16,
    headers: String,
    body: String,
}

impl Answer {
    /// A status and a body.
    pub fn new(status: u16, body: &str) -> Self {
        Self { status, headers: String::new(), body: body.to_owned() }
    }

    /// The same with one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }
}

/// A server that runs until the test ends.
pub struct Server {
    /// Its base URL.
    pub url: String,
    /// The certificate of its CA, PEM.
    pub ca: String,
    /// What came in.
    pub seen: Receiver<Seen>,
}

impl Server {
    /// Starts a server that gives the answer `answer(n)` to the n-th request.
    pub fn start(answer: impl Fn(usize) -> Answer + Send + 'static) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        let (config, ca) = (Arc::new(config), ca.pem());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let (send, seen) = mpsc::channel();
        thread::spawn(move || {
            let mut n = 0;
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that hangs up, for it trusts another CA, is no concern of the next one.
                let _ = serve(stream, &config, &mut n, &answer, &send);
            }
        });
        Self { url, ca, seen }
    }
}

fn serve(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    n: &mut usize,
    answer: &impl Fn(usize) -> Answer,
    send: &Sender<Seen>,
) -> io::Result<()> {
    let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            stream.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut seen = Seen { line: line.trim_end().to_owned(), headers, body: Vec::new() };
        seen.body = vec![0; seen.header("content-length").unwrap().parse().unwrap()];
        stream.read_exact(&mut seen.body)?;
        let Answer { status, headers, body } = answer(*n);
        *n += 1;
        let head = format!("HTTP/1.1 {status} Test\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        stream.get_mut().write_all(head.as_bytes())?;
        stream.get_mut().write_all(body.as_bytes())?;
        stream.get_mut().flush()?;
        let _ = send.send(seen);
    }
}
