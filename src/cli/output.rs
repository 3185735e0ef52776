//! Printing: text for people, JSON for programs, errors on standard error in the same form.

use std::io::{self, Write};

use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::json;

use crate::domain::{Error, Result};

/// In which form a command prints its result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Tables and sentences.
    #[default]
    Text,
    /// One JSON document, or one a line while watching.
    Json,
}

impl Output {
    /// Prints `value` as JSON, or what `text` makes of it.
    pub fn print<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) -> Result<()> {
        match self {
            Output::Text => line(&text(value)),
            Output::Json => {
                let json = serde_json::to_string(value).map_err(|source| Error::internal("printing JSON", source))?;
                line(&json)
            }
        }
    }

    /// Prints an error on standard error, with its field, code and causes: whoever runs the command may know them.
    pub fn error(self, error: &Error) {
        let text = match self {
            Output::Text => format!("northstack: {}", sentence(error)),
            Output::Json => {
                json!({"error": {"code": error.code().as_str(), "message": error.message(), "field": error.field()}})
                    .to_string()
            }
        };
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// The error's sentence and causes, behind its field unless the sentence begins with it.
fn sentence(error: &Error) -> String {
    let chain = error.chain();
    match error.field() {
        Some(field) if !chain.starts_with(&format!("{field}:")) => format!("{field}: {chain}"),
        _ => chain,
    }
}

/// Writes one line to standard output. A reader that has gone away (`| head`) is no error.
pub fn line(text: &str) -> Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::internal("writing to standard output", error))
        }
        _ => Ok(()),
    }
}

/// A borderless table with a header line, as `kubectl get` prints.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header).add_rows(rows);
    table.to_string()
}
