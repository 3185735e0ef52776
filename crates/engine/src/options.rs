//! What an engine is started with.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderName;
use secrecy::SecretString;
use serde_json::Value;
use sqlx::PgPool;

use super::metadata::{LoadError, Metadata};
use super::schedule::ScheduleOptions;
use super::serving::{Admission, RateSource, TurnLimits, Wording};
use super::subscriptions::HubOptions;

/// What an engine is started with.
pub struct EngineOptions {
    /// Connections to the one source.
    pub pool: PgPool,
    /// Connections for the statements of queries, mutations and live queries, whose time may be limited; those of
    /// `pool` when there are none.
    pub query_pool: Option<PgPool>,
    /// Where metadata comes from.
    pub metadata: MetadataSource,
    /// Whether metadata that `/v1/metadata` changes is kept in the database and in force again after a restart, and
    /// changes by other instances are followed.
    pub keep_metadata: bool,
    /// Values for `{{NAME}}` in URL templates and for `value_from_env`.
    pub env: HashMap<String, String>,
    /// The admin secret; without one every request is the admin's.
    pub admin_secret: Option<SecretString>,
    /// Another admin secret that is taken too, so that the secret can be changed while it is in use.
    pub previous_admin_secret: Option<SecretString>,
    /// `HASURA_GRAPHQL_JWT_SECRET` as Hasura takes it; `jwks`, a JWK set, may stand in place of `key` or `jwk_url`.
    pub jwt_secret: Option<Value>,
    /// The role of requests without credentials.
    pub unauthorized_role: Option<String>,
    /// `bigint`, `numeric` and `double precision` as JSON strings.
    pub stringify_numeric_types: bool,
    /// A function that reads may be called by every role that may select from its table.
    pub infer_function_permissions: bool,
    /// Roles other than admin see of remote schemas what their permissions say; else everything.
    pub remote_schema_permissions: bool,
    /// Details of internal errors go to every role; else to admin only.
    pub dev_mode: bool,
    /// Whether roles other than admin may introspect; the metadata may forbid it to single roles.
    pub introspection: bool,
    /// Whether roles other than admin may run only what the allow list holds.
    pub allow_list: bool,
    /// Limits that hold for every role but admin, next to those of the metadata.
    pub limits: Limits,
    /// The header in which what stands before the engine tells the client's address; without one `X-Real-IP` and
    /// `X-Forwarded-For` are believed, as Hasura does.
    pub client_address_header: Option<HeaderName>,
    /// The header in which it tells of a client that it knows although nobody is signed in; such a client is counted by
    /// what the header says, and not by its address.
    pub client_device_header: Option<HeaderName>,
    /// How many operations a caller may ask for beside `api_limits`; asked again and again, for it may change. Whoever
    /// shows the admin secret has no such limit.
    pub operation_rates: Option<RateSource>,
    /// How many operations of a caller run at a time.
    pub turns: Option<TurnLimits>,
    /// Whether callers are still admitted, for sockets, which outlive their handshake; their token's end alone ends them
    /// without it.
    pub admission: Option<Arc<dyn Admission>>,
    /// How often an open socket's caller is looked at again.
    pub readmission: Duration,
    /// Puts errors into the product's words before sockets tell them. Over HTTP whoever mounts the engine does.
    pub wording: Option<Wording>,
    /// How live queries are kept up to date.
    pub live_queries: HubOptions,
    /// How cron triggers and scheduled events are kept.
    pub schedules: ScheduleOptions,
}

impl EngineOptions {
    /// Options with Hasura's defaults.
    pub fn new(pool: PgPool, metadata: MetadataSource) -> Self {
        Self {
            pool,
            query_pool: None,
            metadata,
            keep_metadata: false,
            env: HashMap::new(),
            admin_secret: None,
            previous_admin_secret: None,
            jwt_secret: None,
            unauthorized_role: None,
            stringify_numeric_types: false,
            infer_function_permissions: true,
            remote_schema_permissions: true,
            dev_mode: false,
            introspection: true,
            allow_list: false,
            limits: Limits::default(),
            client_address_header: None,
            client_device_header: None,
            operation_rates: None,
            turns: None,
            admission: None,
            readmission: Duration::from_secs(10),
            wording: None,
            live_queries: HubOptions::default(),
            schedules: ScheduleOptions::default(),
        }
    }
}

/// Where metadata comes from.
#[derive(Debug, Clone)]
pub enum MetadataSource {
    /// A directory as the Hasura CLI writes it.
    Directory(PathBuf),
    /// A document that was read already.
    Document(Box<Metadata>),
}

impl MetadataSource {
    /// Reads it.
    pub fn load(&self) -> Result<Metadata, LoadError> {
        match self {
            Self::Directory(directory) => Metadata::from_directory(directory),
            Self::Document(metadata) => Ok(metadata.as_ref().clone()),
        }
    }
}

/// Bounds on what a document may ask; the parser's hold for everyone, the others for every role but admin.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Tokens of a document, for every role but admin.
    pub tokens: usize,
    /// Nesting of selection sets, lists and objects that the parser follows.
    pub recursion: usize,
    /// Nesting of fields.
    pub depth: usize,
    /// Fields after fragments are spread.
    pub nodes: usize,
    /// Rows that an operation's lists may come to, one without `limit` being counted as a hundred.
    pub rows: u64,
    /// Root fields of one operation.
    pub root_fields: usize,
    /// Calls of actions in one operation.
    pub actions: usize,
    /// Aliases in a document.
    pub aliases: usize,
    /// Directives in a document.
    pub directives: usize,
    /// Operations in one request body.
    pub batch: usize,
    /// Compiled plans that are kept.
    pub cached_plans: u64,
    /// What these may take of memory, in bytes, by an estimate from their documents.
    pub cached_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tokens: 100_000,
            recursion: 200,
            depth: 25,
            nodes: 5_000,
            rows: 5_000_000,
            root_fields: 100,
            actions: 100,
            aliases: 100,
            directives: 100,
            batch: 50,
            cached_plans: 4_096,
            cached_bytes: 64 << 20,
        }
    }
}

/// What of the options every state keeps.
#[derive(Debug)]
pub(super) struct Rules {
    /// A function that reads may be called by every role that may select from its table.
    pub infer_functions: bool,
    /// Roles other than admin see of remote schemas what their permissions say.
    pub remote_permissions: bool,
    /// Whether roles other than admin may introspect.
    pub introspection: bool,
    /// Bounds on documents.
    pub limits: Limits,
}

impl Rules {
    /// The part of the options that states keep.
    pub fn of(options: &EngineOptions) -> Self {
        Self {
            infer_functions: options.infer_function_permissions,
            remote_permissions: options.remote_schema_permissions,
            introspection: options.introspection,
            limits: options.limits.clone(),
        }
    }
}
