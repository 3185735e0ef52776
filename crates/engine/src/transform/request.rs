//! Rewriting a webhook's request.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::Url;

use super::{Body, Result, TransformError, all, check_engine, escaped, form, session_json, text, text_template};
use crate::json;
use crate::kriti::{Scope, SessionVariables, Template};
use crate::metadata::RequestTransform;

/// A request that is about to leave.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<String>,
}

impl Outgoing {
    /// What is posted to a webhook when nothing is rewritten.
    pub fn post(url: Url, headers: HeaderMap, body: String) -> Self {
        Self { method: Method::POST, url, headers, body: Some(body) }
    }

    /// The body as JSON, for logs and answers: a form is a string, nothing is null.
    pub fn shown_body(&self) -> Value {
        let text = self.body.as_deref().unwrap_or("null");
        json::read(text.as_bytes()).unwrap_or_else(|_| text.into())
    }

    /// The body as the log keeps it.
    pub fn logged_body(&self) -> Box<RawValue> {
        let text = self.body.clone().unwrap_or_else(|| "null".to_owned());
        let quoted = |text: &str| Value::from(text).to_string();
        RawValue::from_string(text.clone())
            .or_else(|_| RawValue::from_string(quoted(&text)))
            .unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

/// A compiled request transform.
#[derive(Debug, Clone)]
pub struct RequestTransformer {
    method: Option<Method>,
    url: Option<Template>,
    body: Option<Body>,
    query: Option<Query>,
    content_type: Option<HeaderValue>,
    add: Vec<(HeaderName, Template)>,
    remove: Vec<HeaderName>,
}

#[derive(Debug, Clone)]
enum Query {
    Fields(Vec<(Template, Option<Template>)>),
    Text(Template),
}

impl RequestTransformer {
    /// Parses the templates.
    ///
    /// # Errors
    /// Every template that is none, and what HTTP does not allow.
    pub fn compile(given: &RequestTransform) -> Result<Self> {
        check_engine(given.template_engine.as_deref())?;
        let header = |name: &String| {
            HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| TransformError::because(format!("{name:?} is no name of a header")))
        };
        let changes = given.request_headers.clone().unwrap_or_default();
        let method = given.method.as_ref().map(|method| {
            Method::from_bytes(method.to_ascii_uppercase().as_bytes())
                .map_err(|_| TransformError::because(format!("{method:?} is no HTTP method")))
        });
        let content_type = given.content_type.as_deref().map(|value| {
            HeaderValue::from_str(value).map_err(|_| TransformError::because("content_type is no value of a header"))
        });
        Ok(Self {
            method: method.transpose()?,
            url: given.url.as_deref().map(Template::parse_text).transpose()?,
            body: given.body.as_ref().map(|body| Body::compile(given.version, body)).transpose()?,
            query: given.query_params.as_ref().map(Query::compile).transpose()?,
            content_type: content_type.transpose()?,
            add: all(changes
                .add_headers
                .iter()
                .map(|(name, value)| Ok((header(name)?, Template::parse_text(value)?))))?,
            remove: all(changes.remove_headers.iter().map(header))?,
        })
    }

    /// Rewrites a request; `base_url` is the address as it was configured. Every template sees the request as it was.
    /// The second part of the answer is what a response transform may name `$request`.
    ///
    /// # Errors
    /// Every template that cannot be evaluated.
    pub fn apply(
        &self,
        request: Outgoing,
        base_url: &str,
        session: Option<&SessionVariables>,
    ) -> Result<(Outgoing, Value)> {
        let body = request.body.as_deref().and_then(|body| json::read(body.as_bytes()).ok()).unwrap_or(Value::Null);
        let query: Vec<Value> = request.url.query_pairs().map(|(name, value)| json!([name, value])).collect();
        let context = json!({
            "body": body, "session_variables": session_json(session), "base_url": base_url, "query_params": query,
        });
        let variables = [
            ("$body", body),
            ("$session_variables", session_json(session)),
            ("$query_params", Value::Array(query)),
            ("$base_url", base_url.into()),
        ];
        let scope = Scope { variables: &variables, session };
        let mut changed = request;
        let mut faults = Vec::new();
        let mut note = |result: Result<()>| faults.extend(result.err().into_iter().flat_map(|error| error.0));
        note(self.body(&mut changed, &scope));
        note(self.address(&mut changed, &scope));
        note(self.headers(&mut changed, &scope));
        if let Some(method) = &self.method {
            changed.method = method.clone();
        }
        if !faults.is_empty() {
            return Err(TransformError(faults));
        }
        let shown =
            ["method", "url", "body", "query_params", "request_headers"].map(|part| (part.into(), context.clone()));
        Ok((changed, Value::Object(shown.into_iter().collect())))
    }

    fn body(&self, request: &mut Outgoing, scope: &Scope<'_>) -> Result<()> {
        match &self.body {
            None => {}
            Some(Body::Remove) => request.body = None,
            Some(Body::Json(template)) => request.body = Some(json::write(&template.evaluate(scope)?)),
            Some(Body::Form(fields)) => request.body = Some(form(fields, scope)?).filter(|body| !body.is_empty()),
        }
        Ok(())
    }

    fn address(&self, request: &mut Outgoing, scope: &Scope<'_>) -> Result<()> {
        if let Some(template) = &self.url {
            let Value::String(url) = template.evaluate(scope)? else {
                return Err(TransformError::because("URL Transforms must produce a JSON String"));
            };
            let parsed = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            let mut parsed = parsed.ok_or_else(|| TransformError::because(format!("Invalid URL: {url}")))?;
            if parsed.query().is_none() {
                parsed.set_query(request.url.query());
            }
            request.url = parsed;
        }
        if let Some(query) = &self.query {
            let query = query.evaluate(scope)?;
            request.url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        }
        Ok(())
    }

    fn headers(&self, request: &mut Outgoing, scope: &Scope<'_>) -> Result<()> {
        for name in &self.remove {
            request.headers.remove(name);
        }
        if let Some(value) = &self.content_type {
            request.headers.insert(header::CONTENT_TYPE, value.clone());
        }
        let added = all(self.add.iter().map(|(name, template)| {
            let value = HeaderValue::from_str(&text(template, scope)?)
                .map_err(|_| TransformError::because(format!("the value of the header {name} is none in HTTP")))?;
            Ok((name.clone(), value))
        }))?;
        for (name, value) in added {
            request.headers.insert(name, value);
        }
        Ok(())
    }
}

impl Query {
    fn compile(given: &Value) -> Result<Self> {
        match given {
            Value::String(text) => Ok(Self::Text(Template::parse_text(text)?)),
            Value::Object(fields) => Ok(Self::Fields(all(fields.iter().map(|(name, value)| {
                let value = if value.is_null() { None } else { Some(text_template(value)?) };
                Ok((Template::parse_text(name)?, value))
            }))?)),
            _ => Err(TransformError::because("query_params must be an object or a string")),
        }
    }

    /// The query; a parameter whose name is empty or whose value is null is left out.
    fn evaluate(&self, scope: &Scope<'_>) -> Result<String> {
        let fields = match self {
            Self::Text(template) => {
                let text = text(template, scope)?;
                let pairs = url::form_urlencoded::parse(text.trim_start_matches('?').as_bytes());
                return Ok(pairs
                    .map(|(name, value)| format!("{}={}", escaped(&name), escaped(&value)))
                    .collect::<Vec<_>>()
                    .join("&"));
            }
            Self::Fields(fields) => fields,
        };
        let pairs = all(fields.iter().map(|(name, value)| {
            let value = value.as_ref().map(|value| text(value, scope)).transpose()?;
            Ok((text(name, scope)?, value))
        }))?;
        let kept = pairs.iter().filter(|(name, value)| !name.is_empty() && value.as_deref() != Some("null"));
        let kept: Vec<String> = kept
            .map(|(name, value)| match value {
                Some(value) => format!("{}={}", escaped(name), escaped(value)),
                None => escaped(name),
            })
            .collect();
        Ok(kept.join("&"))
    }
}
