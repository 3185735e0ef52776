//! Live queries and streams: one statement that refreshes many subscribers at once.
//!
//! The statement is wrapped so that each subscriber's values are a row of an unnested table and its answer one row of
//! the result. `LIMIT 1` in the lateral part keeps the planner from turning many subscribers into one join over whole
//! tables.

use super::collect::Selected;
use super::context::Context;
use super::input::{Input, mismatch};
use super::order::{OrderItem, OrderTarget};
use super::select::{Args, Rows, untied};
use super::shape::Answer;
use crate::error::{GraphqlError, Result};
use crate::metadata::QualifiedName;
use crate::schema::model::TableId;
use crate::schema::model::boolexp::{Binary, BoolExp, Comparison, Operand, Source};
use crate::sql::{Alias, Expr, From, Join, Order, Origin, Parameters, Select, Statement, print};

/// A subscription that was compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct LivePlan {
    /// The statement for many subscribers: arrays of text, one for each bound value, after an array of places.
    /// Its rows are the place, the answer's records, and of a stream the cursor after the last row.
    pub sql: std::sync::Arc<str>,
    /// Where a subscriber's values come from.
    pub params: Vec<Source>,
    /// What its records become.
    pub answer: Answer,
    /// Tables that it reads.
    pub tables: Vec<QualifiedName>,
    /// Whether it calls functions, which may read tables that are not among them.
    pub calls_functions: bool,
    /// Of a stream, its cursor; none for a live query.
    pub cursor: Vec<Cursor>,
}

/// Most values of a plan whose subscribers share a statement: there each is a column of a table, of which PostgreSQL
/// takes no more than 1,664.
const MOST_SHARED: usize = 1_000;

impl LivePlan {
    /// Whether each subscriber has a statement of its own.
    pub fn is_alone(&self) -> bool {
        self.params.len() > MOST_SHARED
    }
}

/// One column of a stream's cursor.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    /// The column.
    pub column: String,
    /// Where its first value comes from.
    pub initial: Source,
}

impl<'a> Context<'a> {
    /// A live query.
    pub(super) fn live(&mut self, mut select: Select, answer: Answer, cursor: Vec<Cursor>) -> LivePlan {
        let values: Vec<Expr> = std::mem::take(&mut select.outputs).into_iter().map(|(expr, _)| expr).collect();
        select.outputs = vec![(Expr::Row(values), None)];
        let rows = Expr::ArrayOf(Box::new(select));
        self.multiplexed(rows, Vec::new(), answer, cursor)
    }

    fn multiplexed(&mut self, rows: Expr, more: Vec<Expr>, answer: Answer, cursor: Vec<Cursor>) -> LivePlan {
        let (members, result) = (self.alias(), self.alias());
        let params = self.params.take();
        let alone = params.len() > MOST_SHARED;
        // $1 holds the members' places, $2 and on an array for each value.
        let mut columns = vec![(Expr::Fixed("$1::int4[]"), "place".to_owned())];
        for index in 0..params.len() {
            columns.push((Expr::Array(index + 1), format!("p{}", index + 1)));
        }
        let mut inner = vec![(rows, Some("rows".to_owned()))];
        let place = if alone { Expr::Fixed("0::int4") } else { Expr::Column(members, "place".to_owned()) };
        let mut outputs = vec![(place, None), (Expr::Column(result, "rows".to_owned()), None)];
        for (index, expr) in more.into_iter().enumerate() {
            inner.push((expr, Some(format!("c{index}"))));
            outputs.push((Expr::Column(result, format!("c{index}")), None));
        }
        let lateral = Select { outputs: inner, limit: Some(Expr::Number(1)), ..Select::default() };
        let from = From { origin: Origin::Select(Box::new(lateral)), alias: result };
        let (select, parameters) = match alone {
            true => (Select { outputs, from: Some(from), ..Select::default() }, Parameters::of(params.len())),
            false => {
                let joins = vec![Join { lateral: true, from, on: Expr::Fixed("TRUE") }];
                let from = Some(From { origin: Origin::Unnest(columns), alias: members });
                (Select { outputs, from, joins, ..Select::default() }, Parameters::Columns(members))
            }
        };
        // What is joined to the rows from elsewhere is read as well.
        let collector = self.collector;
        let joined = collector.reads.borrow();
        self.tables.extend(joined.0.iter().copied());
        LivePlan {
            sql: print(&Statement::Select(select), parameters).into(),
            params,
            answer,
            tables: self.table_names(),
            calls_functions: self.calls_functions || joined.1,
            cursor,
        }
    }

