//! What rows' statuses and kinds are called in a sentence.

use crate::domain::{ApplicationStatus, DeploymentStatus, Direction, OperationStatus, StepStatus};

/// What an application does, by its status.
pub(super) fn application(status: ApplicationStatus) -> &'static str {
    match status {
        ApplicationStatus::Created => "it was never deployed",
        ApplicationStatus::Deploying => "it is being deployed",
        ApplicationStatus::Running => "it is running",
        ApplicationStatus::Degraded => "it is degraded",
        ApplicationStatus::Stopped => "it is stopped",
        ApplicationStatus::Failed => "it failed",
        ApplicationStatus::Deleting => "it is being deleted",
        ApplicationStatus::Deleted => "it was deleted",
    }
}

/// What became of a revision, by the status of its deployment.
pub(super) fn revision(status: DeploymentStatus) -> &'static str {
    match status {
        DeploymentStatus::Queued => "waits for its turn",
        DeploymentStatus::Building => "is being built",
        DeploymentStatus::Deploying => "is being deployed",
        DeploymentStatus::Paused => "waits for a person",
        DeploymentStatus::Running => "runs",
        DeploymentStatus::Superseded => "was replaced by a later one",
        DeploymentStatus::Failed => "failed",
        DeploymentStatus::RolledBack => "was taken back",
        DeploymentStatus::Cancelled => "was given up",
    }
}

/// What an operation does, or how it ended.
pub(super) fn operation(status: OperationStatus, direction: Direction) -> &'static str {
    match (status, direction) {
        (OperationStatus::Queued, Direction::Forward) => "is queued",
        (OperationStatus::Running, Direction::Forward) => "is under way",
        (OperationStatus::Waiting, Direction::Forward) => "is under way and waits",
        (OperationStatus::Queued | OperationStatus::Running | OperationStatus::Waiting, Direction::Undo) => {
            "is being taken back"
        }
        (OperationStatus::Succeeded, _) => "is done",
        (OperationStatus::Failed, Direction::Forward) => "failed",
        (OperationStatus::Failed, Direction::Undo) => "could not be taken back",
        (OperationStatus::Cancelled, Direction::Forward) => "was cancelled",
        (OperationStatus::Cancelled, Direction::Undo) => "was taken back",
    }
}

/// How far a step is.
pub(super) fn step(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Pending => "it has not begun",
        StepStatus::Running => "it is under way",
        StepStatus::Waiting => "it waits",
        StepStatus::Succeeded => "it is done",
        StepStatus::Failed => "it failed",
        StepStatus::Skipped => "it was left out",
        StepStatus::Undoing => "it is being taken back",
        StepStatus::Undone => "it was taken back",
        StepStatus::UndoFailed => "it could not be taken back",
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

    #[test]
    fn kinds_are_called_what_they_are_about() {
        assert_eq!(sentence(kind("deployment.canary")), "The deployment");
    }
}
