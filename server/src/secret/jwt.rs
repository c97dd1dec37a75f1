//! JWTs (RFC 7519) that others signed (RFC 7515): whether one is from the holder of a key that is known, and what it says then.
//!
//! Only signatures by a private key are taken. `none` and the HMACs (HS256…) have no arm here: whoever knows a public key could make the
//! latter, and anybody the former.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 16 * 1024;

/// How many keys of an issuer are kept.
const MOST_KEYS: usize = 64;

/// What a token says.
pub type Claims = Map<String, Value>;

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It is no signed JWT.
    #[error("it is no signed JWT: {0}")]
    Form(&'static str),
    /// It is signed in a way that is not taken.
    #[error(
        "it is signed by `{0}`, which is not taken: RS256 to RS512, PS256 to PS512, ES256, ES384 and EdDSA are"
    )]
    Algorithm(String),
    /// None of the issuer's keys is the one that it names.
    #[error("its issuer has no key `{0}`")]
    UnknownKey(String),
    /// Nobody who has one of the keys signed it.
    #[error("its signature is not by its issuer's key")]
    Signature,
}

/// The public keys of an issuer: a JWK set (RFC 7517) without those that sign nothing we take.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    kid: Option<String>,
    alg: Option<String>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A token, taken apart.
struct Parts<'t> {
    header: Header,
    payload: Vec<u8>,
    /// What is signed: header and payload as they came.
    signed: &'t str,
    signature: Vec<u8>,
}

impl Keys {
    /// The keys of a JWK set. What is not understood in it is left out, as RFC 7517 has it (section 5).
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let set: JwkSet = serde_json::from_slice(json)?;
        let keys = set.keys.into_iter().filter_map(|key| Key::new(serde_json::from_value(key).ok()?));
        Ok(Self(keys.take(MOST_KEYS).collect()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a token says, if one of these keys signed it. Whom it is for, and until when it is good, is not looked at.
    pub fn verify(&self, token: &str) -> Result<Claims, BadToken> {
        let Parts { header, payload, signed, signature } = split(token)?;
        let named = |key: &&Key| header.kid.is_none() || key.kid == header.kid;
        let mut fits = self.0.iter().filter(named).filter(|key| key.signs(&header.alg)).peekable();
        if fits.peek().is_none() {
            return Err(BadToken::UnknownKey(shown(header.kid.as_deref().unwrap_or("(without a name)"))));
        }
        if !fits.any(|key| key.signed(&header.alg, signed.as_bytes(), &signature)) {
            return Err(BadToken::Signature);
        }
        serde_json::from_slice(&payload).map_err(|_| BadToken::Form("its claims are no JSON object"))
    }
}

/// What a token says of itself, before anybody knows whether it is true: to find out whose keys are to be asked for.
pub fn unverified(token: &str) -> Result<Claims, BadToken> {
    serde_json::from_slice(&split(token)?.payload)
        .map_err(|_| BadToken::Form("its claims are no JSON object"))
}

/// The parts of a token in compact form (RFC 7515, section 7.1).
fn split(token: &str) -> Result<Parts<'_>, BadToken> {
    if token.len() > LONGEST {
        return Err(BadToken::Form("it is too long"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(BadToken::Form("it has no dots"))?;
    let (header, payload) = signed.split_once('.').ok_or(BadToken::Form("it has one dot only"))?;
    let decoded =
        |part: &str| BASE64.decode(part).map_err(|_| BadToken::Form("a part of it is no base64url"));
    let header: Header = serde_json::from_slice(&decoded(header)?)
        .map_err(|_| BadToken::Form("its header is no JSON object with `alg`"))?;
    if !ALGORITHMS.contains(&header.alg.as_str()) {
        return Err(BadToken::Algorithm(shown(&header.alg)));
    }
    // What is critical we do not know (RFC 7515, section 4.1.11).
    if header.crit.is_some() {
        return Err(BadToken::Form("its header has `crit`"));
    }
    // An access or logout token of the same issuer is signed by the same keys (RFC 8725, section 3.11).
    if header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(BadToken::Form("its `typ` is not JWT"));
    }
    Ok(Parts { header, payload: decoded(payload)?, signed, signature: decoded(signature)? })
}

const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

impl Key {
    fn new(jwk: Jwk) -> Option<Self> {
        if jwk.used_for.as_deref().is_some_and(|used_for| used_for != "sig") {
            return None;
        }
        let decoded = |text: Option<&String>| BASE64.decode(text?).ok();
        // An uncompressed point (SEC 1, section 2.3.3).
        let point = |length: usize| {
            let (x, y) = (decoded(jwk.x.as_ref())?, decoded(jwk.y.as_ref())?);
            (x.len() == length && y.len() == length).then(|| [&[4], x.as_slice(), y.as_slice()].concat())
        };
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rsa { n: decoded(jwk.n.as_ref())?, e: decoded(jwk.e.as_ref())? },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(decoded(jwk.x.as_ref())?),
            _ => return None,
        };
        Some(Self { kid: jwk.kid, alg: jwk.alg, material })
    }

    /// Whether a key of this kind makes such signatures, as far as it says.
    fn signs(&self, alg: &str) -> bool {
        let kind = match &self.material {
            Material::Rsa { .. } => alg.starts_with("RS") || alg.starts_with("PS"),
            Material::P256(_) => alg == "ES256",
            Material::P384(_) => alg == "ES384",
            Material::Ed25519(_) => alg == "EdDSA",
        };
        kind && self.alg.as_ref().is_none_or(|own| own == alg)
    }

    fn signed(&self, alg: &str, message: &[u8], signature: &[u8]) -> bool {
        let good = match (&self.material, alg) {
            (Material::Rsa { n, e }, _) => {
                let parameters = match alg {
                    "RS256" => &RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &RSA_PKCS1_2048_8192_SHA512,
                    "PS256" => &RSA_PSS_2048_8192_SHA256,
                    "PS384" => &RSA_PSS_2048_8192_SHA384,
                    "PS512" => &RSA_PSS_2048_8192_SHA512,
                    _ => return false,
                };
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            (Material::P256(point), _) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Material::P384(point), _) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            (Material::Ed25519(key), _) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        };
        good.is_ok()
    }
}

/// A text of somebody else's, as far as it can be shown.
fn shown(text: &str) -> String {
    text.chars().take(64).filter(char::is_ascii_graphic).collect()
}

#[cfg(test)]
mod tests;
