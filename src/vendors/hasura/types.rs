//! The metadata API's own words, typed as far as this product uses them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A table of the source `default`, by schema and name.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Table<'a> {
    pub schema: &'a str,
    pub name: &'a str,
}

/// Metadata as exported, with the version that a replacement may refer to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// Counts the changes of the metadata.
    pub resource_version: u64,
    /// The whole metadata, version 3.
    pub metadata: Value,
}

/// Whether every object of the metadata fits the database and the other objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Consistency {
    /// Whether all is well.
    pub is_consistent: bool,
    #[serde(default)]
    pub inconsistent_objects: Vec<InconsistentObject>,
}

/// An object of the metadata that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InconsistentObject {
    /// Its kind, such as `table` or `select_permission`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Its name and place.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub reason: String,
}

impl fmt::Display for InconsistentObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// What `GET /healthz` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// All is well.
    Ok,
    /// It answers, but some metadata is inconsistent.
    Inconsistent,
    /// It answers that it cannot work.
    Failing,
}

/// Whether a relationship leads to one row or to many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationshipKind {
    /// To at most one row.
    Object,
    /// To any number of rows.
    Array,
}

/// A relationship to be made between tables of the source `default`.
#[derive(Debug, Clone)]
pub struct Relationship<'a> {
    /// The schema of the table that gets the field.
    pub schema: &'a str,
    /// The table that gets the field.
    pub table: &'a str,
    /// The field's name.
    pub name: &'a str,
    /// One row or many.
    pub kind: RelationshipKind,
    /// `{"foreign_key_constraint_on": ...}` or `{"manual_configuration": ...}`.
    pub using: Value,
}

/// Which operation a permission allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum PermissionKind {
    /// Reading rows.
    Select,
    /// Inserting rows.
    Insert,
    /// Changing rows.
    Update,
    /// Removing rows.
    Delete,
}

/// What a role may do with a table of the source `default`.
#[derive(Debug, Clone)]
pub struct Permission<'a> {
    /// The table's schema.
    pub schema: &'a str,
    pub table: &'a str,
    pub role: &'a str,
    /// Which operation.
    pub kind: PermissionKind,
    /// `filter`, `check`, `columns`, `set` ... as the operation has them.
    pub permission: Value,
}

/// An action and the roles that may call it. Its types must have been set before.
#[derive(Debug, Clone)]
pub struct Action<'a> {
    /// The field's name.
    pub name: &'a str,
    /// `kind`, `type`, `arguments`, `output_type`, `handler`, `headers` ...
    pub definition: Value,
    /// The roles, besides `admin`.
    pub roles: &'a [&'a str],
}

/// An event trigger on a table of the source `default`; one of the same name is replaced.
#[derive(Debug, Clone)]
pub struct EventTrigger<'a> {
    /// The trigger's name.
    pub name: &'a str,
    /// The table's schema.
    pub schema: &'a str,
    pub table: &'a str,
    /// Where deliveries go; may refer to environment variables as `{{NAME}}`.
    pub webhook: &'a str,
    /// Which of `insert`, `update`, `delete` with which columns, `retry_conf`, `headers`.
    pub definition: serde_json::Map<String, Value>,
}

/// A remote schema and, for each role, the part of it in SDL that the role sees.
#[derive(Debug, Clone)]
pub struct RemoteSchema<'a> {
    pub name: &'a str,
    /// `url`, `headers`, `timeout_seconds`, `forward_client_headers`, `customization`.
    pub definition: Value,
    /// Role and SDL.
    pub permissions: &'a [(&'a str, &'a str)],
}
