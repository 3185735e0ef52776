//! The GraphQL engine of this process: the embedded one, or the way to a Hasura.

use crate::app::App;
use crate::config::{Config, HasuraMode};
use crate::domain::Result;
use crate::http::Backend;

/// What answers GraphQL.
pub struct GraphqlEngine {
    backend: Backend,
}

/// Starts the embedded engine, or addresses the Hasura that the configuration names.
pub async fn start(config: &Config, _app: &App) -> Result<GraphqlEngine> {
    let backend = match config.hasura.mode {
        HasuraMode::Embedded => Backend::Embedded(axum::Router::new()),
        HasuraMode::External => Backend::external(config.hasura.endpoint.as_str())?,
    };
    Ok(GraphqlEngine { backend })
}

impl GraphqlEngine {
    /// Where requests go.
    pub fn backend(&self) -> Backend {
        self.backend.clone()
    }

    /// Asks the remote schemas again.
    pub async fn reload(&self) -> Result<()> {
        Ok(())
    }
}
