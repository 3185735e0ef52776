//! What a store's row and its event log say of its operations, written in the transaction that records the transition.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::super::flow::{Observer, Transition};
use super::{ADMIN_PATH, Input, SUBJECT};
use crate::db::alerts;
use crate::db::operations::{self, Operation};
use crate::db::stores::{self, Severity};
use crate::domain::{Code, Direction, Error, Result, StoreStatus};

/// Observes `store.create`.
pub(super) fn creation() -> Observer {
    Arc::new(|db, operation, transition| Box::pin(created(db, operation, transition)))
}

/// Observes `store.delete`.
pub(super) fn deletion() -> Observer {
    Arc::new(|db, operation, transition| -> BoxFuture<'_, Result<()>> { Box::pin(deleted(db, operation, transition)) })
}

async fn created(db: &mut PgConnection, operation: &Operation, transition: Transition<'_>) -> Result<()> {
    let store = operation.subject_id;
    match transition {
        Transition::StepDone { name, title, left_out } => step_done(db, store, name, title, left_out).await,
        Transition::Succeeded => {
            let input: Input = serde_json::from_value(operation.input.clone())
                .map_err(|source| Error::internal("read an operation's input", source))?;
            let admin_url = format!("{}{ADMIN_PATH}", input.url);
            // Not when its deletion was asked for meanwhile.
            if stores::make_ready(db, store, &input.url, &admin_url).await? {
                let message = format!("The store is ready at {}", input.url);
                stores::log(db, store, "ready", &message, Severity::Info).await?;
            }
            Ok(())
        }
        Transition::Failed { step, undo, error } => {
            let from = if undo { StoreStatus::Deleting } else { StoreStatus::Provisioning };
            // A deletion that waits for this goes on, and judges for itself.
            if !undo || operations::count_other_open(&mut *db, SUBJECT, store, operation.id).await? == 0 {
                stores::fail(db, store, from, error.message()).await?;
            }
            stores::log(db, store, step, error.message(), Severity::Error).await
        }
        Transition::CancelRequested => {
            stores::move_to(db, store, StoreStatus::Deleting).await?;
            stopping(db, store).await
        }
        Transition::Resumed { undo } => {
            resumed(db, store, if undo { StoreStatus::Deleting } else { StoreStatus::Provisioning }).await?;
            // One that failed on its way forward and is taken back was cancelled.
            if undo && operation.direction == Direction::Forward {
                stopping(db, store).await
            } else {
                retried(db, store).await
            }
        }
        // Stores have no lanes.
        Transition::Superseded { .. } => Ok(()),
        Transition::Cancelled => {
            stores::log(db, store, "cancelled", "The creation was stopped", Severity::Warning).await?;
            // A deletion that waits for this says itself when all is gone.
            match operations::count_other_open(&mut *db, SUBJECT, store, operation.id).await? {
                0 => gone(db, store).await,
                _ => Ok(()),
            }
        }
    }
}

async fn deleted(db: &mut PgConnection, operation: &Operation, transition: Transition<'_>) -> Result<()> {
    let store = operation.subject_id;
    match transition {
        Transition::StepDone { name: "namespace", .. } => {
            stores::log(db, store, "namespace", "The namespace is being deleted", Severity::Info).await
        }
        Transition::StepDone { name, title, left_out } => step_done(db, store, name, title, left_out).await,
        Transition::Succeeded => gone(db, store).await,
        Transition::Failed { step, error, .. } => {
            stores::fail(db, store, StoreStatus::Deleting, error.message()).await?;
            stores::log(db, store, step, error.message(), Severity::Error).await
        }
        Transition::Resumed { .. } => {
            resumed(db, store, StoreStatus::Deleting).await?;
            retried(db, store).await
        }
        Transition::CancelRequested | Transition::Cancelled | Transition::Superseded { .. } => Ok(()),
    }
}

/// Nothing of the store is left, nor anything to be said of it. Two deletions may end one after the other.
async fn gone(db: &mut PgConnection, store: Uuid) -> Result<()> {
    if stores::make_deleted(db, store).await? {
        stores::log(db, store, "deleted", "The store is deleted", Severity::Info).await?;
    }
    alerts::resolve_all(db, SUBJECT, store).await
}

/// Moves a store along with its operation, which was queued again.
async fn resumed(db: &mut PgConnection, store: Uuid, to: StoreStatus) -> Result<()> {
    if stores::move_to(db, store, to).await? {
        return Ok(());
    }
    Err(Error::new(Code::IllegalTransition, "the store's status does not allow that now"))
}

async fn retried(db: &mut PgConnection, store: Uuid) -> Result<()> {
    stores::log(db, store, "retried", "A retry is requested", Severity::Info).await
}

async fn stopping(db: &mut PgConnection, store: Uuid) -> Result<()> {
    stores::log(db, store, "cancelling", "The creation is being stopped", Severity::Warning).await
}

/// A line about a step that is done, or was left out.
async fn step_done(db: &mut PgConnection, store: Uuid, name: &str, title: &str, left_out: Option<&str>) -> Result<()> {
    match left_out {
        Some(why) => stores::log(db, store, name, why, Severity::Warning).await,
        None => stores::log(db, store, name, done(name).unwrap_or(title), Severity::Info).await,
    }
}

/// What a step has done: its title says what is to be done.
fn done(step: &str) -> Option<&'static str> {
    Some(match step {
        "namespace" => "The namespace is created",
        "quota" => "The resource quota is set",
        "secrets" => "The credentials are generated",
        "volumes" => "The volumes are claimed",
        "mysql" => "MySQL is deployed",
        "mysql-ready" => "MySQL is ready",
        "wordpress" => "WordPress is deployed",
        "wordpress-ready" => "WordPress is ready",
        "core" => "WordPress is installed",
        "woocommerce" => "WooCommerce is installed",
        "theme" => "The Storefront theme is installed",
        "settings" => "The shop is configured",
        "payments" => "Cash on delivery is enabled",
        "products" => "The sample products are created",
        "ingress" => "The address is published",
        "verify" => "The storefront answers",
        "stop" => "Nothing else works on the store",
        "gone" => "All of it is gone",
        _ => return None,
    })
}
