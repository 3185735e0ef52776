//! Relationships inside a source.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize};

use super::QualifiedName;

/// A relationship with its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relationship<U> {
    /// The field's name.
    pub name: String,
    /// How the rows are found.
    pub using: U,
    /// A note; not part of the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// How an object relationship finds its row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectUsing {
    /// By a foreign key of this table, or of the other one when it is unique there.
    ForeignKeyConstraintOn(ObjectForeignKey),
    /// By columns named one by one.
    ManualConfiguration(ManualRelationship),
}

/// The foreign key of an object relationship.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ObjectForeignKey {
    /// A key of one column of this table.
    Column(String),
    /// A key of several columns of this table.
    Columns(Vec<String>),
    /// A unique key of the other table.
    Remote(RemoteForeignKey),
}

/// How an array relationship finds its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrayUsing {
    /// By a foreign key of the other table.
    ForeignKeyConstraintOn(RemoteForeignKey),
    /// By columns named one by one.
    ManualConfiguration(ManualRelationship),
}

/// A foreign key of another table that points here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteForeignKey {
    /// The key's column, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The key's columns, when they are several.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// The other table.
    pub table: QualifiedName,
}

/// Reads a list; a single name counts as a list of one, as in Hasura.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        Many(Vec<String>),
    }
    Ok(Option::<Either>::deserialize(deserializer)?.map(|either| match either {
        Either::One(name) => vec![name],
        Either::Many(names) => names,
    }))
}

impl RemoteForeignKey {
    /// The key's columns.
    pub fn columns(&self) -> Vec<&str> {
        match (&self.column, &self.columns) {
            (Some(column), _) => vec![column],
            (None, Some(columns)) => columns.iter().map(String::as_str).collect(),
            (None, None) => Vec::new(),
        }
    }
}

/// A relationship whose columns are named one by one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManualRelationship {
    /// The other table.
    pub remote_table: QualifiedName,
    /// Columns of this table to columns of the other.
    pub column_mapping: IndexMap<String, String>,
    /// In a nested insert, whether the other row comes first.
    #[serde(default)]
    pub insertion_order: Option<InsertionOrder>,
}

/// When the other row of a nested insert is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InsertionOrder {
    /// Before this table's row.
    BeforeParent,
    /// After this table's row.
    AfterParent,
}
