//! Kriti, the template language of Hasura's webhook transforms: JSON with `{{ }}` expressions.
//!
//! A [`Template`] is parsed once and evaluated over named values. Both stages are bounded: templates and what they
//! work on come from outside.

mod error;
mod eval;
mod functions;
mod parse;
mod tree;

pub use error::{Code, KritiError};
pub use tree::Template;

use std::collections::BTreeMap;

use serde_json::Value;

/// Session variables, names in lower case.
pub type SessionVariables = BTreeMap<String, String>;

/// What a template may name.
pub struct Scope<'v> {
    /// Variables such as `$body`.
    pub variables: &'v [(&'v str, Value)],
    /// What `getSessionVariable` looks in; without it the function answers an error for every name.
    pub session: Option<&'v SessionVariables>,
}

impl Template {
    /// Parses a template whose result is any JSON value.
    ///
    /// # Errors
    /// Where and why it is none.
    pub fn parse(source: &str) -> Result<Self, KritiError> {
        parse::template(source)
    }

    /// Parses the inside of a string: text with `{{ }}` expressions.
    ///
    /// # Errors
    /// Where and why it is none.
    pub fn parse_text(source: &str) -> Result<Self, KritiError> {
        parse::template(&format!("\"{source}\""))
    }

    /// Evaluates it.
    ///
    /// # Errors
    /// A name that is not there, a value of another type than needed, more work than is allowed.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, KritiError> {
        eval::run(self, scope)
    }
}

#[cfg(test)]
mod tests;
