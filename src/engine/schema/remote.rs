//! Types of remote schemas, as they are merged into a role's schema.

use std::collections::HashMap;
use std::sync::Arc;

use apollo_compiler::Schema;
use apollo_compiler::ast::{FieldDefinition, Type as AstType};
use apollo_compiler::schema::ExtendedType;
use indexmap::IndexMap;

use super::build::{Builder, Key};
use super::types::*;
use crate::engine::metadata::RemoteSchema;
use crate::engine::session::ADMIN;

/// A remote schema with what each role sees of it.
#[derive(Debug)]
pub struct RemoteTypes {
    /// Its metadata.
    pub definition: Arc<RemoteSchema>,
    /// All of it.
    schema: Schema,
    /// What single roles see.
    roles: HashMap<String, Schema>,
    /// Whether roles without a permission see nothing; else everything.
    permissions: bool,
}

/// A root field of a remote schema.
pub struct RemoteRoot<'a> {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Its arguments.
    pub arguments: Vec<&'a apollo_compiler::ast::InputValueDefinition>,
    /// Its type.
    pub ty: &'a AstType,
}

impl RemoteTypes {
    /// Reads a remote schema's SDL and those of its permissions.
    ///
    /// # Errors
    /// A sentence that says which text is not a schema.
    pub fn new(definition: Arc<RemoteSchema>, sdl: &str, permissions: bool) -> Result<Self, String> {
        let parse = |text: &str, what: &str| {
            // Root types and directives that a role does not see may be absent, so it is built but not validated.
            Schema::builder()
                .adopt_orphan_extensions()
                .parse(text, "remote.graphql")
                .build()
                .map_err(|failed| format!("{what}: {}", failed.errors))
        };
        let schema = parse(sdl, "the schema of the remote is not valid")?;
        let mut roles = HashMap::new();
        for permission in &definition.permissions {
            let what = format!("the permission of role {} is not valid", permission.role);
            roles.insert(permission.role.clone(), parse(&permission.definition.schema, &what)?);
        }
        Ok(Self { definition, schema, roles, permissions })
    }

    fn visible(&self, role: &str) -> Option<&Schema> {
        match role == ADMIN || !self.permissions {
            true => Some(&self.schema),
            false => self.roles.get(role),
        }
    }

    /// The name here of a type there.
    pub fn name(&self, remote: &str) -> String {
        let names = self.definition.definition.customization.as_ref().and_then(|c| c.type_names.as_ref());
        match names {
            Some(names) if !matches!(remote, "Int" | "Float" | "String" | "Boolean" | "ID") => {
                names.mapping.get(remote).cloned().unwrap_or_else(|| {
                    let prefix = names.prefix.as_deref().unwrap_or_default();
                    let suffix = names.suffix.as_deref().unwrap_or_default();
                    format!("{prefix}{remote}{suffix}")
                })
            }
            _ => remote.to_owned(),
        }
    }

    /// The root fields of an operation type that a role sees.
    pub fn root_fields(&self, operation: &str, role: &str) -> Vec<RemoteRoot<'_>> {
        let Some(schema) = self.visible(role) else { return Vec::new() };
        let definition = &schema.schema_definition;
        let (root, default) = match operation {
            "query" => (&definition.query, "Query"),
            "mutation" => (&definition.mutation, "Mutation"),
            _ => (&definition.subscription, "Subscription"),
        };
        let name = root.as_ref().map_or(default, |name| name.as_str());
        let Some(ExtendedType::Object(object)) = schema.types.get(name) else { return Vec::new() };
        object
            .fields
            .values()
            .map(|field| RemoteRoot {
                name: field.name.to_string(),
                description: field.description.as_ref().map(|text| text.to_string()),
                arguments: visible_arguments(field),
                ty: &field.ty,
            })
            .collect()
    }
}

