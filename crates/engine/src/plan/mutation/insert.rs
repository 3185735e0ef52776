//! Inserts, with conflicts and with rows of other tables in them.
//!
//! As in Hasura the rows of a list go into one statement where none of them has rows of other tables in it; else each
//! has a statement of its own, for keys go from one to the next.

use std::sync::Arc;

use super::{MutationPlan, Write, Writes};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::plan::collect::Selected;
use crate::plan::context::Context;
use crate::plan::input::Input;
use crate::schema::coerce::constant;
use crate::schema::model::boolexp::{BoolExp, Source};
use crate::schema::model::types::{InputField, InputKind, RowInput, TypeId};
use crate::schema::model::{InsertRule, RelationshipInfo, TableId};
use crate::sql::{Alias, Conflict, Expr, Insert, Statement};

/// One row to insert, with rows of other tables that come before and after it. Its statement returns whether the check
/// holds, the row as text, and then the key columns as texts.
#[derive(Debug, Clone, PartialEq)]
pub struct InsertOne {
    /// The statement.
    pub sql: Arc<str>,
    /// Where bound values come from; [`Source::Key`] are those that rows before it gave.
    pub params: Vec<Source>,
    /// Rows that come before, whose keys this one takes.
    pub before: Vec<Before>,
    /// Rows that come after and take keys of this one.
    pub after: Vec<After>,
    /// The error when a conflict leaves the row out while others wait for its keys.
    pub left_out: GraphqlError,
    /// Where errors of the database are said to lie.
    pub path: String,
}

/// Rows of one table.
#[derive(Debug, Clone, PartialEq)]
pub enum Inserts {
    /// One statement with all of them, and where its errors are said to lie.
    Together(Write, String),
    /// One after another.
    Each(Vec<InsertOne>),
}

/// A row that comes before another.
#[derive(Debug, Clone, PartialEq)]
pub struct Before {
    /// The row.
    pub insert: InsertOne,
    /// The error when a conflict leaves the row out: the other one cannot take its keys then.
    pub left_out: GraphqlError,
    /// Places among the row's key columns, and the places of the values that they become.
    pub keys: Vec<(usize, usize)>,
}

/// Rows that come after another.
#[derive(Debug, Clone, PartialEq)]
pub struct After {
    /// The rows.
    pub inserts: Inserts,
    /// Places among the other row's key columns, and the places of the values that they become.
    pub keys: Vec<(usize, usize)>,
}

/// A column's value with its place in the request.
type Given<'a> = (usize, Input<'a>, String);

/// A row as the client gave it.
struct Object<'a> {
    columns: Vec<Given<'a>>,
    nested: Vec<Nested<'a>>,
}

/// Rows of another table in a row.
struct Nested<'a> {
    relationship: usize,
    ty: TypeId,
    value: Input<'a>,
    /// Where it stands in the request. What goes wrong while rows are inserted is said to lie elsewhere: a single row
    /// is the only one of a list by then.
    path: String,
}

