//! Permissions on tables.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Header, is_false, null_is_default};

/// A permission of one role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission<P> {
    /// The role.
    pub role: String,
    /// What it may do.
    pub permission: P,
    /// A note; not part of the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A list of columns, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Columns {
    /// All columns of the table, also those added later.
    All,
    /// These columns, by their database names.
    List(Vec<String>),
}

impl Columns {
    /// Whether the column is among them.
    pub fn contains(&self, column: &str) -> bool {
        match self {
            Self::All => true,
            Self::List(columns) => columns.iter().any(|name| name == column),
        }
    }
}

impl Default for Columns {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("*"),
            Self::List(columns) => columns.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(star) if star == "*" => Ok(Self::All),
            Value::Null => Ok(Self::default()),
            other => Vec::deserialize(other)
                .map(Self::List)
                .map_err(|_| serde::de::Error::custom("expected \"*\" or a list of column names")),
        }
    }
}

/// Which rows and columns a role sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectPermission {
    /// Visible columns.
    pub columns: Columns,
    /// Visible rows: a boolean expression.
    pub filter: Value,
    /// Most rows that one field returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Whether aggregates are offered.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub allow_aggregations: bool,
    /// Visible scalar computed fields.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub computed_fields: Vec<String>,
    /// Root fields of `query_root`; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_root_fields: Option<Vec<SelectRootField>>,
    /// Root fields of `subscription_root`; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_root_fields: Option<Vec<SelectRootField>>,
}

/// A root field that reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectRootField {
    /// `<table>`.
    Select,
    /// `<table>_by_pk`.
    SelectByPk,
    /// `<table>_aggregate`.
    SelectAggregate,
    /// `<table>_stream`, of subscriptions only.
    SelectStream,
}

/// Which rows a role may insert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InsertPermission {
    /// What each new row must satisfy: a boolean expression.
    pub check: Value,
    /// Columns that the client may set; all when absent.
    #[serde(default = "all_columns")]
    pub columns: Columns,
    /// Columns that the server sets, to literals or session variables.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "IndexMap::is_empty")]
    pub set: IndexMap<String, Value>,
    /// Only with the admin secret and `x-hasura-use-backend-only-permissions`.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub backend_only: bool,
    /// A webhook that checks the input first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate_input: Option<ValidateInput>,
}

fn all_columns() -> Columns {
    Columns::All
}

/// Which rows a role may change, and to what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdatePermission {
    /// Columns that the client may set.
    #[serde(default = "all_columns")]
    pub columns: Columns,
    /// Rows that it may change: a boolean expression.
    pub filter: Value,
    /// What each changed row must satisfy; nothing when absent.
    #[serde(default)]
    pub check: Option<Value>,
    /// Columns that the server sets, to literals or session variables.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "IndexMap::is_empty")]
    pub set: IndexMap<String, Value>,
    /// Only with the admin secret and `x-hasura-use-backend-only-permissions`.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub backend_only: bool,
    /// A webhook that checks the input first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate_input: Option<ValidateInput>,
}

/// Which rows a role may delete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletePermission {
    /// Rows that it may delete: a boolean expression.
    pub filter: Value,
    /// Only with the admin secret and `x-hasura-use-backend-only-permissions`.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub backend_only: bool,
    /// A webhook that checks the input first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate_input: Option<ValidateInput>,
}

/// A webhook that checks a mutation's input first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidateInput {
    /// Always `http`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The call.
    pub definition: ValidateInputDefinition,
}

/// The call of an input validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidateInputDefinition {
    /// URL template.
    pub url: String,
    /// Headers to send.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// Seconds, 10 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Whether the client's headers go along.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub forward_client_headers: bool,
}
