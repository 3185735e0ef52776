//! `northstack dev`: the whole platform on this machine, in one foreground command.

use clap::Args;

use super::{Context, Exit};
use crate::domain::{Code, Error, Result};

/// Arguments of `northstack dev`.
#[derive(Debug, Args)]
pub struct Dev {
    /// Forget the state of earlier runs first
    #[arg(long)]
    pub reset: bool,
}

impl Dev {
    /// Runs until it is told to stop.
    pub async fn run(self, _context: &Context) -> Result<Exit> {
        Err(Error::new(Code::Unavailable, "the local stack is not part of this build"))
    }
}
