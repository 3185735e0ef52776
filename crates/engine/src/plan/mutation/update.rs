//! Updates.

use super::{MutationPlan, Response, Write, Writes, unfiltered};
use crate::error::{GraphqlError, Result};
use crate::plan::collect::Selected;
use crate::plan::context::Context;
use crate::plan::input::Input;
use crate::schema::coerce::constant;
use crate::schema::model::boolexp::{BoolExp, Comparison, Source};
use crate::schema::model::scalar::ScalarType;
use crate::schema::model::types::InputField;
use crate::schema::model::{ColumnInfo, TableId, UpdateRule};
use crate::schema::permission::list_of;
use crate::sql::{Alias, Expr, Statement, Update};

/// An operator of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assignment {
    Set,
    Inc,
    Append,
    Prepend,
    DeleteKey,
    DeleteElem,
    DeleteAtPath,
}

impl Assignment {
    /// The operator of an argument's name, in either naming convention.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "_set" => Self::Set,
            "_inc" => Self::Inc,
            "_append" => Self::Append,
            "_prepend" => Self::Prepend,
            "_delete_key" | "_deleteKey" => Self::DeleteKey,
            "_delete_elem" | "_deleteElem" => Self::DeleteElem,
            "_delete_at_path" | "_deleteAtPath" => Self::DeleteAtPath,
            _ => return None,
        })
    }
}

/// Both hold, of which the first may not have been given.
fn and(filter: Option<BoolExp>, other: BoolExp) -> BoolExp {
    match filter {
        Some(filter) => filter.and(other),
        None => other,
    }
}

impl<'a> Context<'a> {
    pub(super) fn update_rule(&self, table: TableId) -> Result<std::sync::Arc<UpdateRule>> {
        let permissions = self.table(table).permissions.get(&self.schema.role);
        permissions
            .and_then(|permissions| permissions.update.clone())
            .ok_or_else(|| GraphqlError::unexpected("an update without a permission"))
    }

