//! The names in the boolean expressions of permissions; the same reading as `schema::permission`.

use serde_json::{Map, Value, json};

use super::{Object, Reference};
use crate::metadata::QualifiedName;
use crate::schema::Model;
use crate::schema::model::boolexp::Operator;
use crate::schema::model::{ComputedReturn, TableId};
use crate::session::is_session_variable;

/// Visits the names of one object's expressions.
pub(super) struct Expressions<'a> {
    pub model: &'a Model,
    pub object: &'a Object,
    pub visit: &'a mut dyn FnMut(&Object, Reference<'_>),
}

impl Expressions<'_> {
    /// Visits an expression over rows of a table; tables that are not served have none that could be read.
    pub fn of(&mut self, table: &QualifiedName, value: &mut Value) {
        if let Some(&id) = self.model.by_name.get(table) {
            self.expression(id, id, value);
        }
    }

    fn expression(&mut self, root: TableId, table: TableId, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(mut key, mut value)| {
                        self.field(root, table, &mut key, &mut value);
                        (key, value)
                    })
                    .collect::<Map<_, _>>();
            }
            Value::Array(parts) => parts.iter_mut().for_each(|part| self.expression(root, table, part)),
            _ => {}
        }
    }

    fn field(&mut self, root: TableId, table: TableId, key: &mut String, value: &mut Value) {
        match key.as_str() {
            "_and" | "$and" | "_or" | "$or" | "_not" | "$not" => return self.expression(root, table, value),
            "_exists" | "$exists" => return self.exists(root, value),
            _ => {}
        }
        let model = self.model;
        let info = &model.tables[table];
        if info.column(key).is_some() {
            self.operands(root, table, value);
            let typed = has_literal(value);
            (self.visit)(self.object, Reference::Column { table: &info.name, name: key, typed });
        } else if let Some(place) = info.relationship(key) {
            self.expression(root, info.relationships[place].table, value);
            (self.visit)(self.object, Reference::Relationship { table: &info.name, name: key });
        } else if let Some((mut name, place)) = key
            .strip_suffix("_aggregate")
            .and_then(|name| info.relationship(name).map(|place| (name.to_owned(), place)))
        {
            self.aggregate(root, info.relationships[place].table, value);
            (self.visit)(self.object, Reference::Relationship { table: &info.name, name: &mut name });
            *key = format!("{name}_aggregate");
        } else if let Some(computed) = info.computed.iter().find(|computed| computed.name == *key) {
            match computed.returns {
                ComputedReturn::Table(other) => self.expression(root, other, value),
                ComputedReturn::Scalar(_) => self.operands(root, table, value),
            }
        }
    }

    fn exists(&mut self, root: TableId, value: &mut Value) {
        let Some(mut name) =
            value.get("_table").and_then(|name| serde_json::from_value::<QualifiedName>(name.clone()).ok())
        else {
            return;
        };
        if let (Some(&other), Some(inner)) = (self.model.by_name.get(&name), value.get_mut("_where")) {
            self.expression(root, other, inner);
        }
        let before = name.clone();
        (self.visit)(self.object, Reference::Table(&mut name));
        if name != before {
            value["_table"] = json!(name);
        }
    }

    fn aggregate(&mut self, root: TableId, other: TableId, value: &mut Value) {
        let model = self.model;
        for (_, body) in value.as_object_mut().into_iter().flatten() {
            if let Some(filter) = body.get_mut("filter") {
                self.expression(root, other, filter);
            }
            match body.get_mut("arguments") {
                Some(Value::Array(names)) => {
                    names.iter_mut().for_each(|name| self.column(&model.tables[other].name, name));
                }
                Some(name) => self.column(&model.tables[other].name, name),
                None => {}
            }
        }
    }

    fn column(&mut self, table: &QualifiedName, name: &mut Value) {
        if let Value::String(name) = name {
            (self.visit)(self.object, Reference::Column { table, name, typed: false });
        }
    }

    /// Columns that a column is compared with.
    fn operands(&mut self, root: TableId, table: TableId, value: &mut Value) {
        let model = self.model;
        let info = &model.tables[table];
        for (operator, operand) in value.as_object_mut().into_iter().flatten() {
            if !Operator::takes_column(operator) {
                continue;
            }
            match operand {
                Value::Array(path) => match path.as_mut_slice() {
                    [name] => self.column(&info.name, name),
                    [Value::String(start), name] if start == "$" => self.column(&model.tables[root].name, name),
                    [Value::String(relationship), name] => {
                        if let Some(place) = info.relationship(relationship) {
                            self.column(&model.tables[info.relationships[place].table].name, name);
                            let name = relationship;
                            (self.visit)(self.object, Reference::Relationship { table: &info.name, name });
                        }
                    }
                    _ => {}
                },
                name => self.column(&info.name, name),
            }
        }
    }
}

/// Whether a literal, and not only variables and other columns, is compared with.
fn has_literal(value: &Value) -> bool {
    let constant = |value: &Value| !value.as_str().is_some_and(is_session_variable);
    match value {
        Value::Object(operators) => operators.iter().any(|(operator, value)| {
            !Operator::takes_column(operator)
                && !matches!(Operator::of(operator), Some(Operator::IsNull) | None)
                && constant(value)
        }),
        other => constant(other),
    }
}
