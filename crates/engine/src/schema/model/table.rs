//! Tracked tables and functions.

use std::collections::HashMap;

use super::TableId;
use super::join::JoinInfo;
use super::permission::Permissions;
use super::scalar::ScalarType;
use crate::metadata::QualifiedName;

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
    pub joins: Vec<JoinInfo>,
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