    pub(super) fn update(&mut self, table: TableId, selected: &Selected<'a>, one: bool) -> Result<MutationPlan> {
        let mut given: Vec<(&'a str, &'a InputField, Input<'a>)> = Vec::new();
        for (name, definition) in &selected.definition()?.arguments {
            let argument = selected.arguments.iter().find(|argument| argument.name.as_str() == name);
            match argument {
                Some(argument) => given.push((name.as_str(), definition, Input::Ast(&argument.value))),
                None if definition.ty.is_required() => {
                    let path = format!("{}.args.{name}", selected.path);
                    return Err(GraphqlError::validation(path, format!("missing required field '{name}'")));
                }
                None => {}
            }
        }
        let path = format!("{}.args", selected.path);
        let alias = self.alias();
        let write = self.update_statement(table, alias, &given, selected, one, &path)?;
        let (writes, response) = match write {
            (Some(write), response) => (Writes::One(write), response),
            (None, response) => (Writes::Nothing, response),
        };
        Ok(MutationPlan { table: self.table(table).name.clone(), path: "$".to_owned(), writes, response })
    }

    pub(super) fn update_many(&mut self, table: TableId, selected: &Selected<'a>) -> Result<MutationPlan> {
        let path = format!("{}.args.updates", selected.path);
        let definition = selected.field.and_then(|field| field.arguments.get("updates"));
        let argument = selected.arguments.iter().find(|argument| argument.name.as_str() == "updates");
        let (Some(definition), Some(argument)) = (definition, argument) else {
            return Err(GraphqlError::validation(path, "missing required field 'updates'"));
        };
        let base = definition.ty.base();
        let mut writes = Vec::new();
        let mut response = None;
        for (item, path) in self.members(Input::Ast(&argument.value), &path)? {
            let given = self.fields(item, base, &path)?;
            let alias = self.alias();
            let (write, one) = self.update_statement(table, alias, &given, selected, false, &path)?;
            response.get_or_insert(one);
            writes.push(write);
        }
        let response = response.unwrap_or(Response::Object(Vec::new()));
        Ok(MutationPlan {
            table: self.table(table).name.clone(),
            path: "$".to_owned(),
            writes: Writes::Many(writes),
            response,
        })
    }

    fn update_statement(
        &mut self,
        table: TableId,
        alias: Alias,
        given: &[(&'a str, &'a InputField, Input<'a>)],
        selected: &Selected<'a>,
        one: bool,
        path: &str,
    ) -> Result<(Option<Write>, Response)> {
        let rule = self.update_rule(table)?;
        let info = self.table(table);
        let mut set: Vec<(usize, Expr)> = Vec::new();
        let mut twice: Vec<String> = Vec::new();
        let mut filter: Option<BoolExp> = None;
        for (name, definition, value) in given.iter().copied() {
            let path = format!("{path}.{name}");
            let base = definition.ty.base();
            if name == "where" {
                filter = Some(and(filter, self.filter(value, base, table, &path)?));
                continue;
            }
            let outer = definition;
            for (field, definition, value) in self.fields(value, base, &path)? {
                let column = definition.column(field)?;
                let path = format!("{path}.{field}");
                let info = &info.columns[column];
                if name == "pk_columns" || name == "pkColumns" {
                    let source = self.value(value, &info.ty, Some(info), false, &path)?;
                    let equal = BoolExp::Column(column, Comparison::equal(source, info.ty.clone()));
                    filter = Some(and(filter, equal));
                    continue;
                }
                let own = self.column(table, column, alias);
                let operator =
                    Assignment::of(name).ok_or_else(|| outer.unexpected(name, "an operator of an update"))?;
                let expr = self.assigned(operator, own, info, value, &path)?;
                match set.iter().any(|(known, _)| *known == column) {
                    true => twice.push(format!("'{field}'")),
                    false => set.push((column, expr)),
                }
            }
        }
        if !twice.is_empty() {
            let message = format!("Column found in multiple operators: [{}].", twice.join(", "));
            return Err(GraphqlError::validation(path, message));
        }
        let filter = filter.ok_or_else(|| unfiltered(selected))?;
        for (column, value) in &rule.presets {
            let ty = &info.columns[*column].ty;
            let expr = self.bind(constant(value, ty), ty);
            set.push((*column, expr));
        }
        let parts = [self.condition(&rule.filter, table, alias, alias), self.condition(&filter, table, alias, alias)];
        let check = match rule.check.is_true() {
            true => Expr::Fixed("TRUE"),
            false => self.condition(&rule.check, table, alias, alias),
        };
        let outputs = self.response(table, alias, selected, one)?;
        let returning = self.returning(alias, check, &outputs);
        if set.is_empty() {
            self.params.take();
            return Ok((None, outputs.response));
        }
        let statement = Statement::Update(Update {
            table: info.name.clone(),
            alias,
            set: set.into_iter().map(|(column, expr)| (info.columns[column].name.clone(), expr)).collect(),
            filter: Expr::all(parts),
            returning,
        });
        Ok((Some(self.write(&statement)), outputs.response))
    }

    fn assigned(
        &mut self,
        operator: Assignment,
        own: Expr,
        info: &'a ColumnInfo,
        value: Input<'a>,
        path: &str,
    ) -> Result<Expr> {
        let text = ScalarType::builtin("text");
        Ok(match operator {
            Assignment::Set => {
                let source = self.column_value(value, info, path)?;
                self.bind(source, &info.ty)
            }
            // With null all of these give null.
            Assignment::Inc => {
                let source = self.column_value(value, info, path)?;
                own.binary("+", self.bind(source, &info.ty))
            }
            Assignment::Append => {
                let source = self.column_value(value, info, path)?;
                own.binary("||", self.bind(source, &info.ty))
            }
            Assignment::Prepend => {
                let source = self.column_value(value, info, path)?;
                self.bind(source, &info.ty).binary("||", own)
            }
            Assignment::DeleteKey => {
                let source = match self.optional(value, path)? {
                    Some(_) => self.value(value, &text, None, false, path)?,
                    None => Source::Null,
                };
                own.binary("-", self.bind(source, &text))
            }
            Assignment::DeleteElem => {
                let int = ScalarType::builtin("int4");
                let source = self.value(value, &int, None, false, path)?;
                own.binary("-", self.bind(source, &int))
            }
            Assignment::DeleteAtPath => {
                let source = self.value(value, &text, None, true, path)?;
                own.binary("#-", self.bind(source, &list_of(&text)))
            }
        })
    }

    /// A value for a column, which may be null where the column may.
    pub(super) fn column_value(&self, value: Input<'a>, info: &'a ColumnInfo, path: &str) -> Result<Source> {
        let null = match value.variable() {
            // Which variables are null is a part of a plan's key: the value itself need not be looked at.
            Some(name) => self.variables.peek(name, path)?.is_null(),
            None => value.is_null(),
        };
        if null && !info.not_null {
            return Ok(Source::Null);
        }
        self.value(value, &info.ty, Some(info), false, path)
    }
}

#[cfg(test)]
mod tests {
    use super::Assignment;

    #[test]
    fn what_is_no_operator_of_an_update_is_none() {
        assert_eq!(Assignment::of("_set"), Some(Assignment::Set));
        assert_eq!(Assignment::of("_deleteAtPath"), Assignment::of("_delete_at_path"));
        for name in ["", "where", "set", "_unset", "_delete", "_SET"] {
            assert_eq!(Assignment::of(name), None, "{name}");
        }
    }
}
