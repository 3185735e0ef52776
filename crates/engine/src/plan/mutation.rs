//! Mutations: statements that write, and what is answered of the rows they changed.

mod insert;
mod update;

use super::collect::Selected;
use super::context::Context;
use super::select::{Args, Rows, untied};
use super::shape::{Shape, key};
use crate::error::{GraphqlError, Result};
use crate::metadata::QualifiedName;
use crate::schema::model::TableId;
use crate::schema::model::boolexp::{BoolExp, Source};
use crate::schema::model::scalar::ScalarType;
use crate::schema::model::types::{FieldKind, WriteRoot};
use crate::schema::permission::list_of;
use crate::sql::{Alias, Delete, Expr, Origin, Statement, print};

pub use insert::{After, Before, InsertOne, Inserts};

/// A root field that writes.
#[derive(Debug, Clone, PartialEq)]
pub struct MutationPlan {
    /// The table.
    pub table: QualifiedName,
    /// Where errors of the database are said to lie.
    pub path: String,
    /// What is written.
    pub writes: Writes,
    /// What is answered.
    pub response: Response,
}

/// What a root field writes.
#[derive(Debug, Clone, PartialEq)]
pub enum Writes {
    /// One statement.
    One(Write),
    /// Several, each with an answer of its own; one may have nothing to do.
    Many(Vec<Option<Write>>),
    /// Rows with rows of other tables in them.
    Nested(Vec<InsertOne>),
    /// Nothing to do.
    Nothing,
}

/// A statement that writes. It returns for each row whether the permission's check holds, then the row as text when
/// something reads it again, then the values that are answered directly.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The statement.
    pub sql: std::sync::Arc<str>,
    /// Where bound values come from.
    pub params: Vec<Source>,
}

/// What is answered of a mutation.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// `{affected_rows, returning, __typename}` in the order of the selection.
    Object(Vec<(String, Part)>),
    /// The first row, or null.
    One(Returning),
}

/// A part of a mutation's answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// How many rows were changed.
    AffectedRows,
    /// The rows.
    Returning(Returning),
    /// A fixed value.
    Constant(String),
}

/// How changed rows are answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Returning {
    /// From what the statement returned.
    Direct(Shape),
    /// By a second statement over the rows, which sees what the first one did.
    Again(Box<super::Query>),
}

impl Response {
    /// Whether rows are read again.
    pub fn reads_again(&self) -> bool {
        let again = |returning: &Returning| matches!(returning, Returning::Again(_));
        match self {
            Self::One(returning) => again(returning),
            Self::Object(parts) => parts.iter().any(|(_, part)| matches!(part, Part::Returning(r) if again(r))),
        }
    }
}

/// How a mutation's answer is made, before its statement is.
pub(super) struct Outputs {
    /// What is answered.
    response: Response,
    /// Values that the statement returns after check and row.
    values: Vec<Expr>,
}

/// Places that the check and the row take before the values.
const FIRST_VALUE: usize = 2;

impl<'a> Context<'a> {
    /// A root field that writes.
    pub(super) fn mutation(&mut self, root: WriteRoot, selected: &Selected<'a>) -> Result<MutationPlan> {
        match root {
            WriteRoot::Insert(table) => self.insert(table, selected, false),
            WriteRoot::InsertOne(table) => self.insert(table, selected, true),
            WriteRoot::Update(table) => self.update(table, selected, false),
            WriteRoot::UpdateByPk(table) => self.update(table, selected, true),
            WriteRoot::UpdateMany(table) => self.update_many(table, selected),
            WriteRoot::DeleteByPk(table) => {
                let filter = self.by_key(table, selected)?;
                self.delete(table, filter, selected, true)
            }
            WriteRoot::Delete(table) => {
                let filter = self.args(selected, table)?.filter.ok_or_else(|| unfiltered(selected))?;
                self.delete(table, filter, selected, false)
            }
        }
    }

