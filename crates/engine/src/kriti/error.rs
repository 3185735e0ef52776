//! What is wrong with a template, as Hasura shows it.

use serde_json::{Value, json};

/// Kinds of errors, in Kriti's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// An object without the named field.
    Attribute,
    /// A name that stands for nothing.
    Name,
    /// A value of another type than needed.
    Type,
    /// A place that a list does not have.
    Index,
    /// Text that is no template.
    Parse,
    /// Text that is no token.
    Lex,
    /// A function that cannot work on its argument.
    Function,
    /// More work than is allowed.
    Limit,
}

impl Code {
    fn text(self) -> &'static str {
        match self {
            Self::Attribute => "Attribute Error",
            Self::Name => "Name Error",
            Self::Type => "Type Error",
            Self::Index => "Index Error",
            Self::Parse => "Parse Error",
            Self::Lex => "Lex Error",
            Self::Function => "Function Error",
            Self::Limit => "Limit Error",
        }
    }
}

/// A place in a template: lines from 0, columns from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    line: usize,
    column: usize,
}

/// Bytes of a template.
pub(super) type Span = std::ops::Range<usize>;

/// Why a template cannot be parsed or evaluated, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.text())]
pub struct KritiError {
    /// The kind.
    pub code: Code,
    /// The reason.
    pub message: String,
    start: Place,
    end: Place,
}

impl KritiError {
    pub(super) fn new(source: &str, span: &Span, code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), start: place(source, span.start), end: place(source, span.end) }
    }

    /// As Hasura serialises it.
    pub fn to_json(&self) -> Value {
        json!({
            "error_code": self.code.text(),
            "message": self.message,
            "source_position": {
                "start_line": self.start.line,
                "start_column": self.start.column,
                "end_line": self.end.line,
                "end_column": self.end.column,
            },
        })
    }
}

fn place(source: &str, at: usize) -> Place {
    let before = source.get(..at).unwrap_or(source);
    let line = before.bytes().filter(|byte| *byte == b'\n').count();
    let last = before.rsplit('\n').next().unwrap_or_default();
    Place { line, column: last.chars().count() + 1 }
}
