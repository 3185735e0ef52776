//! `northstack migrate`: the database schema, forward and back.

use clap::{Args, Subcommand};

use super::{Context, Exit};
use crate::domain::{Code, Error, Result};

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
    pub async fn run(self, _context: &Context) -> Result<Exit> {
        Err(Error::new(Code::Unavailable, "the migrator is not part of this build"))
    }
}
