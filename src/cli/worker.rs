//! `northstack worker`: claims operations and runs their steps.

use clap::Args;

use super::{Context, Exit};
use crate::domain::{Code, Error, Result};

/// Arguments of `northstack worker`.
#[derive(Debug, Args)]
pub struct Worker {}

impl Worker {
    /// Runs until it is told to stop.
    pub async fn run(self, _context: &Context) -> Result<Exit> {
        Err(Error::new(Code::Unavailable, "the worker is not part of this build"))
    }
}
