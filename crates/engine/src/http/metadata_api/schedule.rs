//! Commands on cron triggers and scheduled events.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use super::{Command, change, document, success};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::metadata::{CronRetryConfiguration, CronTrigger, Header};
use crate::schedule::{self, Kind, NewEvent, Schedule, Selection};
use crate::serving::Surface;

const STATUSES: [&str; 5] = ["scheduled", "locked", "delivered", "error", "dead"];

/// Runs the command if it is one of these.
pub(super) async fn run(surface: &Surface, command: &Command) -> Option<Result<Value>> {
    let args = &command.args;
    Some(match command.name() {
        "create_cron_trigger" => create_cron(surface, command).await,
        "get_cron_triggers" => Ok(json!({"cron_triggers": surface.core.current().metadata.cron_triggers})),
        "create_scheduled_event" => create(surface, args).await,
        "delete_scheduled_event" => delete(surface, args).await,
        "get_scheduled_events" => match selection(surface, args, false) {
            Ok(selection) => schedule::events(surface.core.pool(), &selection).await.map_err(failed),
            Err(error) => Err(error),
        },
        "get_scheduled_event_invocations" | "get_event_invocations" => match selection(surface, args, true) {
            Ok(selection) => schedule::invocations(surface.core.pool(), &selection).await.map_err(failed),
            Err(error) => Err(error),
        },
        _ => return None,
    })
}

fn failed(error: sqlx::Error) -> GraphqlError {
    tracing::error!(error = %error, "command on scheduled events failed");
    GraphqlError::unexpected("database query error")
}

fn malformed(path: &str, message: impl Into<String>) -> GraphqlError {
    GraphqlError::at(format!("$.args.{path}"), ErrorCode::ParseFailed, message)
}

/// Looks at what the document cannot tell, then edits it.
async fn create_cron(surface: &Surface, command: &Command) -> Result<Value> {
    let text = document::text(&command.args, "schedule")?;
    Schedule::parse(text).map_err(|error| malformed("schedule", error.to_string()))?;
    let mut given = command.args.clone();
    if let Some(fields) = given.as_object_mut() {
        fields.remove("replace");
    }
    if let Ok(trigger) = serde_json::from_value::<CronTrigger>(given)
        && let Some(reason) = schedule::fault(&trigger, &surface.outbound)
    {
        let reason = format!("Inconsistent object: {reason}");
        let found = json!([{
            "definition": trigger, "name": format!("cron_trigger {}", trigger.name), "reason": reason,
            "type": "cron_trigger",
        }]);
        return Err(GraphqlError::new(ErrorCode::InvalidConfiguration, reason).with_internal(found));
    }
    change::run(surface, command).await.unwrap_or_else(|| Ok(success()))
}

async fn create(surface: &Surface, args: &Value) -> Result<Value> {
    let given = |key: &str| args.get(key).filter(|value| !value.is_null()).cloned();
    let webhook = document::text(args, "webhook")?;
    let at = moment(document::text(args, "schedule_at")?)?;
    let headers = read::<Vec<Header>>(args, "headers")?.unwrap_or_default();
    let retry_conf = read::<CronRetryConfiguration>(args, "retry_conf")?.unwrap_or_default();
    let event = NewEvent {
        webhook: webhook.into(),
        at,
        payload: given("payload"),
        headers: json!(headers),
        retry_conf: json!(retry_conf),
        comment: given("comment").map(|_| document::text(args, "comment").map(str::to_owned)).transpose()?,
        request_transform: given("request_transform"),
        response_transform: given("response_transform"),
    };
    let id = schedule::create_event(surface.core.pool(), &event).await.map_err(failed)?;
    surface.background.schedules.nudge();
    Ok(json!({"event_id": id, "message": "success"}))
}

/// A moment as ISO 8601 writes it, with a zone; seconds may be left out.
fn moment(text: &str) -> Result<OffsetDateTime> {
    let normal = text.replacen(' ', "T", 1);
    OffsetDateTime::parse(&normal, &Iso8601::DEFAULT).map_err(|_| {
        let message = format!("parsing UTCTime failed, expected a moment such as 2026-01-31T12:00:00Z, not {text:?}");
        malformed("schedule_at", message)
    })
}

fn read<T: serde::de::DeserializeOwned>(args: &Value, key: &str) -> Result<Option<T>> {
    let Some(value) = args.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
    serde_path_to_error::deserialize(value).map(Some).map_err(|error| {
        let inner = error.path().to_string();
        let path = if inner == "." { key.to_owned() } else { format!("{key}.{inner}") };
        malformed(&path, error.inner().to_string())
    })
}

async fn delete(surface: &Surface, args: &Value) -> Result<Value> {
    let kind = kind(args)?;
    let id = document::text(args, "event_id")?;
    schedule::delete_event(surface.core.pool(), kind, id).await.map_err(failed)?;
    Ok(success())
}

fn kind(args: &Value) -> Result<Kind> {
    match document::text(args, "type")? {
        "cron" => Ok(Kind::Cron),
        "one_off" => Ok(Kind::OneOff),
        other => {
            let message = format!(
                "parsing Hasura.RQL.Types.ScheduledTrigger.ScheduledEventType failed, expected one of the tags \
                 [\"cron\",\"one_off\"], but found tag {other:?}"
            );
            Err(malformed("type", message))
        }
    }
}

/// What is asked for; tries may be asked for by event.
fn selection(surface: &Surface, args: &Value, by_event: bool) -> Result<Selection> {
    let kind = kind(args)?;
    let event = match by_event {
        true => args.get("event_id").and_then(Value::as_str).map(str::to_owned),
        false => None,
    };
    let trigger = match (kind, &event) {
        (Kind::Cron, None) => {
            let name = document::text(args, "trigger_name")?;
            if surface.core.current().metadata.cron_triggers.iter().all(|trigger| trigger.name != name) {
                let message = format!("cron trigger with name: {name} does not exist");
                return Err(GraphqlError::new(ErrorCode::NotExists, message));
            }
            Some(name.to_owned())
        }
        _ => None,
    };
    let number = |key: &str| match args.get(key).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => match value.as_i64().filter(|number| *number >= 0) {
            Some(number) => Ok(Some(number)),
            None => Err(malformed(key, format!("{key} must be a whole number that is not negative"))),
        },
    };
    let statuses = read::<Vec<String>>(args, "status")?.unwrap_or_default();
    if let Some((index, status)) = statuses.iter().enumerate().find(|(_, status)| !STATUSES.contains(&status.as_str()))
    {
        return Err(malformed(&format!("status[{index}]"), format!("unexpected status: {status}")));
    }
    Ok(Selection {
        kind,
        trigger,
        event,
        statuses,
        limit: number("limit")?,
        offset: number("offset")?,
        count: read::<bool>(args, "get_rows_count")?.unwrap_or(false),
    })
}
