//! Device cookies: what a client shows that an account was signed in to from it before (OWASP, "Slow Down Online Guessing
//! Attacks with Device Cookies"). It opens nothing. It takes the client's attempts at that account out of the limits that
//! strangers share, so that nobody's failures lock the account's owner out.
//!
//! A cookie is `user, device, time of issue` with a HMAC-SHA-256 by a key of its own, derived from the signing key.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use uuid::Uuid;

use super::SigningKey;
use crate::config;
use crate::domain::{Error, Redacted, Result};

const PREFIX: &str = "nsd_";
const PURPOSE: &[u8] = b"northstack device cookie 1";
/// The longest that browsers keep a cookie is 400 days (RFC 6265bis, 5.5).
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const SIGNED_BYTES: usize = 16 + 16 + 8;

/// A client from which an account was signed in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Whose account that is.
    pub user: Uuid,
    /// Which sign-in it was: each gives a cookie of its own.
    pub id: Uuid,
}

/// Makes and reads device cookies.
pub struct Devices {
    /// The one that signs first.
    keys: Vec<hmac::Key>,
}

impl Devices {
    /// By the keys of the configuration. A previous key of which only the public half is given reads nothing.
    ///
    /// # Errors
    /// `invalid-input` where `auth.signing_key` is missing or none.
    pub fn new(auth: &config::Auth) -> Result<Self> {
        let signing = auth.signing_key.as_ref().ok_or_else(|| Error::invalid("auth.signing_key", "is required"))?;
        let previous = auth.previous_signing_keys.iter().filter_map(|pem| SigningKey::from_pem(pem.expose()).ok());
        let keys = std::iter::once(SigningKey::from_pem(signing.expose())?).chain(previous);
        Ok(Self { keys: keys.map(|key| key.derived(PURPOSE)).collect::<Result<_>>()? })
    }

    /// How long a cookie is good for.
    pub fn lifetime() -> Duration {
        LIFETIME
    }

    /// A cookie for a client from which the user has just signed in.
    pub fn issue(&self, user: Uuid) -> Redacted {
        self.issue_at(user, SystemTime::now())
    }

    fn issue_at(&self, user: Uuid, now: SystemTime) -> Redacted {
        let mut bytes = [&user.as_bytes()[..], Uuid::new_v4().as_bytes(), &seconds(now).to_be_bytes()].concat();
        let tag = self.keys.first().map(|key| hmac::sign(key, &bytes));
        bytes.extend(tag.iter().flat_map(|tag| tag.as_ref()));
        Redacted::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The device that a cookie names, if it is one of ours and not too old.
    pub fn read(&self, cookie: &Redacted) -> Option<Device> {
        self.read_at(cookie, SystemTime::now())
    }

    fn read_at(&self, cookie: &Redacted, now: SystemTime) -> Option<Device> {
        let bytes = URL_SAFE_NO_PAD.decode(cookie.expose().strip_prefix(PREFIX)?).ok()?;
        let (signed, tag) = bytes.split_at_checked(SIGNED_BYTES)?;
        self.keys.iter().find(|key| hmac::verify(key, signed, tag).is_ok())?;
        let (user, rest) = signed.split_first_chunk()?;
        let (id, issued) = rest.split_first_chunk()?;
        let age = seconds(now).checked_sub(u64::from_be_bytes(issued.try_into().ok()?));
        // Issued by a clock that is a little ahead, it is good as well.
        let fresh = age.is_none_or(|age| age < LIFETIME.as_secs());
        fresh.then(|| Device { user: Uuid::from_bytes(*user), id: Uuid::from_bytes(*id) })
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(keys: &[&SigningKey]) -> Devices {
        let mut pems = keys.iter().map(|key| key.pem().unwrap());
        let signing_key = pems.next();
        Devices::new(&config::Auth { signing_key, previous_signing_keys: pems.collect(), ..Default::default() })
            .unwrap()
    }

    #[test]
    fn a_cookie_names_its_user_and_no_two_are_alike() {
        let (devices, user) = (devices(&[&SigningKey::generate()]), Uuid::new_v4());
        let (one, other) = (devices.issue(user), devices.issue(user));
        let (one, other) = (devices.read(&one).unwrap(), devices.read(&other).unwrap());
        assert_eq!((one.user, other.user), (user, user));
        assert_ne!(one.id, other.id);
    }

    #[test]
    fn a_changed_byte_or_another_key_makes_it_worthless() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let ours = devices(&[&key]);
        let cookie = ours.issue(Uuid::new_v4());
        let bytes = URL_SAFE_NO_PAD.decode(&cookie.expose()[PREFIX.len()..]).unwrap();
        let shown = |bytes: &[u8]| Redacted::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)));
        assert!(ours.read(&shown(&bytes)).is_some());
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(ours.read(&shown(&changed)), None, "{place}");
            assert_eq!(ours.read(&shown(&bytes[..place])), None, "{place}");
        }
        assert_eq!(devices(&[&other]).read(&cookie), None);
        assert!(devices(&[&other, &key]).read(&cookie).is_some(), "the key before it");
        for wrong in ["", "nsd_", "nsr_", &cookie.expose()[4..]] {
            assert_eq!(ours.read(&wrong.into()), None, "{wrong}");
        }
    }

    #[test]
    fn it_ends_after_a_year() {
        let devices = devices(&[&SigningKey::generate()]);
        let begun = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let cookie = devices.issue_at(Uuid::new_v4(), begun);
        assert!(devices.read_at(&cookie, begun + LIFETIME - Duration::from_secs(1)).is_some());
        assert_eq!(devices.read_at(&cookie, begun + LIFETIME), None);
    }
}
