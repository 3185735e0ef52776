//! Resolves metadata against the catalogue. What does not fit is left out and reported.

mod actions;
mod clashes;
mod functions;
mod permissions;
mod relationships;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::enums::{self, EnumValues};
use super::inherit;
use super::model::boolexp::BoolExp;
use super::model::names;
use super::model::scalar::ScalarType;
use super::model::*;
use super::permission;
use crate::catalog::{self, Catalog, Volatility};
use crate::metadata::{
    self, ArrayUsing, Columns, ExposedAs, FunctionResponse, InsertionOrder, ManualRelationship, Metadata,
    NamingConvention, ObjectForeignKey, ObjectUsing, QualifiedName, SelectRootField, Source, is_name,
};
use crate::session::ADMIN;

/// Resolves metadata against the catalogue.
pub fn resolve(metadata: &Metadata, catalog: &Catalog, enums: &EnumValues) -> (Model, Vec<Inconsistency>) {
    let taken = BTreeSet::new();
    let mut resolver = Resolver { catalog, model: Model::default(), faults: Vec::new(), taken };
    if let Some(source) = metadata.sources.first() {
        resolver.source(source, enums);
    }
    resolver.model.actions = metadata.actions.iter().cloned().map(Arc::new).collect();
    resolver.model.custom_types = metadata.custom_types.clone();
    resolver.action_types();
    resolver.roles(metadata);
    let known = permitted(metadata);
    inherit::apply(&mut resolver.model, &metadata.inherited_roles, &known, &mut resolver.faults);
    (resolver.model, resolver.faults)
}

/// The roles that the metadata permits something to, apart from inherited ones.
fn permitted(metadata: &Metadata) -> BTreeSet<&str> {
    let mut roles = BTreeSet::from([ADMIN]);
    for source in &metadata.sources {
        for table in &source.tables {
            roles.extend(table.select_permissions.iter().map(|one| one.role.as_str()));
            roles.extend(table.insert_permissions.iter().map(|one| one.role.as_str()));
            roles.extend(table.update_permissions.iter().map(|one| one.role.as_str()));
            roles.extend(table.delete_permissions.iter().map(|one| one.role.as_str()));
        }
        let functions = source.functions.iter().flat_map(|function| &function.permissions);
        roles.extend(functions.map(|one| one.role.as_str()));
    }
    roles.extend(metadata.actions.iter().flat_map(|action| &action.permissions).map(|one| one.role.as_str()));
    roles.extend(metadata.remote_schemas.iter().flat_map(|schema| &schema.permissions).map(|one| one.role.as_str()));
    roles
}

fn not_a_name(name: &str) -> String {
    format!("\"{name}\" is not a valid GraphQL identifier")
}

/// Why a table cannot be shown, if it cannot.
fn unfit(info: &TableInfo, table: &metadata::Table, found: &catalog::Table, enums: &EnumValues) -> Option<String> {
    if !is_name(&info.graphql_name) {
        return Some(format!("{}; give it a custom name", not_a_name(&info.graphql_name)));
    }
    for (place, column) in info.columns.iter().enumerate() {
        if let Some(other) = info.columns.iter().take(place).find(|other| other.field == column.field) {
            let (one, two, field) = (&other.name, &column.name, &column.field);
            return Some(format!("the columns {one:?} and {two:?} are both named {field:?}; give one another name"));
        }
    }
    if table.is_enum { enums::refusal(found, enums.get(&table.table)) } else { None }
}

struct Resolver<'a> {
    catalog: &'a Catalog,
    model: Model,
    faults: Vec<Inconsistency>,
    /// What the root fields and types of tables, functions and actions are named so far.
    taken: BTreeSet<clashes::Claim>,
}

