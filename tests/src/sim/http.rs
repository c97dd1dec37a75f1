//! The HTTP of one machine: every connection comes from its own address.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha512};

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// A client in the clear, as iPXE's is.
pub(super) fn plain(own: Ipv4Addr) -> Result<Client> {
    tls(own, &[])
}

/// A client that trusts exactly these certificates (PEM).
pub(crate) fn tls(own: Ipv4Addr, ca_pems: &[Vec<u8>]) -> Result<Client> {
    let mut roots = rustls::RootCertStore::empty();
    for pem in ca_pems {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.context("a CA in the config is no PEM")?)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .local_address(Some(own.into()))
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(SILENCE)
        .build()
        .context("an HTTP client")
}

/// Why a fetch failed, by what to do about it.
#[derive(Debug)]
pub(super) enum Failed {
    /// Asking again may help: no connection, or a status of 500 and above.
    Passing(anyhow::Error),
    /// It will not help.
    Final(anyhow::Error),
}

impl From<Failed> for anyhow::Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Passing(error) | Failed::Final(error) => error,
        }
    }
}

/// Sends a request; anything but success is a failure.
pub(super) async fn send(request: RequestBuilder) -> Result<Response, Failed> {
    let response = request.send().await.map_err(|error| Failed::Passing(error.into()))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let url = response.url().clone();
    let said = response.text().await.unwrap_or_default();
    let error = anyhow::anyhow!("{status} from {url}: {}", said.trim());
    let passes = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    Err(if passes { Failed::Passing(error) } else { Failed::Final(error) })
}

/// Takes a body without keeping it: its length, and its SHA-512 where that is wanted.
pub(super) async fn swallow(mut response: Response, hashed: bool) -> Result<(u64, Option<String>)> {
    let announced = response.content_length();
    let mut len = 0;
    let mut hash = hashed.then(Sha512::new);
    while let Some(part) = response.chunk().await.context("the transfer broke off")? {
        len += u64::try_from(part.len())?;
        if let Some(hash) = &mut hash {
            hash.update(&part);
        }
    }
    if announced.is_some_and(|announced| announced != len) {
        bail!("{len} bytes came of {}", announced.unwrap_or_default());
    }
    Ok((len, hash.map(|hash| hex::encode(hash.finalize()))))
}
