//! Fields of relationships that leave the source, and what they leave open of a remote field's arguments.

use apollo_compiler::ast::{FieldDefinition, InputValueDefinition, Type as AstType};
use apollo_compiler::schema::{ExtendedType, InputObjectType};
use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{Builder, Key, text};
use crate::schema::model::TableId;
use crate::schema::model::join::{Call, JoinInfo, JoinOwner, JoinTo, LeftFrom};
use crate::schema::model::types::*;
use crate::schema::remote::{field_of, preset};

type Fields = IndexMap<String, Field>;

impl<'a> Builder<'a> {
    /// The joins of a table that the role sees.
    pub(super) fn table_joins(&mut self, table: TableId, fields: &mut Fields) {
        let info = self.table(table);
        let Some(rule) = self.select(table) else { return };
        for (place, join) in info.joins.iter().enumerate() {
            let visible = join.left.iter().all(|left| match left.from {
                LeftFrom::Column(column) => rule.columns[column],
                LeftFrom::Computed(computed) => rule.computed[computed],
                LeftFrom::Field => false,
            });
            if visible {
                self.join_fields(&JoinOwner::Table(table), place, join, fields);
            }
        }
    }

    /// The joins of a remote type that the role sees.
    pub(in crate::schema) fn remote_joins(&mut self, remote: usize, ty: &str, fields: &mut Fields) {
        let remotes = self.remotes;
        let owner = JoinOwner::Remote(remote, ty.to_owned());
        for (place, join) in remotes[remote].joins.get(ty).into_iter().flatten().enumerate() {
            if join.left.iter().all(|left| remotes[remote].field(self.role, ty, &left.name).is_some()) {
                self.join_fields(&owner, place, join, fields);
            }
        }
    }

    fn join_fields(&mut self, owner: &JoinOwner, place: usize, join: &JoinInfo, fields: &mut Fields) {
        match &join.to {
            JoinTo::Rows { table, array, .. } => {
                let Some(rule) = self.select(*table) else { return };
                let id = self.ty(Key::Table(*table));
                let (arguments, ty) = match array {
                    true => (self.select_arguments(*table), TypeRef::list(id, false)),
                    false => (IndexMap::new(), TypeRef::nullable(id)),
                };
                let field = Field { description: None, arguments, ty, kind: FieldKind::Join(place) };
                fields.insert(join.name.clone(), field);
                if *array && rule.aggregations {
                    let ty = TypeRef::nullable(self.ty(Key::Aggregate(*table)));
                    let arguments = self.select_arguments(*table);
                    let field = Field { description: None, arguments, ty, kind: FieldKind::JoinAggregate(place) };
                    fields.insert(self.joined(&join.name, "aggregate"), field);
                }
            }
            JoinTo::Remote { remote, path } => {
                let Some((definition, in_list)) = self.leaf(*remote, path) else { return };
                let mut arguments = IndexMap::new();
                let bound = path.last().map(|call| &call.arguments);
                for argument in &definition.arguments {
                    let steps = vec![argument.name.to_string()];
                    let given = bound.and_then(|bound| bound.get(argument.name.as_str()));
                    if let Some(input) = self.open(owner, place, *remote, argument, given, steps) {
                        arguments.insert(argument.name.to_string(), input);
                    }
                }
                let mut ty = self.remote_type(*remote, &definition.ty);
                if in_list {
                    ty = TypeRef::List(Box::new(ty), false);
                }
                let description = definition.description.as_ref().map(|text| Text::Owned(text.to_string()));
                let field = Field { description, arguments, ty, kind: FieldKind::Join(place) };
                fields.insert(join.name.clone(), field);
            }
        }
    }

    /// The last field of a path, when the role sees all of it, and whether a field before it is a list.
    fn leaf(&self, remote: usize, path: &[Call]) -> Option<(&'a FieldDefinition, bool)> {
        let remotes = self.remotes;
        let schema = remotes[remote].visible(self.role)?;
        let mut parent = remotes[remote].root("query");
        let (mut found, mut in_list) = (None, false);
        for call in path {
            in_list |= found.is_some_and(|field: &FieldDefinition| field.ty.is_list());
            let field = field_of(schema, &parent, &call.field)?;
            if !call.arguments.keys().all(|argument| field.argument_by_name(argument).is_some()) {
                return None;
            }
            parent = field.ty.inner_named_type().to_string();
            found = Some(field);
        }
        found.map(|field| (field, in_list))
    }

