//! `northstack completion`: a shell's completion script.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Exit, output};
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
        // Written at once: a reader that has gone away (`| head`) is no error.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "northstack", &mut script);
        output::line(String::from_utf8_lossy(&script).trim_end())?;
        Ok(Exit::Done)
    }
}
