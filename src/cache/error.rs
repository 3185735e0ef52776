//! What can go wrong with the cache.

use crate::domain;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the cache.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings cannot be used.
    #[error("the cache's settings cannot be used")]
    Configuration(#[source] redis::RedisError),
    /// The server cannot be reached, or the connection was lost.
    #[error("the cache does not answer")]
    Unavailable(#[source] redis::RedisError),
    /// The server did not answer in time.
    #[error("the cache did not answer in time")]
    Timeout,
    /// The server refused the command.
    #[error("the cache refused a command")]
    Refused(#[source] redis::RedisError),
    /// A value is not of the form that was expected, as when another version wrote it.
    #[error("a cached value has an unexpected form")]
    Decode(#[source] serde_json::Error),
    /// A value cannot be written as JSON.
    #[error("a value cannot be cached")]
    Encode(#[source] serde_json::Error),
    /// Somebody else holds the lock.
    #[error("the lock is taken")]
    Locked,
    /// There is no connection.
    #[error("the cache is closed")]
    Closed,
}

impl Error {
    /// Whether the cache itself is out of reach, so that a caller may go on without it.
    pub fn lost(&self) -> bool {
        match self {
            Error::Unavailable(_) | Error::Timeout | Error::Closed => true,
            Error::Configuration(_) | Error::Refused(_) | Error::Decode(_) | Error::Encode(_) | Error::Locked => false,
        }
    }
}

impl From<redis::RedisError> for Error {
    fn from(error: redis::RedisError) -> Self {
        if error.is_timeout() {
            Error::Timeout
        } else if error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error() {
            Error::Unavailable(error)
        } else {
            Error::Refused(error)
        }
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Locked => domain::Error::new(
                domain::Code::Conflict,
                "another request is working on the same object; try again in a moment",
            ),
            Error::Unavailable(_) | Error::Timeout | Error::Closed => {
                domain::Error::unavailable("using the cache", error)
            }
            Error::Configuration(_) | Error::Refused(_) | Error::Decode(_) | Error::Encode(_) => {
                domain::Error::internal("using the cache", error)
            }
        }
    }
}
