//! A reverse proxy to one Hasura: bodies are streamed both ways, and sockets become tunnels after the handshake.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, HOST, HeaderName, UPGRADE};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use url::Url;

use crate::domain::{Error, Result};

/// Headers that concern one connection only (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("te"),
    HeaderName::from_static("trailer"),
    HeaderName::from_static("transfer-encoding"),
    UPGRADE,
];

/// A proxy to one server.
pub struct Proxy {
    base: Url,
    client: reqwest::Client,
}

impl Proxy {
    /// A proxy to the server at `endpoint` (`http` or `https`, no path).
    pub fn new(endpoint: &str) -> Result<Self> {
        let wrong = || Error::invalid("hasura.endpoint", "must be an address such as http://hasura:8080");
        let base = Url::parse(endpoint).map_err(|error| wrong().caused_by(error))?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(wrong());
        }
        // The one provider of the process; whoever came first has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(std::time::Duration::from_secs(5))
            .no_proxy()
            .build()
            .map_err(|error| Error::internal("building the Hasura client", error))?;
        Ok(Self { base, client })
    }

    pub(super) async fn forward(&self, request: Request) -> Result<Response<Body>> {
        let (mut parts, body) = request.into_parts();
        let on_upgrade = parts.extensions.remove::<OnUpgrade>();
        let handshake = parts.headers.contains_key(UPGRADE).then(|| parts.headers.clone());
        strip(&mut parts.headers);
        if let (Some(original), Some(_)) = (&handshake, &on_upgrade) {
            copy(original, &mut parts.headers, [CONNECTION, UPGRADE]);
        }
        let mut outgoing = self.client.request(parts.method, self.url(&parts.uri)).headers(parts.headers);
        if handshake.is_none() {
            outgoing = outgoing.body(reqwest::Body::wrap_stream(body.into_data_stream()));
        }
        let answer = outgoing.send().await.map_err(|error| Error::unavailable("asking Hasura", error))?;

        let status = answer.status();
        let mut headers = answer.headers().clone();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            if let Some(client_side) = on_upgrade {
                tokio::spawn(tunnel(client_side, answer));
            }
            let mut response = with(status, headers, Body::empty());
            // With them the headers are written in the letters that the client used (see the engine's own sockets).
            response.extensions_mut().extend(parts.extensions);
            return Ok(response);
        }
        strip(&mut headers);
        Ok(with(status, headers, Body::from_stream(answer.bytes_stream())))
    }

    fn url(&self, uri: &Uri) -> Url {
        let mut url = self.base.clone();
        url.set_path(uri.path());
        url.set_query(uri.query());
        url
    }
}

fn with(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named).chain([&HOST]) {
        headers.remove(name);
    }
}

fn copy(from: &HeaderMap, to: &mut HeaderMap, names: [HeaderName; 2]) {
    for name in names {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.clone());
        }
    }
}

/// Copies bytes both ways until one side ends.
async fn tunnel(client_side: OnUpgrade, answer: reqwest::Response) {
    let ends = async {
        let client = client_side.await.map_err(std::io::Error::other)?;
        let mut server = answer.upgrade().await.map_err(std::io::Error::other)?;
        tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut server).await
    };
    if let Err(error) = ends.await {
        tracing::debug!(cause = %error, "tunnel_ended");
    }
}
