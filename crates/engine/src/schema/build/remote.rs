//! Types and root fields of remote schemas, as a role sees them.

use apollo_compiler::ast::{FieldDefinition, InputValueDefinition, Type as AstType};
use apollo_compiler::schema::ExtendedType;
use indexmap::IndexMap;

use super::{Builder, Key};
use crate::schema::model::types::*;

/// Arguments that clients may give: those without a preset.
fn visible_arguments(field: &FieldDefinition) -> Vec<&InputValueDefinition> {
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

    pub(super) fn remote_input(&mut self, remote: usize, argument: &InputValueDefinition) -> InputField {
        InputField {
            description: argument.description.as_ref().map(|text| Text::Owned(text.to_string())),
            ty: self.remote_type(remote, &argument.ty),
            default: argument.default_value.as_ref().map(|value| Text::Owned(value.to_string())),
            kind: InputKind::Plain,
        }
    }

    pub(super) fn remote_arguments(
        &mut self,
        remote: usize,
        arguments: &[&InputValueDefinition],
    ) -> IndexMap<String, InputField> {
        arguments.iter().map(|argument| (argument.name.to_string(), self.remote_input(remote, argument))).collect()
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
                // What implements it is part of the schema, even where no field names it.
                let schema = remotes[remote].visible(self.role);
                for (name, ty) in schema.into_iter().flat_map(|schema| &schema.types) {
                    let ExtendedType::Object(object) = ty else { continue };
                    if object.implements_interfaces.contains(&interface.name) {
                        self.remote_id(remote, name);
                    }
                }
                let fields: Vec<_> = interface.fields.values().map(|field| &***field).collect();
                TypeKind::Interface(self.remote_fields(remote, &interface.name, &fields))
            }
            ExtendedType::Object(object) => {
                let fields: Vec<_> = object.fields.values().map(|field| &***field).collect();
                let mut fields = self.remote_fields(remote, &object.name, &fields);
                self.remote_joins(remote, &object.name, &mut fields);
                let interfaces = object.implements_interfaces.iter().map(|name| self.remote_id(remote, name)).collect();
                TypeKind::Object(fields, interfaces)
            }
        };
        (description, kind)
    }

    pub(super) fn remote_fields(
        &mut self,
        remote: usize,
        parent: &str,
        fields: &[&FieldDefinition],
    ) -> IndexMap<String, Field> {
        let remotes = self.remotes;
        fields
            .iter()
            .map(|field| {
                let arguments = self.remote_arguments(remote, &visible_arguments(field));
                let ty = self.remote_type(remote, &field.ty);
                let description = field.description.as_ref().map(|text| Text::Owned(text.to_string()));
                let name = remotes[remote].names.field(parent, &field.name).to_owned();
                let kind = FieldKind::Remote(field.name.to_string());
                (name, Field { description, arguments, ty, kind })
            })
            .collect()
    }

    /// The root fields of remote schemas; those with a namespace stand under it.
    pub(super) fn remote_roots(&mut self, operation: &str, fields: &mut IndexMap<String, Field>) {
        let remotes = self.remotes;
        for (place, remote) in remotes.iter().enumerate() {
            let root = remote.root(operation);
            let Some(ExtendedType::Object(object)) =
                remote.visible(self.role).and_then(|schema| schema.types.get(root.as_str()))
            else {
                continue;
            };
            if let Some(namespace) = &remote.names.namespace {
                let ty = TypeRef::required(self.ty(Key::Remote(place, root)));
                let kind = FieldKind::Root(RootField::RemoteNamespace(place));
                let field = Field { description: None, arguments: IndexMap::new(), ty, kind };
                fields.insert(namespace.clone(), field);
                continue;
            }
            let own: Vec<_> = object.fields.values().map(|field| &***field).collect();
            for (name, field) in self.remote_fields(place, &root, &own) {
                let FieldKind::Remote(own) = field.kind else { continue };
                fields.insert(name, Field { kind: FieldKind::Root(RootField::Remote(place, own)), ..field });
            }
        }
    }
}
