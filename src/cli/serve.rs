//! `northstack serve`: the service, and with `--worker` the operations too.

use clap::Args;

use super::service::{Failpoints, Roles, Service};
use super::{Context, Exit};
use crate::domain::Result;

/// Arguments of `northstack serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Run operations in this process too
    #[arg(long)]
    pub worker: bool,
}

impl Serve {
    /// Runs until it is told to stop.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let roles = Roles { api: true, worker: self.worker };
        let service = Service::connect(context.loader()?, roles, Failpoints::Refused).await?.start().await?;
        service.run().await?;
        Ok(Exit::Done)
    }
}
