//! The data directory: the site CA, the server's certificate, the site key, the first token. Made on first start, kept since.
use crate::{
    clock::random,
    domain::duid::{Duid, NoDuid},
    secret::{Secret, SiteKey},
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    collections::HashSet,
    fs, io,
    io::Write,
    net::IpAddr,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The data directory.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A file or directory cannot be read or written.
    #[error("{path}: {source}; see server.data-dir")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another daemon uses it.
    #[error("{0} is used by another pilotlight that runs; stop that one, or set server.data-dir")]
    Locked(PathBuf),
    /// A certificate cannot be made or read.
    #[error("{what}: {why}")]
    Certificate {
        /// Which.
        what: String,
        /// Why.
        why: String,
    },
}

/// The certificate authority of a site.
pub struct SiteCa {
    /// Its certificate, PEM.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl DataDir {
    /// The directory, made if it is not there, for this daemon alone while the returned file is held.
    pub fn open(path: &Path) -> Result<(Self, nix::fcntl::Flock<fs::File>), SiteError> {
        let failed = |source| SiteError::File { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o750)).map_err(failed)?;
        let lock = path.join("lock");
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&lock);
        let file = file.map_err(|source| SiteError::File { path: lock, source })?;
        match nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok((Self(path.to_owned()), lock)),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(SiteError::Locked(path.to_owned())),
            Err((_, errno)) => Err(failed(errno.into())),
        }
    }

    /// A file or directory in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The key from which agents' tokens are derived.
    pub fn site_key(&self) -> Result<SiteKey, SiteError> {
        let bytes = self.kept("site.key", || Ok(random::<32>().to_vec()))?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| SiteError::Certificate {
            what: self.path("site.key").display().to_string(),
            why: "32 bytes are expected; restore it from a backup, or delete it: agents that run will then be refused".into(),
        })?;
        Ok(SiteKey::new(bytes))
    }

    /// What this daemon calls itself in DHCPv6, made once: clients renew with whom they have their address from.
    pub fn duid(&self) -> Result<Duid, SiteError> {
        let text = self.kept("duid", || Ok(format!("{}\n", Duid::random(random())).into_bytes()))?;
        String::from_utf8_lossy(&text).trim().parse().map_err(|e: NoDuid| SiteError::Certificate {
            what: self.path("duid").display().to_string(),
            why: format!(
                "{e}, in hex; restore it from a backup, or delete it: clients then renew late in their lease"
            ),
        })
    }

    /// The site CA.
    pub fn ca(&self, site: &str) -> Result<SiteCa, SiteError> {
        let bad = |what: &str| {
            let what = self.path(what).display().to_string();
            move |why: String| SiteError::Certificate { what: what.clone(), why }
        };
        let key_pem = self.kept("ca.key", || {
            let key = KeyPair::generate().map_err(|e| bad("ca.key")(e.to_string()))?;
            Ok(key.serialize_pem().into_bytes())
        })?;
        let key_pem = String::from_utf8(key_pem).map_err(|e| bad("ca.key")(e.to_string()))?;
        let key = KeyPair::from_pem(&key_pem).map_err(|e| bad("ca.key")(e.to_string()))?;
        let params = ca_params(site);
        let pem = self.kept_for_all("ca.pem", || {
            params
                .self_signed(&key)
                .map(|certificate| certificate.pem())
                .map_err(|e| bad("ca.pem")(e.to_string()))
        })?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key).map_err(|e| bad("ca.pem")(e.to_string()))?;
        Ok(SiteCa { pem, issuer })
    }

    /// Writes the first token where the operator finds it.
    pub fn write_admin_token(&self, token: &Secret<String>) -> Result<(), SiteError> {
        let path = self.path("admin.token");
        if path.exists() {
            fs::remove_file(&path).map_err(|source| SiteError::File { path: path.clone(), source })?;
        }
        self.create(&path, format!("{}\n", token.expose()).as_bytes(), 0o600)
    }

    /// The content of a file that only the daemon reads, made if it is not there.
    fn kept(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>, SiteError>,
    ) -> Result<Vec<u8>, SiteError> {
        self.kept_as(name, 0o600, make)
    }

    fn kept_for_all(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<String, SiteError>,
    ) -> Result<String, SiteError> {
        let bytes = self.kept_as(name, 0o644, || make().map(String::into_bytes))?;
        String::from_utf8(bytes).map_err(|e| SiteError::Certificate {
            what: self.path(name).display().to_string(),
            why: e.to_string(),
        })
    }

    fn kept_as(
        &self,
        name: &str,
        mode: u32,
        make: impl FnOnce() -> Result<Vec<u8>, SiteError>,
    ) -> Result<Vec<u8>, SiteError> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(content) => Ok(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let content = make()?;
                self.create(&path, &content, mode)?;
                Ok(content)
            }
            Err(source) => Err(SiteError::File { path, source }),
        }
    }

    /// Writes a new file whole: a kill in between leaves the old state.
    fn create(&self, path: &Path, content: &[u8], mode: u32) -> Result<(), SiteError> {
        let failed = |source| SiteError::File { path: path.to_owned(), source };
        let new = path.with_extension("new");
        drop(fs::remove_file(&new));
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&new).map_err(failed)?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&new, path).map_err(failed)
    }
}

fn ca_params(site: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, format!("Pilotlight site CA {site}"));
    params.distinguished_name = name;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // A machine whose clock has not been set yet must take it.
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 12, 31);
    params
}

impl SiteCa {
    /// TLS with a certificate for these addresses and names; and with the operator's own, where one is `given` (chain and key, PEM).
    pub fn server_config(
        &self,
        addresses: &HashSet<IpAddr>,
        names: &[String],
        given: Option<(&Path, &Path)>,
    ) -> Result<Arc<ServerConfig>, SiteError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let site = Arc::new(self.own_certificate(addresses, names, &provider)?);
        let given = given.map(|(chain, key)| given_certificate(chain, key, &provider)).transpose()?;
        let certificates = Certificates { named: given.map_or_else(|| site.clone(), Arc::new), site };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| bad("TLS", e.to_string()))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn own_certificate(
        &self,
        addresses: &HashSet<IpAddr>,
        names: &[String],
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, SiteError> {
        let failed = |e: rcgen::Error| bad("the server's certificate", e.to_string());
        let mut params = CertificateParams::new(names.to_vec()).map_err(failed)?;
        params.subject_alt_names.extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "Pilotlight");
        params.distinguished_name = name;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2049, 12, 31);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let chain = vec![certificate.der().clone()];
        let wrong = |why: String| bad("the server's certificate", why);
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|e| wrong(e.to_owned()))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|e| wrong(e.to_string()))
    }
}

/// Machines trust the site CA and come by address; people come by name. A client that names nobody (RFC 6066 section 3: an
/// address is not a name) gets the site's certificate, whatever the operator gave for people.
#[derive(Debug)]
struct Certificates {
    site: Arc<CertifiedKey>,
    named: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(if hello.server_name().is_some() { self.named.clone() } else { self.site.clone() })
    }
}

fn given_certificate(chain: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, SiteError> {
    let wrong = |path: &Path, why: String| bad(&path.display().to_string(), why);
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .map_err(|e| wrong(chain, e.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, e.to_string()))?;
    CertifiedKey::from_der(certificates, private, provider).map_err(|e| wrong(chain, e.to_string()))
}

fn bad(what: &str, why: String) -> SiteError {
    SiteError::Certificate { what: what.to_owned(), why }
}
