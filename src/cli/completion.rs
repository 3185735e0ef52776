//! `northstack completion`: a shell's completion script.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Exit};
use crate::domain::Result;

/// Arguments of `northstack completion`.
#[derive(Debug, Args)]
pub struct Completion {
    /// For which shell
    pub shell: Shell,
}

impl Completion {
    /// Prints the script.
    pub fn run(self) -> Result<Exit> {
        clap_complete::generate(self.shell, &mut Cli::command(), "northstack", &mut std::io::stdout());
        Ok(Exit::Done)
    }
}
