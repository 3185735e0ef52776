//! Selections of rows: the statement and the shape of its answer.

use super::collect::Selected;
use super::context::Context;
use super::input::{Input, mismatch};
use super::order::OrderItem;
use super::shape::{Shape, key};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::schema::coerce::integer;
use crate::schema::model::boolexp::{BoolExp, Source};
use crate::schema::model::scalar::ScalarType;
use crate::schema::model::types::{FieldKind, InputKind};
use crate::schema::model::{ArgumentInfo, ComputedReturn, TableId};
use crate::schema::permission::list_of;
use crate::sql::{Alias, Expr, From, Join, Order, Origin, Select};

/// Arguments that choose, order and cut rows.
#[derive(Debug, Clone, Default)]
pub struct Args {
    /// The client's filter.
    pub filter: Option<BoolExp>,
    /// Orderings.
    pub order: Vec<OrderItem>,
    /// Columns of `distinct_on`.
    pub distinct: Vec<usize>,
    /// Most rows.
    pub limit: Option<u64>,
    /// Rows to skip.
    pub offset: Option<Source>,
}

/// Rows of a table, wherever they come from.
pub struct Rows<'r> {
    /// The table.
    pub table: TableId,
    /// Where they come from.
    pub origin: Origin,
    /// Conditions that tie them to a row above.
    pub tie: &'r dyn Fn(&mut Context<'_>, Alias) -> Vec<Expr>,
    /// Whether the role's row filter and limit apply.
    pub permitted: bool,
}

/// A limit as a number of the statement, not a bound value: the database plans for few rows then.
pub fn limit(rows: u64) -> Expr {
    Expr::Number(i64::try_from(rows).unwrap_or(i64::MAX))
}

/// Nothing ties the rows of a root field.
pub fn untied(_: &mut Context<'_>, _: Alias) -> Vec<Expr> {
    Vec::new()
}

/// Types that the writer knows on the wire; values of others are turned to JSON by the database.
const NATIVE: &[u32] =
    &[16, 17, 18, 19, 20, 21, 23, 25, 114, 700, 701, 1042, 1043, 1082, 1083, 1114, 1184, 1700, 2950, 3802];

impl<'a> Context<'a> {
    /// Reads the arguments of a field that selects rows.
    pub fn args(&self, selected: &Selected<'a>, table: TableId) -> Result<Args> {
        let mut args = Args::default();
        let field = selected.definition()?;
        for argument in selected.arguments {
            let name = argument.name.as_str();
            let unknown = || selected.unexpected(&format!("a field with the argument '{name}'"));
            let definition = field.arguments.get(name).ok_or_else(unknown)?;
            if definition.kind != InputKind::Plain {
                return Err(definition.unexpected(name, "an argument that selects rows"));
            }
            let path = format!("{}.args.{name}", selected.path);
            let base = definition.ty.base();
            let value = Input::Ast(&argument.value).resolve(self.variables, &path)?;
            // The filter of a delete is required: null there must not stand for all rows.
            if value.is_null() && !definition.ty.is_required() {
                continue;
            }
            match name {
                "where" => args.filter = Some(self.filter(value, base, table, &path)?),
                "limit" => args.limit = Some(self.limit(value, &path)?),
                "offset" => args.offset = Some(self.offset(value, &path)?),
                "order_by" | "orderBy" => args.order = self.order_by(value, base, table, &path)?,
                "distinct_on" | "distinctOn" => {
                    args.distinct = self.columns(value, base, &path)?;
                }
                // Those of a function are read with its call.
                "args" => {}
                _ => return Err(definition.unexpected(name, "an argument that selects rows")),
            }
        }
        // PostgreSQL wants the orderings to begin with the columns that are distinct.
        let leading: Vec<Option<usize>> = args.order.iter().map(OrderItem::column).take(args.distinct.len()).collect();
        let fits = leading.iter().all(|column| column.is_some_and(|column| args.distinct.contains(&column)));
        if !args.distinct.is_empty() && !args.order.is_empty() && !fits {
            let message = "\"distinct_on\" columns must match initial \"order_by\" columns";
            return Err(GraphqlError::validation(format!("{}.args", selected.path), message));
        }
        Ok(args)
    }

