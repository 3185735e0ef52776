//! What the rows of an application and its deployments say of its operations, written in the transaction that records
//! the transition.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;

use super::super::super::flow::{Observer, Transition};
use super::prepare::{self, Before};
use super::{Change, Input, Stand};
use crate::db::operations::Operation;
use crate::db::{applications, deployments, steps, variables};
use crate::domain::workload::Workload;
use crate::domain::{ApplicationStatus, Code, DeploymentStatus, Error, Result};

/// The step after which an application has its address.
const NETWORK: &str = "network";

/// Observes deployments and rollbacks.
pub(super) fn deployment() -> Observer {
    Arc::new(|db, operation, transition| -> BoxFuture<'_, Result<()>> { Box::pin(deployed(db, operation, transition)) })
}

/// Observes changes of size and restarts.
pub(super) fn change() -> Observer {
    Arc::new(|db, operation, transition| -> BoxFuture<'_, Result<()>> { Box::pin(changed(db, operation, transition)) })
}

fn input<T: DeserializeOwned>(operation: &Operation) -> Result<T> {
    serde_json::from_value(operation.input.clone())
        .map_err(|source| Error::internal("read an operation's input", source))
}

async fn deployed(db: &mut PgConnection, operation: &Operation, transition: Transition<'_>) -> Result<()> {
    let (application, Input { deployment, workload, .. }) = (operation.subject_id, input(operation)?);
    if !matches!(transition, Transition::StepDone { .. } | Transition::CancelRequested | Transition::Superseded { .. })
    {
        // What is written of the deployment locks the team's audit chain, which whoever changes the application's row
        // asks for last: the row comes first here too.
        applications::lock_any(db, application).await?;
    }
    match transition {
        Transition::StepDone { name: NETWORK, .. } => {
            let steps = steps::list(&mut *db, operation.id).await?;
            let result = steps.iter().find(|step| step.name == NETWORK).and_then(|step| step.result.as_ref());
            let url = result.and_then(|result| result.get("url")?.as_str());
            applications::set_url(db, application, url).await
        }
        Transition::StepDone { .. } => Ok(()),
        Transition::Succeeded => {
            deployments::move_to(db, deployment, DeploymentStatus::Running, None).await?;
            let row = deployments::find(&mut *db, deployment).await?;
            let rollback = row.is_some_and(|row| row.restored_revision.is_some());
            let to = if rollback { DeploymentStatus::RolledBack } else { DeploymentStatus::Superseded };
            deployments::replace(db, application, deployment, to).await?;
            if rollback {
                restore(db, application, &workload).await?;
            } else {
                applications::set_image(db, application, workload.image.as_str()).await?;
            }
            applications::move_to(db, application, ApplicationStatus::Running).await.map(drop)
        }
        Transition::Failed { error, .. } => {
            let row = deployments::find(&mut *db, deployment).await?;
            let found = row.as_ref().and_then(|row| prepare::found(&row.progress));
            let stand = row.and_then(|row| serde_json::from_value::<Stand>(row.progress.get("canary")?.clone()).ok());
            let before = found.as_ref().and_then(|before| before.revision);
            let left = stand.and_then(|stand| stand.left(workload.revision, before, operation.id));
            let message =
                left.map_or_else(|| error.message().to_owned(), |left| format!("{}; {left}", error.message()));
            deployments::move_to(db, deployment, DeploymentStatus::Failed, Some(&message)).await?;
            if found.is_none() {
                return Ok(());
            }
            let serves = deployments::running(&mut *db, application, Some(deployment)).await?.is_some();
            let to = if serves { ApplicationStatus::Degraded } else { ApplicationStatus::Failed };
            applications::move_to(db, application, to).await.map(drop)
        }
        Transition::CancelRequested => Ok(()),
        Transition::Resumed { undo } => {
            if !undo && !deployments::move_to(db, deployment, DeploymentStatus::Deploying, None).await? {
                let message = "the deployment's status does not allow that now";
                return Err(Error::new(Code::IllegalTransition, message));
            }
            again(db, operation).await
        }
        Transition::Superseded { .. } => {
            deployments::move_to(db, deployment, DeploymentStatus::Superseded, None).await.map(drop)
        }
        Transition::Cancelled => {
            let row = deployments::find(&mut *db, deployment).await?;
            deployments::move_to(db, deployment, DeploymentStatus::Cancelled, None).await?;
            let before = row.and_then(|row| prepare::found(&row.progress));
            back_to(db, operation, before.as_ref()).await
        }
    }
}

/// What a rollback brought back is what the application's row and variables say from now on: the next deployment goes on
/// from there.
async fn restore(db: &mut PgConnection, application: uuid::Uuid, workload: &Workload) -> Result<()> {
    let json = |value: serde_json::Result<serde_json::Value>| {
        value.map_err(|source| Error::internal("write a revision's settings", source))
    };
    let restored = applications::Restored {
        image: workload.image.as_str(),
        port: workload.port.into(),
        replicas: i32::try_from(workload.replicas).unwrap_or(i32::MAX),
        resources: &json(serde_json::to_value(&workload.resources))?,
        settings: &json(serde_json::to_value(&workload.settings))?,
        strategy: workload.strategy.as_str(),
    };
    applications::restore(db, application, &restored).await?;
    let names: Vec<String> = workload.variables.keys().chain(workload.secrets.keys()).cloned().collect();
    variables::keep_only(db, application, &names).await?;
    for (name, value) in &workload.variables {
        variables::set(db, application, name, Some(value), None).await?;
    }
    for (name, secret) in &workload.secrets {
        variables::set(db, application, name, None, Some(secret.id)).await?;
    }
    Ok(())
}

/// The application is as it was before an operation that was taken back; nothing changes for one that never began.
async fn back_to(db: &mut PgConnection, operation: &Operation, before: Option<&Before>) -> Result<()> {
    let Some(before) = before else { return Ok(()) };
    // What was rolling out then has ended since: one operation of an application runs at a time. What failed before was
    // given up with this: the last revision that served has all its pods again, or whoever looks after them says so.
    let status = match before.status {
        ApplicationStatus::Deploying | ApplicationStatus::Degraded if before.revision.is_some() => {
            ApplicationStatus::Running
        }
        ApplicationStatus::Deploying => ApplicationStatus::Created,
        other => other,
    };
    applications::set_url(db, operation.subject_id, before.url.as_deref()).await?;
    applications::return_to(db, operation.subject_id, status).await
}

async fn changed(db: &mut PgConnection, operation: &Operation, transition: Transition<'_>) -> Result<()> {
    let application = operation.subject_id;
    match transition {
        Transition::Resumed { .. } => again(db, operation).await,
        // A change is not superseded: each was asked for.
        Transition::StepDone { .. } | Transition::Superseded { .. } | Transition::CancelRequested => Ok(()),
        Transition::Succeeded => {
            let stopped = input::<Change>(operation)?.replicas == Some(0);
            let to = if stopped {
                ApplicationStatus::Stopped
            } else {
                match found(db, operation).await?.map(|before| before.status) {
                    // The newest revision has still failed.
                    Some(ApplicationStatus::Degraded) => ApplicationStatus::Degraded,
                    Some(ApplicationStatus::Stopped) if nobody(operation)? => ApplicationStatus::Stopped,
                    _ => ApplicationStatus::Running,
                }
            };
            applications::move_to(db, application, to).await.map(drop)
        }
        Transition::Failed { .. } => {
            if found(db, operation).await?.is_some() {
                applications::move_to(db, application, ApplicationStatus::Degraded).await?;
            }
            Ok(())
        }
        Transition::Cancelled => {
            if let Change { before: Some(before), after: Some(after), .. } = input(operation)? {
                let now = applications::lock(db, application).await?;
                let untouched = now.is_some_and(|now| {
                    u32::try_from(now.replicas) == Ok(after.replicas) && now.settings == after.settings
                });
                if untouched {
                    let replicas = i32::try_from(before.replicas).unwrap_or(i32::MAX);
                    applications::set_size(db, application, replicas, &before.settings).await?;
                }
            }
            let before = found(db, operation).await?;
            back_to(db, operation, before.as_ref()).await
        }
    }
}

/// Whether a change leaves an application without pods that had none.
fn nobody(operation: &Operation) -> Result<bool> {
    Ok(input::<Change>(operation)?.replicas.is_none())
}

/// The application is being worked on again; one whose operation had not begun is as it is.
async fn again(db: &mut PgConnection, operation: &Operation) -> Result<()> {
    if found(db, operation).await?.is_some() {
        applications::move_to(db, operation.subject_id, ApplicationStatus::Deploying).await?;
    }
    Ok(())
}

/// What the first step found; none when it was never done.
async fn found(db: &mut PgConnection, operation: &Operation) -> Result<Option<Before>> {
    let steps = steps::list(db, operation.id).await?;
    let result = steps.into_iter().find(|step| step.name == "prepare").and_then(|step| step.result);
    Ok(result.and_then(|result| serde_json::from_value(result).ok()))
}
