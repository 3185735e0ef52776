//! `northstack worker`: claims operations and runs their steps.

use clap::Args;

use super::service::{Failpoints, Roles, Service};
use super::{Context, Exit};
use crate::domain::Result;

/// Arguments of `northstack worker`.
#[derive(Debug, Args)]
pub struct Worker {}

impl Worker {
    /// Runs until it is told to stop.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let roles = Roles { api: false, worker: true };
        let service = Service::connect(context.loader()?, roles, Failpoints::Refused).await?.start().await?;
        service.run().await?;
        Ok(Exit::Done)
    }
}