    /// A limit.
    pub fn limit(&self, value: Input<'a>, path: &str) -> Result<u64> {
        let refused = || mismatch(path, "a non-negative 32-bit integer", "Int", value);
        let number = value.whole_number().filter(|number| !number.is_negative()).ok_or_else(refused)?;
        let limit = integer(&number, 0, i64::from(i32::MAX), path)?;
        u64::try_from(limit).map_err(|_| refused())
    }

    fn offset(&self, value: Input<'a>, path: &str) -> Result<Source> {
        let text = match (value.whole_number(), value.text()) {
            (Some(number), _) => integer(&number, i64::MIN, i64::MAX, path)?.to_string(),
            (None, Some(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i64>().is_ok() => {
                text.to_owned()
            }
            _ => {
                let expected = "a 32-bit integer, or a 64-bit integer represented as a string";
                return Err(mismatch(path, expected, "Int", value));
            }
        };
        Ok(Source::Text(text.into()))
    }

    /// A statement over rows with the selected fields as its outputs, and the shape of one row.
    pub fn rows(&mut self, rows: &Rows<'_>, args: &Args, fields: &[Selected<'a>]) -> Result<(Select, Shape)> {
        let table = rows.table;
        let base = self.alias();
        let mut parts = (rows.tie)(self, base);
        let mut limit = args.limit;
        if rows.permitted {
            let rule = self.rule(table);
            parts.push(self.condition(&rule.filter, table, base, base));
            limit = match (limit, rule.limit) {
                (Some(asked), Some(most)) => Some(asked.min(most)),
                (asked, most) => asked.or(most),
            };
        }
        if let Some(filter) = &args.filter {
            parts.push(self.condition(filter, table, base, base));
        }
        self.tables.insert(table);
        let mut order: Vec<Order> = Vec::new();
        for item in &args.order {
            order.push(Order { expr: self.order_expr(&item.target, table, base), direction: item.direction });
        }
        let distinct: Vec<Expr> = args.distinct.iter().map(|&column| self.shown(table, column, base)).collect();
        if order.is_empty() {
            order.extend(distinct.iter().map(|expr| Order { expr: expr.clone(), direction: "ASC" }));
        }
        let bigint = ScalarType::builtin("int8");
        let limit = limit.map(self::limit);
        let offset = args.offset.as_ref().map(|offset| self.bind(offset.clone(), &bigint));
        let cut = limit.is_some() || offset.is_some() || !distinct.is_empty();
        let plain =
            fields.iter().all(|field| matches!(field.field.map(|f| &f.kind), None | Some(FieldKind::Column(_))));
        // Rows that a mutation changed stay in its order, which joins would not keep.
        let changed = matches!(rows.origin, Origin::Rows(_));
        let mut select = Select {
            distinct,
            from: Some(From { origin: rows.origin.clone(), alias: base }),
            filter: Expr::all(parts),
            order,
            limit,
            offset,
            ..Select::default()
        };
        let mut outputs = Vec::new();
        if !(cut || changed) || plain {
            let shape = self.object(table, base, Expr::Whole(base), fields, &mut outputs, &mut select.joins)?;
            select.outputs = outputs.into_iter().map(|expr| (expr, None)).collect();
            return Ok((select, Shape::Object(None, shape)));
        }
        // Rows are chosen and cut before anything is joined to them.
        let outer = self.alias();
        select.star = Some(base);
        let whole = "_row".to_owned();
        if fields.iter().any(|field| self.reads_row(table, field)) {
            select.outputs.push((Expr::Whole(base), Some(whole.clone())));
        }
        let mut outer_order = Vec::new();
        if changed {
            let name = "_place".to_owned();
            select.outputs.push((Expr::Fixed("row_number() OVER ()"), Some(name.clone())));
            outer_order.push(Order { expr: Expr::Column(outer, name), direction: "ASC" });
        }
        for (index, item) in select.order.iter().enumerate() {
            let expr = match &item.expr {
                Expr::Column(_, column) => Expr::Column(outer, column.clone()),
                other => {
                    let name = format!("_o{index}");
                    select.outputs.push((other.clone(), Some(name.clone())));
                    Expr::Column(outer, name)
                }
            };
            outer_order.push(Order { expr, direction: item.direction });
        }
        let mut joins = Vec::new();
        let shape = self.object(table, outer, Expr::Column(outer, whole), fields, &mut outputs, &mut joins)?;
        let select = Select {
            outputs: outputs.into_iter().map(|expr| (expr, None)).collect(),
            from: Some(From { origin: Origin::Select(Box::new(select)), alias: outer }),
            joins,
            order: outer_order,
            ..Select::default()
        };
        Ok((select, Shape::Object(None, shape)))
    }

    /// Rows as one value: an array of records.
    pub fn array(&mut self, rows: &Rows<'_>, args: &Args, fields: &[Selected<'a>]) -> Result<(Expr, Shape)> {
        let (mut select, shape) = self.rows(rows, args, fields)?;
        let values = std::mem::take(&mut select.outputs).into_iter().map(|(expr, _)| expr).collect();
        select.outputs = vec![(Expr::Row(values), None)];
        Ok((Expr::ArrayOf(Box::new(select)), shape))
    }

