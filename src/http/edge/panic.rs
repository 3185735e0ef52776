//! A panic answers 500 and the process goes on.

use std::any::Any;

use axum::response::{IntoResponse, Response};

use crate::domain::Error;
use crate::http::RestError;

pub(super) fn answer(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
        .to_owned();
    RestError::from(Error::internal("handling a request (panic)", message)).into_response()
}
