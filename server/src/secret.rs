//! Values that must not be seen: no Display, a Debug that says nothing, and hashes for keeping.
pub mod jwt;
pub mod oidc;
pub mod password;
pub mod source;
pub mod vault;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use std::fmt;

/// A value that never prints itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps the value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A new token: 32 random bytes, as text for headers.
pub fn new_token() -> Secret<String> {
    Secret(URL_SAFE_NO_PAD.encode(crate::clock::random::<32>()))
}

/// What is stored of a token. The token has 256 random bits: a plain hash cannot be guessed back.
pub fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// The key from which the tokens of agents are derived: they need not be stored, and survive a restart.
#[derive(Clone)]
pub struct SiteKey(Secret<[u8; 32]>);

impl SiteKey {
    /// The key with these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The token that belongs to `subject`, such as `agent/0195…`.
    pub fn token(&self, subject: &str) -> Option<Secret<String>> {
        Some(Secret(URL_SAFE_NO_PAD.encode(self.mac(subject)?.finalize().into_bytes())))
    }

    /// Whether the token is the one that belongs to `subject`; in constant time.
    pub fn verify(&self, subject: &str, token: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        self.mac(subject).is_some_and(|mac| mac.verify_slice(&bytes).is_ok())
    }

    fn mac(&self, subject: &str) -> Option<Hmac<Sha256>> {
        // HMAC takes keys of any length: this is never none.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose()).ok()?;
        mac.update(subject.as_bytes());
        Some(mac)
    }
}

impl fmt::Debug for SiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SiteKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_subject_only() {
        let key = SiteKey::new([7; 32]);
        let token = key.token("agent/1").unwrap();
        assert!(key.verify("agent/1", token.expose()));
        assert!(!key.verify("agent/2", token.expose()));
        assert!(!SiteKey::new([8; 32]).verify("agent/1", token.expose()));
        assert!(!key.verify("agent/1", "rubbish"));
        assert_eq!(format!("{token:?} {key:?}"), "(secret) SiteKey(secret)");
    }
}
