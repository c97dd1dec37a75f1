//! How a BMC's certificate is known to be the right one: by an authority, by its fingerprint, or not at all where somebody said so.
use crate::bmc::BmcError;
use pilotlight_types::resource::{BmcTls, Fingerprint};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Takes one certificate, or any: BMCs sign their own, with names and times that mean nothing.
#[derive(Debug)]
struct Pin {
    wanted: Option<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen = Fingerprint::new(Sha256::digest(certificate.as_ref()).into());
        if self.wanted.is_none_or(|wanted| wanted == seen) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General(format!("{MISMATCH}{seen}")))
    }

    // Whoever shows a certificate must have its key, pinned or not.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// How the error of another certificate than the pinned one begins.
pub(super) const MISMATCH: &str = "its fingerprint is ";

/// TLS as a machine's `tls` has it.
pub(super) fn config(tls: Option<&BmcTls>) -> Result<ClientConfig, BmcError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| BmcError::Tls(error.to_string()))?;
    let pinned = |wanted: Option<Fingerprint>| Arc::new(Pin { wanted, provider });
    Ok(match tls {
        Some(BmcTls::Fingerprint(wanted)) => {
            builder.dangerous().with_custom_certificate_verifier(pinned(Some(*wanted))).with_no_client_auth()
        }
        Some(BmcTls::Insecure(_)) => {
            builder.dangerous().with_custom_certificate_verifier(pinned(None)).with_no_client_auth()
        }
        Some(BmcTls::Ca(pem)) => builder.with_root_certificates(authorities(pem)?).with_no_client_auth(),
        None => {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    })
}

fn authorities(pem: &str) -> Result<RootCertStore, BmcError> {
    let mut roots = RootCertStore::empty();
    let bad = |why: String| BmcError::Tls(format!("`tls.ca` cannot be read: {why}"));
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots
            .add(certificate.map_err(|error| bad(error.to_string()))?)
            .map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() { Err(bad("there is no certificate in it".to_owned())) } else { Ok(roots) }
}
