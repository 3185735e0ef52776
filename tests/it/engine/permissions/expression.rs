//! Boolean expressions of permissions and clients, with the logic of three values that SQL has.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::model::{Kind, Model};

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Eq,
    Neq,
    Gt,
    Lt,
    Gte,
    Lte,
    In,
    Nin,
    IsNull,
    Contains,
    HasKey,
}

impl Op {
    fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Neq => "neq",
            Self::Gt => "gt",
            Self::Lt => "lt",
            Self::Gte => "gte",
            Self::Lte => "lte",
            Self::In => "in",
            Self::Nin => "nin",
            Self::IsNull => "is_null",
            Self::Contains => "contains",
            Self::HasKey => "has_key",
        }
    }
}

/// A boolean expression over a row.
#[derive(Debug, Clone)]
pub enum Exp {
    And(Vec<Exp>),
    Or(Vec<Exp>),
    Not(Box<Exp>),
    /// A column compares with a value; in permissions the value may name a session variable.
    Compare(usize, Op, Value),
    /// A column compares with another: of the same row, or of the row at which the permission began.
    Columns(usize, Op, bool, usize),
    Related(usize, Box<Exp>),
    /// The number of related rows that satisfy it is at least so much.
    AtLeast(usize, Box<Exp>, i64),
    Exists(usize, Box<Exp>),
}

/// The expression that always holds.
pub const TRUE: Exp = Exp::And(Vec::new());

impl Exp {
    /// The expression as metadata and variables write it.
    pub fn to_json(&self, model: &Model, table: usize) -> Value {
        let here = &model.tables[table];
        let list = |parts: &[Exp]| parts.iter().map(|part| part.to_json(model, table)).collect::<Vec<Value>>();
        let (key, value) = match self {
            Self::And(parts) if parts.is_empty() => return json!({}),
            Self::And(parts) => ("_and".to_owned(), list(parts).into()),
            Self::Or(parts) => ("_or".to_owned(), list(parts).into()),
            Self::Not(inner) => ("_not".to_owned(), inner.to_json(model, table)),
            Self::Compare(column, op, value) => {
                (here.columns[*column].name.clone(), json!({format!("_{}", op.name()): value}))
            }
            Self::Columns(column, op, root, other) => {
                // A root is only asked for columns that every table has at the same place.
                let name = here.columns[*other].name.as_str();
                let operand = if *root { json!(["$", name]) } else { json!(name) };
                (here.columns[*column].name.clone(), json!({format!("_c{}", op.name()): operand}))
            }
            Self::Related(place, inner) => {
                let relationship = &here.relationships[*place];
                (relationship.name.clone(), inner.to_json(model, relationship.table))
            }
            Self::AtLeast(place, inner, count) => {
                let relationship = &here.relationships[*place];
                let filter = inner.to_json(model, relationship.table);
                let count = json!({"count": {"filter": filter, "predicate": {"_gte": count}}});
                (format!("{}_aggregate", relationship.name), count)
            }
            Self::Exists(other, inner) => {
                let name = json!({"schema": "public", "name": model.tables[*other].name});
                ("_exists".to_owned(), json!({"_table": name, "_where": inner.to_json(model, *other)}))
            }
        };
        Value::Object(Map::from_iter([(key, value)]))
    }
}

/// Whether all of several truths hold: unknown when none is false and one is unknown.
pub fn every(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let truths: Vec<Option<bool>> = truths.collect();
    match truths.contains(&Some(false)) {
        true => Some(false),
        false => (!truths.contains(&None)).then_some(true),
    }
}

/// Whether one of several truths holds: unknown when none is true and one is unknown.
pub fn some(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    not(every(truths.map(not)))
}

/// The other truth.
pub fn not(value: Option<bool>) -> Option<bool> {
    value.map(|value| !value)
}

/// Whether a value compares with another as SQL says; unknown when either is null.
pub fn compare(left: &Value, op: Op, right: &Value) -> Option<bool> {
    if op == Op::IsNull {
        return Some(left.is_null() == (right == &Value::Bool(true)));
    }
    if let (Op::In | Op::Nin, Value::Array(items)) = (op, right) {
        let any = some(items.iter().map(|item| compare(left, Op::Eq, item)));
        return if op == Op::In { any } else { not(any) };
    }
    if left.is_null() || right.is_null() {
        return None;
    }
    Some(match op {
        Op::Eq => left == right,
        Op::Neq => left != right,
        Op::Gt => order(left, right) == Ordering::Greater,
        Op::Lt => order(left, right) == Ordering::Less,
        Op::Gte => order(left, right) != Ordering::Less,
        Op::Lte => order(left, right) != Ordering::Greater,
        Op::Contains => contains(left, right),
        Op::HasKey => match (left, right) {
            (Value::Object(fields), Value::String(key)) => fields.contains_key(key),
            (Value::Array(items), key) => items.contains(key),
            _ => false,
        },
        Op::In | Op::Nin | Op::IsNull => unreachable!("{op:?} was answered above"),
    })
}

/// The order of two values of one kind that are not null.
pub fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ => left.as_i64().cmp(&right.as_i64()),
    }
}

/// Whether a JSON value contains another: PostgreSQL's `@>` over objects, arrays and scalars.
fn contains(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            right.iter().all(|(key, value)| left.get(key).is_some_and(|own| contains(own, value)))
        }
        (Value::Array(left), Value::Array(right)) => {
            right.iter().all(|value| left.iter().any(|own| contains(own, value)))
        }
        _ => left == right,
    }
}

/// A session variable's text as a value of a column's kind.
pub fn session_value(text: &str, kind: Kind) -> Value {
    match kind {
        Kind::Int => text.parse::<i64>().expect("a number").into(),
        _ => text.into(),
    }
}
