//! `northstack serve`: the service, and with `--worker` the operations too.

use clap::Args;

use super::{Context, Exit};
use crate::domain::{Code, Error, Result};

/// Arguments of `northstack serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Run operations in this process too
    #[arg(long)]
    pub worker: bool,
}

impl Serve {
    /// Runs until it is told to stop.
    pub async fn run(self, _context: &Context) -> Result<Exit> {
        Err(Error::new(Code::Unavailable, "the service is not part of this build"))
    }
}
