//! GraphQL schemas by role, built once for each version of the metadata.
//!
//! [`resolve`] brings metadata and catalogue together into the [`model::Model`] that all roles share; a [`RoleSchema`]
//! holds the types that one role reaches, each field with what it stands for, so that planning never guesses from
//! names.

mod build;
pub mod coerce;
pub mod collections;
mod enums;
mod inherit;
mod introspection;
pub mod join;
pub mod model;
pub mod permission;
pub mod remote;
mod resolve;

use std::collections::BTreeSet;
use std::sync::OnceLock;

pub use enums::EnumValues;
pub use introspection::{Asked, Ended, Grant, SchemaDocument};
use model::names;
use model::types::{Field, Type, TypeId, TypeKind, Types};
pub use model::{Inconsistency, Model};
pub use remote::RemoteTypes;
pub use resolve::resolve;

/// What one role's requests are checked against.
#[derive(Debug)]
pub struct RoleSchema {
    /// The role.
    pub role: String,
    /// Its types.
    pub types: Types,
    /// `query_root`.
    pub query: TypeId,
    /// `mutation_root`, unless there are no mutations.
    pub mutation: Option<TypeId>,
    /// `subscription_root`, unless there are no subscriptions.
    pub subscription: Option<TypeId>,
    /// Custom types of actions that have the name of another type.
    pub clashes: BTreeSet<String>,
    /// The schema as a document, made when somebody introspects.
    document: OnceLock<SchemaDocument>,
}

impl RoleSchema {
    fn new(
        role: String,
        types: Types,
        query: TypeId,
        mutation: Option<TypeId>,
        subscription: Option<TypeId>,
        clashes: BTreeSet<String>,
    ) -> Self {
        Self { role, types, query, mutation, subscription, clashes, document: OnceLock::new() }
    }

    /// Builds the schema of a role.
    pub fn build(model: &Model, role: &str, remotes: &[RemoteTypes], infer_functions: bool, backend: bool) -> Self {
        build::Builder::new(model, role, remotes, infer_functions, backend).build()
    }

    /// A type by its place.
    pub fn ty(&self, id: TypeId) -> &Type {
        &self.types.list[id]
    }

    /// A field of an object or interface by its name.
    pub fn field(&self, id: TypeId, name: &str) -> Option<&Field> {
        match &self.ty(id).kind {
            TypeKind::Object(fields, _) | TypeKind::Interface(fields) => fields.get(name),
            _ => None,
        }
    }

    /// The schema as a document.
    pub fn document(&self) -> &SchemaDocument {
        self.document.get_or_init(|| SchemaDocument::of(self))
    }

    /// The schema definition language, types and fields in alphabetical order.
    pub fn sdl(&self) -> String {
        self.document().sdl()
    }
}

/// The name of the object type of a table's rows.
pub fn table_type_name(model: &Model, table: &model::TableInfo) -> String {
    let name = match model.camel_case {
        true => names::camel_case(&table.graphql_name, true),
        false => table.graphql_name.clone(),
    };
    names::affixed(&name, &model.type_affixes)
}
