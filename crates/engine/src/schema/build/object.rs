//! Tables as objects.

use indexmap::IndexMap;

use super::{Builder, Key, input, text};
use crate::schema::model::names;
use crate::schema::model::types::*;
use crate::schema::model::{ArgumentInfo, ArgumentRole, ComputedReturn, TableId};

impl Builder<'_> {
    pub(super) fn object(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let info = self.table(table);
        let mut fields = IndexMap::new();
        let rule = self.select(table);
        for (place, column) in self.visible(table) {
            let guarded = rule.is_some_and(|rule| rule.guards[place].is_some());
            let ty = self.column(column, column.not_null && !guarded);
            let mut arguments = IndexMap::new();
            if column.ty.is_json() && column.enum_table.is_none() {
                let path = TypeRef::nullable(self.scalar("String"));
                arguments.insert("path".to_owned(), input(path, InputKind::Plain, text("JSON select path")));
            }
            let description = column.description.clone().map(Text::Owned);
            fields.insert(column.field.clone(), Field { description, arguments, ty, kind: FieldKind::Column(place) });
        }
        for (place, computed) in info.computed.iter().enumerate() {
            if !rule.is_some_and(|rule| rule.computed[place]) {
                continue;
            }
            let mut arguments = self.call_arguments(
                &computed.arguments,
                Key::ComputedArguments(table, place),
                &format!(
                    "input parameters for computed field \"{}\" defined on table \"{}\"",
                    computed.name, info.name
                ),
            );
            let ty = match &computed.returns {
                ComputedReturn::Scalar(ty) => {
                    if ty.is_json() {
                        let path = TypeRef::nullable(self.scalar("String"));
                        arguments.insert("path".to_owned(), input(path, InputKind::Plain, text("JSON select path")));
                    }
                    self.value(ty, false)
                }
                ComputedReturn::Table(other) => {
                    if self.select(*other).is_none() {
                        continue;
                    }
                    arguments.extend(self.select_arguments(*other));
                    TypeRef::list(self.ty(Key::Table(*other)), false)
                }
            };
            let description = computed.description.clone().map(Text::Owned);
            fields
                .insert(computed.name.clone(), Field { description, arguments, ty, kind: FieldKind::Computed(place) });
        }
        for (place, relationship) in info.relationships.iter().enumerate() {
            let Some(other) = self.select(relationship.table) else { continue };
            let id = self.ty(Key::Table(relationship.table));
            if !relationship.array {
                let field = Field {
                    description: text("An object relationship"),
                    arguments: IndexMap::new(),
                    ty: TypeRef::Named(id, !relationship.nullable),
                    kind: FieldKind::Relationship(place),
                };
                fields.insert(relationship.name.clone(), field);
                continue;
            }
            let field = Field {
                description: text("An array relationship"),
                arguments: self.select_arguments(relationship.table),
                ty: TypeRef::list(id, true),
                kind: FieldKind::Relationship(place),
            };
            fields.insert(relationship.name.clone(), field);
            if other.aggregations {
                let field = Field {
                    description: text("An aggregate relationship"),
                    arguments: self.select_arguments(relationship.table),
                    ty: TypeRef::required(self.ty(Key::Aggregate(relationship.table))),
                    kind: FieldKind::RelationshipAggregate(place),
                };
                fields.insert(self.joined(&relationship.name, "aggregate"), field);
            }
        }
        self.table_joins(table, &mut fields);
        let description =
            info.description.clone().unwrap_or_else(|| format!("columns and relationships of \"{}\"", info.name));
        (text(description), TypeKind::Object(fields, Vec::new()))
    }

    pub(super) fn joined(&self, base: &str, suffix: &str) -> String {
        crate::schema::model::names::joined(base, suffix, self.model.camel_case)
    }

    /// `args`, when clients fill any argument of a function.
    pub(super) fn call_arguments(
        &mut self,
        arguments: &[ArgumentInfo],
        key: Key,
        description: &str,
    ) -> IndexMap<String, InputField> {
        let mut client = arguments.iter().filter(|argument| argument.role == ArgumentRole::Client).peekable();
        if client.peek().is_none() {
            return IndexMap::new();
        }
        let required = client.any(|argument| !argument.has_default);
        let ty = TypeRef::Named(self.ty(key), required);
        IndexMap::from([("args".to_owned(), input(ty, InputKind::Plain, text(description.to_owned())))])
    }

    /// The input object of a function's arguments.
    pub(super) fn arguments(&mut self, arguments: &[ArgumentInfo]) -> (Option<Text>, TypeKind) {
        let mut fields = IndexMap::new();
        for (place, argument) in arguments.iter().enumerate() {
            if argument.role == ArgumentRole::Client {
                let ty = self.value(&argument.ty, false);
                fields.insert(argument.field.clone(), input(ty, InputKind::Argument(place), None));
            }
        }
        (None, TypeKind::Input(fields))
    }

    /// Arguments of a field that selects rows of a table.
    pub(super) fn select_arguments(&mut self, table: TableId) -> IndexMap<String, InputField> {
        let mut arguments = IndexMap::new();
        let int = self.scalar("Int");
        if self.visible(table).next().is_some() {
            let columns = TypeRef::list(self.ty(Key::SelectColumn(table)), false);
            let name = if self.model.camel_case { "distinctOn" } else { "distinct_on" };
            arguments.insert(name.to_owned(), input(columns, InputKind::Plain, text("distinct select on columns")));
        }
        let limit = text("limit the number of rows returned");
        arguments.insert("limit".to_owned(), input(TypeRef::nullable(int), InputKind::Plain, limit));
        let offset = text("skip the first n rows. Use only with order_by");
        arguments.insert("offset".to_owned(), input(TypeRef::nullable(int), InputKind::Plain, offset));
        let order = TypeRef::list(self.ty(Key::OrderBy(table)), false);
        let name = if self.model.camel_case { "orderBy" } else { "order_by" };
        arguments.insert(name.to_owned(), input(order, InputKind::Plain, text("sort the rows by one or more columns")));
        let filter = TypeRef::nullable(self.ty(Key::BoolExp(table)));
        arguments.insert("where".to_owned(), input(filter, InputKind::Plain, text("filter the rows returned")));
        arguments
    }

    pub(super) fn select_column(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let values = self
            .visible(table)
            .map(|(place, column)| {
                (column.field.clone(), EnumMember { description: text("column name"), column: place })
            })
            .collect();
        (text(format!("select columns of table \"{}\"", self.table(table).name)), TypeKind::Enum(values))
    }

    pub(super) fn enum_table(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let values = self.table(table).enum_values.iter().flatten();
        let values = values
            .map(|(value, comment)| {
                let description = comment.clone().filter(|comment| !comment.is_empty()).map(Text::Owned);
                (names::enum_value(value, self.model.camel_case), EnumMember { description, column: 0 })
            })
            .collect();
        (None, TypeKind::Enum(values))
    }
}