    fn delete(&mut self, table: TableId, filter: BoolExp, selected: &Selected<'a>, one: bool) -> Result<MutationPlan> {
        let alias = self.alias();
        let permission = self.table(table).permissions.get(&self.schema.role).and_then(|p| p.delete.clone());
        let rule = permission.ok_or_else(|| GraphqlError::unexpected("a delete without a permission"))?;
        let parts = [self.condition(&rule.filter, table, alias, alias), self.condition(&filter, table, alias, alias)];
        let outputs = self.response(table, alias, selected, one)?;
        let returning = self.returning(alias, Expr::Fixed("TRUE"), &outputs);
        let statement = Statement::Delete(Delete {
            table: self.table(table).name.clone(),
            alias,
            filter: Expr::all(parts),
            returning,
        });
        Ok(MutationPlan {
            table: self.table(table).name.clone(),
            path: "$".to_owned(),
            writes: Writes::One(self.write(&statement)),
            response: outputs.response,
        })
    }

    /// A statement with its values.
    fn write(&mut self, statement: &Statement) -> Write {
        Write { sql: print(statement, self.params.print()).into(), params: self.params.take() }
    }

    /// What a statement returns: check, row, values.
    fn returning(&self, alias: Alias, check: Expr, outputs: &Outputs) -> Vec<Expr> {
        let row = match outputs.response.reads_again() {
            true => Expr::Cast(Box::new(Expr::Whole(alias)), "text".to_owned()),
            false => Expr::Fixed("NULL::text"),
        };
        let mut returning = vec![check, row];
        returning.extend(outputs.values.iter().cloned());
        returning
    }

    /// How a mutation answers. Selections of columns are returned by the statement itself; others are read again.
    fn response(&mut self, table: TableId, alias: Alias, selected: &Selected<'a>, one: bool) -> Result<Outputs> {
        let mut values = Vec::new();
        if one {
            let returning = self.returning_rows(table, alias, selected, &mut values)?;
            return Ok(Outputs { response: Response::One(returning), values });
        }
        let ty = self.type_constant(selected)?;
        let mut parts = Vec::new();
        for field in self.under(selected)? {
            let part = match field.field.map(|field| &field.kind) {
                Some(FieldKind::AffectedRows) => Part::AffectedRows,
                Some(FieldKind::Returning) => {
                    Part::Returning(self.returning_rows(table, alias, &field, &mut values)?)
                }
                None => Part::Constant(ty.clone()),
                Some(_) => return Err(field.unexpected("a part of a mutation's answer")),
            };
            parts.push((key(field.key), part));
        }
        Ok(Outputs { response: Response::Object(parts), values })
    }

    fn returning_rows(
        &mut self,
        table: TableId,
        alias: Alias,
        selected: &Selected<'a>,
        values: &mut Vec<Expr>,
    ) -> Result<Returning> {
        let fields = self.under(selected)?;
        let plain =
            fields.iter().all(|field| matches!(field.field.map(|f| &f.kind), None | Some(FieldKind::Column(_))));
        let guarded = self.rule(table).guards.iter().any(Option::is_some);
        if plain && !guarded {
            // The places of check and row come first.
            let mut outputs: Vec<Expr> = vec![Expr::Fixed("NULL"); FIRST_VALUE + values.len()];
            let mut joins = Vec::new();
            let whole = Expr::Whole(alias);
            let shape = self.object(table, alias, whole, &fields, &mut outputs, &mut joins)?;
            values.extend(outputs.split_off(FIRST_VALUE + values.len()));
            return Ok(Returning::Direct(Shape::Object(None, shape)));
        }
        Ok(Returning::Again(Box::new(self.again(table, &fields)?)))
    }

    /// A statement over the rows that were changed.
    fn again(&mut self, table: TableId, fields: &[Selected<'a>]) -> Result<super::Query> {
        // It is a statement of its own, with values of its own.
        let params = std::mem::take(&mut self.params);
        let name = &self.table(table).name;
        let ty = ScalarType {
            name: String::new(),
            database: name.name.clone(),
            list: false,
            native_enum: false,
            sql: format!("{}.{}", quoted(&name.schema), quoted(&name.name)),
        };
        let rows = self.bind(Source::Rows, &list_of(&ty));
        let rows = Rows { table, origin: Origin::Rows(rows), tie: &untied, permitted: false };
        let (select, shape) = self.rows(&rows, &Args::default(), fields)?;
        let query = self.query(select, super::Answer::List(shape));
        self.params = params;
        Ok(query)
    }
}

/// The error for a write that would be one of every row.
fn unfiltered(selected: &Selected<'_>) -> GraphqlError {
    GraphqlError::unexpected(format!("'{}' has nothing that tells which rows it writes", selected.name))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
