//! `pods/exec` over WebSocket: the `v5.channel.k8s.io` and `v4.channel.k8s.io` protocols. The first byte of each
//! binary frame is its channel: 0 stdin, 1 stdout, 2 stderr, 3 the final status, 4 resize, 255 close (v5).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request};
use axum::response::Response;
use serde_json::{Value, json};

use super::logs::{container, container_status};
use super::path::Target;
use super::query::Query;
use super::respond::with;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::exec::{Output, Session};
use crate::kubernetes::json::text;
use crate::kubernetes::status::{ApiError, ApiResult};

const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/// The largest frame of output, in bytes (the copy buffer of a real node).
const FRAME: usize = 32 * 1024;

/// The longest wait for a client to close its side.
const PARTING: Duration = Duration::from_secs(5);

/// What a client asked to run.
struct Exec {
    command: Vec<String>,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    v5: bool,
}

/// Upgrades and runs.
pub(super) async fn serve(
    cluster: &Arc<Cluster>,
    target: &Target,
    query: &Query,
    request: Request,
) -> ApiResult<Response> {
    let pod = cluster
        .read(|state| state.find(target.kind, &target.namespace, &target.name).cloned())
        .ok_or_else(|| ApiError::not_found(&target.kind, &target.name))?;
    let name = container(&pod, &target.name, query.get("container"))?;
    if text(&pod, "/spec/nodeName").is_empty() {
        return Err(ApiError::bad_request(format!("pod {} does not have a host assigned", target.name)));
    }
    let (mut parts, _) = request.into_parts();
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
        return Err(ApiError::bad_request("Upgrade request required"));
    };
    let exec = Exec {
        command: query.all("command"),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        v5: false,
    };
    if !exec.stdin && !exec.stdout && !exec.stderr {
        let message = "you must specify at least 1 of stdin, stdout, stderr";
        return Ok(with(400, "text/plain; charset=utf-8", message));
    }
    let running = container_status(&pod, &name).is_some_and(|status| status.pointer("/state/running").is_some());
    if !running {
        return Ok(with(500, "text/plain; charset=utf-8", format!("container not found ({name:?})")));
    }
    let upgrade = upgrade.protocols(PROTOCOLS);
    let Some(chosen) = upgrade.selected_protocol().and_then(|chosen| chosen.to_str().ok()).map(str::to_owned) else {
        return Ok(with(403, "text/plain; charset=utf-8", ""));
    };
    let exec = Exec { v5: chosen == PROTOCOLS[0], ..exec };
    let session = Session::new(cluster.clone(), &target.namespace, &target.name, &name);
    Ok(upgrade.on_upgrade(move |socket| async move {
        // A client that goes away needs no more answer.
        let _ = converse(socket, &session, &exec).await;
    }))
}

async fn converse(mut socket: WebSocket, session: &Session, exec: &Exec) -> Result<(), axum::Error> {
    send(&mut socket, 1, &[]).await?;
    let output = match (exec.stdin, exec.command.first().map(String::as_str)) {
        (true, Some("cat")) if exec.command.len() == 1 => {
            echo(&mut socket, exec).await?;
            Output::default()
        }
        (true, Some("sh" | "bash" | "/bin/sh")) if exec.command.len() == 1 => {
            let script = String::from_utf8_lossy(&input(&mut socket).await?).into_owned();
            session.run(&["sh".to_owned(), "-c".to_owned(), script], &[]).await
        }
        (true, _) => {
            // WP-CLI's prompts read a line each; a v4 client cannot say that its input ends.
            let asks = exec.command.iter().any(|word| word.starts_with("--prompt="));
            let bytes = if asks { line(&mut socket).await? } else { input(&mut socket).await? };
            session.run(&exec.command, &bytes).await
        }
        (false, _) => session.run(&exec.command, &[]).await,
    };
    if exec.stdout {
        for part in output.stdout.as_bytes().chunks(FRAME) {
            send(&mut socket, 1, part).await?;
        }
    }
    if exec.stderr {
        for part in output.stderr.as_bytes().chunks(FRAME) {
            send(&mut socket, 2, part).await?;
        }
    }
    send(&mut socket, 3, status(&output, exec).to_string().as_bytes()).await?;
    socket.send(Message::Close(Some(CloseFrame { code: 1000, reason: "".into() }))).await?;
    part(socket).await;
    Ok(())
}

/// Reads what the client still sends until it closes too: a socket closed with unread input is reset, and a reset takes
/// the answers with it that the client has not yet read.
async fn part(mut socket: WebSocket) {
    let closed = async { while let Some(Ok(_)) = socket.recv().await {} };
    let _ = tokio::time::timeout(PARTING, closed).await;
}

async fn send(socket: &mut WebSocket, channel: u8, bytes: &[u8]) -> Result<(), axum::Error> {
    let mut frame = Vec::with_capacity(bytes.len() + 1);
    frame.push(channel);
    frame.extend_from_slice(bytes);
    socket.send(Message::Binary(frame.into())).await
}

/// The next bytes of stdin; `None` when it ends.
async fn next(socket: &mut WebSocket) -> Result<Option<Vec<u8>>, axum::Error> {
    while let Some(message) = socket.recv().await {
        match message? {
            Message::Binary(frame) => match frame.split_first() {
                Some((0, bytes)) => return Ok(Some(bytes.to_vec())),
                Some((255, _)) => return Ok(None),
                _ => {}
            },
            Message::Close(_) => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

async fn input(socket: &mut WebSocket) -> Result<Vec<u8>, axum::Error> {
    let mut all = Vec::new();
    while let Some(bytes) = next(socket).await? {
        all.extend(bytes);
    }
    Ok(all)
}

/// Input up to a newline or its end.
async fn line(socket: &mut WebSocket) -> Result<Vec<u8>, axum::Error> {
    let mut all = Vec::new();
    while let Some(bytes) = next(socket).await? {
        all.extend(bytes);
        if let Some(end) = all.iter().position(|byte| *byte == b'\n') {
            all.truncate(end + 1);
            break;
        }
    }
    Ok(all)
}

async fn echo(socket: &mut WebSocket, exec: &Exec) -> Result<(), axum::Error> {
    while let Some(bytes) = next(socket).await? {
        if exec.stdout {
            send(socket, 1, &bytes).await?;
        }
    }
    Ok(())
}

/// The final status, worded as each protocol does.
fn status(output: &Output, exec: &Exec) -> Value {
    if let Some(fault) = &output.start_failure {
        let inner = format!(
            "error executing command in container: failed to exec in container: failed to start exec {:?}: OCI \
             runtime exec failed: exec failed: unable to start container process: {fault}",
            uuid::Uuid::new_v4().simple().to_string().repeat(2)
        );
        let (message, cause) = if exec.v5 {
            let cause = format!("Internal error occurred: {inner}");
            (format!("Internal error occurred: {cause}"), cause)
        } else {
            (format!("Internal error occurred: {inner}"), inner)
        };
        return json!({
            "metadata": {}, "status": "Failure", "message": message, "reason": "InternalError",
            "details": {"causes": [{"message": cause}]}, "code": 500,
        });
    }
    if output.code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    let message = if exec.v5 {
        format!("command terminated with non-zero exit code: command terminated with exit code {}", output.code)
    } else {
        format!(
            "command terminated with non-zero exit code: error executing command [{}], exit code {}",
            exec.command.join(" "),
            output.code
        )
    };
    json!({
        "metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": output.code.to_string()}]},
    })
}
