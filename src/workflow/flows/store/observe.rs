//! What a store's row and its event log say of its operations, written in the transaction that records the transition.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::PgConnection;

use super::super::super::flow::{Observer, Transition};
use super::{ADMIN_PATH, Input, SUBJECT};
use crate::db::operations::{self, Operation};
use crate::db::stores::{self, Severity};
use crate::domain::{Error, Result, StoreStatus};

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
        Transition::StepDone { name, title } => stores::log(db, store, name, title, Severity::Info).await,
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
        Transition::Resumed { undo } => {
            let to = if undo { StoreStatus::Deleting } else { StoreStatus::Provisioning };
            stores::move_to(db, store, to).await.map(drop)
        }
        // Stores have no lanes.
        Transition::Superseded { .. } => Ok(()),
        Transition::Cancelled => {
            stores::log(db, store, "cancelled", "The creation was stopped", Severity::Warning).await?;
            // A deletion that waits for this says itself when all is gone.
            if operations::count_other_open(&mut *db, SUBJECT, store, operation.id).await? == 0
                && stores::make_deleted(db, store).await?
            {
                stores::log(db, store, "deleted", "The store is deleted", Severity::Info).await?;
            }
            Ok(())
        }
    }
}

async fn deleted(db: &mut PgConnection, operation: &Operation, transition: Transition<'_>) -> Result<()> {
    let store = operation.subject_id;
    match transition {
        Transition::StepDone { name, title } => stores::log(db, store, name, title, Severity::Info).await,
        Transition::Succeeded => {
            stores::make_deleted(db, store).await?;
            stores::log(db, store, "deleted", "The store is deleted", Severity::Info).await
        }
        Transition::Failed { step, error, .. } => {
            stores::fail(db, store, StoreStatus::Deleting, error.message()).await?;
            stores::log(db, store, step, error.message(), Severity::Error).await
        }
        Transition::Resumed { .. } => stores::move_to(db, store, StoreStatus::Deleting).await.map(drop),
        Transition::Cancelled | Transition::Superseded { .. } => Ok(()),
    }
}
