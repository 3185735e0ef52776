//! What SQL did to the tables and functions that the metadata names, and what of the metadata that concerns.

mod snapshot;

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::PgConnection;

use self::snapshot::{Snapshot, Table};
use super::references::{Object, Reference, Renames, remove, walk};
use crate::catalog::Volatility;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::metadata::{Metadata, QualifiedName};
use crate::schema::Inconsistency;
use crate::schema::model::{ComputedInfo, Model, TableInfo};
use crate::state::State;

/// What was there before the SQL.
pub(super) struct Before {
    snapshot: Snapshot,
}

/// What the SQL has changed.
pub(super) struct SchemaChange {
    dropped: HashSet<QualifiedName>,
    altered: HashMap<QualifiedName, TableChange>,
    /// Functions that are gone, or others of the same name now.
    lost_functions: HashSet<QualifiedName>,
}

#[derive(Default)]
struct TableChange {
    name: Option<QualifiedName>,
    dropped: HashSet<String>,
    renamed: Vec<(String, String)>,
    retyped: Vec<String>,
    /// Columns of foreign keys that are gone, and where they led.
    keys: Vec<(HashSet<String>, QualifiedName)>,
}

impl Before {
    /// Reads what the metadata in force names.
    pub async fn read(connection: &mut PgConnection, state: &State) -> sqlx::Result<Self> {
        let tables: Vec<QualifiedName> = state.model.tables.iter().map(|table| table.name.clone()).collect();
        let snapshot = Snapshot::of(connection, &tables, &[], &functions(&state.model)).await?;
        Ok(Self { snapshot })
    }

    /// What has changed since, in the same transaction.
    ///
    /// # Errors
    /// What the database said.
    pub async fn compare(self, connection: &mut PgConnection, state: &State) -> sqlx::Result<(SchemaChange, After)> {
        let ids: Vec<i64> = self.snapshot.tables.iter().map(|table| table.oid).collect();
        let after = Snapshot::of(connection, &[], &ids, &functions(&state.model)).await?;
        let now = after.by_id();
        let mut change =
            SchemaChange { dropped: HashSet::new(), altered: HashMap::new(), lost_functions: HashSet::new() };
        for old in &self.snapshot.tables {
            match now.get(&old.oid) {
                None => {
                    change.dropped.insert(old.name.clone());
                }
                Some(new) => {
                    change.altered.insert(old.name.clone(), TableChange::between(old, new));
                }
            }
        }
        let same = |old: &snapshot::Function| after.functions.iter().any(|new| new.oid == old.oid);
        let lost = self.snapshot.functions.iter().filter(|old| !same(old)).map(|old| old.name.clone());
        change.lost_functions = lost.collect();
        Ok((change, After { before: self.snapshot, after }))
    }
}

