//! The objects of the metadata in which names stand.

use std::fmt;

use crate::metadata::{Metadata, QualifiedName, Table};

/// A kind of permission on a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::metadata_api) enum PermissionKind {
    Select,
    Insert,
    Update,
    Delete,
}

impl PermissionKind {
    fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// An object of the metadata that names things of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http::metadata_api) enum Object {
    /// A tracked table and how it is shown.
    Table(QualifiedName),
    Relationship(QualifiedName, String),
    Permission(QualifiedName, String, PermissionKind),
    EventTrigger(QualifiedName, String),
    ComputedField(QualifiedName, String),
    RemoteRelationship(QualifiedName, String),
    Function(QualifiedName),
    /// A relationship of a custom type.
    TypeRelationship(String, String),
    /// A relationship of a type of a remote schema.
    RemoteTypeRelationship(String, String, String),
}

impl fmt::Display for Object {
    /// As Hasura reports it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "table {table}"),
            Self::Relationship(table, name) => write!(f, "relationship {table}.{name}"),
            Self::Permission(table, role, kind) => write!(f, "permission {table}.{role}.{}", kind.name()),
            Self::EventTrigger(table, name) => write!(f, "event-trigger {table}.{name}"),
            Self::ComputedField(table, name) => write!(f, "computed field {table}.{name}"),
            Self::RemoteRelationship(table, name) => write!(f, "remote relationship {table}.{name}"),
            Self::Function(name) => write!(f, "function {name}"),
            Self::TypeRelationship(ty, name) => return write!(f, "relationship {name} of the custom type {ty}"),
            Self::RemoteTypeRelationship(schema, ty, name) => {
                return write!(f, "remote_schema remote relationship {name} on type {ty} of {schema:?}");
            }
        }?;
        f.write_str(" in source \"default\"")
    }
}

impl Object {
    /// The table that it belongs to.
    pub fn table(&self) -> Option<&QualifiedName> {
        match self {
            Self::Table(table)
            | Self::Relationship(table, _)
            | Self::Permission(table, ..)
            | Self::EventTrigger(table, _)
            | Self::ComputedField(table, _)
            | Self::RemoteRelationship(table, _) => Some(table),
            Self::Function(_) | Self::TypeRelationship(..) | Self::RemoteTypeRelationship(..) => None,
        }
    }

    /// Whether an inconsistency of this name is about it.
    pub fn is_named(&self, inconsistency: &str) -> bool {
        let of_table = |kind: &str, name: &str, table: &QualifiedName| {
            inconsistency == format!("{kind} {name} in table {table} in source default")
        };
        match self {
            Self::Table(table) => inconsistency == format!("table {table} in source default"),
            Self::Relationship(table, name) => {
                ["object_relation", "array_relation"].iter().any(|kind| of_table(kind, name, table))
            }
            Self::Permission(table, role, kind) => of_table(&format!("{}_permission", kind.name()), role, table),
            Self::ComputedField(table, name) => of_table("computed_field", name, table),
            Self::RemoteRelationship(table, name) => of_table("remote_relationship", name, table),
            Self::Function(name) => inconsistency == format!("function {name} in source default"),
            Self::EventTrigger(..) | Self::TypeRelationship(..) | Self::RemoteTypeRelationship(..) => false,
        }
    }
}

/// Takes an object out of the metadata.
pub(in crate::http::metadata_api) fn remove(metadata: &mut Metadata, object: &Object) {
    match object {
        Object::Function(function) => {
            for source in &mut metadata.sources {
                source.functions.retain(|other| other.function != *function);
            }
        }
        Object::TypeRelationship(ty, name) => {
            for object in metadata.custom_types.objects.iter_mut().filter(|object| object.name == *ty) {
                object.relationships.retain(|relationship| relationship.name != *name);
            }
        }
        Object::RemoteTypeRelationship(schema, ty, name) => {
            for schema in metadata.remote_schemas.iter_mut().filter(|other| other.name == *schema) {
                for of_type in schema.remote_relationships.iter_mut().filter(|of_type| of_type.type_name == *ty) {
                    of_type.relationships.retain(|relationship| relationship.name != *name);
                }
                schema.remote_relationships.retain(|of_type| !of_type.relationships.is_empty());
            }
        }
        Object::Table(name) => {
            for source in &mut metadata.sources {
                source.tables.retain(|table| table.table != *name);
            }
        }
        Object::Relationship(name, _)
        | Object::Permission(name, ..)
        | Object::EventTrigger(name, _)
        | Object::ComputedField(name, _)
        | Object::RemoteRelationship(name, _) => {
            let tables = metadata.sources.iter_mut().flat_map(|source| &mut source.tables);
            for table in tables.filter(|table| table.table == *name) {
                remove_from(table, object);
            }
        }
    }
}

fn remove_from(table: &mut Table, object: &Object) {
    match object {
        Object::Relationship(_, name) => {
            table.object_relationships.retain(|one| one.name != *name);
            table.array_relationships.retain(|one| one.name != *name);
        }
        Object::EventTrigger(_, name) => table.event_triggers.retain(|one| one.name != *name),
        Object::ComputedField(_, name) => table.computed_fields.retain(|one| one.name != *name),
        Object::RemoteRelationship(_, name) => table.remote_relationships.retain(|one| one.name != *name),
        Object::Permission(_, role, PermissionKind::Select) => table.select_permissions.retain(|one| one.role != *role),
        Object::Permission(_, role, PermissionKind::Insert) => table.insert_permissions.retain(|one| one.role != *role),
        Object::Permission(_, role, PermissionKind::Update) => table.update_permissions.retain(|one| one.role != *role),
        Object::Permission(_, role, PermissionKind::Delete) => table.delete_permissions.retain(|one| one.role != *role),
        Object::Table(_) | Object::Function(_) | Object::TypeRelationship(..) | Object::RemoteTypeRelationship(..) => {}
    }
}
