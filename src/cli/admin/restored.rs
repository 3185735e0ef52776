//! `northstack admin restored`: what a database needs that was put back from a backup, before anybody works with it.

use clap::Args;
use uuid::Uuid;

use crate::cli::{Context, Exit};
use crate::db::{Audit, Db, restored};
use crate::domain::{Actor, Result};

/// Arguments of `northstack admin restored`.
#[derive(Debug, Args)]
pub struct Restored {}

impl Restored {
    /// Does it, on the database that this process's settings name.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let db = Db::connect(&context.settings()?.database).await?;
        let by = Audit { actor: Actor::Admin(None), correlation_id: Some(format!("admin-{}", Uuid::new_v4())) };
        let fenced = db.transaction(&by, async |mut tx| restored::fence(&mut tx).await).await;
        db.close().await;
        context.output.print(&fenced?, |fenced| {
            format!(
                "{} operations and {} leases of background work are free: whoever held them before can write nothing. \
                 The next revisions of {} applications have numbers of their own",
                fenced.operations, fenced.leases, fenced.applications
            )
        })?;
        Ok(Exit::Done)
    }
}
