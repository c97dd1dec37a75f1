//! The cryptography of RMCP+ (IPMI 2.0 section 13.27 to 13.33): RAKP with HMAC, integrity, AES-CBC-128. Suites 3 and 17 and no others:
//! all others leave out authentication, integrity or encryption, or build on MD5 or RC4.
use crate::secret::Secret;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit, block_padding::NoPadding};
use ring::hmac;

/// A cipher suite that we speak (IPMI 2.0 table 22-20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128.
    Three,
    /// RAKP-HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128.
    Seventeen,
}

impl Suite {
    /// Its number.
    pub const fn id(self) -> u8 {
        match self {
            Self::Three => 3,
            Self::Seventeen => 17,
        }
    }

    /// The suite with this number, if we speak it.
    pub const fn of(id: u8) -> Option<Self> {
        match id {
            3 => Some(Self::Three),
            17 => Some(Self::Seventeen),
            _ => None,
        }
    }

    /// Its algorithms: authentication, integrity, confidentiality.
    pub const fn algorithms(self) -> [u8; 3] {
        match self {
            Self::Three => [1, 1, 1],
            Self::Seventeen => [3, 4, 1],
        }
    }

    const fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::Three => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Seventeen => hmac::HMAC_SHA256,
        }
    }

    /// How long an authentication code of RAKP 2 and 3 is.
    pub const fn code_length(self) -> usize {
        match self {
            Self::Three => 20,
            Self::Seventeen => 32,
        }
    }

    /// How much of an HMAC goes with each packet, and with RAKP 4.
    pub const fn tag_length(self) -> usize {
        match self {
            Self::Three => 12,
            Self::Seventeen => 16,
        }
    }

    /// The HMAC of these bytes, one after the other.
    pub fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&hmac::Key::new(self.algorithm(), key));
        parts.iter().for_each(|part| context.update(part));
        context.sign().as_ref().to_vec()
    }
}

/// Whether two codes are the same, without saying by the time it takes where they differ.
#[must_use]
pub fn same(ours: &[u8], theirs: &[u8]) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// The keys of one session.
#[derive(Debug, Clone)]
pub struct Keys {
    suite: Suite,
    integrity: Secret<Vec<u8>>,
    confidentiality: Secret<[u8; 16]>,
}

/// What is mixed into the session key for K1 and K2: 20 bytes, with every hash.
const CONSTANT: usize = 20;

impl Keys {
    /// The keys that follow from a session key (section 13.32).
    pub fn new(suite: Suite, session_key: &[u8]) -> Self {
        let k1 = suite.hmac(session_key, &[&[1; CONSTANT]]);
        let k2 = suite.hmac(session_key, &[&[2; CONSTANT]]);
        let mut aes = [0; 16];
        aes.iter_mut().zip(&k2).for_each(|(to, from)| *to = *from);
        Self { suite, integrity: Secret::new(k1), confidentiality: Secret::new(aes) }
    }

    /// The code that says that a packet is ours.
    pub fn tag(&self, packet: &[u8]) -> Vec<u8> {
        let mut tag = self.suite.hmac(self.integrity.expose(), &[packet]);
        tag.truncate(self.suite.tag_length());
        tag
    }

    /// How long that is.
    pub const fn tag_length(&self) -> usize {
        self.suite.tag_length()
    }

    /// The initialisation vector and the encrypted payload (section 13.29).
    pub fn encrypt(&self, iv: [u8; 16], payload: &[u8]) -> Vec<u8> {
        // The trailer is 1, 2, 3 … and its own length.
        let pad = (16 - (payload.len() + 1) % 16) % 16;
        let mut text = payload.to_vec();
        text.extend((1..=pad).map(|n| u8::try_from(n).unwrap_or_default()));
        text.push(u8::try_from(pad).unwrap_or_default());
        let aes = cbc::Encryptor::<aes::Aes128>::new(self.confidentiality.expose().into(), &iv.into());
        let mut out = iv.to_vec();
        out.extend(aes.encrypt_padded_vec_mut::<NoPadding>(&text));
        out
    }

    /// The payload; none if it is not well padded.
    pub fn decrypt(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (iv, text) = bytes.split_first_chunk::<16>()?;
        let aes = cbc::Decryptor::<aes::Aes128>::new(self.confidentiality.expose().into(), iv.into());
        let mut plain = aes.decrypt_padded_vec_mut::<NoPadding>(text).ok()?;
        let pad = usize::from(plain.pop()?);
        let keep = plain.len().checked_sub(pad).filter(|_| pad < 16)?;
        let counted = plain.iter().skip(keep).enumerate().all(|(n, byte)| usize::from(*byte) == n + 1);
        plain.truncate(keep);
        counted.then_some(plain)
    }
}
