//! A source: one database with its tables and functions.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Table, null_is_default};

/// A database with its tracked tables and functions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The name, usually `default`.
    pub name: String,
    /// The kind; only `postgres` (or `pg`) is served.
    pub kind: String,
    /// Tracked tables and views.
    #[serde(default, deserialize_with = "null_is_default")]
    pub tables: Vec<Table>,
    /// Tracked functions.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<Function>,
    /// How to connect. The engine is given its pool; the text is kept for export.
    pub configuration: SourceConfiguration,
    /// Names of root fields and types, and the naming convention.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "SourceCustomization::is_empty")]
    pub customization: SourceCustomization,
    /// Accepted only when empty: see [`super::unsupported`].
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub logical_models: Vec<Value>,
    /// Accepted only when empty: see [`super::unsupported`].
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub native_queries: Vec<Value>,
    /// Accepted only when empty: see [`super::unsupported`].
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub stored_procedures: Vec<Value>,
    /// Accepted only when empty: see [`super::unsupported`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<Value>,
    /// Accepted only when disabled: see [`super::unsupported`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_tags: Option<Value>,
}

/// How to connect to a source.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfiguration {
    /// The primary connection.
    pub connection_info: ConnectionInfo,
    /// Accepted only when absent: see [`super::unsupported`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_replicas: Option<Vec<Value>>,
    /// Accepted only when absent: see [`super::unsupported`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_template: Option<Value>,
    /// Accepted only when absent: see [`super::unsupported`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_set: Option<Value>,
    /// The schema in which extensions are installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extensions_schema: Option<String>,
}

/// One connection of a source; kept for export, as the engine is given its pool.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionInfo {
    /// A URL, `{from_env}` or `{connection_parameters}`.
    pub database_url: Value,
    /// `read-committed`, `repeatable-read` or `serializable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation_level: Option<String>,
    /// Pool sizes and timeouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_settings: Option<Value>,
    /// Client certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_configuration: Option<Value>,
    /// Whether statements stay prepared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_prepared_statements: Option<bool>,
}

/// Naming of a source's root fields and types.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceCustomization {
    /// Namespace, prefix and suffix of root fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_fields: Option<RootFieldsCustomization>,
    /// Prefix and suffix of type names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_names: Option<TypeNamesCustomization>,
    /// `hasura-default` or `graphql-default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming_convention: Option<NamingConvention>,
}

impl SourceCustomization {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How names are derived from the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamingConvention {
    /// Names as in the database: snake case.
    #[default]
    HasuraDefault,
    /// Fields and arguments in camel case, types in Pascal case, enum values in upper case.
    GraphqlDefault,
}

/// Namespace, prefix and suffix of root fields.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootFieldsCustomization {
    /// A field under which all root fields of the source stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Put before each root field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Put after each root field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
}

/// Prefix and suffix of type names.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeNamesCustomization {
    /// Put before each type name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Put after each type name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// Names given one by one.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub mapping: IndexMap<String, String>,
}

/// A table, view or function by schema and name; a plain string means the schema `public`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct QualifiedName {
    /// The name as in the database.
    pub name: String,
    /// The schema as in the database.
    pub schema: String,
}

impl QualifiedName {
    /// A name in a schema.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }
}

impl fmt::Display for QualifiedName {
    /// As Hasura words it: the schema is left out when it is `public`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema != "public" {
            write!(f, "{}.", self.schema)?;
        }
        f.write_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for QualifiedName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            name: String,
            #[serde(default)]
            schema: Option<String>,
        }
        let full = match Value::deserialize(deserializer)? {
            Value::String(name) => Full { name, schema: None },
            other => Full::deserialize(other).map_err(serde::de::Error::custom)?,
        };
        Ok(Self { name: full.name, schema: full.schema.unwrap_or_else(|| "public".to_owned()) })
    }
}

/// A tracked function: a root field of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// The function.
    pub function: QualifiedName,
    /// Names, exposure and session argument.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "FunctionConfiguration::is_empty")]
    pub configuration: FunctionConfiguration,
    /// Roles that may call it when permissions are not inferred.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<FunctionPermission>,
    /// A description for the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// How a tracked function is exposed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionConfiguration {
    /// The name from which root fields derive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_name: Option<String>,
    /// Names of the root fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_root_fields: Option<FunctionRootFields>,
    /// `query` or `mutation`; by default a volatile function is a mutation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposed_as: Option<ExposedAs>,
    /// The argument that receives the session variables as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_argument: Option<String>,
    /// The return type, when it is not inferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<FunctionResponse>,
}

/// What a tracked function answers with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum FunctionResponse {
    /// What the database says.
    Inferred {},
    /// Rows of this table, which must be what the database says.
    Table {
        /// The table.
        table: QualifiedName,
    },
}

impl FunctionConfiguration {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Names of a tracked function's root fields.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionRootFields {
    /// The function's own field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The aggregate field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_aggregate: Option<String>,
}

/// Where a tracked function stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExposedAs {
    /// Under `query_root` and `subscription_root`.
    Query,
    /// Under `mutation_root`.
    Mutation,
}

/// A role that may call a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionPermission {
    /// The role.
    pub role: String,
}
