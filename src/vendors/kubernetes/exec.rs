//! Running a command in a container (`GET /api/v1/namespaces/{namespace}/pods/{pod}/exec`, WebSocket).

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{Api, AttachParams};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{Client, translate};
use crate::domain::{Redacted, transaction};
use crate::vendors::{Error, Result};

/// The most that is kept of each stream; the rest is read and dropped.
const KEPT: usize = 256 * 1024;

/// A command in a container. Arguments are visible to the API server's audit log: secrets go by `input`.
#[derive(Debug, Clone)]
pub struct Command<'a> {
    pub namespace: &'a str,
    pub pod: &'a str,
    pub container: &'a str,
    /// The program and its arguments.
    pub arguments: &'a [String],
    /// What is written to the program's standard input.
    pub input: Option<&'a Redacted>,
    /// The longest time for the whole of it.
    pub timeout: Duration,
}

/// What a command wrote, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code; 0 is success.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Client {
    /// Runs a command to its end. A command that ends with another code than 0 is an answer, not an error.
    pub async fn exec(&self, command: &Command<'_>) -> Result<Output> {
        match tokio::time::timeout(command.timeout, self.run(command)).await {
            Ok(output) => output,
            Err(elapsed) => Err(Error::broken_off(
                format!("a command in {} did not end within {} s", command.container, command.timeout.as_secs()),
                Some(elapsed.into()),
            )),
        }
    }

    async fn run(&self, command: &Command<'_>) -> Result<Output> {
        transaction::asks_outside("Kubernetes");
        let pods: Api<Pod> = Api::namespaced(self.inner.clone(), command.namespace);
        let params = AttachParams::default().container(command.container).stdin(command.input.is_some()).stderr(true);
        let mut process = pods.exec(command.pod, command.arguments, &params).await.map_err(translate)?;
        let status = process.take_status();
        let (stdin, stdout, stderr) = (process.stdin(), process.stdout(), process.stderr());
        let feed = async {
            if let (Some(mut stdin), Some(input)) = (stdin, command.input) {
                // A program that ends without reading its input is judged by its exit code.
                let _ = stdin.write_all(input.expose().as_bytes()).await;
                // Dropping the writer would not end the input; this does.
                let _ = stdin.shutdown().await;
            }
            std::future::pending().await
        };
        let outputs = async { Ok(tokio::join!(drain(stdout), drain(stderr))) };
        // Without a status the connection is gone, but the pipes of both outputs stay open: they are waited for no more.
        let status = async {
            match status {
                Some(status) => status.await.ok_or(Broken),
                None => Err(Broken),
            }
        };
        // Nor does anybody read on from the input of a program that has ended.
        let ended = tokio::select! {
            ended = async { tokio::try_join!(outputs, status) } => ended,
            never = feed => never,
        };
        let ((stdout, stderr), status) = match ended {
            Ok(ended) => ended,
            Err(Broken) => return Err(broken(process.join().await.err())),
        };
        Ok(Output { code: exit_code(&status)?, stdout, stderr })
    }
}

/// The connection ended before the command did.
struct Broken;

fn broken(cause: Option<impl std::error::Error + Send + Sync + 'static>) -> Error {
    Error::broken_off("the connection broke before the command's end", cause.map(Into::into))
}

/// The exit code in a `Status` of channel 3: `Success`, or `NonZeroExitCode` with the code as a cause.
fn exit_code(status: &Status) -> Result<i32> {
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let causes = status.details.iter().flat_map(|details| details.causes.iter().flatten());
    let code = causes
        .filter(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .find_map(|cause| cause.message.as_deref()?.parse().ok());
    match code {
        Some(code) => Ok(code),
        None => {
            let reason = status.message.as_deref().unwrap_or("no reason given");
            Err(Error::broken_off(format!("Kubernetes could not run the command: {reason}"), None))
        }
    }
}

async fn drain(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    let mut buffer = [0_u8; 8192];
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        let room = KEPT.saturating_sub(kept.len()).min(read);
        kept.extend(buffer.iter().take(room));
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_exit_code_of_both_wordings() {
        let parse = |text: &str| exit_code(&serde_json::from_str::<Status>(text).expect("status"));
        assert_eq!(parse(r#"{"metadata":{},"status":"Success"}"#).expect("success"), 0);
        let failed = r#"{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: Error executing in Docker Container: 3",
            "reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}"#;
        assert_eq!(parse(failed).expect("an exit code is an answer"), 3);
        let broken = r#"{"metadata":{},"status":"Failure","reason":"InternalError","message":"container not found"}"#;
        assert!(parse(broken).expect_err("no exit code").to_string().contains("container not found"));
    }
}
