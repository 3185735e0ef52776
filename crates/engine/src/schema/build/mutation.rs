//! Inputs and answers of mutations.

use indexmap::IndexMap;

use super::{Builder, Key, input, text};
use crate::schema::model::types::*;
use crate::schema::model::{DeleteRule, InsertRule, TableId, UpdateRule};

/// Operators on jsonb columns, with the type of their operand and their description.
const JSON_OPERATORS: [(&str, &str, &str); 5] = [
    ("append", "jsonb", "append existing jsonb value of filtered columns with new jsonb value"),
    (
        "delete_at_path",
        "[String!]",
        "delete the field or element with specified path (for JSON arrays, negative integers count from the end)",
    ),
    (
        "delete_elem",
        "Int",
        "delete the array element with specified index (negative integers count from the end). throws an error if top level container is not an array",
    ),
    (
        "delete_key",
        "String",
        "delete key/value pair or string element. key/value pairs are matched based on their key value",
    ),
    ("prepend", "jsonb", "prepend existing jsonb value of filtered columns with new jsonb value"),
];

impl<'a> Builder<'a> {
    pub(super) fn insert_rule(&self, table: TableId) -> Option<&'a InsertRule> {
        let rule = self.table(table).permissions.get(self.role)?.insert.as_deref()?;
        (!rule.backend_only || self.backend).then_some(rule)
    }

    /// What the role may insert under a relationship, where `backend_only` does not count (as in Hasura).
    fn nested_rule(&self, table: TableId) -> Option<&'a InsertRule> {
        self.table(table).permissions.get(self.role)?.insert.as_deref()
    }

    pub(super) fn update_rule(&self, table: TableId) -> Option<&'a UpdateRule> {
        let rule = self.table(table).permissions.get(self.role)?.update.as_deref()?;
        let some = rule.columns.iter().any(|column| *column);
        ((!rule.backend_only || self.backend) && some).then_some(rule)
    }

    pub(super) fn delete_rule(&self, table: TableId) -> Option<&'a DeleteRule> {
        let rule = self.table(table).permissions.get(self.role)?.delete.as_deref()?;
        (!rule.backend_only || self.backend).then_some(rule)
    }

    pub(super) fn insert_input(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let info = self.table(table);
        let mut fields = IndexMap::new();
        let Some(rule) = self.nested_rule(table) else { return (None, TypeKind::Input(fields)) };
        for (place, column) in info.columns.iter().enumerate().filter(|(place, _)| rule.columns[*place]) {
            let ty = self.column(column, false);
            let description = column.description.clone().map(Text::Owned);
            fields.insert(column.field.clone(), input(ty, RowInput::Column(place), description));
        }
        for (place, relationship) in info.relationships.iter().enumerate() {
            if self.nested_rule(relationship.table).is_none() {
                continue;
            }
            let key = match relationship.array {
                true => Key::ArrayInsert(relationship.table),
                false => Key::ObjectInsert(relationship.table),
            };
            let ty = TypeRef::nullable(self.ty(key));
            fields.insert(relationship.name.clone(), input(ty, RowInput::Relationship(place), None));
        }
        (text(format!("input type for inserting data into table \"{}\"", info.name)), TypeKind::Input(fields))
    }

    pub(super) fn nested_insert(&mut self, table: TableId, array: bool) -> (Option<Text>, TypeKind) {
        let id = self.ty(Key::InsertInput(table));
        let data = if array { TypeRef::list(id, true) } else { TypeRef::required(id) };
        let mut fields = IndexMap::from([("data".to_owned(), input(data, InputKind::Plain, None))]);
        if let Some(conflict) = self.conflict_argument(table) {
            fields.insert(self.on_conflict_name(), conflict);
        }
        let kind = if array { "array" } else { "object" };
        let name = &self.table(table).name;
        (text(format!("input type for inserting {kind} relation for remote table \"{name}\"")), TypeKind::Input(fields))
    }

    pub(super) fn on_conflict_name(&self) -> String {
        self.cased_field("on_conflict")
    }

    /// The argument for upserts, when the table has constraints.
    pub(super) fn conflict_argument(&mut self, table: TableId) -> Option<InputField> {
        let info = self.table(table);
        if info.constraints.is_empty() || info.permissions.get(self.role).is_none_or(|p| p.insert.is_none()) {
            return None;
        }
        let ty = TypeRef::nullable(self.ty(Key::OnConflict(table)));
        Some(input(ty, InputKind::Plain, text("upsert condition")))
    }

    pub(super) fn on_conflict(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let constraint = TypeRef::required(self.ty(Key::Constraint(table)));
        let columns = TypeRef::list(self.ty(Key::UpdateColumn(table)), true);
        let columns = InputField { default: text("[]"), ..input(columns, InputKind::Plain, None) };
        let mut fields = IndexMap::from([
            ("constraint".to_owned(), input(constraint, InputKind::Plain, None)),
            (self.cased_field("update_columns"), columns),
        ]);
        if self.select(table).is_some() {
            let filter = TypeRef::nullable(self.ty(Key::BoolExp(table)));
            fields.insert("where".to_owned(), input(filter, InputKind::Plain, None));
        }
        let name = &self.table(table).name;
        (text(format!("on_conflict condition type for table \"{name}\"")), TypeKind::Input(fields))
    }

    pub(super) fn constraint(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let info = self.table(table);
        let values = info
            .constraints
            .iter()
            .enumerate()
            .map(|(place, (name, columns))| {
                let columns: Vec<String> =
                    columns.iter().map(|&column| format!("\"{}\"", info.columns[column].name)).collect();
                let description = format!("unique or primary key constraint on columns {}", columns.join(", "));
                (name.clone(), EnumMember { description: text(description), column: place })
            })
            .collect();
        let description = format!("unique or primary key constraints on table \"{}\"", info.name);
        (text(description), TypeKind::Enum(values))
    }

    pub(super) fn update_column(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let info = self.table(table);
        let rule = info.permissions.get(self.role).and_then(|permissions| permissions.update.as_deref());
        let mut values: IndexMap<String, EnumMember> = info
            .columns
            .iter()
            .enumerate()
            .filter(|(place, _)| rule.is_some_and(|rule| rule.columns[*place]))
            .map(|(place, column)| {
                (column.field.clone(), EnumMember { description: text("column name"), column: place })
            })
            .collect();
        if values.is_empty() {
            // An enum needs a value; Hasura names this one.
            let member = EnumMember { description: text("placeholder (do not use)"), column: usize::MAX };
            values.insert("_PLACEHOLDER".to_owned(), member);
            let why = "(current role has no relevant permissions)";
            let description = format!("placeholder for update columns of table \"{}\" {why}", info.name);
            return (text(description), TypeKind::Enum(values));
        }
        (text(format!("update columns of table \"{}\"", info.name)), TypeKind::Enum(values))
    }

    pub(super) fn set_input(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let mut fields = IndexMap::new();
        if let Some(rule) = self.update_rule(table) {
            for (place, column) in
                self.table(table).columns.iter().enumerate().filter(|(place, _)| rule.columns[*place])
            {
                let ty = self.column(column, false);
                let description = column.description.clone().map(Text::Owned);
                fields.insert(column.field.clone(), input(ty, RowInput::Column(place), description));
            }
        }
        let name = &self.table(table).name;
        (text(format!("input type for updating data in table \"{name}\"")), TypeKind::Input(fields))
    }

    pub(super) fn inc_input(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let mut fields = IndexMap::new();
        if let Some(rule) = self.update_rule(table) {
            for (place, column) in self.table(table).columns.iter().enumerate() {
                if rule.columns[place] && column.ty.is_numeric() {
                    let ty = self.column(column, false);
                    let description = column.description.clone().map(Text::Owned);
                    fields.insert(column.field.clone(), input(ty, RowInput::Column(place), description));
                }
            }
        }
        let name = &self.table(table).name;
        (text(format!("input type for incrementing numeric columns in table \"{name}\"")), TypeKind::Input(fields))
    }

    pub(super) fn json_input(&mut self, table: TableId, operator: &str) -> (Option<Text>, TypeKind) {
        let mut fields = IndexMap::new();
        let (_, operand, description) =
            JSON_OPERATORS.into_iter().find(|(name, _, _)| *name == operator).unwrap_or(JSON_OPERATORS[0]);
        let ty = match operand {
            "[String!]" => TypeRef::list(self.scalar("String"), false),
            name => TypeRef::nullable(self.scalar(name)),
        };
        if let Some(rule) = self.update_rule(table) {
            for (place, column) in self.table(table).columns.iter().enumerate() {
                if rule.columns[place] && column.ty.is_jsonb() {
                    let description = column.description.clone().map(Text::Owned);
                    fields.insert(column.field.clone(), input(ty.clone(), RowInput::Column(place), description));
                }
            }
        }
        (text(description), TypeKind::Input(fields))
    }

    /// The operators of an update: `_set`, `_inc` and those on jsonb, each where a column takes it.
    pub(super) fn update_operators(&mut self, table: TableId) -> IndexMap<String, InputField> {
        let mut arguments = IndexMap::new();
        let Some(rule) = self.update_rule(table) else { return arguments };
        let columns = &self.table(table).columns;
        let any = |fits: fn(&crate::schema::model::scalar::ScalarType) -> bool| {
            columns.iter().zip(&rule.columns).any(|(column, settable)| *settable && fits(&column.ty))
        };
        if any(|ty| ty.is_jsonb()) {
            for (operator, _, description) in JSON_OPERATORS {
                let ty = TypeRef::nullable(self.ty(Key::Json(table, operator)));
                arguments.insert(self.key(&format!("_{operator}")), input(ty, InputKind::Plain, text(description)));
            }
        }
        if any(|ty| ty.is_numeric()) {
            let description = text("increments the numeric columns with given value of the filtered values");
            let ty = TypeRef::nullable(self.ty(Key::Inc(table)));
            arguments.insert("_inc".to_owned(), input(ty, InputKind::Plain, description));
        }
        let description = text("sets the columns of the filtered rows to the given values");
        let ty = TypeRef::nullable(self.ty(Key::Set(table)));
        arguments.insert("_set".to_owned(), input(ty, InputKind::Plain, description));
        arguments
    }

    pub(super) fn pk_columns(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let info = self.table(table);
        let mut fields = IndexMap::new();
        for &place in &info.primary_key {
            let ty = self.column(&info.columns[place], true);
            let description = info.columns[place].description.clone().map(Text::Owned);
            fields.insert(info.columns[place].field.clone(), input(ty, RowInput::Column(place), description));
        }
        (text(format!("primary key columns input for table: {}", info.graphql_name)), TypeKind::Input(fields))
    }

    pub(super) fn updates(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let mut fields = self.update_operators(table);
        fields.insert("where".to_owned(), self.update_filter(table, "filter the rows which have to be updated"));
        (None, TypeKind::Input(fields))
    }

    pub(super) fn update_filter(&mut self, table: TableId, description: &'static str) -> InputField {
        let ty = TypeRef::required(self.ty(Key::BoolExp(table)));
        input(ty, InputKind::Plain, text(description))
    }

    pub(super) fn mutation_response(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let affected = Field {
            description: text("number of rows affected by the mutation"),
            arguments: IndexMap::new(),
            ty: TypeRef::required(self.scalar("Int")),
            kind: FieldKind::AffectedRows,
        };
        let mut fields = IndexMap::from([(self.cased_field("affected_rows"), affected)]);
        if self.select(table).is_some() {
            let returning = Field {
                description: text("data from the rows affected by the mutation"),
                arguments: IndexMap::new(),
                ty: TypeRef::list(self.ty(Key::Table(table)), true),
                kind: FieldKind::Returning,
            };
            fields.insert("returning".to_owned(), returning);
        }
        let description = format!("response of any mutation on the table \"{}\"", self.table(table).name);
        (text(description), TypeKind::Object(fields, Vec::new()))
    }
}
