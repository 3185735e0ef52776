//! `northstack admin operations`: durable operations as an operator sees and settles them, on the database itself.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;
use uuid::Uuid;

use super::flows;
use crate::cli::{Context, Exit, output};
use crate::db::operators::{self, Filter, Seen, Signal};
use crate::db::{Audit, Db, audit, operations, steps};
use crate::domain::{Actor, Error, OperationStatus, Result};
use crate::workflow::{self, Abandoned, Control, Controlled, Signalled};

/// Arguments of `northstack admin operations`.
#[derive(Debug, Args)]
pub struct Operations {
    /// What to do.
    #[command(subcommand)]
    pub command: OperationsCommand,
}

/// What `northstack admin operations` can do.
#[derive(Debug, Subcommand)]
pub enum OperationsCommand {
    /// List operations, newest first
    List {
        /// Of this status only
        #[arg(long, value_parser = status())]
        status: Option<OperationStatus>,
        /// Of this flow only
        #[arg(long)]
        kind: Option<String>,
        /// Of this team only
        #[arg(long)]
        team: Option<Uuid>,
        /// Only those that could not be taken back and need a person
        #[arg(long)]
        stuck: bool,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show an operation with its steps, their results and its signals
    Show {
        /// Its id
        id: Uuid,
    },
    /// Let a failed operation go on at the step that failed, in the direction in which it failed
    Retry {
        /// Its id
        id: Uuid,
    },
    /// Give an operation up: nothing is taken back, and it stands as failed
    Abandon {
        /// Its id
        id: Uuid,
        /// Why, for whoever reads it later
        #[arg(long)]
        reason: String,
    },
    /// Tell an operation that waits for it something
    Signal {
        /// Its id
        id: Uuid,
        /// The signal's name, such as `promote`
        name: String,
        /// What it says, as JSON
        #[arg(long, default_value = "null")]
        payload: String,
    },
}

fn status() -> impl TypedValueParser<Value = OperationStatus> {
    PossibleValuesParser::new(OperationStatus::iter().map(OperationStatus::as_str))
        .try_map(|word| word.parse::<OperationStatus>())
}

#[derive(Debug, Serialize)]
struct Shown {
    operation: Seen,
    steps: Vec<Value>,
    signals: Vec<Signal>,
}

impl Operations {
    /// Does what was asked. A worker sees it at its next look at the table (`worker.poll`).
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let db = Db::connect(&context.settings()?.database).await?;
        let exit = match self.command {
            OperationsCommand::List { status, kind, team, stuck, limit } => {
                let filter = Filter { status, kind: kind.as_deref(), team, stuck, id: None };
                list(&db, filter, limit, context).await
            }
            OperationsCommand::Show { id } => show(&db, id, context).await,
            OperationsCommand::Retry { id } => retry(&db, id, context).await,
            OperationsCommand::Abandon { id, reason } => abandon(&db, id, &reason, context).await,
            OperationsCommand::Signal { id, name, payload } => signal(&db, id, &name, &payload, context).await,
        };
        db.close().await;
        exit
    }
}

async fn list(db: &Db, filter: Filter<'_>, limit: u32, context: &Context) -> Result<Exit> {
    let operations = operators::list(db.pool(), filter, limit.into()).await?;
    context.output.print(&operations, |operations| {
        let rows = operations.iter().map(|one| {
            let status = if one.lane_blocked && one.status == OperationStatus::Queued {
                "queued (in lane)"
            } else {
                one.status.as_str()
            };
            let subject = format!("{}/{}", one.subject_type, one.subject_id);
            let reason = one.stuck_reason.as_ref().or(one.error_message.as_ref()).cloned().unwrap_or_default();
            [one.id.to_string(), one.kind.clone(), status.to_owned(), subject, reason]
        });
        output::table(["OPERATION", "KIND", "STATUS", "SUBJECT", "REASON"], rows)
    })?;
    Ok(Exit::Done)
}

