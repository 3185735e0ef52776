//! `northstack operations`: durable operations and their steps.

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::api::Api;
use super::graphql::{self, Operation, cancel_operation, operation_by_id, operations, retry_operation};
use super::{Context, Exit, api, id, output, watch};
use crate::domain::{Error, Result};

/// Arguments of `northstack operations`.
#[derive(Debug, Args)]
pub struct Operations {
    /// What to do.
    #[command(subcommand)]
    pub command: OperationsCommand,
}

/// What `northstack operations` can do.
#[derive(Debug, Subcommand)]
pub enum OperationsCommand {
    /// List the operations that you may see, newest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show an operation with its steps
    Show {
        /// Its id
        #[arg(value_parser = id::uuid)]
        id: Uuid,
    },
    /// Follow an operation to its end; the exit code tells the outcome
    Watch {
        /// Its id
        #[arg(value_parser = id::uuid)]
        id: Uuid,
    },
    /// End an operation between two of its steps and take back what it did
    Cancel {
        /// Its id
        #[arg(value_parser = id::uuid)]
        id: Uuid,
        /// Follow it until that is done
        #[arg(long, short)]
        watch: bool,
    },
    /// Go on with a failed operation at the step that failed
    Retry {
        /// Its id
        #[arg(value_parser = id::uuid)]
        id: Uuid,
        /// Follow it to its end; the exit code tells the outcome
        #[arg(long, short)]
        watch: bool,
    },
}

impl Operations {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        match self.command {
            OperationsCommand::List { limit } => list(&api, limit, context).await,
            OperationsCommand::Show { id } => show(&api, id, context).await,
            OperationsCommand::Watch { id } => watch::operation(&api, id, context.output).await,
            OperationsCommand::Cancel { id, watch } => {
                let answer = api.run::<graphql::CancelOperation>(cancel_operation::Variables { id }).await?;
                let id = answer.cancel_operation.ok_or_else(api::nothing)?.operation_id;
                if !watch {
                    return accepted(id, "is being cancelled", context);
                }
                // That it was cancelled is what was asked for.
                watch::cancelled(&api, id, context.output).await
            }
            OperationsCommand::Retry { id, watch } => {
                let answer = api.run::<graphql::RetryOperation>(retry_operation::Variables { id }).await?;
                let id = answer.retry_operation.ok_or_else(api::nothing)?.operation_id;
                if !watch {
                    return accepted(id, "goes on", context);
                }
                watch::operation(&api, id, context.output).await
            }
        }
    }
}

fn accepted(id: Uuid, doing: &str, context: &Context) -> Result<Exit> {
    context.output.print(&serde_json::json!({ "operationId": id }), |_| {
        format!("The operation {doing}.\nFollow it: northstack operations watch {id}")
    })?;
    Ok(Exit::Done)
}

async fn list(api: &Api, limit: u32, context: &Context) -> Result<Exit> {
    let answer = api.run::<graphql::Operations>(operations::Variables { limit: limit.into() }).await?;
    let operations: Vec<Operation> = answer.operations.into_iter().map(Operation::from).collect();
    context.output.print(&operations, |operations| {
        let rows = operations.iter().map(|operation| {
            let done =
                operation.steps.iter().filter(|step| matches!(step.status.as_str(), "succeeded" | "skipped")).count();
            let steps = format!("{done}/{}", operation.steps.len());
            let store = operation.store.as_ref().map(|store| store.name.clone());
            let name = store.or_else(|| operation.application.as_ref().map(|application| application.name.clone()));
            [
                operation.id.to_string(),
                watch::kind(&operation.kind).to_owned(),
                name.unwrap_or_default(),
                operation.status.clone(),
                steps,
                output::ago(&operation.created_at),
            ]
        });
        output::table(["OPERATION", "WHAT", "NAME", "STATUS", "STEPS", "CREATED"], rows)
    })?;
    Ok(Exit::Done)
}

async fn show(api: &Api, id: Uuid, context: &Context) -> Result<Exit> {
    let found = api.run::<graphql::OperationById>(operation_by_id::Variables { id }).await?.operations_by_pk;
    let operation = found.map(Operation::from).ok_or_else(|| Error::not_found("operation"))?;
    context.output.print(&operation, |operation| {
        let Operation { id, kind, status, error_message, stuck_reason, created_at, .. } = operation;
        let mut text = format!(
            "Operation:  {id}\nKind:       {kind}\nStatus:     {status}\nCreated:    {}\n",
            output::when(created_at)
        );
        for (label, value) in [("Error:      ", error_message), ("Waits for:  ", stuck_reason)] {
            text.extend(value.iter().flat_map(|value| [label, value, "\n"]));
        }
        let rows = operation.steps.iter().map(|step| {
            let detail = step.detail.clone().unwrap_or_default();
            [step.status.clone(), step.title.clone(), step.attempt.to_string(), detail]
        });
        text + "\n" + &output::table(["STATUS", "STEP", "ATTEMPT", "DETAIL"], rows)
    })?;
    Ok(Exit::Done)
}
