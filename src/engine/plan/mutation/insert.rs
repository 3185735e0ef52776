//! Inserts, with conflicts and with rows of other tables in them.

use std::sync::Arc;

use super::{MutationPlan, Writes};
use crate::engine::error::{GraphqlError, Result};
use crate::engine::plan::collect::Selected;
use crate::engine::plan::context::Context;
use crate::engine::plan::input::Input;
use crate::engine::schema::boolexp::{BoolExp, Source, literal};
use crate::engine::schema::model::{InsertRule, TableId};
use crate::engine::schema::permission::operand_type;
use crate::engine::schema::types::{InputField, InputKind, TypeId};
use crate::engine::sql::{Alias, Conflict, Expr, Insert, Parameters, Statement, print};

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
    /// Where errors of the database are said to lie.
    pub path: String,
}

/// A row that comes before another.
#[derive(Debug, Clone, PartialEq)]
pub struct Before {
    /// The row.
    pub insert: InsertOne,
    /// Places among the row's key columns, and the places of the values that they become.
    pub keys: Vec<(usize, usize)>,
}

/// Rows that come after another.
#[derive(Debug, Clone, PartialEq)]
pub struct After {
    /// The rows.
    pub inserts: Vec<InsertOne>,
    /// Places among the other row's key columns, and the places of the values that they become.
    pub keys: Vec<(usize, usize)>,
}

