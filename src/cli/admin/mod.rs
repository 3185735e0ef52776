//! `northstack admin`: what operators and tests need to know of this binary.

mod operations;
mod restored;
mod secrets;

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Context, Exit};
use crate::app::Provisioning;
use crate::config::{Config, Live};
use crate::domain::Result;
use crate::vendors::kubernetes::Client;
use crate::workflow::{Registry, faults};

/// Every flow of this binary. The steps of a flow are the same whatever the cluster.
fn flows() -> Result<Registry> {
    Ok(Provisioning::new(Client::unconnected()?, &Live::fixed(Config::default()), Duration::MAX).flows)
}

/// Arguments of `northstack admin`.
#[derive(Debug, Args)]
pub struct Admin {
    /// What to do.
    #[command(subcommand)]
    pub command: AdminCommand,
}

/// What `northstack admin` can do.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// List the points at which NORTHSTACK_FAILPOINT makes `northstack dev` abort, for crash tests
    Failpoints,
    /// See and settle durable operations of any team, beside the API, on the database itself
    Operations(operations::Operations),
    /// After the database was put back from a backup, and before anything works with it: take every lease away, so that
    /// no worker of before can write, and leave out the numbers of revisions that may have been given since
    Restored(restored::Restored),
    /// See which keys secrets are sealed with, and rotate them, on the database itself
    Secrets(secrets::Secrets),
}

impl Admin {
    /// Prints what was asked for.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        match self.command {
            AdminCommand::Failpoints => {
                let points = faults::points(&flows()?);
                context.output.print(&points, |points| points.join("\n"))?;
                Ok(Exit::Done)
            }
            AdminCommand::Operations(operations) => operations.run(context).await,
            AdminCommand::Restored(restored) => restored.run(context).await,
            AdminCommand::Secrets(secrets) => secrets.run(context).await,
        }
    }
}
