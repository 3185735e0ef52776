//! The portal's files and the API explorer's: built by `make build` into `web/dist` and embedded in the binary (read
//! from there in debug builds).

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::state::Face;
use super::{AppState, RestError};
use crate::domain::{Code, Error};

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Files;

const INDEX: &str = "index.html";
const EXPLORER: &str = "explorer.html";

/// The answer to what is not there.
pub(super) fn unknown() -> Response {
    RestError::from(Error::not_found("route")).into_response()
}

/// `/`: the portal; on the API's own listener the way to the API explorer.
pub(super) async fn home(State(state): State<AppState>, request: Request) -> Response {
    match state.face {
        Face::Portal => file(request).await,
        Face::Api if state.settings.explorer => Redirect::temporary("/explorer").into_response(),
        Face::Api => unknown(),
    }
}

/// The API explorer, where the configuration has it.
pub(super) async fn explorer(State(state): State<AppState>, request: Request) -> Response {
    match (state.settings.explorer, state.face) {
        (true, _) => page(EXPLORER, request.headers()),
        (false, Face::Portal) => file(request).await,
        (false, Face::Api) => unknown(),
    }
}

/// A file that a page loads.
pub(super) async fn asset(State(state): State<AppState>, request: Request) -> Response {
    if state.face == Face::Api && !state.settings.explorer {
        return unknown();
    }
    let path = request.uri().path().trim_start_matches('/');
    match Files::get(path) {
        Some(found) => answer(path, found, request.headers()),
        None => RestError::from(Error::not_found("file")).into_response(),
    }
}

/// Answers on the portal's listener what no route answers: a file, or for a page of the portal its one document.
pub(super) async fn file(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return unknown();
    }
    let path = request.uri().path().trim_start_matches('/');
    if let Some(found) = Files::get(path).filter(|_| !path.is_empty() && !path.ends_with(".html")) {
        return answer(path, found, request.headers());
    }
    // The root is a page whoever asks: people try an address with curl.
    if path.is_empty() || wants_page(request.headers()) { page(INDEX, request.headers()) } else { unknown() }
}

fn page(name: &str, headers: &HeaderMap) -> Response {
    match Files::get(name) {
        Some(found) => answer(name, found, headers),
        None => RestError::from(Error::new(Code::Unavailable, "the portal has not been built; run `make build`"))
            .into_response(),
    }
}

/// Whether a browser is navigating, rather than a script fetching.
fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

fn answer(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex::encode(file.metadata.sha256_hash()));
    // The names of built assets change with their content.
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, tag), (CACHE_CONTROL, caching.to_owned())]).into_response();
    }
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = match kind.type_() {
        mime_guess::mime::TEXT => format!("{kind}; charset=utf-8"),
        _ => kind.to_string(),
    };
    let headers = [(ETAG, tag), (CACHE_CONTROL, caching.to_owned()), (CONTENT_TYPE, kind)];
    (headers, Body::from(file.data.into_owned())).into_response()
}
