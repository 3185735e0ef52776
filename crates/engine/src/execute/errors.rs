//! Errors of the database as Hasura words them.

use serde_json::json;
use sqlx::postgres::PgDatabaseError;

use super::wire::Malformed;
use crate::error::{ErrorCode, GraphqlError};

/// What a deadlock is to whoever asked, once their transaction was tried often enough.
const CONFLICT: &str = "the rows were changed by another request at the same time; try again";

/// An error of a statement, at a path of the request.
pub fn database(error: sqlx::Error, path: &str) -> GraphqlError {
    match &error {
        sqlx::Error::Database(inner) => match inner.try_downcast_ref::<PgDatabaseError>() {
            Some(inner) => postgres(inner, path),
            None => GraphqlError::at(path, ErrorCode::Unexpected, "database query error"),
        },
        sqlx::Error::PoolTimedOut => {
            let message = "connection acquisition timeout expired";
            GraphqlError::at(path, ErrorCode::PostgresMaxConnectionsError, message)
        }
        sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Tls(_) => {
            tracing::warn!(event = "engine.connection", %error);
            GraphqlError::at(path, ErrorCode::ConnectionNotEstablished, "connection error")
        }
        _ => {
            tracing::error!(event = "engine.statement", %error);
            GraphqlError::at(path, ErrorCode::Unexpected, "database query error")
        }
    }
}

/// A value that the writer could not read.
pub fn malformed(_: Malformed) -> GraphqlError {
    tracing::error!(event = "engine.malformed");
    GraphqlError::unexpected("database query error")
}

fn postgres(error: &PgDatabaseError, path: &str) -> GraphqlError {
    let message = error.message();
    let at = |code: ErrorCode, message: String| GraphqlError::at(path, code, message);
    match error.code() {
        "23505" => at(ErrorCode::ConstraintViolation, format!("Uniqueness violation. {message}")),
        "23503" => at(ErrorCode::ConstraintViolation, format!("Foreign key violation. {message}")),
        "23502" => at(ErrorCode::ConstraintViolation, format!("Not-NULL violation. {message}")),
        "23P01" => at(ErrorCode::ConstraintViolation, format!("Exclusion constraint violation. {message}")),
        "23514" => at(ErrorCode::PermissionError, format!("Check constraint violation. {message}")),
        "23000" | "23001" => at(ErrorCode::ConstraintViolation, format!("Integrity constraint violation. {message}")),
        "22025" | "22019" => at(ErrorCode::BadRequest, message.to_owned()),
        "40001" => GraphqlError { conflict: true, ..at(ErrorCode::Unexpected, message.to_owned()) },
        "40P01" => GraphqlError { conflict: true, ..at(ErrorCode::Unexpected, CONFLICT.to_owned()) },
        code if code.starts_with("22") => at(ErrorCode::DataException, message.to_owned()),
        "42883" | "42703" | "42P01" | "42601" if error.message().contains("operator does not exist") => {
            at(ErrorCode::DataException, message.to_owned())
        }
        code => at(ErrorCode::Unexpected, "database query error".to_owned()).with_internal(json!({
            "error": {
                "description": error.detail(),
                "exec_status": "FatalError",
                "hint": error.hint(),
                "message": message,
                "status_code": code,
            },
        })),
    }
}
