//! Metadata resolved against the catalogue: what every role's schema and every plan is made from.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::boolexp::BoolExp;
use super::scalar::ScalarType;
use crate::metadata::{Action, CustomTypes, QualifiedName, SelectRootField};

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

/// A tracked table.
#[derive(Debug)]
pub struct TableInfo {
    /// Its name in the database.
    pub name: QualifiedName,
    /// The GraphQL name from which type and root field names derive.
    pub graphql_name: String,
    /// Its description.
    pub description: Option<String>,
    /// Columns in order.
    pub columns: Vec<ColumnInfo>,
    /// Columns of the primary key.
    pub primary_key: Vec<usize>,
    /// Primary key and unique constraints by name.
    pub constraints: Vec<(String, Vec<usize>)>,
    /// Relationships.
    pub relationships: Vec<RelationshipInfo>,
    /// Computed fields.
    pub computed: Vec<ComputedInfo>,
    /// Relationships that leave the source.
    pub joins: Vec<super::join::JoinInfo>,
    /// Values with their comments, when the table is an enum.
    pub enum_values: Option<Vec<(String, Option<String>)>>,
    /// Names of its root fields.
    pub roots: RootNames,
    /// Descriptions of its root fields.
    pub root_comments: HashMap<&'static str, String>,
    /// Whether rows can be inserted, updated, deleted.
    pub mutable: (bool, bool, bool),
    /// What each role may do.
    pub permissions: HashMap<String, Permissions>,
}

impl TableInfo {
    /// A column by its name in the database.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// A relationship by its name.
    pub fn relationship(&self, name: &str) -> Option<usize> {
        self.relationships.iter().position(|relationship| relationship.name == name)
    }
}

/// Names of a table's root fields.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "each is the root field of its name")]
pub struct RootNames {
    pub select: String,
    pub select_by_pk: String,
    pub select_aggregate: String,
    pub select_stream: String,
    pub insert: String,
    pub insert_one: String,
    pub update: String,
    pub update_by_pk: String,
    pub update_many: String,
    pub delete: String,
    pub delete_by_pk: String,
}

/// A column.
#[derive(Debug)]
pub struct ColumnInfo {
    /// Its name in the database.
    pub name: String,
    /// Its name in GraphQL.
    pub field: String,
    /// Its type.
    pub ty: ScalarType,
    /// The type's object id.
    pub oid: u32,
    /// The enum table whose values it holds.
    pub enum_table: Option<TableId>,
    /// Whether it is never null.
    pub not_null: bool,
    /// Whether clients may set it.
    pub writable: bool,
    /// Its description.
    pub description: Option<String>,
}

/// A relationship.
#[derive(Debug)]
pub struct RelationshipInfo {
    /// The field's name.
    pub name: String,
    /// Whether it is a list.
    pub array: bool,
    /// The other table.
    pub table: TableId,
    /// Columns here and there, pair by pair.
    pub mapping: Vec<(usize, usize)>,
    /// Whether at most one row of the other table can match.
    pub unique: bool,
    /// Whether there may be no row (of object relationships).
    pub nullable: bool,
    /// In a nested insert, whether the other row comes after this one.
    pub insert_after: bool,
}

/// A computed field.
#[derive(Debug)]
pub struct ComputedInfo {
    /// The field's name.
    pub name: String,
    /// The function.
    pub function: QualifiedName,
    /// Arguments in the function's order.
    pub arguments: Vec<ArgumentInfo>,
    /// What it gives.
    pub returns: ComputedReturn,
    /// Its description.
    pub description: Option<String>,
}

/// What a computed field gives.
#[derive(Debug, Clone, PartialEq)]
pub enum ComputedReturn {
    /// A value.
    Scalar(ScalarType),
    /// Rows of a tracked table.
    Table(TableId),
}

/// An argument of a function.
#[derive(Debug, Clone)]
pub struct ArgumentInfo {
    /// Its name in the database; unnamed ones have none.
    pub name: Option<String>,
    /// Its name in GraphQL.
    pub field: String,
    /// Its type.
    pub ty: ScalarType,
    /// Whether it may be left out.
    pub has_default: bool,
    /// What fills it.
    pub role: ArgumentRole,
}

/// What fills an argument of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentRole {
    /// The client.
    Client,
    /// The row of a computed field.
    Row,
    /// The session variables as JSON.
    Session,
}

/// A tracked function.
#[derive(Debug)]
pub struct FunctionInfo {
    /// Its name in the database.
    pub name: QualifiedName,
    /// The root field.
    pub root: String,
    /// The aggregate root field.
    pub root_aggregate: String,
    /// The GraphQL name of its arguments' input object.
    pub args_type: String,
    /// Arguments in order.
    pub arguments: Vec<ArgumentInfo>,
    /// The table whose rows it returns.
    pub table: TableId,
    /// Whether it returns a set rather than at most one row.
    pub returns_set: bool,
    /// Whether it stands under `mutation_root`.
    pub mutation: bool,
    /// Roles that may call it; `None` means every role that may select from the table.
    pub roles: Option<Vec<String>>,
    /// Its description.
    pub description: Option<String>,
}

/// What one role may do with a table.
#[derive(Debug, Default, Clone)]
pub struct Permissions {
    /// Reading.
    pub select: Option<Arc<SelectRule>>,
    /// Inserting.
    pub insert: Option<Arc<InsertRule>>,
    /// Updating.
    pub update: Option<Arc<UpdateRule>>,
    /// Deleting.
    pub delete: Option<Arc<DeleteRule>>,
}

/// Which rows and columns a role sees.
#[derive(Debug, Clone)]
pub struct SelectRule {
    /// Visible columns.
    pub columns: Vec<bool>,
    /// Conditions under which a column's value shows, where it is not always (inherited roles).
    pub guards: Vec<Option<BoolExp>>,
    /// Visible computed fields.
    pub computed: Vec<bool>,
    /// Conditions under which a computed field's value shows, where it is not always (inherited roles).
    pub computed_guards: Vec<Option<BoolExp>>,
    /// Visible rows.
    pub filter: BoolExp,
    /// Most rows.
    pub limit: Option<u64>,
    /// Whether aggregates are offered.
    pub aggregations: bool,
    /// Root fields of `query_root`; all when absent.
    pub query_roots: Option<Vec<SelectRootField>>,
    /// Root fields of `subscription_root`; all when absent.
    pub subscription_roots: Option<Vec<SelectRootField>>,
}

/// Which rows a role may insert.
#[derive(Debug, Clone)]
pub struct InsertRule {
    /// Columns that the client may set.
    pub columns: Vec<bool>,
    /// Columns that the server sets.
    pub presets: Vec<(usize, Value)>,
    /// What each new row must satisfy.
    pub check: BoolExp,
    /// For backends only.
    pub backend_only: bool,
}

/// Which rows a role may change.
#[derive(Debug, Clone)]
pub struct UpdateRule {
    /// Columns that the client may set.
    pub columns: Vec<bool>,
    /// Columns that the server sets.
    pub presets: Vec<(usize, Value)>,
    /// Which rows.
    pub filter: BoolExp,
    /// What each changed row must satisfy.
    pub check: BoolExp,
    /// For backends only.
    pub backend_only: bool,
}

/// Which rows a role may delete.
#[derive(Debug, Clone)]
pub struct DeleteRule {
    /// Which rows.
    pub filter: BoolExp,
    /// For backends only.
    pub backend_only: bool,
}
