//! The catalogue's tables, columns, constraints and functions.

use serde::Deserialize;

use crate::metadata::QualifiedName;

/// A table, view, materialised view, foreign or partitioned table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: QualifiedName,
    /// Its comment.
    pub comment: Option<String>,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// Its primary key.
    pub primary_key: Option<Constraint>,
    /// Its unique constraints, without the primary key.
    pub unique: Vec<Constraint>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Whether rows can be inserted.
    pub insertable: bool,
    /// Whether rows can be updated.
    pub updatable: bool,
    /// Whether rows can be deleted.
    pub deletable: bool,
    /// Whether it is a table with rows of its own rather than a view.
    pub is_table: bool,
}

impl Table {
    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether at most one row has given values of these columns.
    pub fn is_unique(&self, columns: &[&str]) -> bool {
        self.primary_key
            .iter()
            .chain(&self.unique)
            .any(|constraint| constraint.columns.iter().all(|column| columns.contains(&column.as_str())))
    }
}

/// A column.
#[derive(Debug, Clone, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its number, from 1.
    pub position: i16,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: ColumnType,
    /// Whether it is never null.
    pub not_null: bool,
    /// Whether it has a default.
    pub has_default: bool,
    /// Whether the database computes it.
    pub generated: bool,
    /// Whether it is `generated always as identity`.
    pub identity_always: bool,
    /// Its comment.
    pub comment: Option<String>,
}

/// A type, with domains resolved to what they are made of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ColumnType {
    /// The type's object id.
    pub oid: u32,
    /// The type's name in the catalogue, such as `int4` or `_text`.
    pub name: String,
    /// `b` base, `e` enum, `d` domain, `c` composite, `r` range, `p` pseudo.
    pub kind: String,
    /// As SQL writes it, such as `integer` or `text[]`, quoted and qualified where needed.
    pub sql: String,
    /// Of an array, the element's name in the catalogue.
    pub element: Option<String>,
    /// Of an array, the element's object id.
    pub element_oid: Option<u32>,
}

/// A primary key or unique constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<String>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// The table it points to.
    pub remote: QualifiedName,
    /// Columns here and there, pair by pair.
    pub columns: Vec<(String, String)>,
}

/// A function.
#[derive(Debug, Clone, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: QualifiedName,
    /// Its comment.
    pub comment: Option<String>,
    /// Whether it may change the database.
    pub volatility: Volatility,
    /// Whether its last argument takes any number of values.
    pub variadic: bool,
    /// Whether it returns a set.
    pub returns_set: bool,
    /// What it returns.
    pub returns: ColumnType,
    /// The table whose rows it returns.
    pub returns_table: Option<QualifiedName>,
    /// Its arguments in order.
    pub arguments: Vec<FunctionArgument>,
}

/// An argument of a function.
#[derive(Debug, Clone, Deserialize)]
pub struct FunctionArgument {
    /// Its name; unnamed arguments have none.
    pub name: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: ColumnType,
    /// The table whose row it takes.
    pub table: Option<QualifiedName>,
    /// Whether it may be left out.
    pub has_default: bool,
}

/// Whether a function may change the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Volatility {
    /// The same answer for the same arguments, for ever.
    #[serde(rename = "i")]
    Immutable,
    /// The same answer within a statement.
    #[serde(rename = "s")]
    Stable,
    /// It may change the database.
    #[serde(rename = "v")]
    Volatile,
}

#[derive(Deserialize)]
pub(super) struct RawTable {
    pub name: QualifiedName,
    kind: String,
    comment: Option<String>,
    columns: Vec<Column>,
    constraints: Vec<RawConstraint>,
    updatable: i32,
}

#[derive(Deserialize)]
struct RawConstraint {
    name: String,
    kind: String,
    columns: Vec<String>,
    remote: Option<QualifiedName>,
    remote_columns: Option<Vec<String>>,
}

impl From<RawTable> for Table {
    fn from(raw: RawTable) -> Self {
        let mut table = Self {
            name: raw.name,
            comment: raw.comment,
            columns: raw.columns,
            primary_key: None,
            unique: Vec::new(),
            foreign_keys: Vec::new(),
            // The bits of pg_relation_is_updatable: 4 update, 8 insert, 16 delete.
            insertable: raw.updatable & 8 != 0,
            updatable: raw.updatable & 4 != 0,
            deletable: raw.updatable & 16 != 0,
            is_table: matches!(raw.kind.as_str(), "r" | "p" | "f"),
        };
        for constraint in raw.constraints {
            match (constraint.kind.as_str(), constraint.remote) {
                ("p", _) => {
                    table.primary_key = Some(Constraint { name: constraint.name, columns: constraint.columns });
                }
                ("f", Some(remote)) => table.foreign_keys.push(ForeignKey {
                    name: constraint.name,
                    remote,
                    columns: constraint
                        .columns
                        .into_iter()
                        .zip(constraint.remote_columns.unwrap_or_default())
                        .collect(),
                }),
                _ => table.unique.push(Constraint { name: constraint.name, columns: constraint.columns }),
            }
        }
        table
    }
}
