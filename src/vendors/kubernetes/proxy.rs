//! A request to a service in the cluster, through the API server
//! (`GET /api/v1/namespaces/{namespace}/services/{name}:{port}/proxy/{path}`).

use http_body_util::BodyExt;
use kube::client::Body;

use super::Client;
use crate::vendors::{Error, Result};

/// The most of an answer's body that is read.
const KEPT: usize = 1024 * 1024;

/// What a service answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The body's beginning.
    pub body: String,
}

impl Client {
    /// Asks a service for a path. Redirects are not followed; every status is an answer.
    pub async fn service_get(&self, namespace: &str, service: &str, port: u16, path: &str) -> Result<Answer> {
        let uri =
            format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy/{}", path.trim_start_matches('/'));
        let request = http::Request::get(uri)
            .body(Body::empty())
            .map_err(|source| Error::Invalid(format!("no path for a service: {source}")))?;
        let response = self.within(self.inner.send(request)).await?;
        let status = response.status().as_u16();
        let header = response.headers().get(http::header::LOCATION);
        let location = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let read = http_body_util::Limited::new(response.into_body(), KEPT).collect();
        let body = match tokio::time::timeout(self.timeout, read).await {
            Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            // A page longer than we care for is still an answer.
            Ok(Err(_)) => String::new(),
            Err(elapsed) => return Err(Error::unavailable("the service did not finish its answer", elapsed)),
        };
        Ok(Answer { status, location, body })
    }
}
