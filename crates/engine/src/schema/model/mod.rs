//! Metadata resolved against the catalogue: what every role's schema and every plan is made from.

pub mod array;
pub mod boolexp;
pub mod join;
pub(crate) mod names;
mod permission;
pub mod scalar;
mod table;
pub mod types;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

pub use permission::{DeleteRule, InsertRule, Permissions, SelectRule, UpdateRule};
pub use table::{
    ArgumentInfo, ArgumentRole, ColumnInfo, ComputedInfo, ComputedReturn, FunctionInfo, RelationshipInfo, RootNames,
    TableInfo,
};

use crate::metadata::{Action, CustomTypes, QualifiedName};

/// The place of a table in [`Model::tables`].
pub type TableId = usize;

/// Metadata resolved against the catalogue.
#[derive(Debug, Default)]
pub struct Model {
    /// Tracked tables.
    pub tables: Vec<TableInfo>,
    /// Where each stands.
    pub by_name: HashMap<QualifiedName, TableId>,
    /// Tracked functions.
    pub functions: Vec<FunctionInfo>,
    /// Actions.
    pub actions: Vec<Arc<Action>>,
    /// The types of actions.
    pub custom_types: CustomTypes,
    /// Every role that something is permitted to, with inherited ones.
    pub roles: Vec<String>,
    /// Put before and after root fields of the source.
    pub root_affixes: (String, String),
    /// Put before and after type names of the source.
    pub type_affixes: (String, String),
    /// Naming convention `graphql-default`.
    pub camel_case: bool,
}

/// Something in the metadata that does not fit the database or the rest; it is left out until it fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Inconsistency {
    /// What it is: `table`, `object_relation`, `select_permission` ...
    pub kind: String,
    /// Its name, as Hasura words it.
    pub name: String,
    /// Why.
    pub reason: String,
    /// The part of the metadata.
    pub definition: Value,
}

impl Inconsistency {
    /// The kind of those that say which permission an inherited role could not be given, as its parents differ.
    pub const CONFLICT: &str = "inherited role permission inconsistency";

    /// Whether it only tells: every object of the metadata is served as it stands.
    pub fn is_informational(&self) -> bool {
        self.kind == Self::CONFLICT
    }
}

impl serde::Serialize for Inconsistency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("type", &self.kind)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry(if self.is_informational() { "entity" } else { "definition" }, &self.definition)?;
        map.end()
    }
}
