//! The envelope of REST answers: `{"success": true, "data": ...}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A REST answer's data.
#[derive(Debug, Serialize)]
pub struct Envelope<T> {
    success: bool,
    data: T,
}

impl<T> Envelope<T> {
    /// The envelope of `data`.
    pub fn new(data: T) -> Self {
        Self { success: true, data }
    }
}

impl<T: Serialize> IntoResponse for Envelope<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}
