//! Commands on captured events.

use serde_json::{Value, json};

use super::{Command, document, success};
use crate::auth::Identity;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::events::{self, EventAdminError};
use crate::serving::Surface;

/// Runs the command if it is one of these.
pub(super) async fn run(surface: &Surface, identity: &Identity, command: &Command) -> Option<Result<Value>> {
    let known =
        ["invoke_event_trigger", "redeliver_event", "get_event_logs", "get_event_invocation_logs", "get_event_by_id"];
    if !known.contains(&command.name()) {
        return None;
    }
    let args = &command.args;
    let pool = surface.core.pool();
    let number = |key: &str, default: i64| args.get(key).and_then(Value::as_i64).unwrap_or(default);
    let answer = async {
        match command.name() {
            "invoke_event_trigger" => {
                let current = surface.core.current();
                let name = document::text(args, "name")?;
                let source = current
                    .metadata
                    .sources
                    .first()
                    .ok_or_else(|| refused(EventAdminError::UnknownTrigger(name.to_owned())))?;
                let session = json!(identity.session.variables());
                let payload = document::required(args, "payload")?;
                let id = events::invoke(pool, source, name, payload, &session).await.map_err(refused)?;
                surface.nudge_events(name);
                Ok(json!({"event_id": id}))
            }
            "redeliver_event" => {
                events::redeliver(pool, document::text(args, "event_id")?).await.map_err(refused)?;
                surface.nudge_all_events();
                Ok(success())
            }
            "get_event_logs" => {
                let status = args.get("status").and_then(Value::as_str);
                let name = document::text(args, "name")?;
                events::event_logs(pool, name, status, number("limit", 100), number("offset", 0)).await.map_err(refused)
            }
            "get_event_invocation_logs" => {
                let name = document::text(args, "name")?;
                events::invocation_logs(pool, name, number("limit", 100), number("offset", 0)).await.map_err(refused)
            }
            _ => events::event_by_id(pool, document::text(args, "event_id")?).await.map_err(refused),
        }
    };
    Some(answer.await)
}

fn refused(error: EventAdminError) -> GraphqlError {
    let code = match &error {
        EventAdminError::UnknownTrigger(_) | EventAdminError::UnknownEvent => ErrorCode::NotExists,
        EventAdminError::NotManual => ErrorCode::NotSupported,
        EventAdminError::Busy => ErrorCode::Busy,
        EventAdminError::Database(error) => {
            tracing::error!(error = %error, "event command failed");
            return GraphqlError::unexpected("database query error");
        }
    };
    GraphqlError::new(code, error.to_string()).with_status(400)
}