/// The functions that fields and computed fields stand for.
fn functions(model: &Model) -> Vec<QualifiedName> {
    let tracked = model.functions.iter().map(|function| &function.name);
    let computed = model.tables.iter().flat_map(|table| &table.computed).map(|field| &field.function);
    tracked.chain(computed).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Both sides of a change, for what is not allowed of functions.
pub(super) struct After {
    before: Snapshot,
    after: Snapshot,
}

impl After {
    fn is_overloaded(&self, name: &QualifiedName) -> bool {
        self.after.functions.iter().filter(|function| function.name == *name).count() > 1
    }

    fn became_volatile(&self, name: &QualifiedName) -> bool {
        let old = self.before.functions.iter().find(|function| function.name == *name);
        old.filter(|old| old.volatility != Volatility::Volatile).is_some_and(|old| {
            self.after.functions.iter().any(|new| new.oid == old.oid && new.volatility == Volatility::Volatile)
        })
    }

    /// Refuses what a function that is in use must not become.
    ///
    /// # Errors
    /// A function that has become overloaded or volatile.
    pub fn check_functions(&self, model: &Model) -> Result<()> {
        let refuse = |message: String| Err(GraphqlError::new(ErrorCode::NotSupported, message));
        let tracked: Vec<&QualifiedName> = model.functions.iter().map(|function| &function.name).collect();
        let overloaded: Vec<String> =
            tracked.iter().filter(|name| self.is_overloaded(name)).map(ToString::to_string).collect();
        if !overloaded.is_empty() {
            let names = overloaded.join(", ");
            return refuse(format!("the following tracked function(s) cannot be overloaded: {names}"));
        }
        if let Some(name) = tracked.iter().find(|name| self.became_volatile(name)) {
            let name = name.to_string();
            return refuse(format!("type of function {name:?} is altered to \"VOLATILE\" which is not supported now"));
        }
        let said = |table: &TableInfo, field: &ComputedInfo| {
            (field.function.to_string(), field.name.clone(), table.name.to_string())
        };
        let computed = || model.tables.iter().flat_map(|table| table.computed.iter().map(move |field| (table, field)));
        if let Some((table, field)) = computed().find(|(_, field)| self.is_overloaded(&field.function)) {
            let (function, field, table) = said(table, field);
            return refuse(format!(
                "The function {function:?} associated with computed field{field:?} of table {table:?} is being overloaded"
            ));
        }
        if let Some((table, field)) = computed().find(|(_, field)| self.became_volatile(&field.function)) {
            let (function, field, table) = said(table, field);
            return refuse(format!(
                "The type of function {function:?} associated with computed field {field:?} of table {table:?} is \
                 being altered to \"VOLATILE\""
            ));
        }
        Ok(())
    }
}

impl TableChange {
    fn between(old: &Table, new: &Table) -> Self {
        let mut change = Self { name: (old.name != new.name).then(|| new.name.clone()), ..Self::default() };
        for column in &old.columns {
            match new.columns.iter().find(|other| other.position == column.position) {
                None => {
                    change.dropped.insert(column.name.clone());
                }
                Some(other) if other.name != column.name => {
                    change.renamed.push((column.name.clone(), other.name.clone()));
                }
                Some(other) if other.ty != column.ty => change.retyped.push(column.name.clone()),
                Some(_) => {}
            }
        }
        for key in &old.keys {
            // One that was made anew over the same columns serves as the old one did.
            let lives_on = new.keys.iter().any(|other| {
                other.oid == key.oid
                    || (&other.columns, &other.remote, &other.remote_columns)
                        == (&key.columns, &key.remote, &key.remote_columns)
            });
            if !lives_on {
                change.keys.push((key.columns.iter().cloned().collect(), key.remote.clone()));
            }
        }
        change
    }
}

impl SchemaChange {
    fn of(&self, table: &QualifiedName) -> Option<&TableChange> {
        self.altered.get(table)
    }

    fn takes(&self, reference: &Reference<'_>) -> bool {
        match reference {
            Reference::Table(name) => self.dropped.contains(*name),
            Reference::Column { table, name, .. } => {
                self.dropped.contains(*table) || self.of(table).is_some_and(|change| change.dropped.contains(*name))
            }
            Reference::EveryColumn(table) => self.of(table).is_some_and(|change| !change.dropped.is_empty()),
            Reference::Relationship { table, .. } => self.dropped.contains(*table),
            Reference::ForeignKey { table, columns, remote } => self.of(table).is_some_and(|change| {
                change.keys.iter().any(|(lost, led)| {
                    lost.len() == columns.len()
                        && columns.iter().all(|column| lost.contains(column))
                        && remote.is_none_or(|remote| remote == led)
                })
            }),
            Reference::Function(name) => self.lost_functions.contains(*name),
        }
    }

    /// What would be left without what it needs, apart from what belongs to tables that are gone. What is
    /// inconsistent already does not count.
    pub fn dependents(&self, metadata: &Metadata, model: &Model, known: &[Inconsistency]) -> Vec<Object> {
        let mut found: Vec<Object> = Vec::new();
        walk(&mut metadata.clone(), model, &mut |object, reference| {
            let counts = match (object, &reference) {
                // A tracked function goes with the function, silently.
                (Object::Table(_), _) | (Object::Function(_), Reference::Function(_)) => false,
                _ => object.table().is_none_or(|table| !self.dropped.contains(table)),
            };
            if counts && self.takes(&reference) && !found.contains(object) {
                found.push(object.clone());
            }
        });
        found.retain(|object| !known.iter().any(|one| object.is_named(&one.name)));
        found
    }

    /// Refuses new types of columns beside which literals stand that were read as the old ones.
    ///
    /// # Errors
    /// The first such column.
    pub fn check_types(&self, metadata: &Metadata, model: &Model) -> Result<()> {
        for (table, change) in &self.altered {
            for column in &change.retyped {
                let mut typed = BTreeSet::new();
                walk(&mut metadata.clone(), model, &mut |object, reference| {
                    if let Reference::Column { table: of, name, typed: true } = reference
                        && (of, &*name) == (table, column)
                    {
                        typed.insert(object.to_string());
                    }
                });
                if !typed.is_empty() {
                    let (table, names) = (table.to_string(), typed.into_iter().collect::<Vec<_>>().join(", "));
                    let message = format!(
                        "cannot change type of column {column:?} in table {table:?} because of the following \
                         dependencies: {names}"
                    );
                    return Err(GraphqlError::new(ErrorCode::DependencyError, message));
                }
            }
        }
        Ok(())
    }

    /// Refuses new names of columns that relationships have already.
    ///
    /// # Errors
    /// The first such name.
    pub fn check_names(&self, model: &Model) -> Result<()> {
        for (table, change) in &self.altered {
            let Some(info) = model.by_name.get(table).map(|&id| &model.tables[id]) else { continue };
            if let Some((old, new)) = change.renamed.iter().find(|(_, new)| info.relationship(new).is_some()) {
                let table = table.to_string();
                let message = format!(
                    "cannot rename column {old:?} to {new:?} in table {table:?} as a relationship with the name \
                     already exists"
                );
                return Err(GraphqlError::new(ErrorCode::AlreadyExists, message));
            }
        }
        Ok(())
    }

    /// The metadata as it is after the change, without `dependents`.
    pub fn apply(&self, metadata: &mut Metadata, model: &Model, dependents: &[Object]) {
        for object in dependents {
            remove(metadata, object);
        }
        for name in &self.dropped {
            remove(metadata, &Object::Table(name.clone()));
        }
        for name in &self.lost_functions {
            remove(metadata, &Object::Function(name.clone()));
        }
        for table in metadata.sources.iter_mut().flat_map(|source| &mut source.tables) {
            if let Some(change) = self.of(&table.table) {
                let configuration = &mut table.configuration;
                configuration.custom_column_names.retain(|name, _| !change.dropped.contains(name));
                configuration.column_config.retain(|name, _| !change.dropped.contains(name));
            }
        }
        let mut renames = Renames::default();
        for (table, change) in &self.altered {
            if let Some(new) = &change.name {
                renames.tables.insert(table.clone(), new.clone());
            }
            let columns = change.renamed.iter();
            renames.columns.extend(columns.map(|(old, new)| ((table.clone(), old.clone()), new.clone())));
        }
        renames.apply(metadata, model);
    }
}
