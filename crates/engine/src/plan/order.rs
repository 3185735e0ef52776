//! Orderings.

use super::context::Context;
use super::input::{Input, mismatch};
use crate::error::Result;
use crate::schema::model::TableId;
use crate::schema::model::types::{InputKind, RowInput, TypeId};
use crate::sql::{Alias, Expr, From, Origin, Select};

/// One ordering.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderItem {
    /// By what.
    pub target: OrderTarget,
    /// In which direction, in SQL's words.
    pub direction: &'static str,
}

/// By what rows are ordered.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderTarget {
    /// A column.
    Column(usize),
    /// A computed field.
    Computed(usize),
    /// Something of an object relationship's row.
    Related(usize, Box<OrderTarget>),
    /// An aggregate over an array relationship's rows.
    Aggregate(usize, &'static str, Option<usize>),
    /// An aggregate over the rows of a computed field, which are of a table.
    ComputedAggregate(usize, TableId, &'static str, Option<usize>),
}

impl OrderItem {
    /// The column, when it is one of the table itself.
    pub fn column(&self) -> Option<usize> {
        match self.target {
            OrderTarget::Column(column) => Some(column),
            _ => None,
        }
    }
}

impl<'a> Context<'a> {
    /// Reads `order_by`: one object or a list of them, the fields of each in order.
    pub fn order_by(&self, input: Input<'a>, ty: TypeId, table: TableId, path: &str) -> Result<Vec<OrderItem>> {
        let mut items = Vec::new();
        for (item, path) in self.members(input, path)? {
            self.order_object(item, ty, table, &path, &mut items, &|target| target)?;
        }
        Ok(items)
    }

    fn order_object(
        &self,
        input: Input<'a>,
        ty: TypeId,
        table: TableId,
        path: &str,
        items: &mut Vec<OrderItem>,
        wrap: &dyn Fn(OrderTarget) -> OrderTarget,
    ) -> Result<()> {
        for (name, field, value) in self.fields(input, ty, path)? {
            let path = format!("{path}.{name}");
            let Some(value) = self.optional(value, &path)? else { continue };
            let base = field.ty.base();
            match &field.kind {
                InputKind::Row(RowInput::Column(column)) => {
                    let direction = self.direction(value, base, &path)?;
                    items.push(OrderItem { target: wrap(OrderTarget::Column(*column)), direction });
                }
                InputKind::Row(RowInput::Computed(computed)) => {
                    let direction = self.direction(value, base, &path)?;
                    items.push(OrderItem { target: wrap(OrderTarget::Computed(*computed)), direction });
                }
                InputKind::Row(RowInput::Relationship(relationship)) => {
                    let other = self.table(table).relationships[*relationship].table;
                    let deeper = |target| wrap(OrderTarget::Related(*relationship, Box::new(target)));
                    self.order_object(value, base, other, &path, items, &deeper)?;
                }
                InputKind::Row(RowInput::RelationshipAggregate(relationship)) => {
                    let target = |function, column| wrap(OrderTarget::Aggregate(*relationship, function, column));
                    self.order_aggregate(value, base, &path, items, &target)?;
                }
                InputKind::Row(RowInput::ComputedAggregate(computed, other)) => {
                    let target =
                        |function, column| wrap(OrderTarget::ComputedAggregate(*computed, *other, function, column));
                    self.order_aggregate(value, base, &path, items, &target)?;
                }
                InputKind::Plain | InputKind::Operator(_) | InputKind::Function(_) | InputKind::Argument(_) => {
                    return Err(field.unexpected(name, "something to order by"));
                }
            }
        }
        Ok(())
    }

    fn order_aggregate(
        &self,
        input: Input<'a>,
        ty: TypeId,
        path: &str,
        items: &mut Vec<OrderItem>,
        target: &dyn Fn(&'static str, Option<usize>) -> OrderTarget,
    ) -> Result<()> {
        for (name, field, value) in self.fields(input, ty, path)? {
            let function = field.function(name)?;
            let path = format!("{path}.{name}");
            let base = field.ty.base();
            let Some(value) = self.optional(value, &path)? else { continue };
            if function == "count" {
                let direction = self.direction(value, base, &path)?;
                items.push(OrderItem { target: target(function, None), direction });
                continue;
            }
            for (name, field, value) in self.fields(value, base, &path)? {
                let column = field.column(name)?;
                let path = format!("{path}.{name}");
                let Some(value) = self.optional(value, &path)? else { continue };
                let direction = self.direction(value, field.ty.base(), &path)?;
                items.push(OrderItem { target: target(function, Some(column)), direction });
            }
        }
        Ok(())
    }

    fn direction(&self, value: Input<'a>, ty: TypeId, path: &str) -> Result<&'static str> {
        let (name, _) = self.enum_value(value, ty, path)?;
        Ok(match name.to_ascii_lowercase().as_str() {
            "asc" | "asc_nulls_last" => "ASC NULLS LAST",
            "asc_nulls_first" => "ASC NULLS FIRST",
            "desc" | "desc_nulls_first" => "DESC NULLS FIRST",
            "desc_nulls_last" => "DESC NULLS LAST",
            _ => return Err(mismatch(path, "an enum value", "order_by", value)),
        })
    }

    /// An ordering as an expression over the row under an alias. Rows that the role may not see order as null.
    pub fn order_expr(&mut self, target: &OrderTarget, table: TableId, alias: Alias) -> Expr {
        match target {
            OrderTarget::Column(column) => self.shown(table, *column, alias),
            OrderTarget::Computed(computed) => self.shown_computed(table, *computed, alias),
            OrderTarget::Related(relationship, inner) => {
                let (there, other, mut select) = self.related(table, *relationship, alias);
                select.outputs = vec![(self.order_expr(inner, other, there), None)];
                select.limit = Some(Expr::Number(1));
                Expr::Scalar(Box::new(select))
            }
            OrderTarget::Aggregate(relationship, function, column) => {
                let (there, other, mut select) = self.related(table, *relationship, alias);
                let arguments = column.map(|column| self.shown(other, column, there)).into_iter().collect();
                select.outputs = vec![(Expr::Aggregate(function, false, arguments, None), None)];
                Expr::Scalar(Box::new(select))
            }
            OrderTarget::ComputedAggregate(computed, other, function, column) => {
                let (there, mut select) = self.computed_rows(table, *computed, *other, alias);
                let arguments = column.map(|column| self.shown(*other, column, there)).into_iter().collect();
                select.outputs = vec![(Expr::Aggregate(function, false, arguments, None), None)];
                Expr::Scalar(Box::new(select))
            }
        }
    }

    fn computed_rows(&mut self, table: TableId, computed: usize, other: TableId, alias: Alias) -> (Alias, Select) {
        let (name, call) = self.computed_call(table, computed, &[], Expr::Whole(alias));
        let there = self.alias();
        let rule = self.rule(other);
        let filter = Expr::all([self.condition(&rule.filter, other, there, there)]);
        let from = Some(From { origin: Origin::Function(name, call), alias: there });
        (there, Select { from, filter, ..Select::default() })
    }

    fn related(&mut self, table: TableId, relationship: usize, alias: Alias) -> (Alias, TableId, Select) {
        let other = self.table(table).relationships[relationship].table;
        let there = self.alias();
        let mut parts = self.mapping(table, relationship, alias, there);
        let rule = self.rule(other);
        parts.push(self.condition(&rule.filter, other, there, there));
        let origin = self.read(other);
        let from = Some(From { origin, alias: there });
        (there, other, Select { from, filter: Expr::all(parts), ..Select::default() })
    }
}
