//! The root fields.

use indexmap::IndexMap;

use super::{Builder, Key, input, text};
use crate::metadata::{ActionType, SelectRootField};
use crate::schema::model::types::*;
use crate::schema::model::{FunctionInfo, SelectRule, TableId};
use crate::session::ADMIN;

type Fields = IndexMap<String, Field>;

fn root(
    description: Option<Text>,
    arguments: IndexMap<String, InputField>,
    ty: TypeRef,
    root: impl Into<RootField>,
) -> Field {
    Field { description, arguments, ty, kind: FieldKind::Root(root.into()) }
}

impl Builder<'_> {
    pub(super) fn query_root(&mut self) -> TypeId {
        let id = self.ty(Key::Root("query_root"));
        let mut fields = Fields::new();
        for table in 0..self.model.tables.len() {
            if let Some(rule) = self.select(table) {
                let shown =
                    |field: SelectRootField| rule.query_roots.as_ref().is_none_or(|roots| roots.contains(&field));
                self.selects(table, rule, shown, &mut fields);
            }
        }
        self.function_roots(false, &mut fields);
        self.actions(ActionType::Query, &mut fields);
        self.action_results(&mut fields);
        self.remote_roots("query", &mut fields);
        if fields.is_empty() {
            let ty = TypeRef::nullable(self.scalar("String"));
            let description = text(
                "There are no queries available to the current role. Either there are no sources or remote schemas configured, or the current role doesn't have the required permissions.",
            );
            let field = root(description, IndexMap::new(), ty, RootField::Unavailable);
            fields.insert("no_queries_available".to_owned(), field);
        }
        fields.sort_keys();
        self.fill(id, TypeKind::Object(fields, Vec::new()));
        id
    }

    pub(super) fn subscription_root(&mut self) -> Option<TypeId> {
        let mut fields = Fields::new();
        for table in 0..self.model.tables.len() {
            let Some(rule) = self.select(table) else { continue };
            let shown =
                |field: SelectRootField| rule.subscription_roots.as_ref().is_none_or(|roots| roots.contains(&field));
            self.selects(table, rule, shown, &mut fields);
            if shown(SelectRootField::SelectStream) && self.visible(table).next().is_some() {
                self.stream(table, &mut fields);
            }
        }
        self.function_roots(false, &mut fields);
        self.action_results(&mut fields);
        self.remote_roots("subscription", &mut fields);
        if fields.is_empty() {
            return None;
        }
        fields.sort_keys();
        let id = self.ty(Key::Root("subscription_root"));
        self.fill(id, TypeKind::Object(fields, Vec::new()));
        Some(id)
    }

    pub(super) fn mutation_root(&mut self) -> Option<TypeId> {
        let mut fields = Fields::new();
        for table in 0..self.model.tables.len() {
            self.inserts(table, &mut fields);
            self.update_roots(table, &mut fields);
            self.deletes(table, &mut fields);
        }
        self.function_roots(true, &mut fields);
        self.actions(ActionType::Mutation, &mut fields);
        self.remote_roots("mutation", &mut fields);
        if fields.is_empty() {
            return None;
        }
        fields.sort_keys();
        let id = self.ty(Key::Root("mutation_root"));
        self.fill(id, TypeKind::Object(fields, Vec::new()));
        self.types.list[id].description = text("mutation root");
        Some(id)
    }

    fn describe(&self, table: TableId, key: &str, default: String) -> Option<Text> {
        let text = self.table(table).root_comments.get(key).cloned().unwrap_or(default);
        (!text.is_empty()).then_some(Text::Owned(text))
    }

    fn selects(
        &mut self,
        table: TableId,
        rule: &SelectRule,
        shown: impl Fn(SelectRootField) -> bool,
        fields: &mut Fields,
    ) {
        let info = self.table(table);
        let id = self.ty(Key::Table(table));
        if shown(SelectRootField::Select) {
            let description = match self.shares_its_name(table, &info.roots.select) {
                true => text("An array relationship"),
                false => self.describe(table, "select", format!("fetch data from the table: \"{}\"", info.name)),
            };
            let arguments = self.select_arguments(table);
            let field = root(description, arguments, TypeRef::list(id, true), ReadRoot::Select(table));
            fields.insert(info.roots.select.clone(), field);
        }
        if shown(SelectRootField::SelectAggregate) && rule.aggregations {
            let relationship = info.roots.select_aggregate.strip_suffix("_aggregate");
            let description = match relationship.is_some_and(|name| self.shares_its_name(table, name)) {
                true => text("An aggregate relationship"),
                false => self.describe(
                    table,
                    "select_aggregate",
                    format!("fetch aggregated fields from the table: \"{}\"", info.name),
                ),
            };
            let arguments = self.select_arguments(table);
            let ty = TypeRef::required(self.ty(Key::Aggregate(table)));
            fields.insert(
                info.roots.select_aggregate.clone(),
                root(description, arguments, ty, ReadRoot::SelectAggregate(table)),
            );
        }
        let visible_key = !info.primary_key.is_empty() && info.primary_key.iter().all(|&column| rule.columns[column]);
        if shown(SelectRootField::SelectByPk) && visible_key {
            let description = self.describe(
                table,
                "select_by_pk",
                format!("fetch data from the table: \"{}\" using primary key columns", info.name),
            );
            let arguments = self.key_arguments(table);
            let field = root(description, arguments, TypeRef::nullable(id), ReadRoot::SelectByPk(table));
            fields.insert(info.roots.select_by_pk.clone(), field);
        }
    }

    /// Whether an array relationship to a table, from one that the role sees, has a root field's name. Hasura makes
    /// one field of both, and shows the relationship's description.
    fn shares_its_name(&self, table: TableId, field: &str) -> bool {
        self.model
            .tables
            .iter()
            .enumerate()
            .filter(|(other, _)| self.select(*other).is_some())
            .any(|(_, other)| other.relationships.iter().any(|it| it.array && it.table == table && it.name == field))
    }

    fn key_arguments(&mut self, table: TableId) -> IndexMap<String, InputField> {
        let info = self.table(table);
        let mut arguments = IndexMap::new();
        for &place in &info.primary_key {
            let column = &info.columns[place];
            let ty = self.column(column, true);
            let description = column.description.clone().map(Text::Owned);
            arguments.insert(column.field.clone(), input(ty, RowInput::Column(place), description));
        }
        arguments
    }

    fn stream(&mut self, table: TableId, fields: &mut Fields) {
        let info = self.table(table);
        let mut arguments = IndexMap::new();
        let int = TypeRef::required(self.scalar("Int"));
        let description = text("maximum number of rows returned in a single batch");
        arguments.insert(self.cased_field("batch_size"), input(int, InputKind::Plain, description));
        let cursor = TypeRef::nullable(self.ty(Key::StreamCursor(table)));
        let cursor = TypeRef::List(Box::new(cursor), true);
        let description = text("cursor to stream the results returned by the query");
        arguments.insert("cursor".to_owned(), input(cursor, InputKind::Plain, description));
        let filter = TypeRef::nullable(self.ty(Key::BoolExp(table)));
        arguments.insert("where".to_owned(), input(filter, InputKind::Plain, text("filter the rows returned")));
        let description = self.describe(
            table,
            "select_stream",
            format!("fetch data from the table in a streaming manner: \"{}\"", info.name),
        );
        let ty = TypeRef::list(self.ty(Key::Table(table)), true);
        fields.insert(info.roots.select_stream.clone(), root(description, arguments, ty, RootField::Stream(table)));
    }

    fn inserts(&mut self, table: TableId, fields: &mut Fields) {
        let info = self.table(table);
        if self.insert_rule(table).is_none() || !info.mutable.0 {
            return;
        }
        let object = self.ty(Key::InsertInput(table));
        let conflict = self.conflict_argument(table);
        let name = self.on_conflict_name();
        let mut arguments = IndexMap::new();
        arguments.insert(
            "objects".to_owned(),
            input(TypeRef::list(object, true), InputKind::Plain, text("the rows to be inserted")),
        );
        if let Some(conflict) = &conflict {
            arguments.insert(name.clone(), conflict.clone());
        }
        let description = self.describe(table, "insert", format!("insert data into the table: \"{}\"", info.name));
        let ty = TypeRef::nullable(self.ty(Key::MutationResponse(table)));
        fields.insert(info.roots.insert.clone(), root(description, arguments, ty, WriteRoot::Insert(table)));
        if self.select(table).is_none() {
            return;
        }
        let mut arguments = IndexMap::new();
        arguments.insert(
            "object".to_owned(),
            input(TypeRef::required(object), InputKind::Plain, text("the row to be inserted")),
        );
        if let Some(conflict) = conflict {
            arguments.insert(name, conflict);
        }
        let description =
            self.describe(table, "insert_one", format!("insert a single row into the table: \"{}\"", info.name));
        let ty = TypeRef::nullable(self.ty(Key::Table(table)));
        fields.insert(info.roots.insert_one.clone(), root(description, arguments, ty, WriteRoot::InsertOne(table)));
    }

    fn update_roots(&mut self, table: TableId, fields: &mut Fields) {
        if self.update_rule(table).is_none() {
            return;
        }
        let info = self.table(table);
        let operators = self.update_operators(table);
        let response = self.ty(Key::MutationResponse(table));
        let mut arguments = operators.clone();
        arguments.insert("where".to_owned(), self.update_filter(table, "filter the rows which have to be updated"));
        let description = self.describe(table, "update", format!("update data of the table: \"{}\"", info.name));
        let field = root(description, arguments, TypeRef::nullable(response), WriteRoot::Update(table));
        fields.insert(info.roots.update.clone(), field);

        let mut arguments = IndexMap::new();
        let updates = TypeRef::list(self.ty(Key::Updates(table)), true);
        arguments.insert("updates".to_owned(), input(updates, InputKind::Plain, text("updates to execute, in order")));
        let description =
            self.describe(table, "update_many", format!("update multiples rows of table: \"{}\"", info.name));
        let ty = TypeRef::List(Box::new(TypeRef::nullable(response)), false);
        fields.insert(info.roots.update_many.clone(), root(description, arguments, ty, WriteRoot::UpdateMany(table)));

        if self.has_visible_key(table) {
            let mut arguments = operators;
            let key = TypeRef::required(self.ty(Key::PkColumns(table)));
            arguments.insert(self.cased_field("pk_columns"), input(key, InputKind::Plain, None));
            let description =
                self.describe(table, "update_by_pk", format!("update single row of the table: \"{}\"", info.name));
            let ty = TypeRef::nullable(self.ty(Key::Table(table)));
            fields.insert(
                info.roots.update_by_pk.clone(),
                root(description, arguments, ty, WriteRoot::UpdateByPk(table)),
            );
        }
    }

    fn has_visible_key(&self, table: TableId) -> bool {
        let info = self.table(table);
        !info.primary_key.is_empty()
            && self.select(table).is_some_and(|rule| info.primary_key.iter().all(|&column| rule.columns[column]))
    }

    fn deletes(&mut self, table: TableId, fields: &mut Fields) {
        if self.delete_rule(table).is_none() {
            return;
        }
        let info = self.table(table);
        let mut arguments = IndexMap::new();
        arguments.insert("where".to_owned(), self.update_filter(table, "filter the rows which have to be deleted"));
        let description = self.describe(table, "delete", format!("delete data from the table: \"{}\"", info.name));
        let ty = TypeRef::nullable(self.ty(Key::MutationResponse(table)));
        fields.insert(info.roots.delete.clone(), root(description, arguments, ty, WriteRoot::Delete(table)));
        if self.has_visible_key(table) {
            let arguments = self.key_arguments(table);
            let description =
                self.describe(table, "delete_by_pk", format!("delete single row from the table: \"{}\"", info.name));
            let ty = TypeRef::nullable(self.ty(Key::Table(table)));
            fields.insert(
                info.roots.delete_by_pk.clone(),
                root(description, arguments, ty, WriteRoot::DeleteByPk(table)),
            );
        }
    }

    fn may_call(&self, function: &FunctionInfo) -> bool {
        let inferred = self.infer_functions && !function.mutation;
        self.role == ADMIN
            || match &function.roles {
                None => inferred,
                Some(roles) => roles.iter().any(|role| role == self.role) || inferred,
            }
    }

    fn function_roots(&mut self, mutation: bool, fields: &mut Fields) {
        let model = self.model;
        for (place, function) in model.functions.iter().enumerate() {
            let Some(rule) = self.select(function.table) else { continue };
            if function.mutation != mutation || !self.may_call(function) {
                continue;
            }
            let id = self.ty(Key::Table(function.table));
            for aggregate in [false, true] {
                if aggregate && (mutation || !rule.aggregations) {
                    continue;
                }
                let name = if aggregate { &function.root_aggregate } else { &function.root };
                let description = format!("input parameters for function \"{name}\"");
                let mut arguments =
                    self.call_arguments(&function.arguments, Key::FunctionArguments(place), &description);
                arguments.extend(self.select_arguments(function.table));
                let what = match aggregate {
                    true => format!(
                        "execute function \"{}\" and query aggregates on result of table type \"{}\"",
                        function.name,
                        self.table(function.table).name
                    ),
                    false => function.description.clone().unwrap_or_else(|| {
                        format!(
                            "execute {}function \"{}\" which returns \"{}\"",
                            if mutation { "VOLATILE " } else { "" },
                            function.name,
                            self.table(function.table).name
                        )
                    }),
                };
                let (ty, kind) = match aggregate {
                    true => {
                        let ty = TypeRef::required(self.ty(Key::Aggregate(function.table)));
                        (ty, ReadRoot::FunctionAggregate(place))
                    }
                    false if function.returns_set => (TypeRef::list(id, true), ReadRoot::Function(place)),
                    false => (TypeRef::nullable(id), ReadRoot::Function(place)),
                };
                fields.insert(name.clone(), root(text(what), arguments, ty, kind));
            }
        }
    }
}
