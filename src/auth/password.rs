//! Passwords: Argon2id with the parameters that OWASP recommends (19 MiB, 2 passes, 1 lane).

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::domain::{Error, Redacted, Result};

const MIN_LENGTH: usize = 10;
const MAX_LENGTH: usize = 128;
/// More than a million guesses: what the limits on attempts to sign in do not let through in years.
const LEAST: zxcvbn::Score = zxcvbn::Score::Two;

/// Refuses a password that is too short or too long (10 to 128 characters), or that is guessed early: a common one, the
/// person's own words (`about`: e-mail address, name), a row of keys, one character again and again. The error names the
/// field `password`.
pub fn check_password(password: &Redacted, about: &[&str]) -> Result<()> {
    let text = password.expose();
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&text.chars().count()) {
        return Err(Error::invalid("password", format!("must have {MIN_LENGTH} to {MAX_LENGTH} characters")));
    }
    let own = about.iter().any(|word| word.trim().to_lowercase() == text.trim().to_lowercase());
    if own || text.trim().is_empty() || zxcvbn::zxcvbn(text, about).score() < LEAST {
        let message = "is too easy to guess: take several words that have nothing to do with you or with each other";
        return Err(Error::invalid("password", message));
    }
    Ok(())
}

/// Hashes and verifies, on the blocking pool and no more at once than there are processors: each takes 19 MiB.
#[derive(Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
    /// Stands in for the hash of a user who does not exist, so that both cases take the same time.
    nobody: Redacted,
}

impl Passwords {
    /// Takes as long as one hash.
    pub fn new() -> Result<Self> {
        let places = std::thread::available_parallelism().map_or(1, usize::from);
        let nobody = hash(&Redacted::new(hex::encode(rand::random::<[u8; 32]>())))?;
        Ok(Self { places: Arc::new(Semaphore::new(places)), nobody })
    }

    /// The PHC string to keep.
    pub async fn hash(&self, password: Redacted) -> Result<Redacted> {
        self.run(move || hash(&password)).await?
    }

    /// Whether the password is the one that `kept` was made from; `None`, for nobody's, takes as long and is never right.
    pub async fn verify(&self, password: Redacted, kept: Option<Redacted>) -> Result<bool> {
        let exists = kept.is_some();
        let kept = kept.unwrap_or_else(|| self.nobody.clone());
        let right = self.run(move || verify(&password, &kept)).await??;
        Ok(right && exists)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let doing = "hashing a password";
        let _place = self.places.acquire().await.map_err(|error| Error::internal(doing, error))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal(doing, error))
    }
}

fn hash(password: &Redacted) -> Result<Redacted> {
    Argon2::default()
        .hash_password(password.expose().as_bytes())
        .map(|hash| Redacted::new(hash.to_string()))
        .map_err(|error| Error::internal("hashing a password", error))
}

fn verify(password: &Redacted, kept: &Redacted) -> Result<bool> {
    use argon2::password_hash::Error as HashError;
    let kept = PasswordHash::new(kept.expose()).map_err(|error| Error::internal("reading a password hash", error))?;
    match Argon2::default().verify_password(password.expose().as_bytes(), &kept) {
        Ok(()) => Ok(true),
        Err(HashError::PasswordInvalid) => Ok(false),
        Err(error) => Err(Error::internal("verifying a password", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_alone_is_accepted() {
        let passwords = Passwords::new().unwrap();
        let kept = passwords.hash("correct horse".into()).await.unwrap();
        assert!(kept.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_ne!(kept, passwords.hash("correct horse".into()).await.unwrap(), "each hash has its own salt");
        assert!(passwords.verify("correct horse".into(), Some(kept.clone())).await.unwrap());
        assert!(!passwords.verify("correct horsf".into(), Some(kept)).await.unwrap());
        assert!(!passwords.verify("correct horse".into(), None).await.unwrap());
        assert!(passwords.verify("correct horse".into(), Some("plain".into())).await.is_err());
    }

    #[test]
    fn length_is_counted_in_characters() {
        let check = |text: &str| check_password(&text.into(), &[]);
        assert!(check("äkñøßzçwéq").is_ok());
        assert_eq!(check("äkñøßzçwé").unwrap_err().field(), Some("password"));
        let long = "correct horse battery staple ".repeat(5);
        assert!(check(&long).is_err() && check(&long[..128]).is_ok());
    }

    #[test]
    fn what_is_guessed_early_is_refused() {
        let about = ["ada.lovelace@example.com", "ada.lovelace", "Ada Lovelace"];
        for wrong in [
            "password123",
            "Password1234",
            "1234567890",
            "qwertyuiop",
            "            ",
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "iloveyou123",
            "ada.lovelace@example.com",
            "Ada.Lovelace@Example.com",
            "ada lovelace",
            "ada.lovelace1",
        ] {
            assert!(check_password(&wrong.into(), &about).is_err(), "{wrong:?}");
        }
        for right in ["correct horse battery", "northstack-demo", "tr0ub4dour&3x", "k8Vq!mZ2pLw9"] {
            assert!(check_password(&right.into(), &about).is_ok(), "{right:?}");
        }
    }
}
