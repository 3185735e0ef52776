//! Aggregates: fields, orderings and predicates.

use indexmap::IndexMap;

use super::{Builder, Key, input, text};
use crate::schema::model::scalar::ScalarType;
use crate::schema::model::types::*;
use crate::schema::model::{ArgumentRole, ColumnInfo, ComputedReturn, TableId};

/// Functions over numbers that give `Float`, or for `sum` the column's type.
const NUMERIC: [&str; 8] = ["avg", "stddev", "stddev_pop", "stddev_samp", "sum", "var_pop", "var_samp", "variance"];
/// Functions over anything that can be ordered.
const COMPARABLE: [&str; 2] = ["max", "min"];

/// Functions of predicates over numbers with their number of columns.
const NUMERIC_PREDICATES: [(&str, usize); 8] = [
    ("avg", 1),
    ("corr", 2),
    ("covar_samp", 2),
    ("max", 1),
    ("min", 1),
    ("stddev_samp", 1),
    ("sum", 1),
    ("var_samp", 1),
];

fn applies(function: &str, column: &ColumnInfo) -> bool {
    match COMPARABLE.contains(&function) {
        // Arrays of ordered values are ordered.
        true => {
            let element = ScalarType { list: false, ..column.ty.clone() };
            column.enum_table.is_none() && element.is_comparable()
        }
        false => column.ty.is_numeric(),
    }
}

