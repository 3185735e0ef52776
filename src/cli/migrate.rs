//! `northstack migrate`: the database schema, forward and back.

use clap::{Args, Subcommand};

use serde_json::json;

use super::{Context, Exit};
use crate::db::{Db, migrate};
use crate::domain::Result;

/// Arguments of `northstack migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// What to do with the schema.
    #[command(subcommand)]
    pub command: MigrateCommand,
}

/// What `northstack migrate` can do.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Apply every migration that is pending
    Up,
    /// Take back the newest migrations
    Down {
        /// How many to take back
        #[arg(long, default_value_t = 1)]
        steps: usize,
    },
    /// List the migrations that are pending
    Status,
}

impl Migrate {
    /// Migrates and says what was done.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let db = Db::connect(&context.settings()?.database).await?;
        let (done, migrations) = match self.command {
            MigrateCommand::Up => ("applied", migrate::up(&db).await?),
            MigrateCommand::Down { steps } => ("reverted", migrate::down(&db, Some(steps)).await?),
            MigrateCommand::Status => ("pending", migrate::pending(&db).await?),
        };
        db.close().await;
        let names = migrations.iter().map(|one| json!({ "version": one.version, "name": one.name }));
        context.output.print(&json!({ done: names.collect::<Vec<_>>() }), |_| match migrations.len() {
            0 => format!("nothing {done}"),
            count => {
                let lines = migrations.iter().map(|one| format!("{:04} {}", one.version, one.name));
                let lines = lines.chain(std::iter::once(format!("{count} {done}")));
                lines.collect::<Vec<_>>().join("\n")
            }
        })?;
        Ok(Exit::Done)
    }
}
