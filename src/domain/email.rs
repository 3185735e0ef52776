//! An e-mail address, in the form under which it is unique.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::{Error, Result};

/// RFC 5321, 4.5.3.1: 64 octets before the sign, 254 in all.
const MAX_LENGTH: usize = 254;
const MAX_LOCAL_LENGTH: usize = 64;

/// An address of the form `name@domain.tld`, in lower case.
///
/// Deliberately narrower than RFC 5322: no quoted names, no comments, no address literals.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Reads an address; spaces around it, letter case and the width or form of characters (Unicode's NFKC) do not count.
    /// An error names the field `email`.
    pub fn parse(text: &str) -> Result<Self> {
        let text: String = text.trim().nfkc().collect::<String>().to_lowercase().nfkc().collect();
        let sound = text.len() <= MAX_LENGTH
            && text.split_once('@').is_some_and(|(name, domain)| sound_name(name) && sound_domain(domain));
        if sound {
            Ok(Self(text))
        } else {
            Err(Error::invalid("email", "must be an e-mail address such as ada@example.com"))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn sound_name(name: &str) -> bool {
    (1..=MAX_LOCAL_LENGTH).contains(&name.len())
        && name.split('.').all(|part| {
            !part.is_empty()
                && part.chars().all(|c| c.is_alphanumeric() || c.is_ascii() && "!#$%&'*+-/=?^_`{|}~".contains(c))
        })
}

fn sound_domain(domain: &str) -> bool {
    domain.contains('.')
        && domain.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_lower_case() {
        assert_eq!(Email::parse("  Ada.Lovelace+Shop@Example.COM ").unwrap().as_str(), "ada.lovelace+shop@example.com");
        assert_eq!(Email::parse("jürgen@bücher.example").unwrap().as_str(), "jürgen@bücher.example");
        assert_eq!(Email::parse("ａlice＠example.com").unwrap().as_str(), "alice@example.com");
        assert_eq!(Email::parse("ju\u{308}rgen@example.com").unwrap().as_str(), "jürgen@example.com");
    }

    #[test]
    fn other_text_is_refused_by_its_field() {
        let long = format!("{}@example.com", "a".repeat(65));
        for wrong in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a b@example.com",
            "a@@b.com",
            "a@b..com",
            "a@-b.com",
            ".a@b.com",
            "a@b.com\0",
            "a@b.com\nbcc: x@y.zz",
            "\"a\"@b.com",
            "a@[127.0.0.1]",
            &long,
        ] {
            assert_eq!(Email::parse(wrong).unwrap_err().field(), Some("email"), "{wrong:?}");
        }
    }
}
