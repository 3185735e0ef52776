//! Subjects of events with wildcards, as NATS has them: `*` stands for one word and `>` for the rest.

use super::{Error, Result};

/// The longest subject that is taken.
const LONGEST: usize = 256;

/// The regular expression of a subject with wildcards, such as `deployment.*.<id>` or `store.>`.
///
/// # Errors
/// `invalid-input`, by the name that the subject has where it was given.
pub fn pattern(field: &str, subject: &str) -> Result<String> {
    let words: Vec<&str> = subject.split('.').collect();
    let part = |(place, word): (usize, &&str)| match *word {
        "*" => Some("[^.]+".to_owned()),
        ">" if place + 1 == words.len() => Some(".+".to_owned()),
        word if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_%".contains(&byte)) => {
            Some(word.to_owned())
        }
        _ => None,
    };
    let parts: Option<Vec<String>> = words.iter().enumerate().map(part).collect();
    parts
        .filter(|_| subject.len() <= LONGEST)
        .map(|parts| format!("^{}$", parts.join("[.]")))
        .ok_or_else(|| Error::invalid(field, "must be words between dots, such as `store.*.<id>` or `deployment.>`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_matched_word_by_word() {
        let pattern = |subject: &str| pattern("--subject", subject);
        assert_eq!(pattern("deployment.*.4f-0e").unwrap(), "^deployment[.][^.]+[.]4f-0e$");
        assert_eq!(pattern("store.>").unwrap(), "^store[.].+$");
        let long = "a".repeat(257);
        for wrong in ["", "store.", "store.>.x", "a b", "a(b", "a*", &long] {
            assert_eq!(pattern(wrong).unwrap_err().field(), Some("--subject"), "{wrong}");
        }
    }
}
