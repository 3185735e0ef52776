//! How webhooks' requests and answers are rewritten, as the metadata says by Kriti templates.

mod request;
mod response;
mod send;

pub use request::{Outgoing, RequestTransformer};
pub use response::ResponseTransformer;
pub use send::Unsent;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::kriti::{KritiError, Scope, SessionVariables, Template};

/// What may stand unescaped in a query or form.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Why something cannot be rewritten: one entry a fault, as Hasura lists them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct TransformError(pub Vec<Value>);

impl TransformError {
    fn because(message: impl Into<String>) -> Self {
        Self(vec![json!({"error_code": "TransformationError", "message": message.into()})])
    }

    fn sentence(&self) -> String {
        let messages = self.0.iter().filter_map(|fault| fault.get("message")?.as_str());
        messages.collect::<Vec<_>>().join("; ")
    }
}

impl From<KritiError> for TransformError {
    fn from(error: KritiError) -> Self {
        Self(vec![error.to_json()])
    }
}

type Result<T> = std::result::Result<T, TransformError>;

/// Does all, and gives either every result or every fault.
fn all<T>(results: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let (mut done, mut faults) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => done.push(value),
            Err(TransformError(more)) => faults.extend(more),
        }
    }
    if faults.is_empty() { Ok(done) } else { Err(TransformError(faults)) }
}

/// What becomes of a body.
#[derive(Debug, Clone)]
enum Body {
    Remove,
    Json(Template),
    Form(Vec<(String, Template)>),
}

impl Body {
    /// Reads the metadata's form: a template in version 1, `{action, template | form_template}` in version 2.
    fn compile(version: Option<u8>, body: &Value) -> Result<Self> {
        let template = |value: Option<&Value>| match value.and_then(Value::as_str) {
            Some(text) => Ok(Self::Json(Template::parse(text)?)),
            None => Err(TransformError::because("the template of a body must be a string")),
        };
        match version.unwrap_or(1) {
            1 => return template(Some(body)),
            2 => {}
            other => return Err(TransformError::because(format!("expected 1 or 2, encountered {other}"))),
        }
        match body.get("action").and_then(Value::as_str) {
            Some("remove") => Ok(Self::Remove),
            Some("transform") => template(body.get("template")),
            Some("x_www_form_urlencoded") => {
                let fields = body.get("form_template").and_then(Value::as_object);
                let fields = fields.ok_or_else(|| TransformError::because("form_template must be an object"))?;
                Ok(Self::Form(all(fields.iter().map(|(name, value)| Ok((name.clone(), text_template(value)?))))?))
            }
            _ => Err(TransformError::because("invalid transform action")),
        }
    }
}

fn check_engine(engine: Option<&str>) -> Result<()> {
    match engine {
        None | Some("Kriti") => Ok(()),
        Some(other) => Err(TransformError::because(format!("the template engine {other:?} is not known, only Kriti"))),
    }
}

fn text_template(value: &Value) -> Result<Template> {
    let text = value.as_str().ok_or_else(|| TransformError::because("a template must be a string"))?;
    Ok(Template::parse_text(text)?)
}

/// The text that a template makes.
fn text(template: &Template, scope: &Scope<'_>) -> Result<String> {
    match template.evaluate(scope)? {
        number if super::json::digits(&number).is_some() => Ok(super::json::write(&number)),
        Value::String(text) => Ok(text),
        value @ Value::Bool(_) => Ok(value.to_string()),
        other => Err(TransformError(vec![json!({
            "error_code": "TransformationError",
            "message": "Template must produce a String, Number, or Boolean value",
            "value": other,
        })])),
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Fields as `application/x-www-form-urlencoded`.
fn form(fields: &[(String, Template)], scope: &Scope<'_>) -> Result<String> {
    let fields =
        all(fields.iter().map(|(name, value)| Ok(format!("{}={}", escaped(name), escaped(&text(value, scope)?)))))?;
    Ok(fields.join("&"))
}

fn session_json(session: Option<&SessionVariables>) -> Value {
    session.map_or(Value::Null, |session| {
        session.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect::<Map<_, _>>().into()
    })
}

#[cfg(test)]
mod tests;
