//! Builds the types of one role's schema: what is reachable from its root fields, by Hasura's names.

mod action;
mod aggregate;
mod input;
mod join;
mod mutation;
mod object;
mod remote;
mod roots;

use std::collections::{BTreeSet, HashMap, VecDeque};

use indexmap::IndexMap;

use super::RoleSchema;
use super::model::join::JoinOwner;
use super::model::names;
use super::model::scalar::ScalarType;
use super::model::types::*;
use super::model::{ColumnInfo, Model, SelectRule, TableId, TableInfo};
use super::remote::RemoteTypes;

/// What a type is of, before it is built.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Scalar(String),
    Table(TableId),
    BoolExp(TableId),
    OrderBy(TableId),
    SelectColumn(TableId),
    Aggregate(TableId),
    AggregateFields(TableId),
    AggregateFunction(TableId, &'static str),
    AggregateOrderBy(TableId),
    AggregateFunctionOrderBy(TableId, &'static str),
    AggregateBoolExp(TableId),
    AggregateBoolExpFunction(TableId, &'static str),
    AggregateBoolExpArguments(TableId, &'static str),
    AggregateBoolExpColumns(TableId, &'static str),
    InsertInput(TableId),
    ObjectInsert(TableId),
    ArrayInsert(TableId),
    OnConflict(TableId),
    Constraint(TableId),
    UpdateColumn(TableId),
    Set(TableId),
    Inc(TableId),
    Json(TableId, &'static str),
    PkColumns(TableId),
    Updates(TableId),
    MutationResponse(TableId),
    StreamCursor(TableId),
    StreamCursorValue(TableId),
    EnumTable(TableId),
    Comparison(String, bool, String),
    EnumComparison(TableId),
    /// What values of a type may be cast to, to be compared.
    Cast(&'static str),
    OrderDirection,
    CursorOrdering,
    FunctionArguments(usize),
    ComputedArguments(TableId, usize),
    Custom(String),
    AsyncAction(usize),
    StDWithin(&'static str),
    /// A geometry with a band of a raster: whether the band must be given.
    RasterBand(bool),
    Remote(usize, String),
    /// What a relationship leaves open of an input object of a remote field, by the argument and the fields to it.
    JoinInput(JoinOwner, usize, Vec<String>),
    Root(&'static str),
}

/// Builds a role's schema.
pub(super) struct Builder<'a> {
    pub model: &'a Model,
    pub role: &'a str,
    pub remotes: &'a [RemoteTypes],
    pub infer_functions: bool,
    pub backend: bool,
    types: Types,
    places: HashMap<Key, TypeId>,
    waiting: VecDeque<(Key, TypeId)>,
    /// Custom types of actions that have the name of another type.
    clashes: BTreeSet<String>,
}

impl<'a> Builder<'a> {
    pub fn new(
        model: &'a Model,
        role: &'a str,
        remotes: &'a [RemoteTypes],
        infer_functions: bool,
        backend: bool,
    ) -> Self {
        Self {
            model,
            role,
            remotes,
            infer_functions,
            backend,
            types: Types::default(),
            places: HashMap::new(),
            waiting: VecDeque::new(),
            clashes: BTreeSet::new(),
        }
    }

    /// Whether a custom type that is no scalar has the name.
    fn is_composite(&self, name: &str) -> bool {
        let custom = &self.model.custom_types;
        custom.objects.iter().any(|ty| ty.name == name)
            || custom.input_objects.iter().any(|ty| ty.name == name)
            || custom.enums.iter().any(|ty| ty.name == name)
    }

    /// Builds everything that the root fields reach.
    pub fn build(mut self) -> RoleSchema {
        let query = self.query_root();
        let mutation = self.mutation_root();
        let subscription = self.subscription_root();
        for scalar in ["Boolean", "Int", "Float", "String"] {
            self.scalar(scalar);
        }
        while let Some((key, id)) = self.waiting.pop_front() {
            let (description, kind) = self.define(&key);
            self.types.list[id].description = description;
            self.types.list[id].kind = kind;
        }
        RoleSchema::new(self.role.to_owned(), self.types, query, mutation, subscription, self.clashes)
    }

    pub fn table(&self, table: TableId) -> &'a TableInfo {
        &self.model.tables[table]
    }

    /// What the role sees of a table.
    pub fn select(&self, table: TableId) -> Option<&'a SelectRule> {
        self.table(table).permissions.get(self.role)?.select.as_deref()
    }

    /// Columns of a table that the role sees, with their places.
    pub fn visible(&self, table: TableId) -> impl Iterator<Item = (usize, &'a ColumnInfo)> + use<'a> {
        let rule = self.select(table);
        let info: &'a TableInfo = self.table(table);
        info.columns
            .iter()
            .enumerate()
            .filter(move |(place, _)| rule.is_some_and(|rule| rule.columns.get(*place).copied().unwrap_or_default()))
    }

    /// The place of a type, which is built later when it is new.
    pub fn ty(&mut self, key: Key) -> TypeId {
        if let Some(&id) = self.places.get(&key) {
            return id;
        }
        let name = self.name(&key);
        // Two keys may share a name: scalars of actions and of columns, say. The first one is kept.
        if let Some(&id) = self.types.by_name.get(&name) {
            if self.is_composite(&name) {
                self.clashes.insert(name);
            }
            self.places.insert(key, id);
            return id;
        }
        let id = self.types.list.len();
        let remote = match &key {
            Key::Remote(place, own) => Some((*place, own.clone())),
            _ => None,
        };
        self.types.list.push(Type { name: name.clone(), description: None, kind: TypeKind::Scalar, remote });
        self.types.by_name.insert(name, id);
        self.places.insert(key.clone(), id);
        self.waiting.push_back((key, id));
        id
    }

    pub fn scalar(&mut self, name: &str) -> TypeId {
        self.ty(Key::Scalar(name.to_owned()))
    }

    /// The type of a column's values.
    pub fn column(&mut self, column: &ColumnInfo, required: bool) -> TypeRef {
        match column.enum_table {
            Some(table) => TypeRef::Named(self.ty(Key::EnumTable(table)), required),
            None => self.value(&column.ty, required),
        }
    }

    /// The type of a scalar or of a list of it.
    pub fn value(&mut self, ty: &ScalarType, required: bool) -> TypeRef {
        let id = self.scalar(&ty.name);
        match ty.list {
            true => TypeRef::list(id, required),
            false => TypeRef::Named(id, required),
        }
    }

    fn of_table(&self, table: TableId, suffix: &str) -> String {
        let base = &self.table(table).graphql_name;
        let name = match (suffix, self.model.camel_case) {
            ("", true) => names::camel_case(base, true),
            ("", false) => base.clone(),
            (suffix, camel) => names::joined_type(base, suffix, camel),
        };
        names::affixed(&name, &self.model.type_affixes)
    }

    fn cased(&self, name: &str) -> String {
        if self.model.camel_case { names::camel_case(name, true) } else { name.to_owned() }
    }

    fn name(&self, key: &Key) -> String {
        match key {
            Key::Scalar(name) | Key::Custom(name) => name.clone(),
            Key::Table(table) => self.of_table(*table, ""),
            Key::BoolExp(table) => self.of_table(*table, "bool_exp"),
            Key::OrderBy(table) => self.of_table(*table, "order_by"),
            Key::SelectColumn(table) => self.of_table(*table, "select_column"),
            Key::Aggregate(table) => self.of_table(*table, "aggregate"),
            Key::AggregateFields(table) => self.of_table(*table, "aggregate_fields"),
            Key::AggregateFunction(table, function) => self.of_table(*table, &format!("{function}_fields")),
            Key::AggregateOrderBy(table) => self.of_table(*table, "aggregate_order_by"),
            Key::AggregateFunctionOrderBy(table, function) => self.of_table(*table, &format!("{function}_order_by")),
            Key::AggregateBoolExp(table) => self.of_table(*table, "aggregate_bool_exp"),
            Key::AggregateBoolExpFunction(table, function) => {
                self.of_table(*table, &format!("aggregate_bool_exp_{function}"))
            }
            Key::AggregateBoolExpArguments(table, function) => {
                self.of_table(*table, &format!("aggregate_bool_exp_{function}_arguments"))
            }
            Key::AggregateBoolExpColumns(table, function) => {
                let inner = self.of_table(*table, &format!("aggregate_bool_exp_{function}_arguments_columns"));
                format!("{}_{inner}", self.of_table(*table, "select_column"))
            }
            Key::InsertInput(table) => self.of_table(*table, "insert_input"),
            Key::ObjectInsert(table) => self.of_table(*table, "obj_rel_insert_input"),
            Key::ArrayInsert(table) => self.of_table(*table, "arr_rel_insert_input"),
            Key::OnConflict(table) => self.of_table(*table, "on_conflict"),
            Key::Constraint(table) => self.of_table(*table, "constraint"),
            Key::UpdateColumn(table) => self.of_table(*table, "update_column"),
            Key::Set(table) => self.of_table(*table, "set_input"),
            Key::Inc(table) => self.of_table(*table, "inc_input"),
            Key::Json(table, operator) => self.of_table(*table, &format!("{operator}_input")),
            Key::PkColumns(table) => self.of_table(*table, "pk_columns_input"),
            Key::Updates(table) => self.of_table(*table, "updates"),
            Key::MutationResponse(table) => self.of_table(*table, "mutation_response"),
            Key::StreamCursor(table) => self.of_table(*table, "stream_cursor_input"),
            Key::StreamCursorValue(table) => self.of_table(*table, "stream_cursor_value_input"),
            Key::EnumTable(table) => self.of_table(*table, "enum"),
            Key::EnumComparison(table) => self.cased(&format!("{}_comparison_exp", self.of_table(*table, "enum"))),
            Key::Comparison(scalar, list, _) => {
                let array = if *list { "_array" } else { "" };
                match self.model.camel_case {
                    true => names::camel_case(&format!("{scalar}{array}_comparison_exp"), true),
                    false => format!("{scalar}{array}_comparison_exp"),
                }
            }
            Key::Cast(from) => self.cased(&format!("{from}_cast_exp")),
            Key::OrderDirection => self.cased("order_by"),
            Key::CursorOrdering => self.cased("cursor_ordering"),
            Key::FunctionArguments(function) => self.model.functions[*function].args_type.clone(),
            Key::ComputedArguments(table, field) => {
                let info = self.table(*table);
                self.cased(&format!("{}_{}_args", info.computed[*field].name, info.graphql_name))
            }
            Key::AsyncAction(action) => self.model.actions[*action].name.clone(),
            Key::StDWithin(kind) => match *kind {
                "geography" => "st_d_within_geography_input".to_owned(),
                _ => "st_d_within_input".to_owned(),
            },
            Key::RasterBand(true) => "st_intersects_nband_geom_input".to_owned(),
            Key::RasterBand(false) => "st_intersects_geom_nband_input".to_owned(),
            Key::Remote(remote, name) => self.remotes[*remote].names.ty(name).to_owned(),
            Key::JoinInput(owner, join, path) => self.join_input_name(owner, *join, path),
            Key::Root(name) => (*name).to_owned(),
        }
    }

    fn define(&mut self, key: &Key) -> (Option<Text>, TypeKind) {
        match key {
            Key::Scalar(_) | Key::Root(_) => (None, TypeKind::Scalar),
            Key::Table(table) => self.object(*table),
            Key::BoolExp(table) => self.bool_exp(*table),
            Key::OrderBy(table) => self.order_by(*table),
            Key::SelectColumn(table) => self.select_column(*table),
            Key::Aggregate(table) => self.aggregate(*table),
            Key::AggregateFields(table) => self.aggregate_fields(*table),
            Key::AggregateFunction(table, function) => self.aggregate_function(*table, function),
            Key::AggregateOrderBy(table) => self.aggregate_order_by(*table),
            Key::AggregateFunctionOrderBy(table, function) => self.aggregate_function_order_by(*table, function),
            Key::AggregateBoolExp(table) => self.aggregate_bool_exp(*table),
            Key::AggregateBoolExpFunction(table, function) => self.aggregate_bool_exp_function(*table, function),
            Key::AggregateBoolExpArguments(table, function) => self.aggregate_bool_exp_arguments(*table, function),
            Key::AggregateBoolExpColumns(table, function) => self.aggregate_bool_exp_columns(*table, function),
            Key::InsertInput(table) => self.insert_input(*table),
            Key::ObjectInsert(table) => self.nested_insert(*table, false),
            Key::ArrayInsert(table) => self.nested_insert(*table, true),
            Key::OnConflict(table) => self.on_conflict(*table),
            Key::Constraint(table) => self.constraint(*table),
            Key::UpdateColumn(table) => self.update_column(*table),
            Key::Set(table) => self.set_input(*table),
            Key::Inc(table) => self.inc_input(*table),
            Key::Json(table, operator) => self.json_input(*table, operator),
            Key::PkColumns(table) => self.pk_columns(*table),
            Key::Updates(table) => self.updates(*table),
            Key::MutationResponse(table) => self.mutation_response(*table),
            Key::StreamCursor(table) => self.stream_cursor(*table),
            Key::StreamCursorValue(table) => self.stream_cursor_value(*table),
            Key::EnumTable(table) => self.enum_table(*table),
            Key::EnumComparison(table) => self.enum_comparison(*table),
            Key::Comparison(scalar, list, database) => self.comparison(scalar, *list, database),
            Key::Cast(from) => self.cast(from),
            Key::OrderDirection => order_direction(self.model.camel_case),
            Key::CursorOrdering => cursor_ordering(),
            Key::FunctionArguments(function) => {
                let arguments = self.model.functions[*function].arguments.clone();
                self.arguments(&arguments)
            }
            Key::ComputedArguments(table, field) => {
                let arguments = self.table(*table).computed[*field].arguments.clone();
                self.arguments(&arguments)
            }
            Key::StDWithin(kind) => self.st_d_within(kind),
            Key::RasterBand(required) => self.raster_band(*required),
            Key::Custom(name) => self.custom(name),
            Key::AsyncAction(action) => self.async_action(*action),
            Key::Remote(remote, name) => self.remote(*remote, name),
            Key::JoinInput(owner, join, path) => self.join_input(owner, *join, path),
        }
    }

    /// Sets the kind of a type at once.
    fn fill(&mut self, id: TypeId, kind: TypeKind) {
        self.types.list[id].kind = kind;
        self.waiting.retain(|(_, waiting)| *waiting != id);
    }
}

/// A field of an input object, or an argument.
fn input(ty: TypeRef, kind: impl Into<InputKind>, description: Option<Text>) -> InputField {
    InputField { description, ty, default: None, kind: kind.into() }
}

fn text(text: impl Into<Text>) -> Option<Text> {
    Some(text.into())
}

fn order_direction(camel: bool) -> (Option<Text>, TypeKind) {
    let values = [
        ("asc", "in ascending order, nulls last"),
        ("asc_nulls_first", "in ascending order, nulls first"),
        ("asc_nulls_last", "in ascending order, nulls last"),
        ("desc", "in descending order, nulls first"),
        ("desc_nulls_first", "in descending order, nulls first"),
        ("desc_nulls_last", "in descending order, nulls last"),
    ];
    let values = values
        .into_iter()
        .map(|(name, description)| {
            let name = if camel { name.to_uppercase() } else { name.to_owned() };
            (name, EnumMember { description: text(description), column: 0 })
        })
        .collect();
    (text("column ordering options"), TypeKind::Enum(values))
}

fn cursor_ordering() -> (Option<Text>, TypeKind) {
    let value = |description| EnumMember { description: text(description), column: 0 };
    let values = IndexMap::from([
        ("ASC".to_owned(), value("ascending ordering of the cursor")),
        ("DESC".to_owned(), value("descending ordering of the cursor")),
    ]);
    (text("ordering argument of a cursor"), TypeKind::Enum(values))
}
