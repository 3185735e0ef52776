//! Actions: root fields, custom types, results of asynchronous ones.

use indexmap::IndexMap;

use super::{Builder, Key, input, text};
use crate::metadata::{Action, ActionArgument, ActionType, RelationshipType};
use crate::schema::model::types::*;
use crate::session::ADMIN;

type Fields = IndexMap<String, Field>;

impl Builder<'_> {
    fn may_act(&self, action: &Action) -> bool {
        self.role == ADMIN || action.permissions.iter().any(|permission| permission.role == self.role)
    }

    pub(super) fn actions(&mut self, kind: ActionType, fields: &mut Fields) {
        let model = self.model;
        for (place, action) in model.actions.iter().enumerate() {
            if action.definition.kind != kind || !self.may_act(action) {
                continue;
            }
            let arguments = self.action_arguments(&action.definition.arguments);
            let ty = match action.definition.is_asynchronous() {
                true => TypeRef::required(self.scalar("uuid")),
                false => self.written(&action.definition.output_type),
            };
            let description = action.comment.clone().filter(|comment| !comment.is_empty()).map(Text::Owned);
            let kind = FieldKind::Root(RootField::Action(place));
            fields.insert(action.name.clone(), Field { description, arguments, ty, kind });
        }
    }

    pub(super) fn action_results(&mut self, fields: &mut Fields) {
        let model = self.model;
        for (place, action) in model.actions.iter().enumerate() {
            if !action.definition.is_asynchronous() || !self.may_act(action) {
                continue;
            }
            let id = TypeRef::required(self.scalar("uuid"));
            let arguments =
                IndexMap::from([("id".to_owned(), input(id, InputKind::Plain, text("the unique id of an action")))]);
            let ty = TypeRef::nullable(self.ty(Key::AsyncAction(place)));
            let description = action.comment.clone().filter(|comment| !comment.is_empty()).map(Text::Owned);
            let kind = FieldKind::Root(RootField::ActionResult(place));
            fields.insert(action.name.clone(), Field { description, arguments, ty, kind });
        }
    }

    pub(super) fn async_action(&mut self, action: usize) -> (Option<Text>, TypeKind) {
        let action = &self.model.actions[action];
        let field = |ty, description: &'static str| Field {
            description: text(description),
            arguments: IndexMap::new(),
            ty,
            kind: FieldKind::AsyncField,
        };
        let created = TypeRef::required(self.scalar("timestamptz"));
        let errors = TypeRef::nullable(self.scalar("json"));
        let id = TypeRef::required(self.scalar("uuid"));
        let output = self.written(&action.definition.output_type);
        let fields = IndexMap::from([
            ("created_at".to_owned(), field(created, "the time at which this action was created")),
            ("errors".to_owned(), field(errors, "errors related to the invocation")),
            ("id".to_owned(), field(id, "the unique id of an action")),
            ("output".to_owned(), field(output, "the output fields of this action")),
        ]);
        (text(format!("fields of action: \"{}\"", action.name)), TypeKind::Object(fields, Vec::new()))
    }

    fn action_arguments(&mut self, arguments: &[ActionArgument]) -> IndexMap<String, InputField> {
        arguments
            .iter()
            .map(|argument| {
                let description = argument.description.clone().filter(|text| !text.is_empty()).map(Text::Owned);
                (argument.name.clone(), input(self.written(&argument.ty), InputKind::Plain, description))
            })
            .collect()
    }

    /// A type as metadata writes it, such as `[User!]!`.
    fn written(&mut self, ty: &str) -> TypeRef {
        let ty = ty.trim();
        let (inner, required) = match ty.strip_suffix('!') {
            Some(inner) => (inner.trim(), true),
            None => (ty, false),
        };
        match inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(element) => TypeRef::List(Box::new(self.written(element)), required),
            None => TypeRef::Named(self.custom_id(inner), required),
        }
    }

    fn custom_id(&mut self, name: &str) -> TypeId {
        let custom = &self.model.custom_types;
        let known = custom.objects.iter().any(|object| object.name == name)
            || custom.input_objects.iter().any(|object| object.name == name)
            || custom.enums.iter().any(|object| object.name == name)
            || custom.scalars.iter().any(|object| object.name == name);
        match known {
            true => self.ty(Key::Custom(name.to_owned())),
            false => self.scalar(name),
        }
    }

    pub(super) fn custom(&mut self, name: &str) -> (Option<Text>, TypeKind) {
        let model = self.model;
        let custom = &model.custom_types;
        let described = |text: &Option<String>| text.clone().filter(|text| !text.is_empty()).map(Text::Owned);
        if let Some(object) = custom.input_objects.iter().find(|object| object.name == name) {
            let fields = self.action_arguments(&object.fields);
            return (described(&object.description), TypeKind::Input(fields));
        }
        if let Some(definition) = custom.enums.iter().find(|object| object.name == name) {
            let values = definition
                .values
                .iter()
                .map(|value| {
                    let member = EnumMember { description: described(&value.description), column: 0 };
                    (value.value.clone(), member)
                })
                .collect();
            return (described(&definition.description), TypeKind::Enum(values));
        }
        if let Some(scalar) = custom.scalars.iter().find(|object| object.name == name) {
            return (described(&scalar.description), TypeKind::Scalar);
        }
        let Some(object) = custom.objects.iter().find(|object| object.name == name) else {
            return (None, TypeKind::Scalar);
        };
        let mut fields = Fields::new();
        for field in &object.fields {
            let ty = self.written(&field.ty);
            let field_info = Field {
                description: described(&field.description),
                arguments: IndexMap::new(),
                ty,
                kind: FieldKind::ActionField,
            };
            fields.insert(field.name.clone(), field_info);
        }
        for (place, relationship) in object.relationships.iter().enumerate() {
            let Some(&table) = model.by_name.get(&relationship.remote_table) else { continue };
            let Some(rule) = self.select(table) else { continue };
            let id = self.ty(Key::Table(table));
            let kind = FieldKind::ActionRelationship(place, table);
            let field = match relationship.kind {
                RelationshipType::Object => {
                    Field { description: None, arguments: IndexMap::new(), ty: TypeRef::nullable(id), kind }
                }
                RelationshipType::Array => Field {
                    description: text("An array relationship"),
                    arguments: self.select_arguments(table),
                    ty: TypeRef::list(id, true),
                    kind,
                },
            };
            fields.insert(relationship.name.clone(), field);
            if relationship.kind == RelationshipType::Array && rule.aggregations {
                let field = Field {
                    description: text("An aggregate relationship"),
                    arguments: self.select_arguments(table),
                    ty: TypeRef::required(self.ty(Key::Aggregate(table))),
                    kind: FieldKind::ActionRelationship(place, table),
                };
                fields.insert(self.joined(&relationship.name, "aggregate"), field);
            }
        }
        (described(&object.description), TypeKind::Object(fields, Vec::new()))
    }
}
