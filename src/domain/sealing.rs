//! Envelope encryption of secrets. Each value is sealed with a data key of its own (AES-256-GCM, NIST SP 800-38D), and
//! the data key with a key of the installation's ring. Both seals are bound to the secret and its version, so that no
//! row's content opens in another's place.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Code, Error, Redacted, Result};

/// Bytes of a key, of the ring's and of a value's own alike.
const KEY_LEN: usize = 32;

/// A secret's value, opened: it prints as `[redacted]`, and its memory is wiped when it is dropped.
pub type Plaintext = Redacted<Zeroizing<String>>;

/// Which value a seal is for: a secret in one of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The secret.
    pub id: Uuid,
    pub version: i32,
}

impl Subject {
    fn bound_to(self, what: &str, more: &str) -> Vec<u8> {
        [what.as_bytes(), self.id.as_bytes(), &self.version.to_be_bytes(), more.as_bytes()].concat()
    }
}

/// A sealed value, as a row keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The value under its data key, with the tag.
    pub ciphertext: Vec<u8>,
    /// The nonce of the value.
    pub nonce: Vec<u8>,
    /// The data key under a key of the ring.
    pub key: WrappedKey,
}

/// A data key, sealed with a key of the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The nonce, the sealed key and its tag.
    pub bytes: Vec<u8>,
    /// The id of the ring's key.
    pub key_id: String,
}

/// The keys that seal data keys, by id; one of them seals what is new.
pub struct KeyRing {
    keys: BTreeMap<String, LessSafeKey>,
    active: String,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.keys.keys()).field("active", &self.active).finish()
    }
}

impl KeyRing {
    /// Reads keys written as `id:key`, the key 32 bytes in base64, separated by commas or white space. `active` names
    /// the one that seals what is new; it may be absent where there is one key.
    ///
    /// # Errors
    /// `invalid-input` that names `secrets.keys` or `secrets.active_key`, and never quotes a key.
    pub fn parse(text: &Redacted, active: Option<&str>) -> Result<Self> {
        let mut keys = BTreeMap::new();
        for (place, entry) in text.expose().split([',', ' ', '\t', '\r', '\n']).filter(|it| !it.is_empty()).enumerate()
        {
            let place = place + 1;
            let wrong = |problem: &str| Error::invalid("secrets.keys", format!("the key in place {place} {problem}"));
            let (id, key) = entry.split_once(':').ok_or_else(|| wrong("must be written as `id:key`"))?;
            if !is_id(id) {
                return Err(wrong("must have an id of 1 to 64 characters of a-z, A-Z, 0-9, `.`, `_` and `-`"));
            }
            let bytes = Zeroizing::new(STANDARD.decode(key).unwrap_or_default());
            if bytes.len() != KEY_LEN {
                return Err(wrong("must be 32 bytes in base64, as `openssl rand -base64 32` writes them"));
            }
            if keys.insert(id.to_owned(), cipher(&bytes)?).is_some() {
                return Err(wrong("has the id of another one"));
            }
        }
        let active = match (active, keys.first_key_value(), keys.len()) {
            (_, None, _) => return Err(Error::invalid("secrets.keys", "must hold a key, written as `id:key`")),
            (None, Some((only, _)), 1) => only.clone(),
            (None, ..) => {
                let message = "must name the key that seals new values, as there are several";
                return Err(Error::invalid("secrets.active_key", message));
            }
            (Some(id), ..) if keys.contains_key(id) => id.to_owned(),
            (Some(_), ..) => {
                return Err(Error::invalid("secrets.active_key", "must be the id of one of the keys in secrets.keys"));
            }
        };
        Ok(Self { keys, active })
    }

    /// The id of the key that seals what is new.
    pub fn active(&self) -> &str {
        &self.active
    }

    /// The ids of all keys, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Seals a value under a new data key.
    ///
    /// # Errors
    /// `internal` when the system gives no random bytes.
    pub fn seal(&self, subject: Subject, value: &str) -> Result<Sealed> {
        let data_key = Zeroizing::new(random::<KEY_LEN>()?);
        let (nonce, ciphertext) =
            seal(&cipher(data_key.as_slice())?, &subject.bound_to("value", ""), value.as_bytes())?;
        Ok(Sealed { ciphertext, nonce: nonce.to_vec(), key: self.wrap(subject, data_key.as_slice())? })
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    /// `internal`, in words that name the key's id where the ring does not have it, and that say so where the row is not
    /// what was sealed.
    pub fn open(&self, subject: Subject, sealed: &Sealed) -> Result<Plaintext> {
        let data_key = self.unwrap(subject, &sealed.key)?;
        let broken = || Error::new(Code::Internal, "a secret is not as it was sealed: its row has been changed");
        let nonce = sealed.nonce.as_slice().try_into().map_err(|_| broken())?;
        let bytes = open(&cipher(&data_key)?, &subject.bound_to("value", ""), nonce, &sealed.ciphertext);
        let bytes = bytes.ok_or_else(broken)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| broken())?;
        Ok(Redacted::new(Zeroizing::new(text.to_owned())))
    }

