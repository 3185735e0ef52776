//! `/v1/metadata` and `/v2/query`: commands that change, show and check metadata.
//!
//! Most commands edit the document (the JSON that `export_metadata` gives), from which everything is built anew: the
//! result is put in force as a whole or not at all.

mod change;
mod commands;
mod document;
mod events;
mod inspect;
mod references;
mod rename;
mod run_sql;
mod schedule;
mod schema_change;
mod transforms;
mod whole;

use serde_json::{Value, json};

use super::request;
use crate::auth::Identity;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::json::kind;
use crate::serving::Surface;

/// Which endpoint a command came to; they word an unknown command differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/v1/metadata`.
    Metadata,
    /// `/v2/query` and the older `/v1/query`.
    Query,
}

/// A command: `{"type", "args", "version"?, "resource_version"?}`.
struct Command {
    /// As sent, such as `pg_track_table`.
    ty: String,
    args: Value,
    version: u64,
}

/// Commands that need no arguments.
const WITHOUT_ARGS: [&str; 3] = ["get_cron_triggers", "remove_api_limits", "remove_metrics_config"];

impl Command {
    /// The name without the prefix of the database kind.
    fn name(&self) -> &str {
        ["pg_", "postgres_"].iter().find_map(|prefix| self.ty.strip_prefix(prefix)).unwrap_or(&self.ty)
    }
}

/// Answers a command.
pub(crate) async fn handle(surface: &Surface, identity: &Identity, endpoint: Endpoint, body: &[u8]) -> Result<Value> {
    let value = request::json(body)?;
    Surface::require_admin(identity, "$.args", "restricted access : admin only")?;
    let resource_version = value.get("resource_version").and_then(Value::as_u64);
    let command = read(value, endpoint, "$")?;
    // One change at a time.
    let _turn = surface.metadata.changes.lock().await;
    if let Some(referenced) = resource_version
        && referenced != surface.core.current().resource_version
    {
        let message = format!("metadata resource version referenced ({referenced}) did not match current version");
        return Err(GraphqlError::new(ErrorCode::Conflict, message));
    }
    run(surface, identity, endpoint, command).await
}

fn read(value: Value, endpoint: Endpoint, path: &str) -> Result<Command> {
    let parser = if endpoint == Endpoint::Metadata { "RQLMetadata" } else { "RQLQuery" };
    let failed = |message: String| GraphqlError::at(path, ErrorCode::ParseFailed, message);
    let Value::Object(mut fields) = value else {
        return Err(failed(format!("parsing {parser} failed, expected Object, but encountered {}", kind(&value))));
    };
    let ty = match fields.remove("type") {
        Some(Value::String(ty)) => ty,
        Some(_) => return Err(failed("type must be a string".to_owned())),
        None => return Err(failed("key \"type\" not found".to_owned())),
    };
    let args = match fields.remove("args") {
        Some(args) => args,
        None if WITHOUT_ARGS.contains(&ty.as_str()) => json!({}),
        None => return Err(failed("key \"args\" not found".to_owned())),
    };
    let version = fields.get("version").and_then(Value::as_u64).unwrap_or(1);
    Ok(Command { ty, args, version })
}

/// Runs a command; boxed, because `bulk` runs others. Failures lie under its arguments unless they say where.
fn run<'a>(
    surface: &'a Surface,
    identity: &'a Identity,
    endpoint: Endpoint,
    command: Command,
) -> crate::outbound::caller::Pending<'a, Result<Value>> {
    Box::pin(async move { dispatch(surface, identity, endpoint, command).await.map_err(at_args) })
}

async fn dispatch(surface: &Surface, identity: &Identity, endpoint: Endpoint, command: Command) -> Result<Value> {
    match command.name() {
        "concurrent_bulk" if endpoint == Endpoint::Query && !only_reads(&command.args) => {
            let message = "Only read-only queries are allowed in a concurrent_bulk";
            return Err(GraphqlError::unexpected(message));
        }
        "bulk" | "concurrent_bulk" => return bulk(surface, identity, endpoint, command, false).await,
        "bulk_keep_going" => return bulk(surface, identity, endpoint, command, true).await,
        "bulk_atomic" => return bulk_atomic(surface, endpoint, command).await,
        "rename_relationship" => return rename::run(surface, &command.args).await,
        "run_sql" => return run_sql::run(surface, identity, &command.args).await,
        _ => transforms::check(&command.args)?,
    }
    if command.name() == "test_webhook_transform" {
        return transforms::test(&command.args);
    }
    if let Some(answer) = whole::run(surface, &command).await {
        return answer;
    }
    if let Some(answer) = events::run(surface, identity, &command).await {
        return answer;
    }
    if let Some(answer) = schedule::run(surface, &command).await {
        return answer;
    }
    if let Some(answer) = inspect::run(surface, &command).await {
        return answer;
    }
    change::run(surface, &command).await.unwrap_or_else(|| Err(unknown(&command, endpoint)))
}