    /// What a relationship leaves open of an argument, or of a field of an input object.
    fn open(
        &mut self,
        owner: &JoinOwner,
        place: usize,
        remote: usize,
        argument: &InputValueDefinition,
        bound: Option<&Value>,
        steps: Vec<String>,
    ) -> Option<InputField> {
        if preset(&argument.directives).is_some() {
            return None;
        }
        let Some(bound) = bound else { return Some(self.remote_input(remote, argument)) };
        let Value::Object(bound) = bound else { return None };
        let (input, rest) = self.rest(remote, &argument.ty, bound)?;
        let anything = rest.iter().any(|name| self.is_open(remote, input, name, bound));
        if !anything {
            return None;
        }
        let required =
            input.fields.values().any(|field| field.is_required() && !bound.contains_key(field.name.as_str()));
        let id = self.ty(Key::JoinInput(owner.clone(), place, steps));
        Some(InputField { ty: TypeRef::Named(id, required), ..self.remote_input(remote, argument) })
    }

    fn is_open(&self, remote: usize, input: &InputObjectType, name: &str, bound: &Map<String, Value>) -> bool {
        let Some(field) = input.fields.get(name) else { return false };
        if preset(&field.directives).is_some() {
            return false;
        }
        match bound.get(name) {
            None => true,
            Some(Value::Object(inner)) => self
                .rest(remote, &field.ty, inner)
                .is_some_and(|(input, rest)| rest.iter().any(|name| self.is_open(remote, input, name, inner))),
            Some(_) => false,
        }
    }

    /// The input object of a type and its fields that a relationship does not fill with a value.
    fn rest(
        &self,
        remote: usize,
        ty: &AstType,
        bound: &Map<String, Value>,
    ) -> Option<(&'a InputObjectType, Vec<String>)> {
        let remotes = self.remotes;
        let schema = remotes[remote].visible(self.role)?;
        let ExtendedType::InputObject(input) = schema.types.get(ty.inner_named_type())? else { return None };
        let rest = input.fields.keys().map(|name| name.to_string());
        let open = |name: &String| bound.get(name).is_none_or(Value::is_object);
        Some((input, rest.filter(open).collect()))
    }

    fn join(&self, owner: &JoinOwner, place: usize) -> Option<&'a JoinInfo> {
        let remotes = self.remotes;
        match owner {
            JoinOwner::Table(table) => self.table(*table).joins.get(place),
            JoinOwner::Remote(remote, ty) => remotes[*remote].joins.get(ty)?.get(place),
        }
    }

    /// The input object at the end of the steps, with what the relationship binds of it.
    fn stepped(
        &self,
        owner: &JoinOwner,
        place: usize,
        steps: &[String],
    ) -> Option<(usize, &'a InputObjectType, &'a Map<String, Value>)> {
        let JoinTo::Remote { remote, path } = &self.join(owner, place)?.to else { return None };
        let (definition, _) = self.leaf(*remote, path)?;
        let (first, below) = steps.split_first()?;
        let mut value = path.last()?.arguments.get(first)?.as_object()?;
        let (mut input, _) = self.rest(*remote, &definition.argument_by_name(first)?.ty, value)?;
        for step in below {
            value = value.get(step)?.as_object()?;
            input = self.rest(*remote, &input.fields.get(step.as_str())?.ty, value)?.0;
        }
        Some((*remote, input, value))
    }

    pub(super) fn join_input_name(&self, owner: &JoinOwner, place: usize, steps: &[String]) -> String {
        let Some((remote, input, _)) = self.stepped(owner, place, steps) else { return String::new() };
        let name = self.remotes[remote].names.ty(&input.name);
        let left = match owner {
            JoinOwner::Table(table) => {
                let table = &self.table(*table).name;
                format!("{}_{}", table.schema, table.name)
            }
            JoinOwner::Remote(remote, ty) => format!("{}_{ty}", self.remotes[*remote].definition.name),
        };
        let relationship = self.join(owner, place).map_or("", |join| join.name.as_str());
        let name = format!("{name}_remote_rel_{left}{relationship}");
        // Names of tables and remote schemas may hold what GraphQL's do not.
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
    }

    pub(super) fn join_input(&mut self, owner: &JoinOwner, place: usize, steps: &[String]) -> (Option<Text>, TypeKind) {
        let Some((remote, input, bound)) = self.stepped(owner, place, steps) else { return (None, TypeKind::Scalar) };
        let mut fields = IndexMap::new();
        for field in input.fields.values() {
            let steps: Vec<String> = steps.iter().cloned().chain([field.name.to_string()]).collect();
            if let Some(open) = self.open(owner, place, remote, field, bound.get(field.name.as_str()), steps) {
                fields.insert(field.name.to_string(), open);
            }
        }
        (input.description.as_ref().and_then(|words| text(words.to_string())), TypeKind::Input(fields))
    }
}