impl Builder<'_> {
    pub(super) fn aggregate(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let field = |ty, kind| Field { description: None, arguments: IndexMap::new(), ty, kind };
        let aggregate = TypeRef::nullable(self.ty(Key::AggregateFields(table)));
        let nodes = TypeRef::list(self.ty(Key::Table(table)), true);
        let fields = IndexMap::from([
            ("aggregate".to_owned(), field(aggregate, FieldKind::Aggregate)),
            ("nodes".to_owned(), field(nodes, FieldKind::Nodes)),
        ]);
        let description = format!("aggregated selection of \"{}\"", self.table(table).name);
        (text(description), TypeKind::Object(fields, Vec::new()))
    }

    fn functions(&self, table: TableId) -> Vec<&'static str> {
        let mut functions: Vec<&'static str> = Vec::new();
        for function in NUMERIC.into_iter().chain(COMPARABLE) {
            if self.visible(table).any(|(_, column)| applies(function, column)) {
                functions.push(function);
            }
        }
        functions
    }

    pub(super) fn aggregate_fields(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let mut fields = IndexMap::new();
        for function in self.functions(table) {
            let ty = TypeRef::nullable(self.ty(Key::AggregateFunction(table, function)));
            let field = Field {
                description: None,
                arguments: IndexMap::new(),
                ty,
                kind: FieldKind::AggregateFunction(function),
            };
            fields.insert(self.cased_field(function), field);
        }
        let mut arguments = IndexMap::new();
        if self.visible(table).next().is_some() {
            let columns = TypeRef::list(self.ty(Key::SelectColumn(table)), false);
            arguments.insert("columns".to_owned(), input(columns, InputKind::Plain, None));
        }
        let boolean = TypeRef::nullable(self.scalar("Boolean"));
        arguments.insert("distinct".to_owned(), input(boolean, InputKind::Plain, None));
        let ty = TypeRef::required(self.scalar("Int"));
        fields.insert("count".to_owned(), Field { description: None, arguments, ty, kind: FieldKind::Count });
        let description = format!("aggregate fields of \"{}\"", self.table(table).name);
        (text(description), TypeKind::Object(fields, Vec::new()))
    }

    pub(super) fn cased_field(&self, name: &str) -> String {
        crate::schema::model::names::field(name, self.model.camel_case)
    }

    pub(super) fn aggregate_function(&mut self, table: TableId, function: &'static str) -> (Option<Text>, TypeKind) {
        let mut fields = IndexMap::new();
        for (place, column) in self.visible(table) {
            if !applies(function, column) {
                continue;
            }
            let ty = match function {
                "sum" | "max" | "min" => self.column(column, false),
                _ => TypeRef::nullable(self.scalar("Float")),
            };
            let description = column.description.clone().map(Text::Owned);
            let kind = FieldKind::Column(place);
            fields.insert(column.field.clone(), Field { description, arguments: IndexMap::new(), ty, kind });
        }
        let info = self.table(table);
        let rule = self.select(table);
        for (place, computed) in info.computed.iter().enumerate() {
            let ComputedReturn::Scalar(ty) = &computed.returns else { continue };
            let fits = if COMPARABLE.contains(&function) { ty.is_comparable() } else { ty.is_numeric() };
            let plain = computed.arguments.iter().all(|argument| argument.role != ArgumentRole::Client);
            if !fits || !plain || !rule.is_some_and(|rule| rule.computed[place]) {
                continue;
            }
            let field = Field {
                description: computed.description.clone().map(Text::Owned),
                arguments: IndexMap::new(),
                ty: self.value(ty, false),
                kind: FieldKind::Computed(place),
            };
            fields.insert(computed.name.clone(), field);
        }
        (text(format!("aggregate {function} on columns")), TypeKind::Object(fields, Vec::new()))
    }

    pub(super) fn aggregate_order_by(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let mut fields = IndexMap::new();
        for function in self.functions(table) {
            let ty = TypeRef::nullable(self.ty(Key::AggregateFunctionOrderBy(table, function)));
            fields.insert(self.cased_field(function), input(ty, InputKind::Function(function), None));
        }
        let direction = TypeRef::nullable(self.ty(Key::OrderDirection));
        fields.insert("count".to_owned(), input(direction, InputKind::Function("count"), None));
        let description = format!("order by aggregate values of table \"{}\"", self.table(table).name);
        (text(description), TypeKind::Input(fields))
    }

    pub(super) fn aggregate_function_order_by(
        &mut self,
        table: TableId,
        function: &'static str,
    ) -> (Option<Text>, TypeKind) {
        let direction = TypeRef::nullable(self.ty(Key::OrderDirection));
        let fields = self
            .visible(table)
            .filter(|(_, column)| applies(function, column))
            .map(|(place, column)| (column.field.clone(), input(direction.clone(), RowInput::Column(place), None)))
            .collect();
        let description = format!("order by {function}() on columns of table \"{}\"", self.table(table).name);
        (text(description), TypeKind::Input(fields))
    }

    pub(super) fn aggregate_bool_exp(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let mut functions = Vec::new();
        if self.visible(table).any(|(_, column)| column.ty.database == "float8" && !column.ty.list) {
            functions.extend(NUMERIC_PREDICATES.map(|(function, _)| function));
        }
        if self.visible(table).any(|(_, column)| column.ty.database == "bool" && !column.ty.list) {
            functions.extend(["bool_and", "bool_or"]);
        }
        functions.push("count");
        let mut fields = IndexMap::new();
        for function in functions {
            let ty = TypeRef::nullable(self.ty(Key::AggregateBoolExpFunction(table, function)));
            fields.insert(self.cased_field(function), input(ty, InputKind::Function(function), None));
        }
        (None, TypeKind::Input(fields))
    }

    pub(super) fn aggregate_bool_exp_function(
        &mut self,
        table: TableId,
        function: &'static str,
    ) -> (Option<Text>, TypeKind) {
        let boolean = TypeRef::nullable(self.scalar("Boolean"));
        let filter = TypeRef::nullable(self.ty(Key::BoolExp(table)));
        let (arguments, predicate) = match function {
            "count" => (TypeRef::list(self.ty(Key::SelectColumn(table)), false), ScalarType::builtin("int4")),
            "bool_and" | "bool_or" => {
                let columns = self.ty(Key::AggregateBoolExpColumns(table, function));
                (TypeRef::required(columns), ScalarType::builtin("bool"))
            }
            "corr" | "covar_samp" => {
                let columns = self.ty(Key::AggregateBoolExpArguments(table, function));
                (TypeRef::required(columns), ScalarType::builtin("float8"))
            }
            _ => {
                let columns = self.ty(Key::AggregateBoolExpColumns(table, function));
                (TypeRef::required(columns), ScalarType::builtin("float8"))
            }
        };
        let predicate = TypeRef::required(self.value_comparison(&predicate));
        let fields = IndexMap::from([
            ("arguments".to_owned(), input(arguments, InputKind::Plain, None)),
            ("distinct".to_owned(), input(boolean, InputKind::Plain, None)),
            ("filter".to_owned(), input(filter, InputKind::Plain, None)),
            ("predicate".to_owned(), input(predicate, InputKind::Plain, None)),
        ]);
        (None, TypeKind::Input(fields))
    }

    pub(super) fn aggregate_bool_exp_arguments(
        &mut self,
        table: TableId,
        function: &'static str,
    ) -> (Option<Text>, TypeKind) {
        let column = TypeRef::required(self.ty(Key::AggregateBoolExpColumns(table, function)));
        let fields = IndexMap::from([
            ("X".to_owned(), input(column.clone(), InputKind::Plain, None)),
            ("Y".to_owned(), input(column, InputKind::Plain, None)),
        ]);
        (None, TypeKind::Input(fields))
    }

    pub(super) fn aggregate_bool_exp_columns(
        &mut self,
        table: TableId,
        function: &'static str,
    ) -> (Option<Text>, TypeKind) {
        let wanted = if function.starts_with("bool") { "bool" } else { "float8" };
        let values = self
            .visible(table)
            .filter(|(_, column)| column.ty.database == wanted && !column.ty.list)
            .map(|(place, column)| {
                (column.field.clone(), EnumMember { description: text("column name"), column: place })
            })
            .collect();
        let name = format!("{}_aggregate_bool_exp_{function}_arguments_columns", self.table(table).graphql_name);
        let description = format!("select \"{name}\" columns of table \"{}\"", self.table(table).name);
        (text(description), TypeKind::Enum(values))
    }
}
