//! Rewriting a webhook's answer.

use serde_json::{Value, json};

use super::{Body, Result, check_engine, form};
use crate::json;
use crate::kriti::{Scope, SessionVariables};
use crate::metadata::ResponseTransform;

/// A compiled response transform.
#[derive(Debug, Clone)]
pub struct ResponseTransformer {
    body: Option<Body>,
}

impl ResponseTransformer {
    /// Parses the templates.
    ///
    /// # Errors
    /// Every template that is none.
    pub fn compile(given: &ResponseTransform) -> Result<Self> {
        check_engine(given.template_engine.as_deref())?;
        Ok(Self { body: given.body.as_ref().map(|body| Body::compile(given.version, body)).transpose()? })
    }

    /// Rewrites an answer; `request` is what the request transform gave, null without one.
    ///
    /// # Errors
    /// Every template that cannot be evaluated.
    pub fn apply(
        &self,
        status: u16,
        body: Vec<u8>,
        request: Value,
        session: Option<&SessionVariables>,
    ) -> Result<Vec<u8>> {
        let Some(change) = &self.body else { return Ok(body) };
        let variables = [
            ("$body", json::read(&body).unwrap_or(Value::Null)),
            ("$request", request),
            ("$response", json!({"status": status})),
        ];
        let scope = Scope { variables: &variables, session };
        let changed = match change {
            Body::Remove => Value::Null,
            Body::Json(template) => template.evaluate(&scope)?,
            Body::Form(fields) => form(fields, &scope)?.into(),
        };
        Ok(json::write(&changed).into_bytes())
    }
}