async fn show(db: &Db, id: Uuid, context: &Context) -> Result<Exit> {
    let operation = operators::find(db.pool(), id).await?.ok_or_else(|| Error::not_found("operation"))?;
    let steps = steps::list(db.pool(), id).await?;
    let signals = operators::signals(db.pool(), id).await?;
    let as_json = steps.iter().map(|step| {
        json!({ "name": step.name, "status": step.status, "attempt": step.attempt, "detail": step.detail,
                "result": step.result })
    });
    let shown = Shown { operation, steps: as_json.collect(), signals };
    context.output.print(&shown, |Shown { operation, signals, .. }| {
        let mut text = format!(
            "Operation:  {}\nKind:       {} version {}\nStatus:     {}, {}\nSubject:    {}/{}\nTeam:       {}\n",
            operation.id,
            operation.kind,
            operation.flow_version,
            operation.status,
            operation.direction,
            operation.subject_type,
            operation.subject_id,
            operation.team_id
        );
        let due = operation.due_in.map(|seconds| format!("in {seconds:.0} s"));
        let lane = operation
            .lane
            .as_ref()
            .map(|lane| format!("{lane}{}", if operation.lane_blocked { ", waits for its turn" } else { "" }));
        let more = [
            ("Lane:       ", lane),
            ("Worker:     ", operation.lease_holder.clone()),
            ("Due:        ", due),
            ("Error:      ", operation.error_message.clone()),
            ("Stuck:      ", operation.stuck_reason.clone()),
        ];
        for (label, value) in more {
            text.extend(value.iter().flat_map(|value| [label, value.as_str(), "\n"]));
        }
        let rows = steps.iter().map(|step| {
            let detail = step.detail.clone().unwrap_or_default();
            [step.status.to_string(), step.name.clone(), step.attempt.to_string(), detail]
        });
        text += &format!("\n{}", output::table(["STATUS", "STEP", "ATTEMPT", "DETAIL"], rows));
        if !signals.is_empty() {
            let rows = signals.iter().map(|one| [one.name.clone(), one.payload.to_string()]);
            text += &format!("\n\n{}", output::table(["SIGNAL", "PAYLOAD"], rows));
        }
        text
    })?;
    Ok(Exit::Done)
}

async fn retry(db: &Db, id: Uuid, context: &Context) -> Result<Exit> {
    let flows = &flows()?;
    let done = db
        .transaction(&operator(), async |mut tx| {
            // The record of the act is a trigger's, as for every retry.
            Control::lock(&mut tx, flows, id).await?.retry(&mut tx).await
        })
        .await?;
    match done {
        Controlled::Done => say(context, id, "queued", "queued again"),
        Controlled::UnderWay => say(context, id, "open", "is being worked on already"),
    }
}

async fn abandon(db: &Db, id: Uuid, reason: &str, context: &Context) -> Result<Exit> {
    if reason.trim().is_empty() {
        return Err(Error::invalid("reason", "say why the operation is given up"));
    }
    let flows = &flows()?;
    let abandoned = db
        .transaction(&operator(), async |mut tx| {
            let operation = operations::find(&mut *tx, id).await?.ok_or_else(|| Error::not_found("operation"))?;
            let abandoned = workflow::abandon(&mut tx, flows, id, reason).await?;
            let details = json!({ "reason": reason });
            audit::append(&mut tx, operation.team_id, "abandon", "operations", id, &details).await?;
            Ok(abandoned)
        })
        .await?;
    match abandoned {
        Abandoned::Ended => say(context, id, "failed", "given up; what it had done is left as it is"),
        Abandoned::EndedUntold => say(
            context,
            id,
            "failed",
            "given up; this release does not know its flow, so look after the row that it is about yourself",
        ),
        Abandoned::Closed => say(context, id, "failed", "closed; it had failed before"),
    }
}

async fn signal(db: &Db, id: Uuid, name: &str, payload: &str, context: &Context) -> Result<Exit> {
    let payload: Value = serde_json::from_str(payload)
        .map_err(|source| Error::invalid("payload", format!("must be JSON: {source}")).caused_by(source))?;
    let payload = &payload;
    let signalled = db
        .transaction(&operator(), async |mut tx| {
            workflow::signal(&mut tx, id, name, payload, None).await.map(|(signalled, _)| signalled)
        })
        .await?;
    match signalled {
        Signalled::New => say(context, id, "signalled", "has the signal"),
        Signalled::Before => say(context, id, "signalled", "had a signal of that name before, which stands"),
    }
}

fn operator() -> Audit {
    Audit { actor: Actor::Admin(None), correlation_id: Some(format!("admin-{}", Uuid::new_v4())) }
}

fn say(context: &Context, id: Uuid, status: &str, text: &str) -> Result<Exit> {
    context.output.print(&json!({ "operation": id, "status": status, "message": text }), |_| format!("{id} {text}"))?;
    Ok(Exit::Done)
}