/// Arguments that clients may give: those without a preset.
fn visible_arguments(field: &FieldDefinition) -> Vec<&apollo_compiler::ast::InputValueDefinition> {
    field.arguments.iter().map(|argument| &**argument).filter(|a| a.directives.get("preset").is_none()).collect()
}

impl Builder<'_> {
    pub(super) fn remote_type(&mut self, remote: usize, ty: &AstType) -> TypeRef {
        match ty {
            AstType::Named(name) => TypeRef::nullable(self.remote_id(remote, name)),
            AstType::NonNullNamed(name) => TypeRef::required(self.remote_id(remote, name)),
            AstType::List(inner) => TypeRef::List(Box::new(self.remote_type(remote, inner)), false),
            AstType::NonNullList(inner) => TypeRef::List(Box::new(self.remote_type(remote, inner)), true),
        }
    }

    fn remote_id(&mut self, remote: usize, name: &str) -> TypeId {
        match name {
            "Int" | "Float" | "String" | "Boolean" | "ID" => self.scalar(name),
            _ => self.ty(Key::Remote(remote, name.to_owned())),
        }
    }

    pub(super) fn remote_arguments(
        &mut self,
        remote: usize,
        arguments: &[&apollo_compiler::ast::InputValueDefinition],
    ) -> IndexMap<String, InputField> {
        arguments
            .iter()
            .map(|argument| {
                let field = InputField {
                    description: argument.description.as_ref().map(|text| Text::Owned(text.to_string())),
                    ty: self.remote_type(remote, &argument.ty),
                    default: argument.default_value.as_ref().map(|value| Text::Owned(value.to_string())),
                    kind: InputKind::Plain,
                };
                (argument.name.to_string(), field)
            })
            .collect()
    }

    pub(super) fn remote(&mut self, remote: usize, name: &str) -> (Option<Text>, TypeKind) {
        let remotes = self.remotes;
        let Some(ty) = remotes[remote].visible(self.role).and_then(|schema| schema.types.get(name)) else {
            return (None, TypeKind::Scalar);
        };
        let description = ty.description().map(|text| Text::Owned(text.to_string()));
        let kind = match ty {
            ExtendedType::Scalar(_) => TypeKind::Scalar,
            ExtendedType::Enum(definition) => TypeKind::Enum(
                definition
                    .values
                    .values()
                    .map(|value| {
                        let description = value.description.as_ref().map(|text| Text::Owned(text.to_string()));
                        (value.value.to_string(), EnumMember { description, column: 0 })
                    })
                    .collect(),
            ),
            ExtendedType::InputObject(input) => {
                let shown = input.fields.values().map(|field| &***field);
                let fields: Vec<_> = shown.filter(|field| field.directives.get("preset").is_none()).collect();
                TypeKind::Input(self.remote_arguments(remote, &fields))
            }
            ExtendedType::Union(union) => {
                TypeKind::Union(union.members.iter().map(|member| self.remote_id(remote, member)).collect())
            }
            ExtendedType::Interface(interface) => {
                let fields: Vec<_> = interface.fields.values().map(|field| &***field).collect();
                TypeKind::Interface(self.remote_fields(remote, &fields))
            }
            ExtendedType::Object(object) => {
                let fields: Vec<_> = object.fields.values().map(|field| &***field).collect();
                let fields = self.remote_fields(remote, &fields);
                let interfaces = object.implements_interfaces.iter().map(|name| self.remote_id(remote, name)).collect();
                TypeKind::Object(fields, interfaces)
            }
        };
        (description, kind)
    }

    fn remote_fields(&mut self, remote: usize, fields: &[&FieldDefinition]) -> IndexMap<String, Field> {
        fields
            .iter()
            .map(|field| {
                let arguments = self.remote_arguments(remote, &visible_arguments(field));
                let ty = self.remote_type(remote, &field.ty);
                let description = field.description.as_ref().map(|text| Text::Owned(text.to_string()));
                (field.name.to_string(), Field { description, arguments, ty, kind: FieldKind::Remote })
            })
            .collect()
    }
}
