//! Database errors in the product's words.
//!
//! SQLSTATE codes are those of PostgreSQL 15, appendix A; YugabyteDB uses the same.

use sqlx::error::DatabaseError;

use crate::domain::{Broken, Code, Error};

/// Names the act during which a database error happened (a verb phrase, for the log):
/// `query.fetch_one(pool).await.map_err(error::while_doing("reading a store"))?`.
pub fn while_doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |source| map(doing, source)
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        map("using the database", source)
    }
}

/// Whether the whole transaction may be done again: it failed only because of others that ran beside it.
pub fn conflicts(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(sqlx::Error::Database(database)) = inner.downcast_ref::<sqlx::Error>() {
            let message = database.message();
            return match database.code().as_deref() {
                Some("40001" | "40P01") => true,
                // What YugabyteDB before 2024.2 answers when a table was altered meanwhile.
                Some("XX000") => message.contains("chema version mismatch") || message.contains("Catalog Version"),
                _ => false,
            };
        }
        cause = inner.source();
    }
    false
}

fn map(doing: &'static str, source: sqlx::Error) -> Error {
    match &source {
        sqlx::Error::RowNotFound => Error::not_found("object").caused_by(source),
        sqlx::Error::Database(database) => {
            let (code, field, message) = words(database.as_ref());
            match (code, field) {
                (Code::Internal, _) => Error::internal(doing, source),
                (Code::Unavailable, _) => Error::unavailable(doing, source),
                (Code::InvalidInput, Some(field)) => Error::invalid(field, message).caused_by(source),
                (code, _) => Error::new(code, message).caused_by(source),
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Error::unavailable(doing, source),
        _ => Error::internal(doing, source),
    }
}

fn words(error: &dyn DatabaseError) -> (Code, Option<String>, String) {
    let code = error.code();
    let state = code.as_deref().unwrap_or_default();
    let field = || column(error.table(), error.constraint());
    if state.starts_with("23")
        && let Some(broken) = error.constraint().and_then(Broken::by_name).or_else(|| Broken::by_words(error.message()))
    {
        return (broken.code, Some(broken.field), broken.message);
    }
    match state {
        "23505" => {
            let what = field().unwrap_or_else(|| "key".to_owned());
            (Code::AlreadyExists, None, format!("an object with that {} exists already", what.replace('_', " ")))
        }
        "23514" | "23502" => {
            let field = field().unwrap_or_else(|| "input".to_owned());
            let message = format!("the value of {field} is missing or not allowed");
            (Code::InvalidInput, Some(field), message)
        }
        "23503" => {
            let field = field().unwrap_or_else(|| "input".to_owned());
            (Code::InvalidInput, Some(field), "it refers to an object that does not exist or is in use".to_owned())
        }
        "40001" | "40P01" | "55P03" => {
            (Code::Conflict, None, "the object was changed by another request at the same time; try again".to_owned())
        }
        "42501" => (Code::Forbidden, None, "the database does not allow this".to_owned()),
        // The database has ended a transaction that was idle for too long, and its connection.
        "25P03" => (Code::Unavailable, None, String::new()),
        "57014" => (Code::Timeout, None, "the database took too long; try again in a moment".to_owned()),
        _ if state.starts_with("08") || state.starts_with("53") || state.starts_with("57") => {
            (Code::Unavailable, None, String::new())
        }
        _ => (Code::Internal, None, String::new()),
    }
}

/// The column that a constraint is about, by the naming of the migrations:
/// `<table>_<column>_check`, `<table>_<parent>_<column>_key`, `<table>_<column>_fkey`.
fn column(table: Option<&str>, constraint: Option<&str>) -> Option<String> {
    let rest = constraint?.strip_prefix(table?)?.strip_prefix('_')?;
    let rest = ["_check", "_key", "_fkey"].iter().find_map(|suffix| rest.strip_suffix(suffix)).unwrap_or(rest);
    let last = ["name", "email", "slug", "store_id"].into_iter().find(|name| rest.ends_with(name));
    Some(last.unwrap_or(rest).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_name_their_column() {
        assert_eq!(column(Some("stores"), Some("stores_team_id_name_key")).as_deref(), Some("name"));
        assert_eq!(column(Some("stores"), Some("stores_status_check")).as_deref(), Some("status"));
        assert_eq!(column(Some("stores"), Some("stores_team_id_fkey")).as_deref(), Some("team_id"));
        assert_eq!(column(Some("stores"), None), None);
    }

    #[test]
    fn lost_connections_are_unavailable_and_absent_rows_not_found() {
        let lost = Error::from(sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
        assert_eq!((lost.code(), lost.retryable()), (Code::Unavailable, true));
        assert_eq!(Error::from(sqlx::Error::PoolTimedOut).code(), Code::Unavailable);
        assert_eq!(while_doing("reading")(sqlx::Error::RowNotFound).code(), Code::NotFound);
        assert!(!conflicts(&lost));
    }
}
