//! The GraphQL engine of this process: the embedded one, or the way to a Hasura.

use std::collections::HashMap;

use crate::app::App;
use crate::config::{Config, HasuraMode};
use crate::domain::{Code, Error, Result};
use crate::engine::server::{Server, ServerError};
use crate::engine::{EngineOptions, MetadataSource};
use crate::http::Backend;

/// What answers GraphQL.
pub enum GraphqlEngine {
    /// The engine in this process.
    Embedded(Server),
    /// A Hasura.
    External(Backend),
}

/// Starts the embedded engine, or addresses the Hasura that the configuration names.
pub async fn start(config: &Config, app: &App) -> Result<GraphqlEngine> {
    match config.hasura.mode {
        HasuraMode::Embedded => {
            let server = Server::start(&options(config, app)?).await.map_err(refused)?;
            Ok(GraphqlEngine::Embedded(server))
        }
        HasuraMode::External => Ok(GraphqlEngine::External(Backend::external(config.hasura.endpoint.as_str())?)),
    }
}

impl GraphqlEngine {
    /// Where requests go.
    pub fn backend(&self) -> Backend {
        match self {
            Self::Embedded(server) => Backend::Embedded(server.router()),
            Self::External(backend) => backend.clone(),
        }
    }

    /// Asks database and remote schemas again. What does not fit is served without and named in the log.
    pub async fn reload(&self) -> Result<()> {
        let Self::Embedded(server) = self else { return Ok(()) };
        for fault in server.engine().reload().await.map_err(|error| refused(error.into()))? {
            tracing::error!(object = fault.name, reason = fault.reason, "metadata_inconsistent");
        }
        Ok(())
    }

    /// Finishes the deliveries that are under way.
    pub async fn stop(&self) {
        if let Self::Embedded(server) = self {
            server.stop().await;
        }
    }
}

/// The engine's options, as Hasura's environment variables would give them.
fn options(config: &Config, app: &App) -> Result<EngineOptions> {
    let metadata = MetadataSource::Directory(config.hasura.metadata_dir.clone());
    let mut options = EngineOptions::new(app.db.pool().clone(), metadata);
    let secret = config.actions.secret.clone().unwrap_or_default();
    options.env = HashMap::from([
        ("NORTHSTACK_SERVICE_URL".to_owned(), config.hasura.service_url.as_str().trim_end_matches('/').to_owned()),
        ("NORTHSTACK_ACTIONS__SECRET".to_owned(), secret.expose().clone()),
    ]);
    options.admin_secret = config.hasura.admin_secret.as_ref().map(|secret| secret.expose().clone().into());
    options.jwt_secret = Some(app.tokens.hasura_jwt_secret()?);
    options.unauthorized_role = Some(config.engine.unauthorized_role.clone());
    options.limits.depth = config.engine.max_depth;
    options.limits.nodes = config.engine.max_nodes;
    Ok(options)
}

fn refused(error: ServerError) -> Error {
    Error::new(Code::Unavailable, format!("the GraphQL engine does not start: {error}")).caused_by(error)
}
