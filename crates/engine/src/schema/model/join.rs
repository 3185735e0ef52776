//! Relationships that leave the source or the remote schema, as they are resolved.

use indexmap::IndexMap;
use serde_json::Value;

use super::TableId;

/// Where a relationship starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum JoinOwner {
    /// At the rows of a table.
    Table(TableId),
    /// At the objects of a remote schema's type, by the schema's place and the type's own name.
    Remote(usize, String),
}

/// A relationship that leaves its source or its remote schema.
#[derive(Debug, Clone)]
pub struct JoinInfo {
    /// The field's name.
    pub name: String,
    /// Values of the row or object that it is joined by.
    pub left: Vec<Left>,
    /// Where it leads.
    pub to: JoinTo,
}

/// A value of the row or object that a relationship starts at.
#[derive(Debug, Clone)]
pub struct Left {
    /// The name by which the metadata calls it.
    pub name: String,
    /// What it is.
    pub from: LeftFrom,
}

/// What a value on the left side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftFrom {
    Column(usize),
    /// A computed field.
    Computed(usize),
    /// A field of a remote object, by its own name.
    Field,
}

/// Where a relationship leads.
#[derive(Debug, Clone)]
pub enum JoinTo {
    /// To rows whose columns have the values of the left side, in its order.
    Rows {
        table: TableId,
        /// Whether it is a list.
        array: bool,
        columns: Vec<usize>,
    },
    /// To a field of a remote schema.
    Remote {
        /// The schema's place.
        remote: usize,
        /// The field of the query type, and those below it that lead to the answer.
        path: Vec<Call>,
    },
}

/// A field of a remote schema that a relationship calls.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its own name.
    pub field: String,
    /// Arguments: literals, or `$name` of the left side.
    pub arguments: IndexMap<String, Value>,
}
