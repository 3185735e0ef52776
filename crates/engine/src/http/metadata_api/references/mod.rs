//! What the metadata names of the database, place by place: for what depends on something that goes, and for names
//! that follow what they name.

mod expression;
mod object;
mod visit;

use std::collections::HashMap;

pub(super) use object::{Object, PermissionKind, remove};
pub(super) use visit::walk;

use crate::metadata::{Metadata, QualifiedName};
use crate::schema::Model;

/// A name that stands in the metadata. It may be changed where it stands.
pub(super) enum Reference<'m> {
    /// Of a table.
    Table(&'m mut QualifiedName),
    /// Of a column.
    Column {
        table: &'m QualifiedName,
        name: &'m mut String,
        /// Whether a literal stands beside it that must fit its type.
        typed: bool,
    },
    /// `*`: each column there is.
    EveryColumn(&'m QualifiedName),
    /// Of a relationship.
    Relationship { table: &'m QualifiedName, name: &'m mut String },
    /// The foreign key over these columns, to this table where it is said.
    ForeignKey { table: &'m QualifiedName, columns: Vec<String>, remote: Option<&'m QualifiedName> },
    /// Of a function.
    Function(&'m mut QualifiedName),
}

/// New names by the old ones.
#[derive(Default)]
pub(super) struct Renames {
    pub tables: HashMap<QualifiedName, QualifiedName>,
    /// By the old names of table and column.
    pub columns: HashMap<(QualifiedName, String), String>,
    /// By the old name of the table and that of the relationship.
    pub relationships: HashMap<(QualifiedName, String), String>,
}

impl Renames {
    /// Writes the new names wherever the old ones stand. All at once, so that names may be exchanged.
    pub fn apply(&self, metadata: &mut Metadata, model: &Model) {
        if self.tables.is_empty() && self.columns.is_empty() && self.relationships.is_empty() {
            return;
        }
        let renamed = |names: &HashMap<(QualifiedName, String), String>, table: &QualifiedName, name: &mut String| {
            if let Some(new) = names.get(&(table.clone(), name.clone())) {
                *name = new.clone();
            }
        };
        walk(metadata, model, &mut |_, reference| match reference {
            Reference::Table(name) => {
                if let Some(new) = self.tables.get(name) {
                    *name = new.clone();
                }
            }
            Reference::Column { table, name, .. } => renamed(&self.columns, table, name),
            Reference::Relationship { table, name } => renamed(&self.relationships, table, name),
            Reference::EveryColumn(_) | Reference::ForeignKey { .. } | Reference::Function(_) => {}
        });
    }
}
