//! The HTTP side: `POST /v1/graphql`, `GET /healthz`, and what every command shares.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::error::{Error, Result};
use super::types::Health;
use crate::domain::{self, Redacted, transaction};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// As whom to call.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// As nobody: role `anonymous`, where there is one.
    None,
    /// As the administrator, by `x-hasura-admin-secret`.
    AdminSecret(Redacted),
    /// As the subject of a JSON web token.
    Bearer(Redacted),
}

/// A GraphQL operation to be executed.
#[derive(Debug, Clone, Serialize)]
pub struct Request<'a> {
    pub query: &'a str,
    /// Which operation of the document; needed when it has several.
    #[serde(rename = "operationName", skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'a str>,
    /// The variables' values.
    pub variables: Value,
}

impl<'a> Request<'a> {
    /// The only operation of a document.
    pub fn new(query: &'a str, variables: Value) -> Self {
        Self { query, operation: None, variables }
    }
}

/// A client of one Hasura. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Url,
    headers: HeaderMap,
}

impl Client {
    /// A client of the Hasura at `endpoint` (scheme and host; no path is needed).
    pub fn new(endpoint: &Url, credentials: &Credentials) -> domain::Result<Self> {
        if !matches!(endpoint.scheme(), "http" | "https") || !endpoint.has_host() {
            return Err(domain::Error::invalid("endpoint", "an endpoint is an http or https address"));
        }
        let mut base = endpoint.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut headers = HeaderMap::new();
        match credentials {
            Credentials::None => {}
            Credentials::AdminSecret(secret) => {
                headers.insert("x-hasura-admin-secret", sensitive("admin secret", secret.expose())?);
            }
            Credentials::Bearer(token) => {
                headers.insert(AUTHORIZATION, sensitive("token", &format!("Bearer {}", token.expose()))?);
            }
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("northstack/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // A WebSocket starts as an HTTP/1.1 upgrade, on the same client.
            .http1_only()
            .build()
            .map_err(|source| domain::Error::internal("making an HTTP client", source))?;
        Ok(Self { http, endpoint: base, headers })
    }

    /// The same client that sends one more header, such as `x-hasura-role`.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Executes a query or mutation (`POST /v1/graphql`) and gives its `data`.
    ///
    /// # Errors
    /// [`Error::Graphql`] when the response carries errors, even beside data.
    pub async fn execute<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T> {
        let (_, response) = self.post("v1/graphql", request).await?;
        self.data(response)
    }

    /// The `data` of a GraphQL response without errors.
    pub(super) fn data<T: DeserializeOwned>(&self, mut response: Value) -> Result<T> {
        if let Some(errors) = response.get("errors").and_then(Value::as_array).filter(|errors| !errors.is_empty()) {
            return Err(Error::graphql(errors));
        }
        let data = response.get_mut("data").map(Value::take).unwrap_or_default();
        serde_json::from_value(data).map_err(|error| self.protocol(format!("unexpected data: {error}")))
    }

    /// What `GET /healthz` says; it needs no credentials.
    pub async fn health(&self) -> Result<Health> {
        let response = self.request(reqwest::Method::GET, "healthz")?.send().await.map_err(|e| self.unreachable(e))?;
        let ok = response.status().is_success();
        let text = response.text().await.map_err(|e| self.unreachable(e))?;
        match (ok, text.trim()) {
            (true, "OK") => Ok(Health::Ok),
            (true, warning) if warning.starts_with("WARN") => Ok(Health::Inconsistent),
            (false, error) if error.starts_with("ERROR") => Ok(Health::Failing),
            _ => Err(self.protocol("/healthz says neither OK, WARN nor ERROR")),
        }
    }

    /// The version that `GET /v1/version` names, such as `v2.48.3`.
    pub async fn version(&self) -> Result<String> {
        let response =
            self.request(reqwest::Method::GET, "v1/version")?.send().await.map_err(|e| self.unreachable(e))?;
        let body: Value = response.json().await.map_err(|e| self.protocol(format!("no JSON: {e}")))?;
        body.get("version").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| self.protocol("no version"))
    }

    /// Posts JSON to a path and gives the status and the JSON answer.
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Result<(reqwest::StatusCode, Value)> {
        let request = self.request(reqwest::Method::POST, path)?.json(body).timeout(REQUEST_TIMEOUT);
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| self.unreachable(error))?;
        let answer = serde_json::from_slice(&bytes)
            .map_err(|_| self.protocol(format!("/{path} answered {status} without JSON")))?;
        Ok((status, answer))
    }

    pub(super) fn request(&self, method: reqwest::Method, path: &str) -> Result<reqwest::RequestBuilder> {
        Ok(self.bare(method, path)?.headers(self.headers.clone()))
    }

    /// A request without credentials, as a WebSocket begins: Hasura refuses a token that comes twice.
    pub(super) fn bare(&self, method: reqwest::Method, path: &str) -> Result<reqwest::RequestBuilder> {
        transaction::asks_outside("Hasura");
        let url = self.endpoint.join(path).map_err(|error| self.protocol(error.to_string()))?;
        Ok(self.http.request(method, url))
    }

    /// The credentials as the `headers` of a WebSocket's `connection_init`, the one place where a socket shows them.
    pub(super) fn socket_headers(&self) -> Value {
        let pairs = self.headers.iter().filter_map(|(name, value)| {
            value.to_str().ok().map(|value| (name.as_str().to_owned(), Value::from(value)))
        });
        Value::Object(pairs.collect())
    }

    pub(super) fn unreachable(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Unreachable { endpoint: self.name(), source: source.into() }
    }

    pub(super) fn protocol(&self, reason: impl Into<String>) -> Error {
        Error::Protocol { endpoint: self.name(), reason: reason.into() }
    }

    /// The endpoint for messages: without user information, query or fragment.
    fn name(&self) -> String {
        self.endpoint.origin().ascii_serialization()
    }
}

fn sensitive(field: &str, text: &str) -> domain::Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| domain::Error::invalid(field, "it may hold visible ASCII characters only"))?;
    value.set_sensitive(true);
    Ok(value)
}
