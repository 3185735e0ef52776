//! What is on its way out, and what holds it back: in words that say what to do.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// How an object ends that is being deleted: `is being deleted, and held by the finalizer example.com/backup: ...`.
/// `None` for one that is not being deleted.
pub fn ending(metadata: &ObjectMeta) -> Option<String> {
    metadata.deletion_timestamp.as_ref()?;
    // The cluster's own come to their end by themselves.
    let own = |name: &&String| !matches!(name.as_str(), "foregroundDeletion" | "orphan");
    let held: Vec<&str> = metadata.finalizers.iter().flatten().filter(own).map(String::as_str).collect();
    Some(match held.as_slice() {
        [] => "is being deleted".to_owned(),
        [one] => format!("is being deleted, and held by the finalizer {one}: {TO_DO}"),
        more => format!("is being deleted, and held by the finalizers {}: {TO_DO}", more.join(", ")),
    })
}

/// The same for a namespace, which waits for what is in it.
pub fn namespace_ending(namespace: &Namespace) -> Option<String> {
    let own = ending(&namespace.metadata)?;
    let conditions = namespace.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    let told = |kind: &str| {
        let mut conditions = conditions.clone();
        let found = conditions.find(|condition| condition.type_ == kind && condition.status == "True")?;
        found.message.as_deref().map(|message| message.lines().next().unwrap_or_default().to_owned())
    };
    if let Some(message) = told("NamespaceFinalizersRemaining") {
        return Some(format!("{own}; {message}: {TO_DO}"));
    }
    let waits = told("NamespaceDeletionContentFailure").or_else(|| told("NamespaceContentRemaining"));
    Some(waits.map(|message| format!("{own}; {message}")).unwrap_or(own))
}

const TO_DO: &str = "whoever set it has to finish, or take it off metadata.finalizers";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn namespace(metadata: Value, conditions: Value) -> Option<String> {
        let namespace = json!({ "metadata": metadata, "status": { "conditions": conditions } });
        namespace_ending(&serde_json::from_value(namespace).expect("namespace"))
    }

    #[test]
    fn what_ends_says_what_holds_it() {
        let condition = |kind: &str, message: &str| json!({ "type": kind, "status": "True", "message": message });
        let remaining = condition("NamespaceContentRemaining", "Some resources are remaining: pods. has 1");
        let held = condition("NamespaceFinalizersRemaining", "Some content has finalizers remaining: a.io/b in 1");
        let going = json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" });
        assert_eq!(namespace(json!({}), json!([remaining.clone()])), None);
        assert_eq!(namespace(going.clone(), json!([])).as_deref(), Some("is being deleted"));
        let waits = namespace(going.clone(), json!([remaining.clone()])).unwrap_or_default();
        assert_eq!(waits, "is being deleted; Some resources are remaining: pods. has 1");
        let stuck = namespace(going, json!([remaining, held])).unwrap_or_default();
        assert!(stuck.contains("a.io/b in 1: whoever set it has to finish"), "{stuck}");
        let object = json!({ "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a.io/b", "orphan"] });
        let object = ending(&serde_json::from_value(object).expect("metadata")).unwrap_or_default();
        assert!(object.starts_with("is being deleted, and held by the finalizer a.io/b: whoever"), "{object}");
    }
}