    /// Seals a data key anew with the active key; the value stays as it is sealed.
    ///
    /// # Errors
    /// As [`KeyRing::open`].
    pub fn rewrap(&self, subject: Subject, wrapped: &WrappedKey) -> Result<WrappedKey> {
        self.wrap(subject, &self.unwrap(subject, wrapped)?)
    }

    fn wrap(&self, subject: Subject, data_key: &[u8]) -> Result<WrappedKey> {
        let key = self.key(&self.active)?;
        let (nonce, sealed) = seal(key, &subject.bound_to("key", &self.active), data_key)?;
        Ok(WrappedKey { bytes: [nonce.as_slice(), &sealed].concat(), key_id: self.active.clone() })
    }

    fn unwrap(&self, subject: Subject, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>> {
        let id = &wrapped.key_id;
        let key = self.key(id)?;
        let opened = wrapped
            .bytes
            .split_first_chunk()
            .and_then(|(nonce, sealed)| open(key, &subject.bound_to("key", id), *nonce, sealed));
        opened.ok_or_else(|| {
            let message = format!(
                "a secret does not open with the key {id:?}: the key is another one than it was sealed with, or the \
                 secret's row has been changed"
            );
            Error::new(Code::Internal, message)
        })
    }

    fn key(&self, id: &str) -> Result<&LessSafeKey> {
        self.keys.get(id).ok_or_else(|| {
            let message = format!("a secret is sealed with the key {id:?}, which is not in the setting secrets.keys");
            Error::new(Code::Internal, message)
        })
    }
}

/// Says of an error which secret it is about.
pub fn about(name: &str) -> impl Fn(Error) -> Error {
    move |error| Error::new(error.code(), format!("{name}: {}", error.message()))
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn cipher(key: &[u8]) -> Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::internal("making a cipher", "the key's length"))?;
    Ok(LessSafeKey::new(key))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::internal("drawing random bytes", "the system gives none"))?;
    Ok(bytes)
}

fn seal(key: &LessSafeKey, bound_to: &[u8], plain: &[u8]) -> Result<([u8; NONCE_LEN], Vec<u8>)> {
    let nonce = random::<NONCE_LEN>()?;
    // Sealed in place, within a buffer that need not grow: nothing of the plaintext is left in memory.
    let mut buffer = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
    buffer.extend_from_slice(plain);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to), &mut buffer)
        .map_err(|_| Error::internal("sealing a secret", "the cipher refuses"))?;
    Ok((nonce, buffer))
}

