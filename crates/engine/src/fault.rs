//! Why the engine cannot start or take metadata.

use crate::error::{ErrorCode, GraphqlError};
use crate::metadata::LoadError;
use crate::schema::Inconsistency;

/// Why the engine cannot start or take metadata.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The metadata is refused.
    #[error("metadata is refused: {0}")]
    Metadata(#[from] LoadError),
    /// The database does not answer.
    #[error("the database cannot be read")]
    Database(#[from] sqlx::Error),
    /// Another instance changed the metadata at the same time.
    #[error("metadata resource version referenced ({0}) did not match current version")]
    Conflict(u64),
    /// The metadata does not fit the database or itself.
    #[error("metadata is inconsistent: {}", .0.first().map(|first| format!("{}: {}", first.name, first.reason)).unwrap_or_default())]
    Inconsistent(Vec<Inconsistency>),
}

impl EngineError {
    /// The error as the metadata API words it.
    pub fn to_graphql(&self) -> GraphqlError {
        match self {
            Self::Metadata(error) => {
                GraphqlError::at(format!("$.args.metadata.{}", error.key), ErrorCode::ParseFailed, error.reason.clone())
            }
            Self::Conflict(_) => GraphqlError::new(ErrorCode::Conflict, self.to_string()),
            Self::Database(_) => GraphqlError::new(ErrorCode::PostgresError, "the database cannot be read"),
            Self::Inconsistent(list) => {
                let internal = serde_json::to_value(list).unwrap_or_default();
                let message = "cannot continue due to inconsistent metadata";
                GraphqlError::at("$.args", ErrorCode::Unexpected, message).with_internal(internal)
            }
        }
    }
}

impl From<EngineError> for GraphqlError {
    fn from(error: EngineError) -> Self {
        error.to_graphql()
    }
}
