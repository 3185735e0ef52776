//! A store's public id, which is also its Kubernetes namespace.

use std::fmt;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{Error, Result};

const PREFIX: &str = "store-";
const SUFFIX_LENGTH: usize = 8;
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// `store-` and eight characters of `[a-z0-9]`: a DNS label (RFC 1123) and a namespace name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreId(String);

impl StoreId {
    /// A new id from the operating system's secure source. Uniqueness is the database's to refuse.
    pub fn random() -> Self {
        let mut rng = rand::rng();
        let mut id = String::from(PREFIX);
        id.extend((0..SUFFIX_LENGTH).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])));
        Self(id)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for StoreId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let suffix = text.strip_prefix(PREFIX).unwrap_or_default().as_bytes();
        if suffix.len() == SUFFIX_LENGTH && suffix.iter().all(|byte| ALPHABET.contains(byte)) {
            Ok(Self(text))
        } else {
            Err(Error::invalid("storeId", "a store id is `store-` followed by eight characters of a-z and 0-9"))
        }
    }
}

impl From<StoreId> for String {
    fn from(id: StoreId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_parse_and_foreign_ones_do_not() {
        for _ in 0..100 {
            let id = StoreId::random();
            assert_eq!(StoreId::try_from(id.to_string()).expect("own id"), id);
        }
        for wrong in
            ["", "store-", "store-ABCDEFGH", "store-abcdefg", "store-abcdefghi", "shop-abcdefgh", "store-../../x"]
        {
            assert!(StoreId::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
