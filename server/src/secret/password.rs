//! Passwords: what one must be, and what is kept of it: Argon2id (RFC 9106).
use super::Secret;
use crate::clock::random;
use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::SaltString,
};

/// What one hash takes: 19 MiB, two passes, one lane. It is what OWASP's Password Storage Cheat Sheet has as the least for Argon2id.
pub const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The shortest password, in characters.
pub const SHORTEST: usize = 12;

/// The longest password, in bytes.
pub const LONGEST: usize = 1024;

/// Why something is no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// It is guessed in no time.
    #[error("a password has {SHORTEST} characters or more")]
    Short,
    /// It would only be work.
    #[error("a password has {LONGEST} bytes at the most")]
    Long,
    /// It is the first that is tried.
    #[error("the password may not hold the user's name, or be one character many times")]
    Simple,
    /// The hash was not made.
    #[error("the password cannot be hashed")]
    Hash,
}

/// Whether this may be the password of a user.
pub fn check(name: &str, password: &str) -> Result<(), BadPassword> {
    if password.chars().count() < SHORTEST {
        return Err(BadPassword::Short);
    }
    if password.len() > LONGEST {
        return Err(BadPassword::Long);
    }
    let first = password.chars().next();
    // A name of a few letters is in many good passwords.
    let named = name.len() > 3 && password.to_lowercase().contains(&name.to_lowercase());
    if named || password.chars().all(|c| Some(c) == first) {
        return Err(BadPassword::Simple);
    }
    Ok(())
}

fn hasher() -> Result<Argon2<'static>, BadPassword> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| BadPassword::Hash)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// What is kept of a password. It takes tens of milliseconds, on purpose.
pub fn hash(password: &Secret<String>) -> Result<String, BadPassword> {
    let salt = SaltString::encode_b64(&random::<16>()).map_err(|_| BadPassword::Hash)?;
    let hash = hasher()?.hash_password(password.expose().as_bytes(), &salt);
    Ok(hash.map_err(|_| BadPassword::Hash)?.to_string())
}

/// What is verified for a user who is not there: no password is known that it was made of, and it takes as long as any.
pub const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whether a password is the one that this was made of. As slow as [`hash`].
pub fn verify(password: &Secret<String>, hash: &str) -> bool {
    let (Ok(parsed), Ok(hasher)) = (PasswordHash::new(hash), hasher()) else { return false };
    hasher.verify_password(password.expose().as_bytes(), &parsed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_says_how_it_was_made_and_not_of_what() {
        let password = Secret::new("correct horse battery".to_owned());
        let (one, two) = (hash(&password).unwrap(), hash(&password).unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two, "each has a salt of its own");
        assert!(!one.contains("horse"));
        assert!(verify(&password, &one) && verify(&password, &two));
        assert!(!verify(&Secret::new("correct horse batterz".into()), &one));
        assert!(!verify(&password, "no hash"));
        assert!(PasswordHash::new(NOBODYS).unwrap().hash.is_some() && !verify(&password, NOBODYS));
        let same = |hash: &str| hash.rsplitn(3, '$').nth(2).map(str::to_owned);
        assert_eq!(same(NOBODYS), same(&one), "as much work");
    }

    #[test]
    fn what_is_guessed_first_is_no_password() {
        assert_eq!(check("alice", "short"), Err(BadPassword::Short));
        assert_eq!(check("alice", "Alice-in-wonderland"), Err(BadPassword::Simple));
        assert_eq!(check("alice", "aaaaaaaaaaaaaaaa"), Err(BadPassword::Simple));
        assert_eq!(check("alice", &"xy".repeat(513)), Err(BadPassword::Long));
        assert_eq!(check("alice", "zwölf Zeichen"), Ok(()));
    }
}
