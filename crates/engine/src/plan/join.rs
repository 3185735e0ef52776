//! Relationships that leave the source: what is fetched for each distinct left side, and where it is put.
//!
//! Where a joined field stands the writer leaves a mark with the join's place and the values of the left side. When
//! all is written the distinct values of each join make one request or one statement, and its answers take the marks'
//! places.

use std::sync::Arc;

use super::collect::{Collector, Selected};
use super::context::Context;
use super::remote::{self, RemoteShape, Template};
use super::select::{Rows, untied};
use super::shape::{Answer, Shape};
use super::stream::LivePlan;
use crate::error::Result;
use crate::metadata::RemoteSchema;
use crate::schema::model::boolexp::{BoolExp, Comparison, Source};
use crate::schema::model::join::{JoinInfo, JoinTo, LeftFrom};
use crate::schema::model::types::FieldKind;
use crate::schema::model::{ComputedReturn, TableId};
use crate::sql::{Alias, Expr};

/// A joined field of an operation.
#[derive(Debug, Clone)]
pub struct Join {
    /// What is fetched.
    pub target: JoinTarget,
}

/// What a join fetches.
#[derive(Debug, Clone)]
pub enum JoinTarget {
    /// A field of a remote schema, under an alias for each left side.
    Remote {
        /// The remote schema.
        schema: Arc<RemoteSchema>,
        /// The field.
        template: Template,
        /// Keys from the field to the answer.
        path: Vec<String>,
        /// What the answer becomes.
        shape: RemoteShape,
    },
    /// Rows; the left side is the statement's cursor.
    Rows(Arc<LivePlan>),
}

impl<'a> Collector<'a> {
    /// Compiles what a joined field fetches; gives the join's place in the operation.
    pub(super) fn join(&'a self, info: &'a JoinInfo, selected: &Selected<'a>, aggregate: bool) -> Result<usize> {
        let join = match &info.to {
            JoinTo::Remote { remote, path } => remote::join(self, info, *remote, path, selected)?,
            JoinTo::Rows { table, array, columns } => {
                let mut context = Context::new(self.model, self);
                let plan = context.joined_rows(*table, *array, columns, selected, aggregate)?;
                let mut reads = self.reads.borrow_mut();
                reads.0.extend(context.tables.iter().copied());
                reads.1 |= context.calls_functions;
                Join { target: JoinTarget::Rows(Arc::new(plan)) }
            }
        };
        let mut joins = self.joins.borrow_mut();
        joins.push(join);
        Ok(joins.len() - 1)
    }
}

impl<'a> Context<'a> {
    fn joined_rows(
        &mut self,
        table: TableId,
        array: bool,
        columns: &[usize],
        selected: &Selected<'a>,
        aggregate: bool,
    ) -> Result<LivePlan> {
        let mut args = self.args(selected, table)?;
        let equal = columns.iter().enumerate().map(|(place, &column)| {
            let ty = self.table(table).columns[column].ty.clone();
            BoolExp::Column(column, Comparison::equal(Source::Cursor(place), ty))
        });
        let joined = BoolExp::And(equal.collect());
        args.filter = Some(args.filter.unwrap_or(BoolExp::TRUE).and(joined));
        let rows = Rows { table, origin: self.read(table), tie: &untied, permitted: true };
        let under = self.under(selected)?;
        let (select, answer) = if aggregate {
            let (select, shape) = self.aggregate(&rows, &args, selected, &under)?;
            (select, Answer::First(shape))
        } else {
            let (select, shape) = self.rows(&rows, &args, &under)?;
            (select, if array { Answer::List(shape) } else { Answer::First(shape) })
        };
        Ok(self.live(select, answer, Vec::new()))
    }

    /// The left side of a joined field of a row, as outputs.
    pub(super) fn join_output(
        &mut self,
        table: TableId,
        place: usize,
        (alias, whole): (Alias, &Expr),
        selected: &Selected<'a>,
        outputs: &mut Vec<Expr>,
    ) -> Result<Shape> {
        let aggregate = matches!(selected.field.map(|field| &field.kind), Some(FieldKind::JoinAggregate(_)));
        let info: &'a JoinInfo = &self.table(table).joins[place];
        let index = self.collector.join(info, selected, aggregate)?;
        let mut left = Vec::with_capacity(info.left.len());
        for value in &info.left {
            let shape = match value.from {
                LeftFrom::Column(column) => self.plain_column(table, column, alias, outputs),
                LeftFrom::Computed(computed) => {
                    let call = self.computed(table, computed, &[], whole.clone());
                    let ComputedReturn::Scalar(ty) = &self.table(table).computed[computed].returns else {
                        return Err(selected.unexpected("a field joined by values"));
                    };
                    self.output(call, super::select::native_oid(ty), ty, outputs)
                }
                LeftFrom::Field => return Err(selected.unexpected("a field joined by columns")),
            };
            // Numbers stay numbers here, whatever clients are shown.
            left.push(if let Shape::Value(place) = shape { Shape::Plain(place) } else { shape });
        }
        Ok(Shape::Join(index, left))
    }

    /// Whether a field is computed from the whole row.
    pub(super) fn reads_row(&self, table: TableId, selected: &Selected<'a>) -> bool {
        match selected.field.map(|field| &field.kind) {
            Some(FieldKind::Computed(_)) => true,
            Some(FieldKind::Join(place) | FieldKind::JoinAggregate(place)) => {
                let left = &self.table(table).joins[*place].left;
                left.iter().any(|left| matches!(left.from, LeftFrom::Computed(_)))
            }
            _ => false,
        }
    }
}
