//! Going through the metadata, object by object.

use indexmap::IndexMap;
use serde_json::Value;

use super::expression::Expressions;
use super::{Object, PermissionKind, Reference};
use crate::metadata::{
    ArrayUsing, Columns, FieldCall, FunctionResponse, ManualRelationship, Metadata, ObjectForeignKey, ObjectUsing,
    QualifiedName, RemoteForeignKey, RemoteRelationshipDefinition, Table,
};
use crate::schema::Model;
use crate::schema::model::ComputedReturn;

type Visit<'v> = &'v mut dyn FnMut(&Object, Reference<'_>);

/// Visits every name. Names are looked up before they are visited, so that a visitor may change them.
pub(in crate::http::metadata_api) fn walk(metadata: &mut Metadata, model: &Model, visit: Visit<'_>) {
    for source in &mut metadata.sources {
        for table in &mut source.tables {
            of_table(table, model, visit);
        }
        for function in &mut source.functions {
            let object = Object::Function(function.function.clone());
            if let Some(info) = model.functions.iter().find(|info| info.name == function.function) {
                visit(&object, Reference::Table(&mut model.tables[info.table].name.clone()));
            }
            if let Some(FunctionResponse::Table { table }) = &mut function.configuration.response {
                visit(&object, Reference::Table(table));
            }
            visit(&object, Reference::Function(&mut function.function));
        }
    }
    for ty in &mut metadata.custom_types.objects {
        for relationship in &mut ty.relationships {
            let object = Object::TypeRelationship(ty.name.clone(), relationship.name.clone());
            let remote = relationship.remote_table.clone();
            columns_of(&remote, relationship.field_mapping.values_mut(), &object, visit);
            visit(&object, Reference::Table(&mut relationship.remote_table));
        }
    }
    for schema in &mut metadata.remote_schemas {
        for ty in &mut schema.remote_relationships {
            for relationship in &mut ty.relationships {
                if let RemoteRelationshipDefinition::ToSource(target) = &mut relationship.definition {
                    let names = (schema.name.clone(), ty.type_name.clone(), relationship.name.clone());
                    let object = Object::RemoteTypeRelationship(names.0, names.1, names.2);
                    let remote = target.table.clone();
                    columns_of(&remote, target.field_mapping.values_mut(), &object, visit);
                    visit(&object, Reference::Table(&mut target.table));
                }
            }
        }
    }
}

fn of_table(table: &mut Table, model: &Model, visit: Visit<'_>) {
    let own = table.table.clone();
    let object = Object::Table(own.clone());
    for_keys(&mut table.configuration.custom_column_names, |name| column(&own, name, false, &object, visit));
    for_keys(&mut table.configuration.column_config, |name| column(&own, name, false, &object, visit));
    visit(&object, Reference::Table(&mut table.table));
    relationships(table, &own, model, visit);
    permissions(table, &own, model, visit);
    for computed in &mut table.computed_fields {
        let object = Object::ComputedField(own.clone(), computed.name.clone());
        let info = model.by_name.get(&own).map(|&id| &model.tables[id]);
        let info = info.and_then(|info| info.computed.iter().find(|other| other.name == computed.name));
        if let Some(ComputedReturn::Table(id)) = info.map(|info| &info.returns) {
            visit(&object, Reference::Table(&mut model.tables[*id].name.clone()));
        }
        visit(&object, Reference::Function(&mut computed.definition.function));
    }
    for trigger in &mut table.event_triggers {
        let object = Object::EventTrigger(own.clone(), trigger.name.clone());
        let definition = &mut trigger.definition;
        for operation in [&mut definition.insert, &mut definition.update, &mut definition.delete].into_iter().flatten()
        {
            for columns in std::iter::once(&mut operation.columns).chain(&mut operation.payload) {
                if let Columns::List(names) = columns {
                    columns_of(&own, names.iter_mut(), &object, visit);
                }
            }
        }
    }
}

fn relationships(table: &mut Table, own: &QualifiedName, model: &Model, visit: Visit<'_>) {
    for relationship in &mut table.object_relationships {
        let object = Object::Relationship(own.clone(), relationship.name.clone());
        match &mut relationship.using {
            ObjectUsing::ForeignKeyConstraintOn(ObjectForeignKey::Remote(key)) => other_key(own, key, &object, visit),
            ObjectUsing::ForeignKeyConstraintOn(ObjectForeignKey::Column(name)) => {
                own_key(own, std::slice::from_mut(name), &relationship.name, &object, model, visit);
            }
            ObjectUsing::ForeignKeyConstraintOn(ObjectForeignKey::Columns(names)) => {
                own_key(own, names, &relationship.name, &object, model, visit);
            }
            ObjectUsing::ManualConfiguration(manual) => by_hand(own, manual, &object, visit),
        }
        visit(&Object::Table(own.clone()), Reference::Relationship { table: own, name: &mut relationship.name });
    }
    for relationship in &mut table.array_relationships {
        let object = Object::Relationship(own.clone(), relationship.name.clone());
        match &mut relationship.using {
            ArrayUsing::ForeignKeyConstraintOn(key) => other_key(own, key, &object, visit),
            ArrayUsing::ManualConfiguration(manual) => by_hand(own, manual, &object, visit),
        }
        visit(&Object::Table(own.clone()), Reference::Relationship { table: own, name: &mut relationship.name });
    }
    for relationship in &mut table.remote_relationships {
        let object = Object::RemoteRelationship(own.clone(), relationship.name.clone());
        match &mut relationship.definition {
            RemoteRelationshipDefinition::ToSource(target) => {
                let remote = target.table.clone();
                for_keys(&mut target.field_mapping, |name| column(own, name, false, &object, visit));
                columns_of(&remote, target.field_mapping.values_mut(), &object, visit);
                visit(&object, Reference::Table(&mut target.table));
            }
            RemoteRelationshipDefinition::ToRemoteSchema(target) => {
                for name in &mut target.lhs_fields {
                    let before = name.clone();
                    column(own, name, false, &object, visit);
                    if *name != before {
                        in_calls(&mut target.remote_field, &format!("${before}"), &format!("${name}"));
                    }
                }
            }
        }
    }
}

fn own_key(
    own: &QualifiedName,
    names: &mut [String],
    relationship: &str,
    object: &Object,
    model: &Model,
    visit: Visit<'_>,
) {
    let key = Reference::ForeignKey { table: own, columns: names.to_vec(), remote: None };
    visit(object, key);
    let info = model.by_name.get(own).map(|&id| &model.tables[id]);
    if let Some(place) = info.and_then(|info| info.relationship(relationship))
        && let Some(info) = info
    {
        visit(object, Reference::Table(&mut model.tables[info.relationships[place].table].name.clone()));
    }
    columns_of(own, names.iter_mut(), object, visit);
}

fn other_key(own: &QualifiedName, key: &mut RemoteForeignKey, object: &Object, visit: Visit<'_>) {
    let remote = key.table.clone();
    let columns = key.columns().into_iter().map(str::to_owned).collect();
    visit(object, Reference::ForeignKey { table: &remote, columns, remote: Some(own) });
    columns_of(&remote, key.column.iter_mut().chain(key.columns.iter_mut().flatten()), object, visit);
    visit(object, Reference::Table(&mut key.table));
}

fn by_hand(own: &QualifiedName, manual: &mut ManualRelationship, object: &Object, visit: Visit<'_>) {
    let remote = manual.remote_table.clone();
    for_keys(&mut manual.column_mapping, |name| column(own, name, false, object, visit));
    columns_of(&remote, manual.column_mapping.values_mut(), object, visit);
    visit(object, Reference::Table(&mut manual.remote_table));
}

fn permissions(table: &mut Table, own: &QualifiedName, model: &Model, visit: Visit<'_>) {
    let of = |role: &str, kind| Object::Permission(own.clone(), role.to_owned(), kind);
    for one in &mut table.select_permissions {
        let object = of(&one.role, PermissionKind::Select);
        let permission = &mut one.permission;
        Expressions { model, object: &object, visit }.of(own, &mut permission.filter);
        listed(own, &mut permission.columns, &object, visit);
    }
    for one in &mut table.insert_permissions {
        let object = of(&one.role, PermissionKind::Insert);
        let permission = &mut one.permission;
        Expressions { model, object: &object, visit }.of(own, &mut permission.check);
        listed(own, &mut permission.columns, &object, visit);
        presets(own, &mut permission.set, &object, visit);
    }
    for one in &mut table.update_permissions {
        let object = of(&one.role, PermissionKind::Update);
        let permission = &mut one.permission;
        for expression in std::iter::once(&mut permission.filter).chain(&mut permission.check) {
            Expressions { model, object: &object, visit }.of(own, expression);
        }
        listed(own, &mut permission.columns, &object, visit);
        presets(own, &mut permission.set, &object, visit);
    }
    for one in &mut table.delete_permissions {
        let object = of(&one.role, PermissionKind::Delete);
        Expressions { model, object: &object, visit }.of(own, &mut one.permission.filter);
    }
}

fn listed(own: &QualifiedName, columns: &mut Columns, object: &Object, visit: Visit<'_>) {
    match columns {
        Columns::All => visit(object, Reference::EveryColumn(own)),
        Columns::List(names) => columns_of(own, names.iter_mut(), object, visit),
    }
}

fn presets(own: &QualifiedName, set: &mut IndexMap<String, Value>, object: &Object, visit: Visit<'_>) {
    *set = std::mem::take(set)
        .into_iter()
        .map(|(mut name, value)| {
            let typed = !value.as_str().is_some_and(crate::session::is_session_variable);
            column(own, &mut name, typed, object, visit);
            (name, value)
        })
        .collect();
}

fn columns_of<'n>(
    table: &QualifiedName,
    names: impl Iterator<Item = &'n mut String>,
    object: &Object,
    visit: Visit<'_>,
) {
    for name in names {
        column(table, name, false, object, visit);
    }
}

fn column(table: &QualifiedName, name: &mut String, typed: bool, object: &Object, visit: Visit<'_>) {
    visit(object, Reference::Column { table, name, typed });
}

fn for_keys<V>(map: &mut IndexMap<String, V>, mut change: impl FnMut(&mut String)) {
    *map = std::mem::take(map)
        .into_iter()
        .map(|(mut key, value)| {
            change(&mut key);
            (key, value)
        })
        .collect();
}

/// Writes another variable into the arguments of remote calls.
fn in_calls(calls: &mut IndexMap<String, FieldCall>, old: &str, new: &str) {
    for call in calls.values_mut() {
        call.arguments.values_mut().for_each(|argument| in_argument(argument, old, new));
        if let Some(deeper) = &mut call.field {
            in_calls(deeper, old, new);
        }
    }
}

fn in_argument(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::String(text) if text == old => *text = new.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| in_argument(item, old, new)),
        Value::Object(fields) => fields.values_mut().for_each(|field| in_argument(field, old, new)),
        _ => {}
    }
}
