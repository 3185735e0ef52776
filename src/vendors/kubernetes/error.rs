//! The API server's refusals as [`vendors::Error`](crate::vendors::Error).

use std::time::Duration;

use crate::vendors::Error;

/// Maps what kube-rs says. A `Status` keeps the server's own sentence; a transport fault keeps its cause for the log.
pub fn translate(error: kube::Error) -> Error {
    match error {
        kube::Error::Api(status) => {
            let wait =
                status.details.as_ref().map(|details| details.retry_after_seconds).filter(|seconds| *seconds > 0);
            let retry_after = wait.map(|seconds| Duration::from_secs(seconds.into()));
            let message = format!("Kubernetes: {}", status.message);
            // A namespace that is being deleted refuses new content with 403; that passes when it is gone.
            if status.code == 403 && status.message.contains("because it is being terminated") {
                return Error::Conflict(message);
            }
            // A quota that is used up refuses with 403 as well: no credentials will change that.
            if status.code == 403 && status.message.contains("exceeded quota") {
                return Error::Invalid(message);
            }
            // An admission webhook that does not answer. The API server is there.
            if status.code >= 500 && status.message.contains("failed calling webhook") {
                return Error::Blocked(message);
            }
            Error::from_status(status.code, message, retry_after)
        }
        kube::Error::SerdeError(source) => {
            Error::unavailable("Kubernetes gave an answer that could not be read", source)
        }
        kube::Error::Auth(source) => {
            tracing::warn!(error = %source, "kubernetes.credentials");
            Error::Unauthorized("the credentials for Kubernetes could not be used".to_owned())
        }
        kube::Error::UpgradeConnection(source) => upgrade(source),
        kube::Error::BuildRequest(source) => Error::Invalid(format!("Kubernetes: {source}")),
        other => Error::unavailable("Kubernetes does not answer", other),
    }
}

/// A refused WebSocket upgrade (pods/exec) carries the HTTP status only.
fn upgrade(error: kube::client::UpgradeConnectionError) -> Error {
    match error {
        kube::client::UpgradeConnectionError::ProtocolSwitch(status) => {
            Error::from_status(status.as_u16(), format!("Kubernetes refuses to run a command ({status})"), None)
        }
        other => Error::unavailable("Kubernetes could not run a command", other),
    }
}
