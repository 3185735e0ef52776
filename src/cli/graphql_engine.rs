//! The GraphQL engine of this process: the embedded one, or the way to a Hasura.

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::App;
use crate::config::{self, Config, Database, HasuraMode};
use crate::db::Db;
use crate::domain::{Code, Error, Result};
use crate::engine::metadata::{LoadError, Metadata};
use crate::engine::server::{Server, ServerError};
use crate::engine::serving::{OperationRates, TurnLimits};
use crate::engine::subscriptions::HubOptions;
use crate::engine::{EngineError, EngineOptions, Limits, MetadataSource};
use crate::http::edge::{CLIENT_ADDRESS_HEADER, CLIENT_DEVICE_HEADER, error_in_words};
use crate::http::{Backend, Sessions};

/// What answers GraphQL.
pub enum GraphqlEngine {
    /// The engine in this process, with the connections of its queries.
    Embedded(Server, Db),
    /// A Hasura.
    External(Backend),
}

/// Starts the embedded engine, or addresses the Hasura that the configuration names.
pub async fn start(config: &Config, app: &Arc<App>) -> Result<GraphqlEngine> {
    match config.hasura.mode {
        HasuraMode::Embedded => {
            // Connections of their own: their statements end after the engine's time.
            let database = Database { statement_timeout: config.engine.query_timeout, ..config.database.clone() };
            let queries = Db::connect(&database).await?;
            let server = Server::start(&options(config, app, &queries)?).await.map_err(refused)?;
            Ok(GraphqlEngine::Embedded(server, queries))
        }
        HasuraMode::External => Ok(GraphqlEngine::External(Backend::external(config.hasura.endpoint.as_str())?)),
    }
}

impl GraphqlEngine {
    /// Where requests go.
    pub fn backend(&self) -> Backend {
        match self {
            Self::Embedded(server, _) => Backend::Embedded(server.router()),
            Self::External(backend) => backend.clone(),
        }
    }

    /// Asks database and remote schemas again. What does not fit is served without and named in the log.
    pub async fn reload(&self) -> Result<()> {
        let Self::Embedded(server, _) = self else { return Ok(()) };
        for fault in server.reload().await.map_err(|error| refused(error.into()))? {
            tracing::error!(object = fault.name, reason = fault.reason, "metadata_inconsistent");
        }
        Ok(())
    }

    /// Finishes the deliveries that are under way.
    pub async fn stop(&self) {
        if let Self::Embedded(server, queries) = self {
            server.stop().await;
            queries.close().await;
        }
    }
}

/// The engine's options, as Hasura's environment variables would give them.
fn options(config: &Config, app: &Arc<App>, queries: &Db) -> Result<EngineOptions> {
    let metadata = MetadataSource::Directory(config.hasura.metadata_dir.clone());
    let mut options = EngineOptions::new(app.db.pool().clone(), metadata);
    options.query_pool = Some(queries.pool().clone());
    options.keep_metadata = true;
    options.client_address_header = Some(CLIENT_ADDRESS_HEADER);
    options.client_device_header = Some(CLIENT_DEVICE_HEADER);
    let secret = config.actions.secret.clone().unwrap_or_default();
    options.env = HashMap::from([
        ("NORTHSTACK_SERVICE_URL".to_owned(), config.hasura.service_url.as_str().trim_end_matches('/').to_owned()),
        ("NORTHSTACK_ACTIONS__SECRET".to_owned(), secret.expose().clone()),
    ]);
    options.admin_secret = config.hasura.admin_secret.as_ref().map(|secret| secret.expose().clone().into());
    let previous = config.hasura.previous_admin_secret.as_ref();
    options.previous_admin_secret = previous.map(|secret| secret.expose().clone().into());
    options.jwt_secret = Some(app.tokens.engine_jwt_secret());
    options.admission = Some(Arc::new(Sessions(Arc::clone(app))));
    options.wording = Some(Arc::new(error_in_words));
    tune(&mut options, &config.engine);
    let live = app.config.clone();
    options.operation_rates = Some(Arc::new(move || {
        let config = live.get();
        let limits = &config.rate_limits;
        limits.enabled.then_some(OperationRates {
            window: limits.window,
            per_user: limits.per_user,
            per_address: limits.per_address,
        })
    }));
    Ok(options)
}

/// Carries every setting of `engine` over; `query_timeout` is the connections' own.
fn tune(options: &mut EngineOptions, engine: &config::Engine) {
    // Taken apart by name, so that no setting can be forgotten here.
    let config::Engine {
        unauthorized_role,
        max_tokens,
        max_depth,
        max_nodes,
        max_rows,
        max_actions,
        max_aliases,
        max_directives,
        max_batch,
        max_running,
        max_waiting,
        turn_timeout,
        query_timeout: _,
        live_query_poll,
        introspection,
        allow_list,
    } = engine.clone();
    options.unauthorized_role = Some(unauthorized_role);
    options.introspection = introspection;
    options.allow_list = allow_list;
    options.limits = Limits {
        tokens: max_tokens,
        depth: max_depth,
        nodes: max_nodes,
        rows: max_rows,
        actions: max_actions,
        aliases: max_aliases,
        directives: max_directives,
        batch: max_batch,
        ..Limits::default()
    };
    options.turns = Some(TurnLimits { running: max_running, waiting: max_waiting, patience: turn_timeout });
    let poll = options.live_queries.poll.min(live_query_poll);
    options.live_queries = HubOptions { safety_poll: live_query_poll, poll };
}

/// Whether the metadata directory is one that the engine serves; asked before anything is started.
///
/// # Errors
/// The file, line and key that is refused, and why.
pub fn check(config: &Config) -> Result<()> {
    match config.hasura.mode {
        HasuraMode::Embedded => {
            Metadata::from_directory(&config.hasura.metadata_dir).map(drop).map_err(|error| of_metadata(config, &error))
        }
        HasuraMode::External => Ok(()),
    }
}

fn of_metadata(config: &Config, error: &LoadError) -> Error {
    Error::invalid("hasura.metadata_dir", format!("{}: {error}", config.hasura.metadata_dir.display()))
}

fn refused(error: ServerError) -> Error {
    if let ServerError::Engine(EngineError::Metadata(fault)) = &error {
        return Error::invalid("metadata", fault.to_string());
    }
    Error::new(Code::Unavailable, format!("the GraphQL engine does not start: {error}")).caused_by(error)
}
