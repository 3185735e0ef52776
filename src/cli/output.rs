//! Printing: text for people, JSON for programs, errors on standard error in the same form.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

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

/// Says on standard error what is no result, such as that there is none: programs read standard output.
pub fn note(output: Output, text: &str) {
    if output == Output::Text {
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// A borderless table with a header line, as `kubectl get` prints. On a terminal it is as wide as that, and what is
/// longer is wrapped; elsewhere each row is one line, for other programs.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let terminal = io::stdout().is_terminal();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    let words = ["STATUS", "PHASE", "SEVERITY"];
    for row in rows {
        let cells = header.iter().zip(row).map(|(title, text)| match color(&text) {
            Some(color) if words.contains(title) => Cell::new(text).fg(color),
            _ => Cell::new(text),
        });
        table.add_row(cells);
    }
    if terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        // What names the row, and is copied from it, is not broken; nor is a word that says how it stands.
        let whole = ["STATUS", "PHASE", "STEPS", "CREATED", "REVISION", "STRATEGY", "TIME"];
        for (at, title) in header.iter().enumerate() {
            if let Some(column) = table.column_mut(at).filter(|_| at == 0 || whole.contains(title)) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
    if !console::colors_enabled() {
        table.force_no_tty();
    }
    // A row that fills the line and ends in a blank would be followed by an empty one.
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn color(status: &str) -> Option<Color> {
    Some(match status {
        "running" | "ready" | "succeeded" | "Running" => Color::Green,
        "failed" | "undo_failed" | "error" | "Failed" => Color::Red,
        "paused" | "degraded" | "waiting" | "deploying" | "provisioning" | "deleting" | "queued" | "building"
        | "warning" | "Pending" => Color::Yellow,
        _ => return None,
    })
}

/// A mark before a fact: green or red on a terminal.
pub fn mark(ok: bool) -> String {
    if ok { console::style("✔").green().to_string() } else { console::style("✘").red().to_string() }
}

/// A point in time as people say it, such as `3m ago`; what is no time stays as it is.
pub fn ago(time: &str) -> String {
    // PostgreSQL's own form has a blank where RFC 3339 has a T.
    match OffsetDateTime::parse(&time.replacen(' ', "T", 1), &Rfc3339) {
        Ok(then) => since(OffsetDateTime::now_utc() - then),
        Err(_) => time.to_owned(),
    }
}

fn since(passed: Duration) -> String {
    let (seconds, direction) = (passed.whole_seconds().unsigned_abs(), passed.is_negative());
    let span = match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    };
    if direction { format!("in {span}") } else { format!("{span} ago") }
}

/// The same beside the exact time to the second, where there is room for both.
pub fn when(time: &str) -> String {
    let exact = time.split_once('.').map_or(time, |(seconds, _)| seconds);
    format!("{} ({exact})", ago(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_say_them() {
        let told: Vec<String> = [0, 59, 60, 3_599, 7_300, 200_000].map(|it| since(Duration::seconds(it))).to_vec();
        assert_eq!(told, ["0s ago", "59s ago", "1m ago", "59m ago", "2h ago", "2d ago"]);
        assert_eq!(since(Duration::minutes(-5)), "in 5m");
        assert_eq!(ago("soon"), "soon");
        assert!(ago("2020-01-31T12:00:00.42+00:00").ends_with("d ago"));
        assert!(when("2020-01-31T12:00:00.42+00:00").ends_with("d ago (2020-01-31T12:00:00)"));
    }

    #[test]
    fn a_row_is_one_line_without_blanks_at_its_end_where_nobody_looks() {
        let long = "x".repeat(300);
        let text = table(
            ["NAME", "STATUS", "ERROR"],
            [["a", "failed", &long], ["b", "running", ""]].map(|row| row.map(str::to_owned)),
        );
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().all(|line| line == line.trim_end()), "{text:?}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