impl Resolver<'_> {
    fn fault(&mut self, kind: &str, name: String, reason: String, definition: impl Serialize) {
        let definition = serde_json::to_value(definition).unwrap_or_default();
        self.faults.push(Inconsistency { kind: kind.to_owned(), name, reason, definition });
    }

    /// A part of a table's metadata as inconsistencies show it: with the table and the source.
    fn of_table(&self, id: TableId, definition: impl Serialize) -> serde_json::Value {
        let mut definition = serde_json::to_value(definition).unwrap_or_default();
        if let Some(fields) = definition.as_object_mut() {
            fields.entry("comment").or_insert(serde_json::Value::Null);
            fields.insert("source".to_owned(), "default".into());
            fields.insert("table".to_owned(), json!(self.model.tables[id].name));
        }
        definition
    }

    fn source(&mut self, source: &Source, enums: &EnumValues) {
        let customization = &source.customization;
        let affixes = |prefix: &Option<String>, suffix: &Option<String>| {
            (prefix.clone().unwrap_or_default(), suffix.clone().unwrap_or_default())
        };
        if let Some(roots) = &customization.root_fields {
            self.model.root_affixes = affixes(&roots.prefix, &roots.suffix);
        }
        if let Some(types) = &customization.type_names {
            self.model.type_affixes = affixes(&types.prefix, &types.suffix);
        }
        self.model.camel_case = customization.naming_convention == Some(NamingConvention::GraphqlDefault);

        let mut tracked = Vec::new();
        for table in &source.tables {
            match self.catalog.table(&table.table) {
                Some(found) => {
                    let id = self.model.tables.len();
                    let info = self.table(table, found, enums);
                    let clash = |resolver: &mut Self| resolver.claim(clashes::of_table(&resolver.model, &info)).err();
                    if let Some(reason) = unfit(&info, table, found, enums).or_else(|| clash(self)) {
                        let reason = format!("Inconsistent object: in table \"{}\": {reason}", table.table);
                        let definition = json!({"name": table.table.name, "schema": table.table.schema});
                        self.fault("table", format!("table {} in source default", table.table), reason, definition);
                        continue;
                    }
                    self.model.tables.push(info);
                    self.model.by_name.insert(table.table.clone(), id);
                    tracked.push((id, table, found));
                }
                None => {
                    let reason =
                        format!("Inconsistent object: no such table/view exists in source: \"{}\"", table.table);
                    let definition = json!({"name": table.table.name, "schema": table.table.schema});
                    self.fault("table", format!("table {} in source default", table.table), reason, definition);
                }
            }
        }
        for &(id, _, found) in &tracked {
            self.enum_columns(id, found);
        }
        for &(id, table, found) in &tracked {
            self.relationships(id, table, found);
        }
        for &(id, table, _) in &tracked {
            self.computed_fields(id, table);
        }
        for function in &source.functions {
            self.function(function);
        }
        for &(id, table, _) in &tracked {
            self.permissions(id, table);
        }
    }

    fn table(&self, table: &metadata::Table, found: &catalog::Table, enums: &EnumValues) -> TableInfo {
        let configuration = &table.configuration;
        let camel = self.model.camel_case;
        let columns: Vec<ColumnInfo> = found
            .columns
            .iter()
            .map(|column| {
                let config = configuration.column_config.get(&column.name);
                let comment = config.and_then(|config| config.comment.clone()).or_else(|| column.comment.clone());
                ColumnInfo {
                    name: column.name.clone(),
                    field: configuration
                        .column_name(&column.name)
                        .map(str::to_owned)
                        .unwrap_or_else(|| names::field(&column.name, camel)),
                    ty: ScalarType::of(&column.ty),
                    oid: column.ty.oid,
                    enum_table: None,
                    not_null: column.not_null,
                    writable: !column.generated && !column.identity_always,
                    description: comment.filter(|comment| !comment.is_empty()),
                }
            })
            // A column whose name GraphQL does not allow needs a custom one; until then it is not shown.
            .filter(|column| is_name(&column.field))
            .collect();
        let place = |name: &String| columns.iter().position(|column| column.name == *name);
        let key = |constraint: &catalog::Constraint| constraint.columns.iter().filter_map(place).collect::<Vec<_>>();
        let complete = |constraint: &&catalog::Constraint| constraint.columns.iter().all(|name| place(name).is_some());
        let primary_key = found.primary_key.as_ref().filter(complete).map(key).unwrap_or_default();
        let constraints = found.primary_key.iter().chain(&found.unique).map(|c| (c.name.clone(), key(c))).collect();
        let graphql_name = configuration.custom_name.clone().unwrap_or_else(|| names::table(&table.table, camel));
        let description = match &configuration.comment {
            Some(comment) => Some(comment.clone()),
            None => found.comment.clone(),
        };
        let (roots, root_comments) = names::roots(&graphql_name, &configuration.custom_root_fields, &self.model);
        TableInfo {
            name: table.table.clone(),
            graphql_name,
            description: description.filter(|text| !text.is_empty()),
            columns,
            primary_key,
            constraints,
            relationships: Vec::new(),
            computed: Vec::new(),
            joins: Vec::new(),
            enum_values: table.is_enum.then(|| enums.get(&table.table).cloned().unwrap_or_default()),
            roots,
            root_comments,
            mutable: (found.insertable, found.updatable, found.deletable),
            permissions: HashMap::new(),
        }
    }

    fn enum_columns(&mut self, id: TableId, found: &catalog::Table) {
        for key in &found.foreign_keys {
            let [(local, _)] = key.columns.as_slice() else { continue };
            let Some(&remote) = self.model.by_name.get(&key.remote) else { continue };
            if self.model.tables[remote].enum_values.is_none() {
                continue;
            }
            if let Some(column) = self.model.tables[id].columns.iter_mut().find(|column| column.name == *local) {
                column.enum_table = Some(remote);
            }
        }
    }

    fn roles(&mut self, metadata: &Metadata) {
        let mut roles: BTreeSet<String> = BTreeSet::from([ADMIN.to_owned()]);
        for table in &self.model.tables {
            roles.extend(table.permissions.keys().cloned());
        }
        for action in &metadata.actions {
            roles.extend(action.permissions.iter().map(|permission| permission.role.clone()));
        }
        for schema in &metadata.remote_schemas {
            roles.extend(schema.permissions.iter().map(|permission| permission.role.clone()));
        }
        roles.extend(metadata.inherited_roles.iter().map(|role| role.role_name.clone()));
        self.model.roles = roles.into_iter().collect();
    }
}