fn open(key: &LessSafeKey, bound_to: &[u8], nonce: [u8; NONCE_LEN], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let length = key.open_in_place(nonce, Aad::from(bound_to), &mut buffer).ok()?.len();
    buffer.truncate(length);
    Some(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const B: &str = "b:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const VALUE: &str = "hunter2\nü";

    fn ring(keys: &[&str], active: &str) -> KeyRing {
        KeyRing::parse(&Redacted::new(keys.join(",\n")), Some(active)).unwrap()
    }

    fn subject(version: i32) -> Subject {
        Subject { id: Uuid::from_u128(7), version }
    }

    #[test]
    fn what_is_sealed_opens_and_never_looks_the_same_twice() {
        let ring = ring(&[A], "a");
        let (one, other) = (ring.seal(subject(1), VALUE).unwrap(), ring.seal(subject(1), VALUE).unwrap());
        assert_eq!(ring.open(subject(1), &one).unwrap().expose().as_str(), VALUE);
        assert!(one.ciphertext != other.ciphertext && one.nonce != other.nonce && one.key != other.key);
        assert!(!one.ciphertext.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(format!("{:?}", ring.open(subject(1), &one).unwrap()), "[redacted]");
        assert_eq!(ring.open(subject(1), &ring.seal(subject(1), "").unwrap()).unwrap().expose().as_str(), "");
    }

    #[test]
    fn another_key_under_the_same_id_and_a_missing_one_are_told_apart() {
        let sealed = ring(&[A], "a").seal(subject(1), VALUE).unwrap();
        let impostor = A.replace("AAAA=", "AAAE=");
        let error = ring(&[&impostor], "a").open(subject(1), &sealed).unwrap_err();
        assert!(error.message().contains("does not open with the key \"a\""), "{error}");
        let error = ring(&[B], "b").open(subject(1), &sealed).unwrap_err();
        assert!(error.message().contains("the key \"a\", which is not in the setting secrets.keys"), "{error}");
        assert!(!error.retryable());
    }

    #[test]
    fn rows_cannot_be_exchanged_or_changed() {
        let ring = ring(&[A, B], "a");
        let (one, two) = (ring.seal(subject(1), "one").unwrap(), ring.seal(subject(2), "two").unwrap());
        let elsewhere = Subject { id: Uuid::from_u128(8), version: 1 };
        assert!(ring.open(subject(2), &one).is_err(), "another version");
        assert!(ring.open(elsewhere, &one).is_err(), "another secret");
        let mixed = [
            Sealed { key: two.key.clone(), ..one.clone() },
            Sealed { nonce: two.nonce.clone(), ..one.clone() },
            Sealed { ciphertext: two.ciphertext.clone(), ..one.clone() },
            Sealed { key: WrappedKey { key_id: "b".to_owned(), ..one.key.clone() }, ..one.clone() },
        ];
        for sealed in mixed {
            assert!(ring.open(subject(1), &sealed).is_err(), "{sealed:?}");
        }
        for length in 0..one.ciphertext.len() {
            let cut = Sealed { ciphertext: one.ciphertext[..length].to_vec(), ..one.clone() };
            assert!(ring.open(subject(1), &cut).is_err(), "{length}");
        }
        for length in 0..one.key.bytes.len() {
            let key = WrappedKey { bytes: one.key.bytes[..length].to_vec(), ..one.key.clone() };
            assert!(ring.open(subject(1), &Sealed { key, ..one.clone() }).is_err(), "{length}");
        }
        for length in 0..one.nonce.len() {
            assert!(ring.open(subject(1), &Sealed { nonce: one.nonce[..length].to_vec(), ..one.clone() }).is_err());
        }
        for place in 0..one.ciphertext.len() {
            let mut changed = one.clone();
            changed.ciphertext[place] ^= 1;
            assert!(ring.open(subject(1), &changed).is_err(), "{place}");
        }
    }

    #[test]
    fn a_data_key_changes_its_wrapping_and_the_value_stays() {
        let old = ring(&[A], "a").seal(subject(3), VALUE).unwrap();
        let key = ring(&[A, B], "b").rewrap(subject(3), &old.key).unwrap();
        let new = Sealed { key, ..old.clone() };
        assert_eq!(new.key.key_id, "b");
        assert_eq!(ring(&[B], "b").open(subject(3), &new).unwrap().expose().as_str(), VALUE);
        assert!(ring(&[B], "b").rewrap(subject(3), &old.key).is_err());
    }

    #[test]
    fn a_ring_that_cannot_be_read_says_which_key_and_never_shows_one() {
        let refused = |text: &str, active: Option<&str>| {
            let error = KeyRing::parse(&Redacted::from(text), active).unwrap_err();
            assert!(!error.chain().contains("AAAA"), "{}", error.chain());
            format!("{}: {}", error.field().unwrap(), error.message())
        };
        assert!(refused("", None).starts_with("secrets.keys: must hold a key"));
        assert!(refused("AAAAAAAAAAAA", None).contains("place 1 must be written as `id:key`"));
        assert!(refused(&format!("{A},b:AAAA"), None).contains("place 2 must be 32 bytes"));
        assert!(refused("a b:AAAA", None).contains("place 1"));
        assert!(refused(&A.replacen('a', "ä", 1), None).contains("must have an id"));
        assert!(refused(&format!("{A} {A}"), None).contains("place 2 has the id of another"));
        assert!(refused(&format!("{A} {B}"), None).starts_with("secrets.active_key: must name"));
        assert!(refused(A, Some("b")).starts_with("secrets.active_key: must be the id"));
        assert_eq!(KeyRing::parse(&Redacted::from(A), None).unwrap().active(), "a");
        assert!(!format!("{:?}", ring(&[A, B], "b")).contains("AAAA"));
    }
}
