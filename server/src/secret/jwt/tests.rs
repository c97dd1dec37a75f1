use super::*;
use proptest::prelude::*;
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde_json::json;
use std::sync::LazyLock;

struct Signer {
    p256: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

fn signer() -> Signer {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let p256 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    Signer {
        p256: EcdsaKeyPair::from_pkcs8(algorithm, p256.as_ref(), &random).unwrap(),
        ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
    }
}

impl Signer {
    fn keys(&self) -> Keys {
        let point = self.p256.public_key().as_ref();
        let set = json!({"keys": [
            {"kty": "oct", "k": "AAAA", "kid": "secret"},
            {"kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])},
            {"kty": "OKP", "crv": "Ed25519", "kid": "two", "alg": "EdDSA", "x": BASE64.encode(self.ed.public_key().as_ref())},
            {"kty": "EC", "crv": "P-256", "kid": "crypt", "use": "enc", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..])},
        ]});
        let keys = Keys::parse(set.to_string().as_bytes()).unwrap();
        assert_eq!(keys.len(), 2, "what signs nothing we take is left out");
        keys
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = match header["alg"].as_str() {
            Some("EdDSA") => self.ed.sign(signed.as_bytes()).as_ref().to_vec(),
            Some("HS256") => {
                // The confusion: the public key as the key of an HMAC.
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.p256.public_key().as_ref());
                hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
            }
            Some("none") => Vec::new(),
            _ => self.p256.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{signed}.{}", BASE64.encode(signature))
    }
}

#[test]
fn a_signature_is_good_under_its_own_key_only() {
    let (signer, other) = (signer(), signer());
    let keys = signer.keys();
    let claims = json!({"sub": "alice"});
    for (alg, kid) in [("ES256", "one"), ("EdDSA", "two")] {
        let good = signer.sign(&json!({"alg": alg, "kid": kid, "typ": "JWT"}), &claims);
        assert_eq!(keys.verify(&good).unwrap()["sub"], "alice");
        let unnamed = signer.sign(&json!({"alg": alg}), &claims);
        assert_eq!(keys.verify(&unnamed).unwrap()["sub"], "alice");
        let forged = other.sign(&json!({"alg": alg, "kid": kid}), &claims);
        assert_eq!(keys.verify(&forged), Err(BadToken::Signature));
    }
    let unknown = signer.sign(&json!({"alg": "ES256", "kid": "three"}), &claims);
    assert_eq!(keys.verify(&unknown), Err(BadToken::UnknownKey("three".into())));
    let crossed = signer.sign(&json!({"alg": "ES256", "kid": "two"}), &claims);
    assert_eq!(
        keys.verify(&crossed),
        Err(BadToken::UnknownKey("two".into())),
        "an Ed25519 key signs no ES256"
    );
    let crypt = signer.sign(&json!({"alg": "ES256", "kid": "crypt"}), &claims);
    assert_eq!(keys.verify(&crypt), Err(BadToken::UnknownKey("crypt".into())));
    assert_eq!(Keys::default().verify(&crypt), Err(BadToken::UnknownKey("crypt".into())));
}

#[test]
fn algorithms_that_anybody_could_sign_by_are_not_taken() {
    let signer = signer();
    let keys = signer.keys();
    for alg in ["none", "None", "HS256", "HS512", "RSA1_5", ""] {
        for kid in [json!("one"), Value::Null] {
            let token = signer.sign(&json!({"alg": alg, "kid": kid}), &json!({"sub": "root"}));
            assert_eq!(keys.verify(&token), Err(BadToken::Algorithm(alg.into())), "{alg}");
        }
    }
}

#[test]
fn what_is_no_id_token_is_refused() {
    let signer = signer();
    let keys = signer.keys();
    let header = json!({"alg": "ES256", "kid": "one"});
    for (header, claims) in [
        (json!({"alg": "ES256", "typ": "at+jwt"}), json!({"sub": "alice"})),
        (json!({"alg": "ES256", "crit": ["exp"]}), json!({"sub": "alice"})),
        (json!({"kid": "one"}), json!({"sub": "alice"})),
        (header.clone(), json!("alice")),
        (header.clone(), json!([1])),
    ] {
        let refused = keys.verify(&signer.sign(&header, &claims)).unwrap_err();
        assert!(matches!(refused, BadToken::Form(_)), "{header} {claims}: {refused}");
    }
    let long = signer.sign(&header, &json!({"sub": "x".repeat(LONGEST)}));
    for bad in ["", "a", "a.b", "a.b.c.d", "..", "é.é.é", &long] {
        assert!(matches!(keys.verify(bad), Err(BadToken::Form(_))), "{bad:.20}");
    }
}

proptest! {
    #[test]
    fn a_changed_token_is_not_believed(at in 0_usize..200, to in 0_u8..64) {
        // One for all cases: keys are slow to make.
        static SIGNED: LazyLock<(Keys, String)> = LazyLock::new(|| {
            let signer = signer();
            let claims = json!({"sub": "alice", "groups": ["a", "b"]});
            (signer.keys(), signer.sign(&json!({"alg": "ES256", "kid": "one"}), &claims))
        });
        let (keys, token) = (&SIGNED.0, SIGNED.1.clone());
        let mut bytes = token.clone().into_bytes();
        let at = at % bytes.len();
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        bytes[at] = alphabet[usize::from(to)];
        let changed = String::from_utf8(bytes).unwrap();
        prop_assume!(changed != token);
        prop_assert!(keys.verify(&changed).is_err());
    }

    #[test]
    fn nothing_makes_it_panic(text in "\\PC{0,80}", header in "[a-zA-Z0-9_-]{0,40}\\.[a-zA-Z0-9_-]{0,40}\\.[a-zA-Z0-9_-]{0,40}") {
        let keys = Keys::default();
        prop_assert!(keys.verify(&text).is_err() && keys.verify(&header).is_err());
        drop(Keys::parse(text.as_bytes()));
    }
}
