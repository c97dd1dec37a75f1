//! HTTP clients of webhooks. Addresses are looked up once and checked, and the connection is made to what was checked: a name that leads
//! elsewhere the next time it is asked for gains nothing.
use crate::domain::webhook::Reach;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// How long a name may take to be looked up and its host to take the connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Looks names up, and keeps what may be reached.
struct Checked(Arc<Reach>);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let mut refused = None;
            let good: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| match reach.permits(&host, address.ip()) {
                    Ok(()) => true,
                    Err(why) => {
                        refused = Some(why);
                        false
                    }
                })
                .collect();
            match refused {
                Some(why) if good.is_empty() => Err(why.into()),
                _ => Ok(Box::new(good.into_iter()) as Addrs),
            }
        })
    }
}

/// A client that trusts these authorities (PEM), or Mozilla's.
pub(super) fn client(ca: Option<&str>, reach: Arc<Reach>) -> Result<reqwest::Client, String> {
    let mut roots = rustls::RootCertStore::empty();
    match ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            let bad = |error: &dyn std::fmt::Display| format!("`ca` cannot be read: {error}");
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                roots.add(certificate.map_err(|e| bad(&e))?).map_err(|e| bad(&e))?;
            }
            if roots.is_empty() {
                return Err("there is no certificate in `ca`".to_owned());
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(Checked(reach)))
        // What is signed for one receiver, and its token, would go to wherever it points.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(2)
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("pilotlight/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| crate::errors::chain(&error))
}