/// A row as the client gave it.
struct Object<'a> {
    columns: Vec<(usize, Input<'a>, String)>,
    nested: Vec<(usize, TypeId, Input<'a>, String)>,
}

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
        let value = self.present(Input::Ast(&objects.value), ty, &path)?;
        let items: Vec<(Input<'a>, String)> = match (one, value) {
            (_, None) => Vec::new(),
            (true, Some(value)) => vec![(value, path.clone())],
            (false, Some(value)) => {
                value.list().into_iter().enumerate().map(|(i, item)| (item, format!("{path}[{i}]"))).collect()
            }
        };
        let mut rows = Vec::with_capacity(items.len());
        for (item, path) in items {
            rows.push((self.insert_object(item, ty, table, &path)?, path));
        }
        let conflict = ["on_conflict", "onConflict"].into_iter().find_map(|name| {
            let definition = selected.field?.arguments.get(name)?;
            Some((definition, Input::Ast(&argument(name)?.value), format!("{}.args.{name}", selected.path)))
        });
        let nested = rows.iter().any(|(row, _)| !row.nested.is_empty());
        let alias = self.alias();
        let (writes, response) = if rows.is_empty() {
            (Writes::Nothing, self.response(table, alias, selected, one)?.response)
        } else if nested {
            let conflict = conflict.as_ref().map(|(d, input, path)| (*d, *input, path.as_str()));
            let mut inserts = Vec::with_capacity(rows.len());
            for (row, path) in rows {
                inserts.push(self.insert_one(table, row, conflict, Vec::new(), &[], &path)?);
            }
            // Rows of nested inserts are always read again: the statement does not see those that come after it.
            let fields = self.response_again(table, selected, one)?;
            (Writes::Nested(inserts), fields)
        } else {
            let outputs = self.response(table, alias, selected, one)?;
            let rule = self.insert_rule(table)?;
            let columns: Vec<(_, String)> = rows.into_iter().map(|(row, path)| (row.columns, path)).collect();
            let (names, values) = self.insert_values(table, &rule, &columns, &[])?;
            let conflict = match conflict {
                Some((definition, input, path)) => self.conflict(table, alias, definition, input, &path)?,
                None => None,
            };
            let check = self.insert_check(table, alias, &rule, conflict.as_ref());
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
        use crate::engine::plan::shape::key;
        use crate::engine::schema::types::FieldKind;
        if one {
            let fields = self.under(selected)?;
            return Ok(Response::One(Returning::Again(Box::new(self.again(table, &fields)?))));
        }
        let ty = selected.field.map(|field| self.schema.ty(field.ty.base()).name.clone()).unwrap_or_default();
        let mut parts = Vec::new();
        for field in self.under(selected)? {
            let part = match field.field.map(|field| &field.kind) {
                Some(FieldKind::AffectedRows) => Part::AffectedRows,
                Some(FieldKind::Returning) => {
                    let fields = self.under(&field)?;
                    Part::Returning(Returning::Again(Box::new(self.again(table, &fields)?)))
                }
                _ => Part::Constant(format!("\"{ty}\"")),
            };
            parts.push((key(field.key), part));
        }
        Ok(Response::Object(parts))
    }

    fn insert_object(&self, input: Input<'a>, ty: TypeId, table: TableId, path: &str) -> Result<Object<'a>> {
        let mut object = Object { columns: Vec::new(), nested: Vec::new() };
        let Some(value) = self.present(input, ty, path)? else { return Ok(object) };
        for (name, field, value) in self.fields(value, ty, path)? {
            let path = format!("{path}.{name}");
            match &field.kind {
                InputKind::Column(column) => object.columns.push((*column, value, path)),
                InputKind::Relationship(relationship) => {
                    if let Some(value) = value.resolve(self.variables, &path)?.filter(|value| !value.is_null()) {
                        object.nested.push((*relationship, field.ty.base(), value, path));
                    }
                }
                _ => {}
            }
        }
        let _ = table;
        Ok(object)
    }

    /// Names of the columns that any row sets, and the rows' values in that order.
    #[allow(clippy::type_complexity)]
    fn insert_values(
        &mut self,
        table: TableId,
        rule: &InsertRule,
        rows: &[(Vec<(usize, Input<'a>, String)>, String)],
        keys: &[(usize, usize)],
    ) -> Result<(Vec<String>, Vec<Vec<Option<Expr>>>)> {
        let info = self.table(table);
        let mut columns: Vec<usize> = Vec::new();
        let named = rows.iter().flat_map(|(row, _)| row.iter().map(|(column, _, _)| *column));
        for column in named.chain(rule.presets.iter().map(|(c, _)| *c)).chain(keys.iter().map(|(c, _)| *c)) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        columns.sort_unstable();
        let mut values = Vec::with_capacity(rows.len());
        for (row, _) in rows {
            let mut line = Vec::with_capacity(columns.len());
            for &column in &columns {
                let ty = &info.columns[column].ty;
                let key = keys.iter().find(|(own, _)| *own == column);
                let preset = rule.presets.iter().find(|(own, _)| *own == column);
                let given = row.iter().find(|(own, _, _)| *own == column);
                let source = match (key, given, preset) {
                    (Some((_, place)), _, _) => Some(Source::Key(*place)),
                    (None, _, Some((_, value))) => Some(literal(value)),
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
    fn insert_check(&mut self, table: TableId, alias: Alias, rule: &InsertRule, conflict: Option<&Conflict>) -> Expr {
        let update = self.table(table).permissions.get(&self.schema.role).and_then(|p| p.update.clone());
        let updated = conflict
            .filter(|conflict| !conflict.set.is_empty())
            .map(|_| update.map_or(BoolExp::TRUE, |rule| rule.check.clone()));
        if rule.check.is_true() && updated.as_ref().is_none_or(BoolExp::is_true) {
            return Expr::Fixed("TRUE");
        }
        let inserted = self.condition(&rule.check, table, alias, alias);
        match updated {
            None => inserted,
            Some(updated) => {
                let updated = self.condition(&updated, table, alias, alias);
                let fresh = Expr::Cast(Box::new(Expr::Column(alias, "xmax".to_owned())), "text".to_owned());
                Expr::Case(vec![(fresh.binary("=", Expr::Fixed("'0'")), inserted)], Some(Box::new(updated)))
            }
        }
    }

    fn conflict(
        &mut self,
        table: TableId,
        alias: Alias,
        definition: &'a InputField,
        input: Input<'a>,
        path: &str,
    ) -> Result<Option<Conflict>> {
        let Some(value) = input.resolve(self.variables, path)?.filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let info = self.table(table);
        let mut constraint = String::new();
        let mut columns: Vec<usize> = Vec::new();
        let mut filter = BoolExp::TRUE;
        for (name, field, value) in self.fields(value, definition.ty.base(), path)? {
            let path = format!("{path}.{name}");
            let base = field.ty.base();
            match name {
                "constraint" => constraint = self.enum_value(value, base, &path)?.0.to_owned(),
                "where" => filter = self.filter(value, base, table, &path)?,
                _ => {
                    let Some(list) = self.present(value, base, &path)? else { continue };
                    for item in list.list() {
                        columns.push(self.member(item, base, &path)?);
                    }
                }
            }
        }
        columns.retain(|column| *column < info.columns.len());
        let mut set = Vec::new();
        let mut conditions = Vec::new();
        if !columns.is_empty() {
            for &column in &columns {
                let name = info.columns[column].name.clone();
                set.push((name.clone(), Expr::Excluded(name)));
            }
            let rule = info.permissions.get(&self.schema.role).and_then(|permissions| permissions.update.clone());
            if let Some(rule) = rule {
                for (column, value) in &rule.presets {
                    let info = &info.columns[*column];
                    set.retain(|(name, _)| *name != info.name);
                    let ty = operand_type(crate::engine::schema::boolexp::Operator::Eq, &info.ty);
                    set.push((info.name.clone(), self.bind(literal(value), &ty)));
                }
                conditions.push(self.condition(&rule.filter, table, alias, alias));
            }
            conditions.push(self.condition(&filter, table, alias, alias));
        }
        Ok(Some(Conflict { constraint, set, filter: Expr::all(conditions) }))
    }

    /// One row with the rows in it. `keys` are columns that another row gives; `wanted` the columns that others take.
    fn insert_one(
        &mut self,
        table: TableId,
        object: Object<'a>,
        conflict: Option<(&'a InputField, Input<'a>, &str)>,
        mut keys: Keys,
        wanted: &[usize],
        path: &str,
    ) -> Result<InsertOne> {
        let info = self.table(table);
        let rule = self.insert_rule(table)?;
        for (column, _) in &keys {
            if let Some((_, _, _)) = object.columns.iter().find(|(own, _, _)| own == column) {
                let message = format!(
                    "cannot insert \"{}\" columns as their values are already being determined by parent insert",
                    info.columns[*column].name
                );
                return Err(GraphqlError::validation(path, message));
            }
        }
        let mut next = keys.iter().map(|(_, place)| place + 1).max().unwrap_or_default();
        let mut returned: Vec<usize> = wanted.to_vec();
        let mut before = Vec::new();
        let mut later = Vec::new();
        for (relationship, ty, value, path) in object.nested {
            let related = &info.relationships[relationship];
            let fields = self.fields(value, ty, &path)?;
            let data = fields.iter().find(|(name, _, _)| *name == "data").map(|(_, field, value)| (*field, *value));
            let conflict = fields
                .iter()
                .find(|(name, _, _)| matches!(*name, "on_conflict" | "onConflict"))
                .map(|(_, field, value)| (*field, *value));
            let Some((field, data)) = data else { continue };
            let data_path = format!("{path}.data");
            let Some(data) = self.present(data, field.ty.base(), &data_path)? else { continue };
            if related.array || related.insert_after {
                later.push((relationship, field, data, conflict, data_path));
                continue;
            }
            for &(local, _) in &related.mapping {
                if object.columns.iter().any(|(own, _, _)| *own == local) || keys.iter().any(|(own, _)| *own == local) {
                    let message = format!(
                        "cannot insert object relationship \"{}\" as \"{}\" column values are already determined",
                        related.name, info.columns[local].name
                    );
                    return Err(GraphqlError::validation(path, message));
                }
            }
            let inner = self.insert_object(data, field.ty.base(), related.table, &data_path)?;
            let remote: Vec<usize> = related.mapping.iter().map(|&(_, remote)| remote).collect();
            let conflict_path = format!("{path}.on_conflict");
            let conflict = conflict.map(|(field, value)| (field, value, conflict_path.as_str()));
            let insert = self.insert_one(related.table, inner, conflict, Vec::new(), &remote, &data_path)?;
            let mut map = Vec::new();
            for (index, &(local, _)) in related.mapping.iter().enumerate() {
                keys.push((local, next));
                map.push((index, next));
                next += 1;
            }
            before.push(Before { insert, keys: map });
        }
        let mut after = Vec::new();
        for (relationship, field, data, conflict, path) in later {
            let related = &info.relationships[relationship];
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
            let items = if related.array { data.list() } else { vec![data] };
            let mut inserts = Vec::with_capacity(items.len());
            for (index, item) in items.into_iter().enumerate() {
                let path = if related.array { format!("{path}[{index}]") } else { path.clone() };
                let inner = self.insert_object(item, field.ty.base(), related.table, &path)?;
                let conflict_path = format!("{path}.on_conflict");
                let conflict = conflict.map(|(field, value)| (field, value, conflict_path.as_str()));
                inserts.push(self.insert_one(related.table, inner, conflict, inherited.clone(), &[], &path)?);
            }
            after.push(After { inserts, keys: map });
        }
        // The row's own statement, with values of its own.
        let params = std::mem::take(&mut self.params);
        let alias = self.alias();
        let rows = [(object.columns, path.to_owned())];
        let (columns, rows) = self.insert_values(table, &rule, &rows, &keys)?;
        let conflict = match conflict {
            Some((definition, input, path)) => self.conflict(table, alias, definition, input, path)?,
            None => None,
        };
        let check = self.insert_check(table, alias, &rule, conflict.as_ref());
        let mut returning = vec![check, Expr::Cast(Box::new(Expr::Whole(alias)), "text".to_owned())];
        for &column in &returned {
            returning.push(Expr::Cast(Box::new(self.column(table, column, alias)), "text".to_owned()));
        }
        let statement =
            Statement::Insert(Insert { table: info.name.clone(), alias, columns, rows, conflict, returning });
        let sql = print(&statement, Parameters::Direct);
        let own = std::mem::replace(&mut self.params, params);
        Ok(InsertOne { sql: sql.into(), params: own, before, after, path: path.to_owned() })
    }
}
