//! What rows' statuses and kinds are called in a sentence.

/// What an application does, by its status.
pub(super) fn application(status: &str) -> String {
    match status {
        "created" => "it was never deployed".to_owned(),
        "deploying" => "it is being deployed".to_owned(),
        "deleted" => "it was deleted".to_owned(),
        "failed" => "it failed".to_owned(),
        "deleting" => "it is being deleted".to_owned(),
        other => format!("it is {other}"),
    }
}

/// What became of a revision, by the status of its deployment.
pub(super) fn revision(status: &str) -> &str {
    match status {
        "queued" => "waits for its turn",
        "building" => "is being built",
        "deploying" => "is being deployed",
        "paused" => "waits for a person",
        "running" => "runs",
        "superseded" => "was replaced by a later one",
        "failed" => "failed",
        "rolled_back" => "was taken back",
        "cancelled" => "was given up",
        other => other,
    }
}

/// What an operation does, or how it ended.
pub(super) fn operation(status: &str, undoing: bool) -> &str {
    match (status, undoing) {
        ("queued", false) => "is queued",
        ("queued" | "running" | "waiting", true) => "is being taken back",
        ("running", false) => "is under way",
        ("waiting", false) => "is under way and waits",
        ("succeeded", _) => "is done",
        ("failed", false) => "failed",
        ("failed", true) => "could not be taken back",
        ("cancelled", true) => "was taken back",
        ("cancelled", false) => "was cancelled",
        (other, _) => other,
    }
}

/// How far a step is.
pub(super) fn step(status: &str) -> &str {
    match status {
        "running" => "it is under way",
        "waiting" => "it waits",
        "failed" => "it failed",
        "undoing" => "it is being taken back",
        "undo_failed" => "it could not be taken back",
        other => other,
    }
}

/// What an operation of a kind is about: `deployment.rolling` is `the deployment`.
pub(super) fn kind(kind: &str) -> &str {
    match kind {
        "deployment.rollback" => "the rollback",
        "application.scale" => "the change of size",
        "application.restart" => "the restart",
        "application.start" => "the start",
        "application.stop" => "the stop",
        "application.delete" => "the deletion",
        other if other.starts_with("deployment.") => "the deployment",
        other => other,
    }
}

/// The same at the beginning of a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DeploymentStatus, OperationStatus};
    use strum::IntoEnumIterator as _;

    #[test]
    fn no_status_is_told_as_the_database_writes_it() {
        for status in DeploymentStatus::iter() {
            assert!(revision(status.as_str()) != status.as_str() || status.as_str() == "failed", "{status:?}");
        }
        for status in OperationStatus::iter() {
            assert!(operation(status.as_str(), false) != status.as_str() || status.as_str() == "failed", "{status:?}");
        }
        assert_eq!(sentence(kind("deployment.canary")), "The deployment");
    }
}