    /// A stream: rows after a cursor, in its order, a batch at a time.
    pub(super) fn stream(&mut self, table: TableId, selected: &Selected<'a>) -> Result<LivePlan> {
        let mut args = Args::default();
        let mut cursor = Vec::new();
        let field = selected.definition()?;
        for (name, definition) in &field.arguments {
            let path = format!("{}.args.{name}", selected.path);
            let argument = selected.arguments.iter().find(|argument| argument.name.as_str() == name);
            let Some(argument) = argument else {
                if definition.ty.is_required() {
                    return Err(GraphqlError::validation(path, format!("missing required field '{name}'")));
                }
                continue;
            };
            let value = Input::Ast(&argument.value).resolve(self.variables, &path)?;
            match name.as_str() {
                "where" if value.is_null() => {}
                "where" => {
                    let filter = self.filter(value, definition.ty.base(), table, &path)?;
                    args.filter = Some(args.filter.take().unwrap_or(BoolExp::TRUE).and(filter));
                }
                "cursor" => {
                    let members = self.members(value, &path)?;
                    if members.len() > 1 {
                        let message = "multiple column cursors are not supported yet";
                        return Err(GraphqlError::validation(format!("{}.args", selected.path), message));
                    }
                    for (item, path) in members {
                        if let Some(item) = self.optional(item, &path)? {
                            self.cursor(item, definition.ty.base(), table, &path, &mut args, &mut cursor)?;
                        }
                    }
                }
                "batch_size" | "batchSize" => args.limit = Some(self.limit(value, &path)?),
                _ => return Err(definition.unexpected(name, "an argument of a stream")),
            }
        }
        if cursor.len() != 1 {
            let message = "one streaming column field is expected";
            return Err(GraphqlError::validation(format!("{}.args", selected.path), message));
        }
        // The cursor's column goes along with each record, at its end.
        let Some(OrderItem { target: OrderTarget::Column(column), direction }) = args.order.first() else {
            return Err(GraphqlError::unexpected("a stream without a cursor"));
        };
        let (column, descending) = (*column, direction.starts_with("DESC"));
        let last = self.last_of_batch(table, column, descending, &args)?;
        args.limit = None;
        let fields = self.under(selected)?;
        let until = |context: &mut Context<'_>, alias: Alias| {
            let permitted = context.rule(table).filter.clone();
            let shown = context.shown(table, column, alias);
            let within = shown.binary(if descending { ">=" } else { "<=" }, last.clone());
            vec![context.condition(&permitted, table, alias, alias), within]
        };
        // The role's own limit was for the batch.
        let rows = Rows { table, origin: self.read(table), tie: &until, permitted: false };
        let (mut select, shape) = self.rows(&rows, &args, &fields)?;
        let Some(alias) = select.from.as_ref().map(|from| from.alias) else {
            return Err(GraphqlError::unexpected("a stream without rows"));
        };
        let value = Expr::Cast(Box::new(self.shown(table, column, alias)), "text".to_owned());
        let mut values: Vec<Expr> = std::mem::take(&mut select.outputs).into_iter().map(|(expr, _)| expr).collect();
        values.push(value);
        select.outputs = vec![(Expr::Row(values), None)];
        Ok(self.multiplexed(Expr::ArrayOf(Box::new(select)), Vec::new(), Answer::List(shape), cursor))
    }

    /// The cursor's value in the last row of a batch. Whatever has the same value belongs to the batch as well, for the
    /// cursor moves past all of it. (`FETCH ... WITH TIES` says the same in PostgreSQL 13; YugabyteDB 2024.2 is older.)
    fn last_of_batch(&mut self, table: TableId, column: usize, descending: bool, args: &Args) -> Result<Expr> {
        const LAST: &str = "_last";
        let rows = Rows { table, origin: self.read(table), tie: &untied, permitted: true };
        let (mut batch, _) = self.rows(&rows, args, &[])?;
        let Some(alias) = batch.from.as_ref().map(|from| from.alias) else {
            return Err(GraphqlError::unexpected("a stream without rows"));
        };
        batch.outputs = vec![(self.shown(table, column, alias), Some(LAST.to_owned()))];
        let whole = self.alias();
        let value = Expr::Column(whole, LAST.to_owned());
        Ok(Expr::Scalar(Box::new(Select {
            outputs: vec![(value.clone(), None)],
            from: Some(From { origin: Origin::Select(Box::new(batch)), alias: whole }),
            order: vec![Order { expr: value, direction: if descending { "ASC" } else { "DESC" } }],
            limit: Some(Expr::Number(1)),
            ..Select::default()
        })))
    }

    fn cursor(
        &mut self,
        input: Input<'a>,
        ty: usize,
        table: TableId,
        path: &str,
        args: &mut Args,
        cursor: &mut Vec<Cursor>,
    ) -> Result<()> {
        let mut descending = false;
        let mut columns = Vec::new();
        for (name, field, value) in self.fields(input, ty, path)? {
            let path = format!("{path}.{name}");
            let base = field.ty.base();
            match name {
                "ordering" => {
                    if let Some(value) = self.optional(value, &path)? {
                        descending = match self.enum_value(value, base, &path)?.0 {
                            "ASC" => false,
                            "DESC" => true,
                            _ => return Err(mismatch(&path, "an enum value", "cursor_ordering", value)),
                        };
                    }
                }
                "initial_value" | "initialValue" => {
                    for (name, field, value) in self.fields(value, base, &path)? {
                        let column = field.column(name)?;
                        let path = format!("{path}.{name}");
                        let info = &self.table(table).columns[column];
                        let source = self.value(value, &info.ty, Some(info), false, &path)?;
                        columns.push((column, source));
                    }
                }
                _ => return Err(field.unexpected(name, "a part of a cursor")),
            }
        }
        let [(column, initial)] = columns.as_slice() else {
            return Err(mismatch(path, "exactly one column", "stream_cursor_value_input", input));
        };
        let place = cursor.len();
        let info = &self.table(table).columns[*column];
        let operand = Operand::Value(Source::Cursor(place), info.ty.clone());
        let comparison = Comparison::Binary(if descending { Binary::Lt } else { Binary::Gt }, operand);
        // A row whose value an inherited role does not see has no place in the stream.
        let after = match self.rule(table).guards.get(*column) {
            Some(Some(_)) => BoolExp::Cell(*column, comparison),
            _ => BoolExp::Column(*column, comparison),
        };
        args.filter = Some(args.filter.take().unwrap_or(BoolExp::TRUE).and(after));
        let direction = if descending { "DESC NULLS LAST" } else { "ASC NULLS LAST" };
        args.order = vec![OrderItem { target: OrderTarget::Column(*column), direction }];
        cursor.push(Cursor { column: info.name.clone(), initial: initial.clone() });
        Ok(())
    }
}