/// Whether every member of a bulk is SQL that only reads.
fn only_reads(args: &Value) -> bool {
    let reads = |member: &Value| {
        let is_sql = member.get("type").and_then(Value::as_str).is_some_and(|ty| ty.ends_with("run_sql"));
        is_sql && member.pointer("/args/read_only") == Some(&Value::Bool(true))
    };
    args.as_array().is_none_or(|members| members.iter().all(reads))
}

fn at_args(error: GraphqlError) -> GraphqlError {
    let of_the_whole = matches!(error.code, ErrorCode::Conflict | ErrorCode::PostgresError)
        || ["unknown metadata command", "Unrecognised", "source with name", "Only read-only queries"]
            .iter()
            .any(|start| error.message.starts_with(start));
    if error.path == "$" && !of_the_whole { error.with_path("$.args") } else { error }
}

fn unknown(command: &Command, endpoint: Endpoint) -> GraphqlError {
    let message = match endpoint {
        Endpoint::Query => format!("Unrecognised RQLQuery type: {}", command.ty),
        Endpoint::Metadata => {
            let (backend, name) = command.ty.split_once('_').unwrap_or((&command.ty, ""));
            format!("unknown metadata command {name:?} for backend {backend}")
        }
    };
    GraphqlError::new(ErrorCode::ParseFailed, message)
}

fn members(command: Command) -> Result<Vec<Value>> {
    match command.args {
        Value::Array(members) => Ok(members),
        other => Err(GraphqlError::at(
            "$.args",
            ErrorCode::ParseFailed,
            format!("parsing [] failed, expected Array, but encountered {}", kind(&other)),
        )),
    }
}

/// Runs commands one after the other. What is subscribed sees the metadata at the end, none in between: a permission
/// that is dropped and made anew was never away.
async fn bulk(
    surface: &Surface,
    identity: &Identity,
    endpoint: Endpoint,
    command: Command,
    keep_going: bool,
) -> Result<Value> {
    let outer = surface.hold_versions();
    let answer = each(surface, identity, endpoint, command, keep_going).await;
    drop(outer);
    answer
}

async fn each(
    surface: &Surface,
    identity: &Identity,
    endpoint: Endpoint,
    command: Command,
    keep_going: bool,
) -> Result<Value> {
    let before = surface.core.current();
    let mut answers = Vec::new();
    for (index, member) in members(command)?.into_iter().enumerate() {
        let path = format!("$.args[{index}]");
        let outcome = match read(member, endpoint, &path) {
            Ok(command) => run(surface, identity, endpoint, command).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(answer) => answers.push(answer),
            Err(error) if keep_going => answers.push(error.to_api_body(true)),
            Err(error) => {
                // All or nothing: what came before in this body is taken back. SQL that ran is not.
                if surface.core.current().resource_version != before.resource_version {
                    change::put_in_force(surface, before.metadata.as_ref().clone(), change::Accept::Anything).await?;
                }
                let inner = error.path.strip_prefix('$').unwrap_or_default().to_owned();
                let inner =
                    if error.path.starts_with("$.args[") { error.path.clone() } else { format!("{path}{inner}") };
                return Err(error.with_path(inner));
            }
        }
    }
    Ok(Value::Array(answers))
}

/// Commands on tables that stand or fall together.
async fn bulk_atomic(surface: &Surface, endpoint: Endpoint, command: Command) -> Result<Value> {
    let mut document = surface.core.current().metadata.to_document();
    let mut answers = Vec::new();
    for (index, member) in members(command)?.into_iter().enumerate() {
        let command = read(member, endpoint, &format!("$.args[{index}]"))?;
        if command.name() == "track_table" || command.name() == "untrack_table" {
            let error = GraphqlError::at("$.args", ErrorCode::Unexpected, "Bulk atomic does not support this command");
            return Err(error.with_status(500));
        }
        let edited = commands::edit(command.name(), &command.args, &mut document);
        answers.push(edited.unwrap_or_else(|| Err(unknown(&command, endpoint)))?.answer);
    }
    let metadata = document::parse(&document)?;
    change::put_in_force(surface, metadata, change::Accept::NothingNew(None)).await?;
    Ok(Value::Array(answers))
}

/// Hasura's usual answer.
fn success() -> Value {
    json!({"message": "success"})
}
