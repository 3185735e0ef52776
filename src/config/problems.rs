//! What is wrong with a configuration.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::domain::{Error, Redacted};

/// One thing that is wrong: which setting, where it came from, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, such as `server.port`; empty when the whole is meant.
    pub field: String,
    /// What is wrong and what would be right. Never holds the value of a secret.
    pub message: String,
    /// Where the value came from: a file or an environment variable.
    pub origin: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{} ", self.field)?;
        }
        f.write_str(&self.message)?;
        match &self.origin {
            Some(origin) => write!(f, " (set by {origin})"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a configuration, so that it can be put right in one go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds a problem of `field`.
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(Problem { field: field.to_owned(), message: message.into(), origin: None });
    }

    /// Requires a value within `range`.
    pub(super) fn range<T: PartialOrd + fmt::Display>(&mut self, field: &str, value: T, range: RangeInclusive<T>) {
        if !range.contains(&value) {
            self.add(field, format!("must be from {} to {}, and is {value}", range.start(), range.end()));
        }
    }

    /// Requires a duration longer than zero.
    pub(super) fn positive(&mut self, field: &str, value: Duration) {
        if value.is_zero() {
            self.add(field, "must be longer than zero, such as `30s`");
        }
    }

    /// Requires a text.
    pub(super) fn not_empty(&mut self, field: &str, value: &str) {
        if value.trim().is_empty() {
            self.add(field, "must not be empty");
        }
    }

    /// Requires an address of http or https.
    pub(super) fn http_url(&mut self, field: &str, url: &url::Url) {
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            self.add(field, "must be an address that begins with `http://` or `https://`");
        }
    }

    /// Requires a secret, when there is one, to have at least `length` characters.
    pub(super) fn secret(&mut self, field: &str, secret: Option<&Redacted>, length: usize) {
        if secret.is_some_and(|secret| secret.expose().chars().count() < length) {
            self.add(field, format!("must have at least {length} characters"));
        }
    }

    /// Requires of the secret that is taken beside `section.name` what is required of that, and that it is another.
    pub(super) fn previous_secret(
        &mut self,
        section: &str,
        name: &str,
        secret: Option<&Redacted>,
        previous: Option<&Redacted>,
    ) {
        let field = format!("{section}.previous_{name}");
        self.secret(&field, previous, 16);
        if previous.is_some() && previous == secret {
            self.add(&field, format!("must be another than {section}.{name}"));
        }
    }

    /// Requires a value that another setting makes necessary.
    pub(super) fn needed<T>(&mut self, field: &str, value: Option<&T>, because: &str) {
        if value.is_none() {
            self.add(field, format!("is needed because {because} is set; {}", super::fields::how_to_set(field)));
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        let field = problems.0.first().map(|problem| problem.field.clone()).unwrap_or_default();
        Error::invalid(field, format!("the configuration is not right: {problems}"))
    }
}
