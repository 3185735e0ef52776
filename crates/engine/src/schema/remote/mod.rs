//! Types of remote schemas, as they are merged into a role's schema.

mod conflicts;
mod inherit;
mod names;
mod permission;

use std::collections::HashMap;
use std::sync::Arc;

use apollo_compiler::Schema;
use apollo_compiler::ast::FieldDefinition;
use apollo_compiler::schema::ExtendedType;

use super::model::join::JoinInfo;
use crate::metadata::RemoteSchema;
use crate::session::ADMIN;

pub use conflicts::conflicts;
pub use names::{Names, is_standard, root_types};
pub use permission::{Preset, preset, session_variable};

/// A remote schema with what each role sees of it.
#[derive(Debug)]
pub struct RemoteTypes {
    /// Its metadata.
    pub definition: Arc<RemoteSchema>,
    /// How its types and fields are named here.
    pub names: Names,
    /// Relationships of its types, by the type's own name.
    pub joins: HashMap<String, Vec<JoinInfo>>,
    /// Roles whose permission does not fit, with the reason; they see nothing.
    pub faults: Vec<(String, String)>,
    /// All of it.
    schema: Schema,
    /// What single roles see.
    roles: HashMap<String, Schema>,
    /// Whether roles without a permission see nothing; else everything.
    permissions: bool,
}

impl RemoteTypes {
    /// Reads a remote schema's SDL and those of its permissions.
    ///
    /// # Errors
    /// A sentence that says which text is not a schema, or which name cannot be given.
    pub fn new(definition: Arc<RemoteSchema>, sdl: &str, permissions: bool) -> Result<Self, String> {
        let parse = |text: &str| {
            // Root types and directives that a role does not see may be absent, so it is built but not validated.
            Schema::builder()
                .adopt_orphan_extensions()
                .parse(text, "remote.graphql")
                .build()
                .map_err(|failed| failed.errors.to_string())
        };
        let schema = parse(sdl).map_err(|errors| format!("the schema of the remote is not valid: {errors}"))?;
        let names = Names::of(definition.definition.customization.as_ref(), &schema)?;
        let (mut roles, mut faults) = (HashMap::new(), Vec::new());
        for permission in &definition.permissions {
            let role = permission.role.clone();
            match parse(&permission.definition.schema) {
                Ok(mut part) => match permission::check(&part, &schema) {
                    None => {
                        permission::describe(&mut part, &schema);
                        roles.insert(role, part);
                    }
                    Some(reason) => faults.push((role, reason)),
                },
                Err(errors) => faults.push((role, format!("the permission is not a valid schema: {errors}"))),
            }
        }
        Ok(Self { definition, names, joins: HashMap::new(), faults, schema, roles, permissions })
    }

    /// What a role sees.
    pub fn visible(&self, role: &str) -> Option<&Schema> {
        match role == ADMIN || !self.permissions {
            true => Some(&self.schema),
            false => self.roles.get(role),
        }
    }

    /// All of it.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// A field of an object or interface that a role sees, by its own name.
    pub fn field(&self, role: &str, ty: &str, name: &str) -> Option<&FieldDefinition> {
        field_of(self.visible(role)?, ty, name)
    }

    /// Whether a type is the root of an operation, by its own name.
    pub fn is_root(&self, ty: &str) -> bool {
        root_types(&self.schema).iter().any(|(_, root)| root == ty)
    }

    /// The own name of the root type of an operation.
    pub fn root(&self, operation: &str) -> String {
        let [query, mutation, subscription] = root_types(&self.schema);
        match operation {
            "query" => query.1,
            "mutation" => mutation.1,
            _ => subscription.1,
        }
    }
}

/// A field of an object or interface.
pub fn field_of<'s>(schema: &'s Schema, ty: &str, name: &str) -> Option<&'s FieldDefinition> {
    match schema.types.get(ty)? {
        ExtendedType::Object(object) => object.fields.get(name).map(|field| &***field),
        ExtendedType::Interface(interface) => interface.fields.get(name).map(|field| &***field),
        _ => None,
    }
}
