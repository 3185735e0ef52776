//! Resolves metadata against the catalogue. What does not fit is left out and reported.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::enums::{self, EnumValues};
use super::model::*;
use super::names;
use super::permission;
use super::scalar::ScalarType;
use super::{boolexp::BoolExp, inherit};
use crate::engine::catalog::{self, Catalog, Volatility};
use crate::engine::metadata::{
    self, ArrayUsing, Columns, ExposedAs, FunctionResponse, InsertionOrder, ManualRelationship, Metadata,
    NamingConvention, ObjectForeignKey, ObjectUsing, QualifiedName, SelectRootField, Source, is_name,
};
use crate::engine::session::ADMIN;

/// Resolves metadata against the catalogue.
pub fn resolve(metadata: &Metadata, catalog: &Catalog, enums: &EnumValues) -> (Model, Vec<Inconsistency>) {
    let mut resolver = Resolver { catalog, model: Model::default(), faults: Vec::new() };
    if let Some(source) = metadata.sources.first() {
        resolver.source(source, enums);
    }
    resolver.model.actions = metadata.actions.iter().cloned().map(Arc::new).collect();
    resolver.model.custom_types = metadata.custom_types.clone();
    resolver.action_types();
    resolver.roles(metadata);
    inherit::apply(&mut resolver.model, &metadata.inherited_roles, &mut resolver.faults);
    (resolver.model, resolver.faults)
}

/// Scalars that actions may name without defining them.
const SCALARS: &[&str] = &[
    "Int",
    "Float",
    "String",
    "Boolean",
    "ID",
    "uuid",
    "json",
    "jsonb",
    "bigint",
    "smallint",
    "numeric",
    "float8",
    "timestamptz",
    "timestamp",
    "date",
    "time",
    "timetz",
    "interval",
    "bytea",
    "citext",
    "inet",
    "money",
];

fn not_a_name(name: &str) -> String {
    format!("\"{name}\" is not a valid GraphQL identifier")
}

/// Why a table cannot be shown, if it cannot.
fn unfit(info: &TableInfo, table: &metadata::Table, found: &catalog::Table, enums: &EnumValues) -> Option<String> {
    if !is_name(&info.graphql_name) {
        return Some(format!("{}; give it a custom name", not_a_name(&info.graphql_name)));
    }
    if table.is_enum { enums::refusal(found, enums.get(&table.table)) } else { None }
}

