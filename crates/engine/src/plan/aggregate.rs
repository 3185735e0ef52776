//! Aggregates over rows.

use super::collect::Selected;
use super::context::Context;
use super::input::Input;
use super::select::{Args, Rows, limit, native_oid};
use super::shape::{Shape, key};
use crate::error::Result;
use crate::schema::model::scalar::ScalarType;
use crate::schema::model::types::FieldKind;
use crate::schema::model::{ComputedReturn, TableId};
use crate::sql::{Alias, Expr, From, Order, Origin, Select};

impl<'a> Context<'a> {
    /// An aggregate of a relationship's rows as an output: one record.
    pub(super) fn aggregate_output(
        &mut self,
        table: TableId,
        relationship: usize,
        alias: Alias,
        selected: &Selected<'a>,
        outputs: &mut Vec<Expr>,
    ) -> Result<Shape> {
        let other = self.table(table).relationships[relationship].table;
        let origin = self.read(other);
        let args = self.args(selected, other)?;
        let fields = self.under(selected)?;
        let tie = move |context: &mut Context<'_>, there: Alias| context.mapping(table, relationship, alias, there);
        let rows = Rows { table: other, origin, tie: &tie, permitted: true };
        let (mut select, shape) = self.aggregate(&rows, &args, selected, &fields)?;
        let values = std::mem::take(&mut select.outputs).into_iter().map(|(expr, _)| expr).collect();
        select.outputs = vec![(Expr::Row(values), None)];
        outputs.push(Expr::Scalar(Box::new(select)));
        Ok(Shape::Record(outputs.len() - 1, Box::new(shape)))
    }

