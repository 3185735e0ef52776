//! Calls that leave the engine: addresses and headers from templates and the environment.

pub mod caller;
mod http;

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::metadata::Header;

/// What the engine calls itself to webhooks and remote schemas.
pub const USER_AGENT: &str = concat!("hasura-graphql-engine/", "v2.48.16");
/// The version that `/v1/version` states: the Hasura release whose behaviour is followed.
pub const VERSION: &str = "v2.48.16";

/// A client for the engine's own calls: rustls over ring, connections kept for reuse.
///
/// # Errors
/// What the TLS library said.
pub fn client(redirects: reqwest::redirect::Policy) -> reqwest::Result<reqwest::Client> {
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(redirects)
        .connect_timeout(std::time::Duration::from_secs(10))
        .pool_idle_timeout(std::time::Duration::from_secs(60))
        .build()
}

/// An HTTP client with the environment that templates are filled from.
#[derive(Clone)]
pub struct Outbound {
    /// Takes a redirect for an answer; webhooks follow it by themselves (see [`Outgoing::send`]).
    ///
    /// [`Outgoing::send`]: crate::transform::Outgoing::send
    pub http: reqwest::Client,
    /// Follows redirects: for key sets.
    pub following: reqwest::Client,
    /// Nudged when the call of an asynchronous action was stored.
    pub(crate) stored: Arc<tokio::sync::Notify>,
    env: Arc<HashMap<String, String>>,
}

/// A template or header that cannot be filled in; never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// A variable that is not set.
    #[error("environment variable '{0}' not set")]
    MissingVariable(String),
    /// The filled-in template is no URL.
    #[error("not a valid http or https URL: {0}")]
    BadUrl(String),
    /// A header name or value that HTTP does not allow.
    #[error("header {0} has a name or value that HTTP does not allow")]
    BadHeader(String),
    /// A transform whose templates are none.
    #[error("a transform cannot be read: {0}")]
    Untransformed(String),
}

impl Outbound {
    /// A caller with the values that `{{NAME}}` and `value_from_env` stand for.
    ///
    /// # Errors
    /// What the TLS library said.
    pub fn new(env: impl IntoIterator<Item = (String, String)>) -> reqwest::Result<Self> {
        Ok(Self {
            http: client(reqwest::redirect::Policy::none())?,
            following: client(reqwest::redirect::Policy::limited(5))?,
            stored: Arc::default(),
            env: Arc::new(env.into_iter().collect()),
        })
    }

    /// The value of an environment variable.
    ///
    /// # Errors
    /// [`OutboundError::MissingVariable`].
    pub fn variable(&self, name: &str) -> Result<&str, OutboundError> {
        self.env.get(name).map(String::as_str).ok_or_else(|| OutboundError::MissingVariable(name.to_owned()))
    }

    /// Fills `{{NAME}}` in a template.
    ///
    /// # Errors
    /// [`OutboundError::MissingVariable`].
    pub fn fill(&self, template: &str) -> Result<String, OutboundError> {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let Some((name, tail)) = after.split_once("}}") else {
                filled.push_str("{{");
                rest = after;
                continue;
            };
            filled.push_str(self.variable(name.trim())?);
            rest = tail;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// The address that a URL template stands for.
    ///
    /// # Errors
    /// A missing variable, or a text that is no HTTP URL; the template is named, not what filled it.
    pub fn url(&self, template: &str) -> Result<url::Url, OutboundError> {
        url::Url::parse(&self.fill(template)?)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| OutboundError::BadUrl(template.to_owned()))
    }

    /// The address that an environment variable holds.
    ///
    /// # Errors
    /// As [`Outbound::url`].
    pub fn url_from_env(&self, name: &str) -> Result<url::Url, OutboundError> {
        url::Url::parse(self.variable(name)?)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| OutboundError::BadUrl(format!("{{{{{name}}}}}")))
    }

    /// Configured headers with their values.
    ///
    /// # Errors
    /// A missing variable or a header that HTTP does not allow.
    pub fn headers(&self, configured: &[Header]) -> Result<HeaderMap, OutboundError> {
        let mut headers = HeaderMap::new();
        for header in configured {
            let bad = || OutboundError::BadHeader(header.name.clone());
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| bad())?;
            let value = match (&header.value, &header.value_from_env) {
                (Some(value), _) => self.fill(value)?,
                (None, Some(variable)) => self.variable(variable)?.to_owned(),
                (None, None) => String::new(),
            };
            headers.insert(name, HeaderValue::from_str(&value).map_err(|_| bad())?);
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound() -> Outbound {
        let env = [("BASE".to_owned(), "http://service.test:8000".to_owned()), ("SECRET".to_owned(), "s".to_owned())];
        Outbound::new(env).unwrap()
    }

    #[test]
    fn templates_are_filled_from_the_environment() {
        let url = outbound().url("{{BASE}}/actions/{{ SECRET }}").unwrap();
        assert_eq!(url.as_str(), "http://service.test:8000/actions/s");
        assert_eq!(
            outbound().url("{{NOPE}}/x"),
            Err(OutboundError::MissingVariable("NOPE".into())),
            "a missing variable is named"
        );
        assert!(outbound().url("file:///etc/passwd").is_err());
    }

    #[test]
    fn headers_take_values_from_the_environment() {
        let header = |name: &str, value: Option<&str>, env: Option<&str>| Header {
            name: name.into(),
            value: value.map(Into::into),
            value_from_env: env.map(Into::into),
        };
        let headers = outbound()
            .headers(&[header("X-Secret", None, Some("SECRET")), header("X-Static", Some("static value"), None)])
            .unwrap();
        assert_eq!(headers["x-secret"], "s");
        assert_eq!(headers["x-static"], "static value");
        assert!(outbound().headers(&[header("bad name", Some("v"), None)]).is_err());
    }
}