struct Resolver<'a> {
    catalog: &'a Catalog,
    model: Model,
    faults: Vec<Inconsistency>,
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
                    if let Some(reason) = unfit(&info, table, found, enums) {
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

    fn relationships(&mut self, id: TableId, table: &metadata::Table, found: &catalog::Table) {
        for relationship in &table.object_relationships {
            let resolved = match &relationship.using {
                ObjectUsing::ForeignKeyConstraintOn(ObjectForeignKey::Column(column)) => {
                    self.own_key(id, found, &[column.as_str()])
                }
                ObjectUsing::ForeignKeyConstraintOn(ObjectForeignKey::Columns(columns)) => {
                    self.own_key(id, found, &columns.iter().map(String::as_str).collect::<Vec<_>>())
                }
                ObjectUsing::ForeignKeyConstraintOn(ObjectForeignKey::Remote(key)) => {
                    self.other_key(id, &found.name, &key.table, &key.columns())
                }
                ObjectUsing::ManualConfiguration(manual) => self.manual(id, manual),
            };
            self.relationship(id, "object_relation", &relationship.name, false, resolved, relationship);
        }
        for relationship in &table.array_relationships {
            let resolved = match &relationship.using {
                ArrayUsing::ForeignKeyConstraintOn(key) => self.other_key(id, &found.name, &key.table, &key.columns()),
                ArrayUsing::ManualConfiguration(manual) => self.manual(id, manual),
            };
            self.relationship(id, "array_relation", &relationship.name, true, resolved, relationship);
        }
    }

    fn relationship(
        &mut self,
        id: TableId,
        kind: &str,
        name: &str,
        array: bool,
        resolved: Result<RelationshipInfo, String>,
        definition: impl Serialize,
    ) {
        let taken = {
            let info = &self.model.tables[id];
            info.columns.iter().any(|column| column.field == name) || info.relationship(name).is_some()
        };
        let resolved = match resolved {
            _ if taken => Err(format!("field with name \"{name}\" already exists in table")),
            _ if !is_name(name) => Err(not_a_name(name)),
            other => other,
        };
        match resolved {
            Ok(info) => {
                self.model.tables[id].relationships.push(RelationshipInfo { name: name.to_owned(), array, ..info });
            }
            Err(reason) => {
                let table = self.model.tables[id].name.to_string();
                let reason = format!("Inconsistent object: in table \"{table}\": in relationship \"{name}\": {reason}");
                let name = format!("{kind} {name} in table {table} in source default");
                let definition = self.of_table(id, definition);
                self.fault(kind, name, reason, definition);
            }
        }
    }

    fn own_key(&self, id: TableId, found: &catalog::Table, columns: &[&str]) -> Result<RelationshipInfo, String> {
        let key = found
            .foreign_keys
            .iter()
            .find(|key| {
                key.columns.len() == columns.len()
                    && key.columns.iter().all(|(local, _)| columns.contains(&local.as_str()))
            })
            .ok_or_else(|| format!("no foreign constraint exists on the given column(s): {}", columns.join(", ")))?;
        let pairs: Vec<(&str, &str)> = key.columns.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let mut info = self.mapped(id, &key.remote, &pairs)?;
        info.nullable = info.mapping.iter().any(|(local, _)| !self.model.tables[id].columns[*local].not_null);
        Ok(info)
    }

    fn other_key(
        &self,
        id: TableId,
        own: &QualifiedName,
        remote: &QualifiedName,
        columns: &[&str],
    ) -> Result<RelationshipInfo, String> {
        let other = self.catalog.table(remote).ok_or_else(|| format!("table \"{remote}\" does not exist"))?;
        let key = other
            .foreign_keys
            .iter()
            .find(|key| {
                key.remote == *own
                    && key.columns.len() == columns.len()
                    && key.columns.iter().all(|(local, _)| columns.contains(&local.as_str()))
            })
            .ok_or_else(|| format!("no foreign constraint exists on the given column(s): {}", columns.join(", ")))?;
        let pairs: Vec<(&str, &str)> = key.columns.iter().map(|(a, b)| (b.as_str(), a.as_str())).collect();
        let mut info = self.mapped(id, remote, &pairs)?;
        info.insert_after = true;
        Ok(info)
    }

    fn manual(&self, id: TableId, manual: &ManualRelationship) -> Result<RelationshipInfo, String> {
        let pairs: Vec<(&str, &str)> = manual.column_mapping.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let mut info = self.mapped(id, &manual.remote_table, &pairs)?;
        info.insert_after = manual.insertion_order == Some(InsertionOrder::AfterParent);
        Ok(info)
    }

    fn mapped(&self, id: TableId, remote: &QualifiedName, pairs: &[(&str, &str)]) -> Result<RelationshipInfo, String> {
        let table = *self
            .model
            .by_name
            .get(remote)
            .ok_or_else(|| format!("table \"{remote}\" does not exist in source: default"))?;
        let place = |table: TableId, name: &str| {
            let info = &self.model.tables[table];
            info.column(name).ok_or_else(|| format!("column \"{name}\" does not exist in table \"{}\"", info.name))
        };
        let mapping = pairs
            .iter()
            .map(|(local, other)| Ok((place(id, local)?, place(table, other)?)))
            .collect::<Result<Vec<_>, String>>()?;
        let others: Vec<&str> = pairs.iter().map(|(_, other)| *other).collect();
        let unique = self.catalog.table(remote).is_some_and(|table| table.is_unique(&others));
        Ok(RelationshipInfo {
            name: String::new(),
            array: false,
            table,
            mapping,
            unique,
            nullable: true,
            insert_after: false,
        })
    }

    fn arguments(
        &self,
        function: &catalog::Function,
        row: Option<(&Option<String>, &QualifiedName)>,
        session: &Option<String>,
    ) -> Result<Vec<ArgumentInfo>, String> {
        let mut row_taken = false;
        function
            .arguments
            .iter()
            .enumerate()
            .map(|(index, argument)| {
                let is_row = row.is_some_and(|(name, table)| {
                    let named = match name {
                        Some(name) => argument.name.as_ref() == Some(name),
                        None => !row_taken && argument.table.as_ref() == Some(table),
                    };
                    named && argument.table.as_ref() == Some(table)
                });
                row_taken |= is_row;
                let role = if is_row {
                    ArgumentRole::Row
                } else if session.is_some() && argument.name == *session {
                    ArgumentRole::Session
                } else {
                    ArgumentRole::Client
                };
                let name = argument.name.clone().filter(|name| !name.is_empty());
                let field = match &name {
                    Some(name) => names::field(name, self.model.camel_case),
                    None => format!("arg_{}", index + 1),
                };
                if role == ArgumentRole::Client && !is_name(&field) {
                    return Err(format!("the function's argument {}", not_a_name(&field)));
                }
                let ty = ScalarType::of(&argument.ty);
                Ok(ArgumentInfo { field, name, ty, has_default: argument.has_default, role })
            })
            .collect()
    }

    fn single_function(&self, name: &QualifiedName) -> Result<&catalog::Function, String> {
        match self.catalog.functions(name) {
            [function] => Ok(function),
            [] => Err(format!("no such function exists: \"{name}\"")),
            _ => Err(format!("function \"{name}\" is overloaded. Overloaded functions are not supported")),
        }
    }

    fn computed_fields(&mut self, id: TableId, table: &metadata::Table) {
        for field in &table.computed_fields {
            match self.computed_field(&table.table, field) {
                Ok(info) => self.model.tables[id].computed.push(info),
                Err(reason) => {
                    let name = format!("computed_field {} in table {} in source default", field.name, table.table);
                    let place = format!("in table \"{}\": in computed field \"{}\"", table.table, field.name);
                    let definition = self.of_table(id, field);
                    self.fault("computed_field", name, format!("Inconsistent object: {place}: {reason}"), definition);
                }
            }
        }
    }

    fn computed_field(&self, table: &QualifiedName, field: &metadata::ComputedField) -> Result<ComputedInfo, String> {
        if !is_name(&field.name) {
            return Err(not_a_name(&field.name));
        }
        let definition = &field.definition;
        let function = self.single_function(&definition.function)?;
        let row = Some((&definition.table_argument, table));
        let arguments = self.arguments(function, row, &definition.session_argument)?;
        if !arguments.iter().any(|argument| argument.role == ArgumentRole::Row) {
            let function = &definition.function;
            return Err(format!("the function \"{function}\" takes no row of the table \"{table}\""));
        }
        if function.volatility == Volatility::Volatile {
            return Err(format!(
                "the function \"{}\" is volatile; a computed field's must not be",
                definition.function
            ));
        }
        let returns = match (&function.returns_table, function.returns_set) {
            (Some(table), true) => ComputedReturn::Table(
                *self.model.by_name.get(table).ok_or_else(|| format!("the table \"{table}\" is not tracked"))?,
            ),
            (None, false) => ComputedReturn::Scalar(ScalarType::of(&function.returns)),
            _ => return Err("the function must return a base type or a set of a tracked table's rows".to_owned()),
        };
        let description = match &field.comment {
            Some(comment) => comment.clone(),
            None => function
                .comment
                .clone()
                .unwrap_or_else(|| format!("A computed field, executes function \"{}\"", definition.function)),
        };
        Ok(ComputedInfo {
            name: field.name.clone(),
            function: definition.function.clone(),
            arguments,
            returns,
            description: Some(description).filter(|text| !text.is_empty()),
        })
    }

    fn function(&mut self, function: &metadata::Function) {
        let resolved = self.function_info(function);
        match resolved {
            Ok(info) => self.model.functions.push(info),
            Err(reason) => {
                let name = format!("function {} in source default", function.function);
                let reason = format!("Inconsistent object: in function \"{}\": {reason}", function.function);
                self.fault("function", name, reason, &function.function);
            }
        }
    }

    fn function_info(&self, function: &metadata::Function) -> Result<FunctionInfo, String> {
        let configuration = &function.configuration;
        let found = self.single_function(&function.function)?;
        let table = found.returns_table.as_ref().ok_or("the function does not return rows of a table")?;
        if let Some(FunctionResponse::Table { table: declared }) = &configuration.response
            && declared != table
        {
            return Err(format!("it returns rows of \"{table}\", not of \"{declared}\" as its response says"));
        }
        let table = *self.model.by_name.get(table).ok_or_else(|| format!("the table \"{table}\" is not tracked"))?;
        let volatile = found.volatility == Volatility::Volatile;
        let mutation = match configuration.exposed_as {
            Some(exposed) => exposed == ExposedAs::Mutation,
            None => volatile,
        };
        let base = configuration
            .custom_name
            .clone()
            .unwrap_or_else(|| names::table(&function.function, self.model.camel_case));
        if !is_name(&base) {
            return Err(format!("{}; give it a custom name", not_a_name(&base)));
        }
        let roots = configuration.custom_root_fields.clone().unwrap_or_default();
        // Permissions are inferred for functions that only read; one that may write always names its roles.
        let roles = match (volatile || mutation, function.permissions.is_empty()) {
            (false, true) => None,
            _ => Some(function.permissions.iter().map(|permission| permission.role.clone()).collect()),
        };
        Ok(FunctionInfo {
            name: function.function.clone(),
            root: names::affixed(&roots.function.unwrap_or_else(|| base.clone()), &self.model.root_affixes),
            root_aggregate: names::affixed(
                &roots.function_aggregate.unwrap_or_else(|| names::joined(&base, "aggregate", self.model.camel_case)),
                &self.model.root_affixes,
            ),
            args_type: names::affixed(
                &names::joined_type(&base, "args", self.model.camel_case),
                &self.model.type_affixes,
            ),
            arguments: self.arguments(found, None, &configuration.session_argument)?,
            table,
            returns_set: found.returns_set,
            mutation,
            roles,
            description: function.comment.clone().or_else(|| found.comment.clone()).filter(|text| !text.is_empty()),
        })
    }

    fn permissions(&mut self, id: TableId, table: &metadata::Table) {
        for permission in &table.select_permissions {
            match self.select_rule(id, &permission.permission) {
                Ok(rule) => self.entry(id, &permission.role).select = Some(Arc::new(rule)),
                Err(reason) => self.permission_fault("select_permission", id, &permission.role, reason, permission),
            }
        }
        for permission in &table.insert_permissions {
            match self.insert_rule(id, &permission.permission) {
                Ok(rule) => self.entry(id, &permission.role).insert = Some(Arc::new(rule)),
                Err(reason) => self.permission_fault("insert_permission", id, &permission.role, reason, permission),
            }
        }
        for permission in &table.update_permissions {
            match self.update_rule(id, &permission.permission) {
                Ok(rule) => self.entry(id, &permission.role).update = Some(Arc::new(rule)),
                Err(reason) => self.permission_fault("update_permission", id, &permission.role, reason, permission),
            }
        }
        for permission in &table.delete_permissions {
            match permission::read(&self.model, id, &permission.permission.filter) {
                Ok(filter) => {
                    let backend_only = permission.permission.backend_only;
                    self.entry(id, &permission.role).delete = Some(Arc::new(DeleteRule { filter, backend_only }));
                }
                Err(reason) => self.permission_fault("delete_permission", id, &permission.role, reason, permission),
            }
        }
        let admin = self.admin(id);
        self.model.tables[id].permissions.insert(ADMIN.to_owned(), admin);
    }

    fn entry(&mut self, id: TableId, role: &str) -> &mut Permissions {
        self.model.tables[id].permissions.entry(role.to_owned()).or_default()
    }

    fn permission_fault(&mut self, kind: &str, id: TableId, role: &str, reason: String, definition: impl Serialize) {
        let table = self.model.tables[id].name.to_string();
        let name = format!("{kind} {role} in table {table} in source default");
        let reason = format!("Inconsistent object: in table \"{table}\": in permission for role \"{role}\": {reason}");
        let definition = self.of_table(id, definition);
        self.fault(kind, name, reason, definition);
    }

    fn admin(&self, id: TableId) -> Permissions {
        let info = &self.model.tables[id];
        let writable: Vec<bool> = info.columns.iter().map(|column| column.writable).collect();
        let (_, update, delete) = info.mutable;
        Permissions {
            select: Some(Arc::new(SelectRule {
                columns: vec![true; info.columns.len()],
                guards: vec![None; info.columns.len()],
                computed: vec![true; info.computed.len()],
                computed_guards: vec![None; info.computed.len()],
                filter: BoolExp::TRUE,
                limit: None,
                aggregations: true,
                query_roots: None,
                subscription_roots: None,
            })),
            // A view that takes no rows still shows its input type under relationships, as in Hasura.
            insert: Some(Arc::new(InsertRule {
                columns: writable.clone(),
                presets: Vec::new(),
                check: BoolExp::TRUE,
                backend_only: false,
            })),
            update: update.then(|| {
                Arc::new(UpdateRule {
                    columns: writable,
                    presets: Vec::new(),
                    filter: BoolExp::TRUE,
                    check: BoolExp::TRUE,
                    backend_only: false,
                })
            }),
            delete: delete.then(|| Arc::new(DeleteRule { filter: BoolExp::TRUE, backend_only: false })),
        }
    }

    fn columns(&self, id: TableId, columns: &Columns) -> Result<Vec<bool>, String> {
        let info = &self.model.tables[id];
        if let Columns::List(names) = columns
            && let Some(unknown) = names.iter().find(|name| info.column(name).is_none())
        {
            return Err(format!("column \"{unknown}\" does not exist"));
        }
        Ok(info.columns.iter().map(|column| columns.contains(&column.name)).collect())
    }

    fn select_rule(&self, id: TableId, permission: &metadata::SelectPermission) -> Result<SelectRule, String> {
        let info = &self.model.tables[id];
        if let Some(unknown) =
            permission.computed_fields.iter().find(|name| !info.computed.iter().any(|field| field.name == **name))
        {
            return Err(format!("computed field \"{unknown}\" does not exist"));
        }
        let columns = self.columns(id, &permission.columns)?;
        let stream = |field: &&SelectRootField| **field == SelectRootField::SelectStream;
        if permission.query_root_fields.iter().flatten().find(stream).is_some() {
            return Err("select_stream is a root field of subscriptions only".to_owned());
        }
        Ok(SelectRule {
            guards: vec![None; columns.len()],
            computed_guards: vec![None; info.computed.len()],
            columns,
            computed: info
                .computed
                .iter()
                // One that returns rows follows the permissions of their table.
                .map(|field| {
                    matches!(field.returns, ComputedReturn::Table(_))
                        || permission.computed_fields.contains(&field.name)
                })
                .collect(),
            filter: permission::read(&self.model, id, &permission.filter)?,
            limit: permission.limit,
            aggregations: permission.allow_aggregations,
            query_roots: permission.query_root_fields.clone(),
            subscription_roots: permission.subscription_root_fields.clone(),
        })
    }

    fn presets(&self, id: TableId, set: &indexmap::IndexMap<String, Value>) -> Result<Vec<(usize, Value)>, String> {
        set.iter()
            .map(|(name, value)| {
                let column = self.model.tables[id].column(name);
                Ok((column.ok_or_else(|| format!("column \"{name}\" does not exist"))?, value.clone()))
            })
            .collect()
    }

    fn settable(&self, id: TableId, columns: &Columns, presets: &[(usize, Value)]) -> Result<Vec<bool>, String> {
        let mut settable = self.columns(id, columns)?;
        for (column, flag) in settable.iter_mut().enumerate() {
            *flag &= self.model.tables[id].columns[column].writable && !presets.iter().any(|(set, _)| *set == column);
        }
        Ok(settable)
    }

    fn insert_rule(&self, id: TableId, permission: &metadata::InsertPermission) -> Result<InsertRule, String> {
        if !self.model.tables[id].mutable.0 {
            return Err("the view is not insertable".to_owned());
        }
        let presets = self.presets(id, &permission.set)?;
        Ok(InsertRule {
            columns: self.settable(id, &permission.columns, &presets)?,
            presets,
            check: permission::read(&self.model, id, &permission.check)?,
            backend_only: permission.backend_only,
        })
    }

    fn update_rule(&self, id: TableId, permission: &metadata::UpdatePermission) -> Result<UpdateRule, String> {
        if !self.model.tables[id].mutable.1 {
            return Err("the view is not updatable".to_owned());
        }
        let presets = self.presets(id, &permission.set)?;
        let check = match &permission.check {
            Some(Value::Null) | None => BoolExp::TRUE,
            Some(check) => permission::read(&self.model, id, check)?,
        };
        Ok(UpdateRule {
            columns: self.settable(id, &permission.columns, &presets)?,
            presets,
            filter: permission::read(&self.model, id, &permission.filter)?,
            check,
            backend_only: permission.backend_only,
        })
    }

    /// Leaves out actions whose types are unknown.
    fn action_types(&mut self) {
        let custom = self.model.custom_types.clone();
        let columns: BTreeSet<String> = self
            .model
            .tables
            .iter()
            .flat_map(|table| table.columns.iter().map(|column| column.ty.name.clone()))
            .collect();
        let known = |written: &str| {
            let name = written.trim_matches(|c: char| matches!(c, '[' | ']' | '!') || c.is_whitespace());
            SCALARS.contains(&name)
                || columns.contains(name)
                || custom.objects.iter().any(|ty| ty.name == name)
                || custom.input_objects.iter().any(|ty| ty.name == name)
                || custom.enums.iter().any(|ty| ty.name == name)
                || custom.scalars.iter().any(|ty| ty.name == name)
        };
        let fields =
            custom.objects.iter().flat_map(|object| object.fields.iter().map(|field| (&object.name, &field.ty)));
        let inputs =
            custom.input_objects.iter().flat_map(|object| object.fields.iter().map(|field| (&object.name, &field.ty)));
        let unknown: Vec<(String, String)> = fields
            .chain(inputs)
            .filter(|(_, ty)| !known(ty))
            .map(|(object, ty)| (object.clone(), ty.clone()))
            .collect();
        for (object, ty) in unknown {
            let reason = format!("Inconsistent object: the type {ty} of a field of {object} is not defined");
            self.fault("custom_types", "custom_types".to_owned(), reason, json!({"name": object}));
        }
        for object in &custom.objects {
            for relationship in &object.relationships {
                let table = self.model.by_name.get(&relationship.remote_table).map(|&table| &self.model.tables[table]);
                let reason = match table {
                    None => Some(format!("table \"{}\" is not tracked", relationship.remote_table)),
                    Some(table) => relationship
                        .field_mapping
                        .values()
                        .find(|column| table.column(column).is_none())
                        .map(|column| format!("column \"{column}\" does not exist in table \"{}\"", table.name)),
                };
                if let Some(reason) = reason {
                    let reason = format!("Inconsistent object: in the type {}: {reason}", object.name);
                    self.fault("custom_types", "custom_types".to_owned(), reason, relationship);
                }
            }
        }
        for action in std::mem::take(&mut self.model.actions) {
            let definition = &action.definition;
            let types = std::iter::once(&definition.output_type).chain(definition.arguments.iter().map(|a| &a.ty));
            match types.into_iter().find(|ty| !known(ty)) {
                None => self.model.actions.push(action),
                Some(ty) => {
                    let reason = format!("Inconsistent object: the type {ty} is not defined in custom types");
                    self.fault("action", format!("action {}", action.name), reason, &*action);
                }
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