/// What happens on a conflict, as the client gave it, with its place.
type Clause<'a, 'p> = (&'a InputField, Input<'a>, &'p str);

/// Columns whose values another row gives, with the places of the values.
type Keys = Vec<(usize, usize)>;

impl<'a> Context<'a> {
    fn insert_rule(&self, table: TableId) -> Result<Arc<InsertRule>> {
        let permissions = self.table(table).permissions.get(&self.schema.role);
        permissions
            .and_then(|permissions| permissions.insert.clone())
            .ok_or_else(|| GraphqlError::unexpected("an insert without a permission"))
    }

    pub(super) fn insert(&mut self, table: TableId, selected: &Selected<'a>, one: bool) -> Result<MutationPlan> {
        let name = if one { "object" } else { "objects" };
        let path = format!("{}.args.{name}", selected.path);
        let argument = |wanted: &str| selected.arguments.iter().find(|argument| argument.name.as_str() == wanted);
        let definition = selected.field.and_then(|field| field.arguments.get(name));
        let (Some(definition), Some(objects)) = (definition, argument(name)) else {
            return Err(GraphqlError::validation(path, format!("missing required field '{name}'")));
        };
        let ty = definition.ty.base();
        let objects = Input::Ast(&objects.value);
        let items = if one { vec![(objects, path.clone())] } else { self.members(objects, &path)? };
        let mut rows = Vec::with_capacity(items.len());
        for (item, path) in items {
            rows.push((self.insert_object(item, ty, &path)?, path));
        }
        let conflict = ["on_conflict", "onConflict"].into_iter().find_map(|name| {
            let definition = selected.field?.arguments.get(name)?;
            Some((definition, Input::Ast(&argument(name)?.value), format!("{}.args.{name}", selected.path)))
        });
        let nested = rows.iter().any(|(row, _)| !row.nested.is_empty());
        let alias = self.alias();
        let (writes, response) = if rows.is_empty() {
            // With nothing to insert a conflict is read only for what is wrong with it.
            if let Some((definition, input, path)) = conflict {
                self.conflict(table, alias, definition, input, &path)?;
                self.params.take();
            }
            (Writes::Nothing, self.response(table, alias, selected, one)?.response)
        } else if nested {
            let conflict = conflict.as_ref().map(|(d, input, path)| (*d, *input, path.as_str()));
            let mut inserts = Vec::with_capacity(rows.len());
            for (row, path) in rows {
                let path = if one { format!("{path}[0]") } else { path };
                inserts.push(self.insert_one(table, row, conflict, Vec::new(), &[], &path)?);
            }
            // Rows of nested inserts are always read again: the statement does not see those that come after it.
            let fields = self.response_again(table, selected, one)?;
            (Writes::Nested(inserts), fields)
        } else {
            let outputs = self.response(table, alias, selected, one)?;
            let rule = self.insert_rule(table)?;
            let columns: Vec<_> = rows.into_iter().map(|(row, _)| row.columns).collect();
            let (names, values) = self.insert_values(table, &rule, &columns, &[])?;
            let conflict = match conflict {
                Some((definition, input, path)) => self.conflict(table, alias, definition, input, &path)?,
                None => None,
            };
            let check = self.insert_check(table, alias, &rule, conflict.as_ref())?;
            let returning = self.returning(alias, check, &outputs);
            let statement = Statement::Insert(Insert {
                table: self.table(table).name.clone(),
                alias,
                columns: names,
                rows: values,
                conflict,
                returning,
            });
            (Writes::One(self.write(&statement)), outputs.response)
        };
        Ok(MutationPlan { table: self.table(table).name.clone(), path, writes, response })
    }

    fn response_again(&mut self, table: TableId, selected: &Selected<'a>, one: bool) -> Result<super::Response> {
        use super::{Part, Response, Returning};
        use crate::plan::shape::key;
        use crate::schema::model::types::FieldKind;
        if one {
            let fields = self.under(selected)?;
            return Ok(Response::One(Returning::Again(Box::new(self.again(table, &fields)?))));
        }
        let ty = self.type_constant(selected)?;
        let mut parts = Vec::new();
        for field in self.under(selected)? {
            let part = match field.field.map(|field| &field.kind) {
                Some(FieldKind::AffectedRows) => Part::AffectedRows,
                Some(FieldKind::Returning) => {
                    let fields = self.under(&field)?;
                    Part::Returning(Returning::Again(Box::new(self.again(table, &fields)?)))
                }
                None => Part::Constant(ty.clone()),
                Some(_) => return Err(field.unexpected("a part of a mutation's answer")),
            };
            parts.push((key(field.key), part));
        }
        Ok(Response::Object(parts))
    }

    fn insert_object(&self, input: Input<'a>, ty: TypeId, path: &str) -> Result<Object<'a>> {
        let mut object = Object { columns: Vec::new(), nested: Vec::new() };
        for (name, field, value) in self.fields(input, ty, path)? {
            let path = format!("{path}.{name}");
            match &field.kind {
                InputKind::Row(RowInput::Column(column)) => object.columns.push((*column, value, path)),
                InputKind::Row(RowInput::Relationship(relationship)) => {
                    if let Some(value) = self.optional(value, &path)? {
                        let (relationship, ty) = (*relationship, field.ty.base());
                        object.nested.push(Nested { relationship, ty, value, path });
                    }
                }
                _ => return Err(field.unexpected(name, "a part of a row to insert")),
            }
        }
        Ok(object)
    }

    /// Names of the columns that any row sets, and the rows' values in that order.
    #[allow(clippy::type_complexity)]
    fn insert_values(
        &mut self,
        table: TableId,
        rule: &InsertRule,
        rows: &[Vec<Given<'a>>],
        keys: &[(usize, usize)],
    ) -> Result<(Vec<String>, Vec<Vec<Option<Expr>>>)> {
        let info = self.table(table);
        let mut columns: Vec<usize> = Vec::new();
        let named = rows.iter().flat_map(|row| row.iter().map(|(column, _, _)| *column));
        for column in named.chain(rule.presets.iter().map(|(c, _)| *c)).chain(keys.iter().map(|(c, _)| *c)) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        if columns.is_empty() && rows.len() > 1 {
            // SQL has no several rows without columns; the first one takes its default in each.
            columns.push(0);
        }
        columns.sort_unstable();
        let mut values = Vec::with_capacity(rows.len());
        for row in rows {
            let mut line = Vec::with_capacity(columns.len());
            for &column in &columns {
                let ty = &info.columns[column].ty;
                let key = keys.iter().find(|(own, _)| *own == column);
                let preset = rule.presets.iter().find(|(own, _)| *own == column);
                let given = row.iter().find(|(own, _, _)| *own == column);
                let source = match (key, given, preset) {
                    (Some((_, place)), _, _) => Some(Source::Key(*place)),
                    (None, _, Some((_, value))) => Some(constant(value, ty)),
                    (None, Some((_, value, path)), None) => {
                        Some(self.column_value(*value, &info.columns[column], path)?)
                    }
                    (None, None, None) => None,
                };
                line.push(source.map(|source| self.bind(source, ty)));
            }
            values.push(line);
        }
        let names = columns.into_iter().map(|column| info.columns[column].name.clone()).collect();
        Ok((names, values))
    }

    /// What must hold of each row: the insert's check, and for rows that a conflict turned into updates the update's.
    fn insert_check(
        &mut self,
        table: TableId,
        alias: Alias,
        rule: &InsertRule,
        conflict: Option<&Conflict>,
    ) -> Result<Expr> {
        let updated = match conflict.is_some_and(|conflict| !conflict.set.is_empty()) {
            true => Some(self.update_rule(table)?.check.clone()),
            false => None,
        };
        if rule.check.is_true() && updated.as_ref().is_none_or(BoolExp::is_true) {
            return Ok(Expr::Fixed("TRUE"));
        }
        let inserted = self.condition(&rule.check, table, alias, alias);
        Ok(match updated {
            None => inserted,
            Some(updated) => {
                let updated = self.condition(&updated, table, alias, alias);
                let fresh = Expr::Cast(Box::new(Expr::Column(alias, "xmax".to_owned())), "text".to_owned());
                Expr::Case(vec![(fresh.binary("=", Expr::Fixed("'0'")), inserted)], Some(Box::new(updated)))
            }
        })
    }

    fn conflict(
        &mut self,
        table: TableId,
        alias: Alias,
        definition: &'a InputField,
        input: Input<'a>,
        path: &str,
    ) -> Result<Option<Conflict>> {
        let info = self.table(table);
        let mut constraint = None;
        let mut columns: Vec<usize> = Vec::new();
        let mut filter = BoolExp::TRUE;
        for (name, field, value) in self.fields(input, definition.ty.base(), path)? {
            let path = format!("{path}.{name}");
            let base = field.ty.base();
            match name {
                "constraint" => constraint = Some(self.enum_value(value, base, &path)?.0.to_owned()),
                "where" => filter = self.filter(value, base, table, &path)?,
                "update_columns" | "updateColumns" => columns = self.columns(value, base, &path)?,
                _ => return Err(field.unexpected(name, "a part of what happens on a conflict")),
            }
        }
        let constraint = constraint.ok_or_else(|| GraphqlError::unexpected("a conflict without a constraint"))?;
        // The role may update none, and named the value that stands for them.
        if columns.iter().any(|column| *column >= info.columns.len()) {
            return Err(GraphqlError::validation(path, "erroneous column name"));
        }
        let mut set = Vec::new();
        let mut conditions = Vec::new();
        if !columns.is_empty() {
            for &column in &columns {
                let name = info.columns[column].name.clone();
                set.push((name.clone(), Expr::Excluded(name)));
            }
            let rule = self.update_rule(table)?;
            for (column, value) in &rule.presets {
                let info = &info.columns[*column];
                set.retain(|(name, _)| *name != info.name);
                set.push((info.name.clone(), self.bind(constant(value, &info.ty), &info.ty)));
            }
            conditions.push(self.condition(&rule.filter, table, alias, alias));
            conditions.push(self.condition(&filter, table, alias, alias));
        }
        Ok(Some(Conflict { constraint, set, filter: Expr::all(conditions) }))
    }

    /// Refuses columns of a row whose values the row above gives.
    fn refuse_given_keys(
        &self,
        table: TableId,
        columns: &[Given<'a>],
        keys: &[(usize, usize)],
        path: &str,
    ) -> Result<()> {
        let twice: Vec<String> = keys
            .iter()
            .filter(|(column, _)| columns.iter().any(|(own, _, _)| own == column))
            .map(|(column, _)| format!("\"{}\"", self.table(table).columns[*column].name))
            .collect();
        if twice.is_empty() {
            return Ok(());
        }
        let what = "columns as their values are already being determined by parent insert";
        Err(GraphqlError::validation(path, format!("cannot insert {} {what}", twice.join(", "))))
    }

    /// One row with the rows in it. `keys` are columns that another row gives; `wanted` the columns that others take.
    fn insert_one(
        &mut self,
        table: TableId,
        object: Object<'a>,
        conflict: Option<Clause<'a, '_>>,
        mut keys: Keys,
        wanted: &[usize],
        path: &str,
    ) -> Result<InsertOne> {
        let info = self.table(table);
        self.refuse_given_keys(table, &object.columns, &keys, path)?;
        let mut next = keys.iter().map(|(_, place)| place + 1).max().unwrap_or_default();
        let mut returned: Vec<usize> = wanted.to_vec();
        let mut before = Vec::new();
        let mut later = Vec::new();
        for nested in object.nested {
            let related = &info.relationships[nested.relationship];
            if related.array || related.insert_after {
                later.push(nested);
                continue;
            }
            let twice: Vec<String> = related
                .mapping
                .iter()
                .filter(|(local, _)| {
                    object.columns.iter().any(|(own, _, _)| own == local) || keys.iter().any(|(own, _)| own == local)
                })
                .map(|(local, _)| format!("\"{}\"", info.columns[*local].name))
                .collect();
            if !twice.is_empty() {
                let message = format!(
                    "cannot insert object relationship \"{}\" as {} column values are already determined",
                    related.name,
                    twice.join(", ")
                );
                return Err(GraphqlError::validation(format!("{path}.{}", related.name), message));
            }
            let (insert, left_out) = self.insert_before(related, nested, path)?;
            let mut map = Vec::new();
            for (index, &(local, _)) in related.mapping.iter().enumerate() {
                keys.push((local, next));
                map.push((index, next));
                next += 1;
            }
            before.push(Before { insert, left_out, keys: map });
        }
        let mut after = Vec::new();
        for nested in later {
            let related = &info.relationships[nested.relationship];
            let mut map = Vec::new();
            let mut inherited = Keys::new();
            for (place, &(local, remote)) in related.mapping.iter().enumerate() {
                let at = returned.iter().position(|column| *column == local).unwrap_or_else(|| {
                    returned.push(local);
                    returned.len() - 1
                });
                map.push((at, place));
                inherited.push((remote, place));
            }
            if let Some(inserts) = self.insert_after(related, nested, inherited, path)? {
                after.push(After { inserts, keys: map });
            }
        }
        let write = self.insert_statement(table, &[object.columns], conflict, &keys, &returned)?;
        let message = "cannot proceed to insert array relations since insert to table";
        let message = format!("{message} \"{}\" affects zero rows", info.name);
        let left_out = GraphqlError::at(path, ErrorCode::NotSupported, message);
        Ok(InsertOne { sql: write.sql, params: write.params, before, after, left_out, path: path.to_owned() })
    }

    /// A row that comes before another, which is inserted at a path, and the error when it is left out.
    fn insert_before(
        &mut self,
        related: &'a RelationshipInfo,
        nested: Nested<'a>,
        path: &str,
    ) -> Result<(InsertOne, GraphqlError)> {
        let (data, ty, clause) = self.nested_data(&nested)?;
        let object = self.insert_object(data, ty, &format!("{}.data", nested.path))?;
        let path = format!("{path}.{}", related.name);
        let remote: Vec<usize> = related.mapping.iter().map(|&(_, remote)| remote).collect();
        let clause = clause.as_ref().map(|(definition, input, path)| (*definition, *input, path.as_str()));
        let insert = self.insert_one(related.table, object, clause, Vec::new(), &remote, &format!("{path}.data"))?;
        let message = format!(
            "cannot proceed to insert object relation \"{}\" since insert to table \"{}\" affects zero rows",
            related.name,
            self.table(related.table).name
        );
        Ok((insert, GraphqlError::at(path, ErrorCode::NotSupported, message)))
    }

    /// Rows that come after another, which is inserted at a path, and take its keys; nothing for an empty list.
    fn insert_after(
        &mut self,
        related: &'a RelationshipInfo,
        nested: Nested<'a>,
        keys: Keys,
        path: &str,
    ) -> Result<Option<Inserts>> {
        let (data, ty, clause) = self.nested_data(&nested)?;
        let place = format!("{}.data", nested.path);
        let items = if related.array { self.members(data, &place)? } else { vec![(data, place)] };
        let path = format!("{path}.{}.data", related.name);
        let mut rows = Vec::with_capacity(items.len());
        for (index, (item, place)) in items.into_iter().enumerate() {
            rows.push((self.insert_object(item, ty, &place)?, format!("{path}[{index}]")));
        }
        let clause = clause.as_ref().map(|(definition, input, path)| (*definition, *input, path.as_str()));
        if rows.is_empty() {
            return Ok(None);
        }
        if rows.iter().any(|(row, _)| !row.nested.is_empty()) {
            let mut inserts = Vec::with_capacity(rows.len());
            for (row, path) in rows {
                inserts.push(self.insert_one(related.table, row, clause, keys.clone(), &[], &path)?);
            }
            return Ok(Some(Inserts::Each(inserts)));
        }
        for (row, path) in &rows {
            self.refuse_given_keys(related.table, &row.columns, &keys, path)?;
        }
        let rows: Vec<_> = rows.into_iter().map(|(row, _)| row.columns).collect();
        Ok(Some(Inserts::Together(self.insert_statement(related.table, &rows, clause, &keys, &[])?, path)))
    }

    /// What a nested insert holds: the data, its type, and what happens on a conflict.
    #[allow(clippy::type_complexity)]
    fn nested_data(
        &self,
        nested: &Nested<'a>,
    ) -> Result<(Input<'a>, TypeId, Option<(&'a InputField, Input<'a>, String)>)> {
        let (mut data, mut conflict) = (None, None);
        for (name, field, value) in self.fields(nested.value, nested.ty, &nested.path)? {
            match name {
                "data" => data = Some((value, field.ty.base())),
                "on_conflict" | "onConflict" => {
                    conflict = Some((field, value, format!("{}.{name}", nested.path)));
                }
                _ => return Err(field.unexpected(name, "a part of a nested insert")),
            }
        }
        let (value, ty) = data.ok_or_else(|| GraphqlError::unexpected("a nested insert without data"))?;
        Ok((value.resolve(self.variables, &nested.path)?, ty, conflict))
    }

    /// A statement with values of its own that inserts rows; it returns the check, the row as text, and the columns
    /// that others take.
    fn insert_statement(
        &mut self,
        table: TableId,
        rows: &[Vec<Given<'a>>],
        conflict: Option<Clause<'a, '_>>,
        keys: &[(usize, usize)],
        returned: &[usize],
    ) -> Result<Write> {
        let rule = self.insert_rule(table)?;
        let params = std::mem::take(&mut self.params);
        let alias = self.alias();
        let (columns, rows) = self.insert_values(table, &rule, rows, keys)?;
        let conflict = match conflict {
            Some((definition, input, path)) => self.conflict(table, alias, definition, input, path)?,
            None => None,
        };
        let check = self.insert_check(table, alias, &rule, conflict.as_ref())?;
        let mut returning = vec![check, Expr::Cast(Box::new(Expr::Whole(alias)), "text".to_owned())];
        for &column in returned {
            returning.push(Expr::Cast(Box::new(self.column(table, column, alias)), "text".to_owned()));
        }
        let table = self.table(table).name.clone();
        let write = self.write(&Statement::Insert(Insert { table, alias, columns, rows, conflict, returning }));
        self.params = params;
        Ok(write)
    }
}