    /// The fields of a row, as outputs and as the shape that finds them there.
    pub fn object(
        &mut self,
        table: TableId,
        alias: Alias,
        whole: Expr,
        fields: &[Selected<'a>],
        outputs: &mut Vec<Expr>,
        joins: &mut Vec<Join>,
    ) -> Result<Vec<(String, Shape)>> {
        let mut shape = Vec::with_capacity(fields.len());
        for selected in fields {
            let value = match selected.field {
                None => Shape::Constant(format!("\"{}\"", self.type_name(table))),
                Some(field) => match &field.kind {
                    FieldKind::Column(column) => self.column_output(table, *column, alias, selected, outputs)?,
                    FieldKind::Computed(computed) => {
                        self.computed_output(table, *computed, (alias, whole.clone()), selected, outputs)?
                    }
                    FieldKind::Relationship(relationship) => {
                        match self.table(table).relationships[*relationship].array {
                            true => self.list_output(table, *relationship, alias, selected, outputs)?,
                            false => self.object_output(table, *relationship, alias, selected, outputs, joins)?,
                        }
                    }
                    FieldKind::RelationshipAggregate(relationship) => {
                        self.aggregate_output(table, *relationship, alias, selected, outputs)?
                    }
                    FieldKind::Join(join) | FieldKind::JoinAggregate(join) => {
                        self.join_output(table, *join, (alias, &whole), selected, outputs)?
                    }
                    _ => {
                        let message = format!("the field '{}' cannot be selected here", selected.name);
                        return Err(GraphqlError::at(selected.path.clone(), ErrorCode::NotSupported, message));
                    }
                },
            };
            shape.push((key(selected.key), value));
        }
        Ok(shape)
    }

    fn type_name(&self, table: TableId) -> String {
        // The object's own name may carry the source's prefix and suffix; every root field of the table has it.
        let info = self.table(table);
        crate::schema::table_type_name(self.model, info)
    }

    /// A value as an output: in its own type, or as JSON where the writer does not know the type.
    pub fn output(&self, expr: Expr, oid: u32, ty: &ScalarType, outputs: &mut Vec<Expr>) -> Shape {
        let place = outputs.len();
        if ty.is_spatial() {
            // Fifteen digits, and the coordinate system in its long form.
            outputs.push(Expr::Call("ST_AsGeoJSON", vec![expr, Expr::Number(15), Expr::Number(4)]));
            return Shape::Json(place);
        }
        if !ty.list && NATIVE.contains(&oid) {
            outputs.push(expr);
            return Shape::Value(place);
        }
        outputs.push(Expr::Cast(Box::new(Expr::Call("to_json", vec![expr])), "text".to_owned()));
        Shape::Json(place)
    }

    fn column_output(
        &mut self,
        table: TableId,
        column: usize,
        alias: Alias,
        selected: &Selected<'a>,
        outputs: &mut Vec<Expr>,
    ) -> Result<Shape> {
        let info = &self.table(table).columns[column];
        let shown = self.shown(table, column, alias);
        let expr = self.at_path(shown, selected)?;
        Ok(self.output(expr, info.oid, &info.ty, outputs))
    }

    /// A column as the role sees it, whole, as an output.
    pub(super) fn plain_column(
        &mut self,
        table: TableId,
        column: usize,
        alias: Alias,
        outputs: &mut Vec<Expr>,
    ) -> Shape {
        let info = &self.table(table).columns[column];
        let expr = self.shown(table, column, alias);
        self.output(expr, info.oid, &info.ty, outputs)
    }

    /// A JSON value at the path that the argument `path` names.
    fn at_path(&mut self, expr: Expr, selected: &Selected<'a>) -> Result<Expr> {
        let Some(argument) = selected.arguments.iter().find(|argument| argument.name.as_str() == "path") else {
            return Ok(expr);
        };
        let path = format!("{}.args", selected.path);
        let place = format!("{path}.path");
        let value = Input::Ast(&argument.value).resolve(self.variables, &place)?;
        let text = value.text().ok_or_else(|| mismatch(&place, "a string", "String", value))?;
        let steps = super::jsonpath::parse(text).map_err(|message| GraphqlError::validation(path, message))?;
        if steps.is_empty() {
            return Ok(expr);
        }
        let literal = crate::schema::model::array::array_literal(steps.into_iter().map(Some));
        let steps = self.bind(Source::Text(literal.into()), &list_of(&ScalarType::builtin("text")));
        Ok(expr.binary("#>", steps))
    }

    fn computed_output(
        &mut self,
        table: TableId,
        computed: usize,
        (alias, whole): (Alias, Expr),
        selected: &Selected<'a>,
        outputs: &mut Vec<Expr>,
    ) -> Result<Shape> {
        let info = &self.table(table).computed[computed];
        let given = self.given_arguments(&info.arguments, selected)?;
        match &info.returns {
            ComputedReturn::Scalar(ty) => {
                let mut call = self.computed(table, computed, &given, whole);
                if let Some(Some(guard)) = self.rule(table).computed_guards.get(computed) {
                    let condition = self.condition(guard, table, alias, alias);
                    call = Expr::Case(vec![(condition, call)], None);
                }
                let expr = self.at_path(call, selected)?;
                let oid = native_oid(ty);
                Ok(self.output(expr, oid, ty, outputs))
            }
            ComputedReturn::Table(other) => {
                let (name, arguments) = self.computed_call(table, computed, &given, whole);
                let args = self.args(selected, *other)?;
                let fields = self.under(selected)?;
                let origin = Origin::Function(name, arguments);
                let rows = Rows { table: *other, origin, tie: &untied, permitted: true };
                let (expr, shape) = self.array(&rows, &args, &fields)?;
                outputs.push(expr);
                Ok(Shape::Rows(outputs.len() - 1, Box::new(shape)))
            }
        }
    }

    /// The arguments that a client gives for a function.
    pub fn given_arguments(&self, arguments: &[ArgumentInfo], selected: &Selected<'a>) -> Result<Vec<(usize, Source)>> {
        let mut given = Vec::new();
        let Some(definition) = selected.definition()?.arguments.get("args") else { return Ok(given) };
        let path = format!("{}.args.args", selected.path);
        let argument = selected.arguments.iter().find(|argument| argument.name.as_str() == "args");
        match argument {
            Some(argument) => {
                for (name, field, value) in self.fields(Input::Ast(&argument.value), definition.ty.base(), &path)? {
                    let place = field.argument(name)?;
                    let path = format!("{path}.{name}");
                    let source = match self.optional(value, &path)? {
                        None => Source::Null,
                        Some(_) => self.value(value, &arguments[place].ty, None, false, &path)?,
                    };
                    given.push((place, source));
                }
            }
            None if definition.ty.is_required() => {
                return Err(GraphqlError::validation(path, "missing required field 'args'"));
            }
            None => {}
        }
        for (place, argument) in arguments.iter().enumerate() {
            let client = argument.role == crate::schema::model::ArgumentRole::Client;
            if client && !argument.has_default && !given.iter().any(|(at, _)| *at == place) {
                let message = "Non default arguments cannot be omitted";
                return Err(GraphqlError::at(path, ErrorCode::NotSupported, message));
            }
        }
        Ok(given)
    }

    /// The name of a selected field's type as JSON, which `__typename` under it answers.
    pub fn type_constant(&self, selected: &Selected<'a>) -> Result<String> {
        Ok(format!("\"{}\"", self.schema.ty(selected.definition()?.ty.base()).name))
    }

    /// The fields under a selected one.
    pub fn under(&self, selected: &Selected<'a>) -> Result<Vec<Selected<'a>>> {
        self.collector.collect(selected.definition()?.ty.base(), &selected.under, &selected.path)
    }

    fn list_output(
        &mut self,
        table: TableId,
        relationship: usize,
        alias: Alias,
        selected: &Selected<'a>,
        outputs: &mut Vec<Expr>,
    ) -> Result<Shape> {
        let other = self.table(table).relationships[relationship].table;
        let args = self.args(selected, other)?;
        let fields = self.under(selected)?;
        let origin = self.read(other);
        let tie = move |context: &mut Context<'_>, there: Alias| context.mapping(table, relationship, alias, there);
        let rows = Rows { table: other, origin, tie: &tie, permitted: true };
        let (expr, shape) = self.array(&rows, &args, &fields)?;
        outputs.push(expr);
        Ok(Shape::Rows(outputs.len() - 1, Box::new(shape)))
    }

    fn object_output(
        &mut self,
        table: TableId,
        relationship: usize,
        alias: Alias,
        selected: &Selected<'a>,
        outputs: &mut Vec<Expr>,
        joins: &mut Vec<Join>,
    ) -> Result<Shape> {
        let info = &self.table(table).relationships[relationship];
        let other = info.table;
        let fields = self.under(selected)?;
        let there = self.alias();
        let origin = self.read(other);
        let computed = fields.iter().any(|field| self.reads_row(other, field));
        let rule = self.rule(other);
        let mut whole = Expr::Whole(there);
        let join = if info.unique {
            let mut parts = self.mapping(table, relationship, alias, there);
            parts.push(self.condition(&rule.filter, other, there, there));
            let on = Expr::all(parts).unwrap_or(Expr::Fixed("TRUE"));
            Join { lateral: false, from: From { origin, alias: there }, on }
        } else {
            // More than one row may match; one of them is taken.
            let inner = self.alias();
            let mut parts = self.mapping(table, relationship, alias, inner);
            parts.push(self.condition(&rule.filter, other, inner, inner));
            let mut select = Select {
                star: Some(inner),
                from: Some(From { origin, alias: inner }),
                filter: Expr::all(parts),
                limit: Some(Expr::Number(1)),
                ..Select::default()
            };
            if computed {
                select.outputs.push((Expr::Whole(inner), Some("_row".to_owned())));
                whole = Expr::Column(there, "_row".to_owned());
            }
            let from = From { origin: Origin::Select(Box::new(select)), alias: there };
            Join { lateral: true, from, on: Expr::Fixed("TRUE") }
        };
        joins.push(join);
        // A joined row has values in the columns that joined it; no row has none.
        let present = info.mapping.first().map(|&(_, remote)| {
            outputs.push(Expr::Postfix(Box::new(self.column(other, remote, there)), "IS NOT NULL"));
            outputs.len() - 1
        });
        let shape = self.object(other, there, whole, &fields, outputs, joins)?;
        Ok(Shape::Object(present, shape))
    }
}

/// The object id of a built-in type that the writer knows, by its name.
pub fn native_oid(ty: &ScalarType) -> u32 {
    match ty.database.as_str() {
        "bool" => 16,
        "bytea" => 17,
        "int8" => 20,
        "int2" => 21,
        "int4" => 23,
        "text" => 25,
        "json" => 114,
        "float4" => 700,
        "float8" => 701,
        "varchar" => 1043,
        "date" => 1082,
        "timestamp" => 1114,
        "timestamptz" => 1184,
        "numeric" => 1700,
        "uuid" => 2950,
        "jsonb" => 3802,
        _ => 0,
    }
}