    /// A statement of one row with the aggregates as its outputs, and the row's shape.
    pub fn aggregate(
        &mut self,
        rows: &Rows<'_>,
        args: &Args,
        selected: &Selected<'a>,
        fields: &[Selected<'a>],
    ) -> Result<(Select, Shape)> {
        let table = rows.table;
        let mut base = self.alias();
        let select = self.aggregate_base(rows, args, &mut base);
        let mut outputs = Vec::new();
        let mut shape = self.aggregate_object(table, base, selected, fields, &mut outputs)?;
        for (field, (_, value)) in fields.iter().zip(&mut shape) {
            if let Some(FieldKind::Nodes) = field.field.map(|field| &field.kind) {
                let under = self.under(field)?;
                let (expr, shape) = self.array(rows, args, &under)?;
                outputs.push(expr);
                *value = Shape::Rows(outputs.len() - 1, Box::new(shape));
            }
        }
        let outputs = outputs.into_iter().map(|expr| (expr, None)).collect();
        Ok((Select { outputs, ..select }, Shape::Object(None, shape)))
    }

    /// The fields of an aggregate over the rows under an alias; `nodes` is left null.
    pub(super) fn aggregate_object(
        &mut self,
        table: TableId,
        base: Alias,
        selected: &Selected<'a>,
        fields: &[Selected<'a>],
        outputs: &mut Vec<Expr>,
    ) -> Result<Vec<(String, Shape)>> {
        let ty = self.type_constant(selected)?;
        let mut shape = Vec::with_capacity(fields.len());
        for field in fields {
            let value = match field.field.map(|field| &field.kind) {
                None => Shape::Constant(ty.clone()),
                Some(FieldKind::Nodes) => Shape::Constant("null".to_owned()),
                Some(FieldKind::Aggregate) => self.aggregate_fields(table, base, field, outputs)?,
                Some(_) => return Err(field.unexpected("a part of an aggregate")),
            };
            shape.push((key(field.key), value));
        }
        Ok(shape)
    }

    /// The rows that are aggregated. The role's row limit does not count here.
    fn aggregate_base(&mut self, rows: &Rows<'_>, args: &Args, base: &mut Alias) -> Select {
        let table = rows.table;
        let mut parts = (rows.tie)(self, *base);
        if rows.permitted {
            let rule = self.rule(table);
            parts.push(self.condition(&rule.filter, table, *base, *base));
        }
        if let Some(filter) = &args.filter {
            parts.push(self.condition(filter, table, *base, *base));
        }
        self.tables.insert(table);
        let select = Select {
            from: Some(From { origin: rows.origin.clone(), alias: *base }),
            filter: Expr::all(parts),
            ..Select::default()
        };
        if args.limit.is_none() && args.offset.is_none() && args.distinct.is_empty() {
            return select;
        }
        let inner = *base;
        let bigint = ScalarType::builtin("int8");
        let mut order = Vec::new();
        for item in &args.order {
            order.push(Order { expr: self.order_expr(&item.target, table, inner), direction: item.direction });
        }
        let select = Select {
            star: Some(inner),
            outputs: vec![(Expr::Whole(inner), Some("_row".to_owned()))],
            distinct: args.distinct.iter().map(|&column| self.shown(table, column, inner)).collect(),
            order,
            limit: args.limit.map(limit),
            offset: args.offset.as_ref().map(|offset| self.bind(offset.clone(), &bigint)),
            ..select
        };
        *base = self.alias();
        let from = From { origin: Origin::Select(Box::new(select)), alias: *base };
        Select { from: Some(from), ..Select::default() }
    }

    fn aggregate_fields(
        &mut self,
        table: TableId,
        base: Alias,
        selected: &Selected<'a>,
        outputs: &mut Vec<Expr>,
    ) -> Result<Shape> {
        let ty = self.type_constant(selected)?;
        let mut shape = Vec::new();
        for field in self.under(selected)? {
            let value = match field.field.map(|field| &field.kind) {
                None => Shape::Constant(ty.clone()),
                Some(FieldKind::Count) => {
                    outputs.push(self.count(table, base, &field)?);
                    Shape::Plain(outputs.len() - 1)
                }
                Some(FieldKind::AggregateFunction(function)) => {
                    self.function_fields(table, base, function, &field, outputs)?
                }
                Some(_) => return Err(field.unexpected("an aggregate function")),
            };
            shape.push((key(field.key), value));
        }
        Ok(Shape::Object(None, shape))
    }

    fn count(&mut self, table: TableId, base: Alias, selected: &Selected<'a>) -> Result<Expr> {
        let mut columns = Vec::new();
        let mut distinct = false;
        for argument in selected.arguments {
            let path = format!("{}.args.{}", selected.path, argument.name);
            let value = Input::Ast(&argument.value);
            match argument.name.as_str() {
                "distinct" => distinct = self.boolean(value, &path)?,
                name => {
                    let unknown = || selected.unexpected(&format!("a field with the argument '{name}'"));
                    let definition = selected.definition()?.arguments.get(name).ok_or_else(unknown)?;
                    if name != "columns" {
                        return Err(definition.unexpected(name, "an argument of count"));
                    }
                    for column in self.columns(value, definition.ty.base(), &path)? {
                        columns.push(self.shown(table, column, base));
                    }
                }
            }
        }
        let columns = match columns.len() {
            0 | 1 => columns,
            _ => vec![Expr::Row(columns)],
        };
        Ok(Expr::Aggregate("count", distinct && !columns.is_empty(), columns, None))
    }

    fn function_fields(
        &mut self,
        table: TableId,
        base: Alias,
        function: &'static str,
        selected: &Selected<'a>,
        outputs: &mut Vec<Expr>,
    ) -> Result<Shape> {
        let ty = self.type_constant(selected)?;
        let mut shape = Vec::new();
        for field in self.under(selected)? {
            let (expr, oid, ty) = match field.field.map(|field| &field.kind) {
                Some(FieldKind::Column(column)) => {
                    let info = &self.table(table).columns[*column];
                    let expr = self.shown(table, *column, base);
                    (expr, info.oid, info.ty.clone())
                }
                Some(FieldKind::Computed(computed)) => {
                    let ComputedReturn::Scalar(ty) = &self.table(table).computed[*computed].returns else {
                        return Err(field.unexpected("a value to aggregate"));
                    };
                    let call = self.shown_computed(table, *computed, base);
                    (call, native_oid(ty), ty.clone())
                }
                None => {
                    shape.push((key(field.key), Shape::Constant(ty.clone())));
                    continue;
                }
                Some(_) => return Err(field.unexpected("a value to aggregate")),
            };
            let aggregate = Expr::Aggregate(function, false, vec![expr], None);
            let value = match self.output(aggregate, oid, &ty, outputs) {
                // Whether numbers are written as strings is the column's affair, not the aggregate's.
                Shape::Value(place) if !ty.is_large_number() => Shape::Plain(place),
                other => other,
            };
            shape.push((key(field.key), value));
        }
        Ok(Shape::Object(None, shape))
    }
}
