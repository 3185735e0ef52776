//! Filters, comparisons and orderings.

use indexmap::IndexMap;

use super::{Builder, Key, input, text};
use crate::schema::model::boolexp::{Binary, Operator};
use crate::schema::model::scalar::{ScalarType, cast_target};
use crate::schema::model::types::*;
use crate::schema::model::{ArgumentRole, ColumnInfo, ComputedReturn, TableId};

impl Builder<'_> {
    pub(super) fn bool_exp(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let info = self.table(table);
        let own = self.ty(Key::BoolExp(table));
        let mut fields = IndexMap::new();
        fields.insert("_and".to_owned(), input(TypeRef::list(own, false), InputKind::Plain, None));
        fields.insert("_not".to_owned(), input(TypeRef::nullable(own), InputKind::Plain, None));
        fields.insert("_or".to_owned(), input(TypeRef::list(own, false), InputKind::Plain, None));
        for (place, column) in self.visible(table) {
            let ty = TypeRef::nullable(self.column_comparison(column));
            fields.insert(column.field.clone(), input(ty, RowInput::Column(place), None));
        }
        let rule = self.select(table);
        for (place, computed) in info.computed.iter().enumerate() {
            // With arguments a computed field cannot be compared.
            let plain = computed.arguments.iter().all(|argument| argument.role != ArgumentRole::Client);
            if !plain || !rule.is_some_and(|rule| rule.computed[place]) {
                continue;
            }
            let ty = match &computed.returns {
                ComputedReturn::Scalar(ty) => self.value_comparison(ty),
                ComputedReturn::Table(other) if self.select(*other).is_some() => self.ty(Key::BoolExp(*other)),
                ComputedReturn::Table(_) => continue,
            };
            fields.insert(computed.name.clone(), input(TypeRef::nullable(ty), RowInput::Computed(place), None));
        }
        for (place, relationship) in info.relationships.iter().enumerate() {
            let Some(other) = self.select(relationship.table) else { continue };
            let ty = TypeRef::nullable(self.ty(Key::BoolExp(relationship.table)));
            fields.insert(relationship.name.clone(), input(ty, RowInput::Relationship(place), None));
            if relationship.array && other.aggregations {
                let ty = TypeRef::nullable(self.ty(Key::AggregateBoolExp(relationship.table)));
                let name = self.joined(&relationship.name, "aggregate");
                fields.insert(name, input(ty, RowInput::RelationshipAggregate(place), None));
            }
        }
        let description = format!(
            "Boolean expression to filter rows from the table \"{}\". All fields are combined with a logical 'AND'.",
            info.name
        );
        (text(description), TypeKind::Input(fields))
    }

    fn column_comparison(&mut self, column: &ColumnInfo) -> TypeId {
        match column.enum_table {
            Some(table) => self.ty(Key::EnumComparison(table)),
            None => self.value_comparison(&column.ty),
        }
    }

    pub(super) fn value_comparison(&mut self, ty: &ScalarType) -> TypeId {
        self.ty(Key::Comparison(ty.name.clone(), ty.list, ty.database.clone()))
    }

    pub(super) fn enum_comparison(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let id = self.ty(Key::EnumTable(table));
        let boolean = self.scalar("Boolean");
        let one = || TypeRef::nullable(id);
        let many = || TypeRef::list(id, false);
        let operator = |ty, operator| input(ty, InputKind::Operator(operator), None);
        let fields = IndexMap::from([
            (self.key("_eq"), operator(one(), Operator::Binary(Binary::Eq))),
            (self.key("_in"), operator(many(), Operator::Binary(Binary::In))),
            (self.key("_is_null"), operator(TypeRef::nullable(boolean), Operator::IsNull)),
            (self.key("_neq"), operator(one(), Operator::Binary(Binary::Neq))),
            (self.key("_nin"), operator(many(), Operator::Binary(Binary::Nin))),
        ]);
        let name = self.types.list[id].name.clone();
        (text(comparison_description(&name)), TypeKind::Input(fields))
    }

    /// An operator's key in the naming convention: `_is_null` or `_isNull`.
    pub(super) fn key(&self, key: &str) -> String {
        match (self.model.camel_case, key.strip_prefix('_')) {
            (true, Some(rest)) => format!("_{}", crate::schema::model::names::camel_case(rest, false)),
            _ => key.to_owned(),
        }
    }

    pub(super) fn comparison(&mut self, scalar: &str, list: bool, database: &str) -> (Option<Text>, TypeKind) {
        let id = self.scalar(scalar);
        let ty = ScalarType {
            name: scalar.to_owned(),
            database: database.to_owned(),
            list,
            native_enum: false,
            sql: String::new(),
        };
        let one = match list {
            true => TypeRef::list(id, false),
            false => TypeRef::nullable(id),
        };
        let many = TypeRef::List(Box::new(one.clone().with_required(true)), false);
        let string = TypeRef::nullable(self.scalar("String"));
        let strings = TypeRef::list(self.scalar("String"), false);
        let boolean = TypeRef::nullable(self.scalar("Boolean"));
        let mut fields = IndexMap::new();
        let mut add = |builder: &Self, key: &str, ty: &TypeRef, description: &'static str| {
            let Some(operator) = Operator::of(key) else { return };
            let description = (!description.is_empty()).then_some(Text::Borrowed(description));
            fields.insert(builder.key(key), input(ty.clone(), InputKind::Operator(operator), description));
        };
        for key in ["_eq", "_gt", "_gte", "_lt", "_lte", "_neq"] {
            add(self, key, &one, "");
        }
        add(self, "_in", &many, "");
        add(self, "_nin", &many, "");
        add(self, "_is_null", &boolean, "");
        if ty.is_text() {
            add(self, "_like", &one, "does the column match the given pattern");
            add(self, "_nlike", &one, "does the column NOT match the given pattern");
            add(self, "_ilike", &one, "does the column match the given case-insensitive pattern");
            add(self, "_nilike", &one, "does the column NOT match the given case-insensitive pattern");
            add(self, "_similar", &one, "does the column match the given SQL regular expression");
            add(self, "_nsimilar", &one, "does the column NOT match the given SQL regular expression");
            add(self, "_regex", &one, "does the column match the given POSIX regular expression, case sensitive");
            add(self, "_iregex", &one, "does the column match the given POSIX regular expression, case insensitive");
            add(self, "_nregex", &one, "does the column NOT match the given POSIX regular expression, case sensitive");
            add(
                self,
                "_niregex",
                &one,
                "does the column NOT match the given POSIX regular expression, case insensitive",
            );
        }
        if ty.is_jsonb() {
            let cast = TypeRef::nullable(self.ty(Key::Cast("jsonb")));
            add(self, "_cast", &cast, "");
            add(self, "_contains", &one, "does the column contain the given json value at the top level");
            add(self, "_contained_in", &one, "is the column contained in the given json value");
            add(self, "_has_key", &string, "does the string exist as a top-level key in the column");
            add(self, "_has_keys_any", &strings, "do any of these strings exist as top-level keys in the column");
            add(self, "_has_keys_all", &strings, "do all of these strings exist as top-level keys in the column");
        }
        if list {
            add(self, "_contains", &one, "does the array contain the given value");
            add(self, "_contained_in", &one, "is the array contained in the given array value");
        }
        if !list && database == "ltree" {
            let query = TypeRef::nullable(self.scalar("lquery"));
            let queries = TypeRef::list(self.scalar("lquery"), false);
            let fulltext = TypeRef::nullable(self.scalar("ltxtquery"));
            let many = TypeRef::list(id, false);
            add(self, "_ancestor", &one, "is the left argument an ancestor of right (or equal)?");
            add(self, "_ancestor_any", &many, "does array contain an ancestor of `ltree`?");
            add(self, "_descendant", &one, "is the left argument a descendant of right (or equal)?");
            add(self, "_descendant_any", &many, "does array contain a descendant of `ltree`?");
            add(self, "_matches", &query, "does `ltree` match `lquery`?");
            add(self, "_matches_any", &queries, "does `ltree` match any `lquery` in array?");
            add(self, "_matches_fulltext", &fulltext, "does `ltree` match `ltxtquery`?");
        }
        if ty.is_spatial() {
            let cast = Key::Cast(if database == "geography" { "geography" } else { "geometry" });
            let cast = TypeRef::nullable(self.ty(cast));
            add(self, "_cast", &cast, "");
            let within = Key::StDWithin(if database == "geography" { "geography" } else { "geometry" });
            let within = TypeRef::nullable(self.ty(within));
            add(self, "_st_intersects", &one, "does the column spatially intersect the given value");
            add(self, "_st_d_within", &within, "is the column within a given distance from the given value");
            if database == "geometry" {
                add(self, "_st_contains", &one, "does the column contain the given geometry value");
                add(self, "_st_crosses", &one, "does the column cross the given geometry value");
                add(
                    self,
                    "_st_equals",
                    &one,
                    "is the column equal to given geometry value (directionality is ignored)",
                );
                add(
                    self,
                    "_st_overlaps",
                    &one,
                    "does the column 'spatially overlap' (intersect but not completely contain) the given geometry value",
                );
                add(
                    self,
                    "_st_touches",
                    &one,
                    "does the column have atleast one point in common with the given geometry value",
                );
                add(self, "_st_within", &one, "is the column contained in the given geometry value");
                add(
                    self,
                    "_st_3d_intersects",
                    &one,
                    "does the column spatially intersect the given geometry value in 3D",
                );
                let within = TypeRef::nullable(self.ty(Key::StDWithin("geometry")));
                add(
                    self,
                    "_st_3d_d_within",
                    &within,
                    "is the column within a given 3D distance from the given geometry value",
                );
            }
        }
        if !list && database == "raster" {
            let band_first = TypeRef::nullable(self.ty(Key::RasterBand(true)));
            let geometry_first = TypeRef::nullable(self.ty(Key::RasterBand(false)));
            add(self, "_st_intersects_rast", &one, "");
            add(self, "_st_intersects_nband_geom", &band_first, "");
            add(self, "_st_intersects_geom_nband", &geometry_first, "");
        }
        (text(comparison_description(scalar)), TypeKind::Input(fields))
    }

    pub(super) fn raster_band(&mut self, required: bool) -> (Option<Text>, TypeKind) {
        let geometry = TypeRef::required(self.scalar("geometry"));
        let band = TypeRef::nullable(self.scalar("Int")).with_required(required);
        let fields = IndexMap::from([
            ("geommin".to_owned(), input(geometry, InputKind::Plain, None)),
            ("nband".to_owned(), input(band, InputKind::Plain, None)),
        ]);
        (None, TypeKind::Input(fields))
    }

    pub(super) fn st_d_within(&mut self, kind: &str) -> (Option<Text>, TypeKind) {
        let float = TypeRef::required(self.scalar("Float"));
        let value = TypeRef::required(self.scalar(kind));
        let mut fields = IndexMap::from([
            ("distance".to_owned(), input(float, InputKind::Plain, None)),
            ("from".to_owned(), input(value, InputKind::Plain, None)),
        ]);
        if kind == "geography" {
            let boolean = TypeRef::nullable(self.scalar("Boolean"));
            let field = InputField { default: text("true"), ..input(boolean, InputKind::Plain, None) };
            fields.insert("use_spheroid".to_owned(), field);
        }
        (None, TypeKind::Input(fields))
    }

    pub(super) fn cast(&mut self, from: &str) -> (Option<Text>, TypeKind) {
        let to = ScalarType::builtin(cast_target(from));
        let ty = TypeRef::nullable(self.value_comparison(&to));
        (None, TypeKind::Input(IndexMap::from([(to.name, input(ty, InputKind::Plain, None))])))
    }

    pub(super) fn order_by(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let info = self.table(table);
        let direction = TypeRef::nullable(self.ty(Key::OrderDirection));
        let mut fields = IndexMap::new();
        for (place, column) in self.visible(table) {
            fields.insert(column.field.clone(), input(direction.clone(), RowInput::Column(place), None));
        }
        let rule = self.select(table);
        for (place, computed) in info.computed.iter().enumerate() {
            let plain = computed.arguments.iter().all(|argument| argument.role != ArgumentRole::Client);
            if !plain || !rule.is_some_and(|rule| rule.computed[place]) {
                continue;
            }
            match &computed.returns {
                ComputedReturn::Scalar(_) => {
                    fields.insert(computed.name.clone(), input(direction.clone(), RowInput::Computed(place), None));
                }
                ComputedReturn::Table(other) if self.select(*other).is_some() => {
                    let ty = TypeRef::nullable(self.ty(Key::AggregateOrderBy(*other)));
                    let name = self.joined(&computed.name, "aggregate");
                    fields.insert(name, input(ty, RowInput::ComputedAggregate(place, *other), None));
                }
                ComputedReturn::Table(_) => {}
            }
        }
        for (place, relationship) in info.relationships.iter().enumerate() {
            if self.select(relationship.table).is_none() {
                continue;
            }
            if !relationship.array {
                let ty = TypeRef::nullable(self.ty(Key::OrderBy(relationship.table)));
                fields.insert(relationship.name.clone(), input(ty, RowInput::Relationship(place), None));
            } else {
                let ty = TypeRef::nullable(self.ty(Key::AggregateOrderBy(relationship.table)));
                let name = self.joined(&relationship.name, "aggregate");
                fields.insert(name, input(ty, RowInput::RelationshipAggregate(place), None));
            }
        }
        (text(format!("Ordering options when selecting data from \"{}\".", info.name)), TypeKind::Input(fields))
    }

    pub(super) fn stream_cursor(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let value = TypeRef::required(self.ty(Key::StreamCursorValue(table)));
        let ordering = TypeRef::nullable(self.ty(Key::CursorOrdering));
        let initial = text("Stream column input with initial value");
        let (initial_name, camel) = (if self.model.camel_case { "initialValue" } else { "initial_value" }, "ordering");
        let fields = IndexMap::from([
            (initial_name.to_owned(), input(value, InputKind::Plain, initial)),
            (camel.to_owned(), input(ordering, InputKind::Plain, text("cursor ordering"))),
        ]);
        (text(format!("Streaming cursor of the table \"{}\"", self.table(table).graphql_name)), TypeKind::Input(fields))
    }

    pub(super) fn stream_cursor_value(&mut self, table: TableId) -> (Option<Text>, TypeKind) {
        let mut fields = IndexMap::new();
        for (place, column) in self.visible(table) {
            let ty = self.column(column, false);
            fields.insert(column.field.clone(), input(ty, RowInput::Column(place), None));
        }
        (text("Initial value of the column from where the streaming should start"), TypeKind::Input(fields))
    }
}

fn comparison_description(scalar: &str) -> String {
    format!("Boolean expression to compare columns of type \"{scalar}\". All fields are combined with logical 'AND'.")
}
