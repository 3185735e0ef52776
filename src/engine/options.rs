//! What an engine is started with.

use std::collections::HashMap;
use std::path::PathBuf;

use secrecy::SecretString;
use serde_json::Value;
use sqlx::PgPool;

use super::metadata::{LoadError, Metadata};

/// What an engine is started with.
pub struct EngineOptions {
    /// Connections to the one source.
    pub pool: PgPool,
    /// Where metadata comes from.
    pub metadata: MetadataSource,
    /// Values for `{{NAME}}` in URL templates and for `value_from_env`.
    pub env: HashMap<String, String>,
    /// The admin secret; without one every request is the admin's.
    pub admin_secret: Option<SecretString>,
    /// `HASURA_GRAPHQL_JWT_SECRET` as Hasura takes it.
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
    /// Limits that hold for every role but admin, next to those of the metadata.
    pub limits: Limits,
}

impl EngineOptions {
    /// Options with Hasura's defaults.
    pub fn new(pool: PgPool, metadata: MetadataSource) -> Self {
        Self {
            pool,
            metadata,
            env: HashMap::new(),
            admin_secret: None,
            jwt_secret: None,
            unauthorized_role: None,
            stringify_numeric_types: false,
            infer_function_permissions: true,
            remote_schema_permissions: true,
            dev_mode: false,
            limits: Limits::default(),
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
    /// Tokens of a document.
    pub tokens: usize,
    /// Nesting of selection sets, lists and objects that the parser follows.
    pub recursion: usize,
    /// Nesting of fields.
    pub depth: usize,
    /// Fields after fragments are spread.
    pub nodes: usize,
    /// Root fields of one operation.
    pub root_fields: usize,
    /// Compiled plans that are kept.
    pub cached_plans: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { tokens: 20_000, recursion: 200, depth: 25, nodes: 5_000, root_fields: 100, cached_plans: 4_096 }
    }
}
