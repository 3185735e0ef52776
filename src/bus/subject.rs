//! Subjects: `{domain}.{action}.{entity_id}`.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::domain::{Error, Result};

/// Everything but letters, digits, `-` and `_`: what NATS gives a meaning (`.`, `*`, `>`, blanks) and what
/// it does not allow.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The subject of one event, such as `deployment.started.app-123` or `cluster.node.added.cluster-456`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject(String);

impl Subject {
    /// Builds a subject from its domain, its action (one or more words) and the entity's id. Whatever the
    /// parts hold, each stays one token: other characters are percent-encoded. An empty part becomes `none`.
    pub fn new(domain: &str, action: &[&str], entity: &str) -> Self {
        let parts = std::iter::once(domain).chain(action.iter().copied()).chain(std::iter::once(entity));
        Self(parts.map(token).collect::<Vec<_>>().join("."))
    }

    /// Reads the subject of a received event.
    pub fn parse(text: &str) -> Result<Self> {
        let well_formed = text.split('.').count() >= 3
            && text.split('.').all(|token| !token.is_empty() && !token.contains(['*', '>', ' ', '\t', '\r', '\n']));
        match well_formed {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::invalid("subject", "a subject is `{domain}.{action}.{entity_id}`")),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type of the event: the subject without the entity, such as `deployment.started`.
    pub fn kind(&self) -> &str {
        self.0.rsplit_once('.').map_or(self.0.as_str(), |(kind, _)| kind)
    }

    /// The entity's id, decoded.
    pub fn entity(&self) -> String {
        let last = self.0.rsplit_once('.').map_or("", |(_, entity)| entity);
        percent_decode_str(last).decode_utf8_lossy().into_owned()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn token(part: &str) -> String {
    match part {
        "" => "none".to_owned(),
        part => utf8_percent_encode(part, ESCAPED).to_string(),
    }
}

/// Whether some subject is matched by both patterns.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (mut left, mut right) = (one.split('.'), other.split('.'));
    loop {
        match (left.next(), right.next()) {
            (Some(">"), Some(_)) | (Some(_), Some(">")) | (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

/// Whether every subject that `narrow` matches is also matched by `wide`.
pub(super) fn within(narrow: &str, wide: &str) -> bool {
    let (mut narrow, mut wide) = (narrow.split('.'), wide.split('.'));
    loop {
        match (narrow.next(), wide.next()) {
            (Some(_), Some(">")) | (None, None) => return true,
            (Some(">"), _) => return false,
            (Some(_), Some("*")) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn subjects_follow_the_convention() {
        assert_eq!(Subject::new("deployment", &["started"], "app-123").as_str(), "deployment.started.app-123");
        let node = Subject::new("cluster", &["node", "added"], "cluster-456");
        assert_eq!(node.as_str(), "cluster.node.added.cluster-456");
        assert_eq!((node.kind(), node.entity().as_str()), ("cluster.node.added", "cluster-456"));
        assert_eq!(Subject::new("audit", &["user", "login"], "").as_str(), "audit.user.login.none");
        for wrong in ["", "a", "a.b", "a..b.c", "a.b.*", "a.b.>", "a.b.c d"] {
            assert!(Subject::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn patterns_overlap_and_contain() {
        assert!(overlap("store.>", "store.ready.*") && overlap("*.ready.>", "store.ready.1") && overlap(">", "a.b"));
        assert!(!overlap("store.>", "application.created.1") && !overlap("a.b", "a.b.c"));
        assert!(within("store.ready.1", "store.>") && within("store.*.1", "store.*.*") && within("a.>", ">"));
        assert!(!within("store.>", "store.ready.*") && !within(">", "store.>") && !within("a.*", "a.b"));
    }

    proptest! {
        #[test]
        fn any_entity_is_one_token_and_comes_back(entity in ".{1,40}") {
            let subject = Subject::new("store", &["ready"], &entity);
            prop_assert_eq!(subject.as_str().split('.').count(), 3);
            prop_assert_eq!(Subject::parse(subject.as_str()).unwrap(), subject.clone());
            prop_assert_eq!(subject.entity(), entity);
        }
    }
}
