//! Questions to the person at the terminal.

use std::io::{self, IsTerminal};

use console::Term;

use crate::domain::{Code, Error, Result};

/// Asks for one line; where there is no terminal, says what to give instead.
pub fn line(instead: &str, question: &str) -> Result<String> {
    ask(instead, |term| {
        term.write_str(question)?;
        term.read_line()
    })
}

/// The same for what nobody else is to see.
pub fn secret(instead: &str, question: &str) -> Result<String> {
    ask(instead, |term| {
        term.write_str(question)?;
        term.read_secure_line()
    })
}

fn ask(instead: &str, read: impl FnOnce(&Term) -> io::Result<String>) -> Result<String> {
    if !io::stdin().is_terminal() {
        let message = format!("there is no terminal to ask on: give {instead}");
        return Err(Error::new(Code::InvalidInput, message));
    }
    read(&Term::stderr()).map_err(|source| Error::internal("reading from the terminal", source))
}

/// Says what will be lost and has the name typed, unless that was agreed to before.
///
/// # Errors
/// `conflict` when another name is typed.
pub fn confirm(yes: bool, name: &str, lost: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    let typed = line(
        &format!("--yes to delete {name} without a question"),
        &format!("{lost} It cannot be undone.\nType {name} to go on: "),
    )?;
    if typed.trim() == name {
        return Ok(());
    }
    Err(Error::new(Code::Conflict, format!("that is not its name, {name}: nothing was deleted")))
}
