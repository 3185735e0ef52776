//! Evaluation over borrowed values, with a bound on the work.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::Scope;
use super::error::{Code, KritiError, Span};
use super::functions;
use super::tree::{Kind, Node, Operator, Template};
use crate::json::{self, Decimal};

/// Most steps of one evaluation; copying a value counts one for each of its parts and each 64 bytes.
const MOST_STEPS: usize = 2_000_000;

type Evaluated<'v> = Result<Cow<'v, Value>, KritiError>;

/// Evaluates a template.
pub(super) fn run(template: &Template, scope: &Scope<'_>) -> Result<Value, KritiError> {
    let evaluator = Evaluator { source: &template.source, scope, steps: std::cell::Cell::new(0) };
    let value = evaluator.evaluate(&template.root, None)?;
    evaluator.owned(&template.root.span, value)
}

struct Evaluator<'v> {
    source: &'v str,
    scope: &'v Scope<'v>,
    steps: std::cell::Cell<usize>,
}

/// What a loop has bound, and what is bound around it.
#[derive(Clone, Copy)]
struct Bound<'b, 'v> {
    item: (&'b str, &'v Value),
    index: Option<(&'b str, &'v Value)>,
    outer: Option<&'b Bound<'b, 'v>>,
}

impl<'b, 'v> Bound<'b, 'v> {
    fn find(&self, name: &str) -> Option<&'v Value> {
        let own = [Some(self.item), self.index].into_iter().flatten().find(|(bound, _)| *bound == name);
        own.map(|(_, value)| value).or_else(|| self.outer?.find(name))
    }
}

impl<'v> Evaluator<'v> {
    fn error(&self, span: &Span, code: Code, message: impl Into<String>) -> KritiError {
        KritiError::new(self.source, span, code, message)
    }

    fn wrong_type(&self, span: &Span, expected: &str, value: &Value) -> KritiError {
        let found = json::kind(value);
        self.error(span, Code::Type, format!("Couldn't matche expected type '{expected}' with actual type '{found}'"))
    }

    fn charge(&self, span: &Span, steps: usize) -> Result<(), KritiError> {
        let sum = self.steps.get().saturating_add(steps);
        self.steps.set(sum);
        if sum <= MOST_STEPS {
            return Ok(());
        }
        Err(self.error(span, Code::Limit, format!("the template takes more than {MOST_STEPS} steps")))
    }

    fn owned(&self, span: &Span, value: Cow<'_, Value>) -> Result<Value, KritiError> {
        if let Cow::Borrowed(value) = value {
            self.charge(span, weight(value))?;
        }
        Ok(value.into_owned())
    }

    fn evaluate<'a>(&self, node: &Node, bound: Option<&Bound<'_, 'a>>) -> Evaluated<'a>
    where
        'v: 'a,
    {
        self.charge(&node.span, 1)?;
        match &node.kind {
            Kind::Literal(value) => Ok(Cow::Owned(self.owned(&node.span, Cow::Borrowed(value))?)),
            Kind::Text(parts) => self.text(node, parts, bound),
            Kind::Array(items) => {
                let items = items.iter().map(|item| self.owned(&item.span, self.evaluate(item, bound)?));
                Ok(Cow::Owned(Value::Array(items.collect::<Result<_, _>>()?)))
            }
            Kind::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), self.owned(&value.span, self.evaluate(value, bound)?)?)));
                Ok(Cow::Owned(Value::Object(fields.collect::<Result<Map<_, _>, _>>()?)))
            }
            Kind::Variable(name) => {
                let outer = || self.scope.variables.iter().find(|(known, _)| *known == name.as_str());
                let found = bound.and_then(|bound| bound.find(name)).or_else(|| outer().map(|(_, value)| value));
                let missing = || self.error(&node.span, Code::Name, format!("Variable '{name}' not in scope"));
                found.map(Cow::Borrowed).ok_or_else(missing)
            }
            Kind::Field { of, key } => {
                let key = self.evaluate(key, bound)?;
                self.field(node, of, self.evaluate(of, bound)?, &key)
            }
            Kind::OptionalFields { of, keys } => self.optional(of, keys, bound),
            Kind::If { branches, otherwise } => {
                for (condition, then) in branches {
                    if self.boolean(&node.span, &*self.evaluate(condition, bound)?)? {
                        return self.evaluate(then, bound);
                    }
                }
                self.evaluate(otherwise, bound)
            }
            Kind::Range { index, item, list, body } => {
                let list = self.evaluate(list, bound)?;
                let Value::Array(values) = &*list else { return Err(self.wrong_type(&node.span, "Array", &list)) };
                let mut results = Vec::new();
                for (position, value) in values.iter().enumerate() {
                    let position = Value::from(position);
                    let inner = Bound {
                        item: (item, value),
                        index: index.as_deref().map(|name| (name, &position)),
                        outer: bound,
                    };
                    results.push(self.owned(&body.span, self.evaluate(body, Some(&inner))?)?);
                }
                Ok(Cow::Owned(Value::Array(results)))
            }
            Kind::Call { function, argument } => {
                let value = self.evaluate(argument, bound)?;
                self.charge(&node.span, weight(&value))?;
                match functions::call(function, &value, self.scope.session) {
                    None => Err(self.error(&node.span, Code::Name, format!("Variable '{function}' not in scope"))),
                    Some(Ok(value)) => Ok(Cow::Owned(value)),
                    Some(Err(reason)) => Err(self.error(&argument.span, Code::Function, reason)),
                }
            }
            Kind::Binary { operator, left, right } => self.binary(node, *operator, left, right, bound),
        }
    }

    fn text<'a>(&self, node: &Node, parts: &[Node], bound: Option<&Bound<'_, 'a>>) -> Evaluated<'a>
    where
        'v: 'a,
    {
        let mut text = String::new();
        for part in parts {
            let value = self.evaluate(part, bound)?;
            self.charge(&node.span, weight(&value))?;
            match json::text(&value) {
                Some(value) => text.push_str(value),
                None => text.push_str(&json::write(&value)),
            }
        }
        Ok(Cow::Owned(text.into()))
    }

    fn field<'a>(&self, node: &Node, of: &Node, value: Cow<'a, Value>, key: &Value) -> Evaluated<'a> {
        let missing =
            |name: &str| self.error(&node.span, Code::Attribute, format!("'Object' has no attritubte '{name}'."));
        match (&*value, key) {
            (Value::Object(_), Value::String(name)) => part(value, key).ok_or_else(|| missing(name)),
            (Value::Object(_), other) => Err(self.wrong_type(&of.span, "String", other)),
            (Value::Array(_), Value::Number(number)) if number.is_i64() || number.is_u64() => {
                part(value, key).ok_or_else(|| self.error(&node.span, Code::Index, "Can only range over an array"))
            }
            (Value::Array(_), other) => Err(self.wrong_type(&node.span, "Integer", other)),
            (other, _) => Err(self.wrong_type(&of.span, "Object", other)),
        }
    }

    fn optional<'a>(&self, of: &Node, keys: &[Node], bound: Option<&Bound<'_, 'a>>) -> Evaluated<'a>
    where
        'v: 'a,
    {
        let mut value = match self.evaluate(of, bound) {
            Ok(value) => value,
            Err(error) if error.code == Code::Limit => return Err(error),
            Err(_) => Cow::Owned(Value::Null),
        };
        if !matches!(&*value, Value::Object(_) | Value::Array(_) | Value::Null) {
            return Err(self.wrong_type(&of.span, "Object", &value));
        }
        for key in keys {
            let key = self.evaluate(key, bound)?;
            value = match part(value, &key) {
                Some(value) => value,
                None => return Ok(Cow::Owned(Value::Null)),
            };
        }
        Ok(value)
    }

    fn boolean(&self, span: &Span, value: &Value) -> Result<bool, KritiError> {
        value.as_bool().ok_or_else(|| self.wrong_type(span, "Boolean", value))
    }

    fn binary<'a>(
        &self,
        node: &Node,
        operator: Operator,
        left: &Node,
        right: &Node,
        bound: Option<&Bound<'_, 'a>>,
    ) -> Evaluated<'a>
    where
        'v: 'a,
    {
        let left = self.evaluate(left, bound)?;
        if operator == Operator::Default {
            return if left.is_null() { self.evaluate(right, bound) } else { Ok(left) };
        }
        let right = self.evaluate(right, bound)?;
        self.charge(&node.span, weight(&left).min(weight(&right)))?;
        let ordering = || order(&left, &right);
        let found = match operator {
            Operator::Default => false,
            Operator::Equal => ordering() == Ordering::Equal,
            Operator::NotEqual => ordering() != Ordering::Equal,
            Operator::Less => ordering() == Ordering::Less,
            Operator::LessOrEqual => ordering() != Ordering::Greater,
            Operator::Greater => ordering() == Ordering::Greater,
            Operator::GreaterOrEqual => ordering() != Ordering::Less,
            Operator::And | Operator::Or => {
                let (left, right) = (self.boolean(&node.span, &left)?, self.boolean(&node.span, &right)?);
                if operator == Operator::And { left && right } else { left || right }
            }
            Operator::In => match (&*left, &*right) {
                (Value::String(name), Value::Object(fields)) => fields.contains_key(name),
                (other, Value::Object(_)) => return Err(self.wrong_type(&node.span, "String", other)),
                (value, Value::Array(items)) => {
                    self.charge(&node.span, items.len())?;
                    items.iter().any(|item| order(item, value) == Ordering::Equal)
                }
                (_, other) => return Err(self.wrong_type(&node.span, "Array", other)),
            },
        };
        Ok(Cow::Owned(found.into()))
    }
}

/// A field of an object or an item of a list.
fn part<'a>(value: Cow<'a, Value>, key: &Value) -> Option<Cow<'a, Value>> {
    let index = |key: &Value| key.as_u64().and_then(|index| usize::try_from(index).ok());
    match value {
        Cow::Borrowed(Value::Object(fields)) => fields.get(key.as_str()?).map(Cow::Borrowed),
        Cow::Borrowed(Value::Array(items)) => items.get(index(key)?).map(Cow::Borrowed),
        Cow::Owned(Value::Object(mut fields)) => fields.get_mut(key.as_str()?).map(|value| Cow::Owned(value.take())),
        Cow::Owned(Value::Array(mut items)) => items.get_mut(index(key)?).map(|value| Cow::Owned(value.take())),
        _ => None,
    }
}

/// What copying a value costs.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len() / 64,
        Value::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Object(fields) => 1 + fields.iter().map(|(name, value)| name.len() / 64 + weight(value)).sum::<usize>(),
        _ => 1,
    }
}

/// The order of values: by type as in Haskell's aeson, then by value.
fn order(left: &Value, right: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Object(_) => 0,
        Value::Array(_) => 1,
        number if json::digits(number).is_some() => 3,
        Value::String(_) => 2,
        Value::Number(_) => 3,
        Value::Bool(_) => 4,
        Value::Null => 5,
    };
    let number = |value: &Value| json::digits(value).and_then(|digits| Decimal::parse(&digits));
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return left.cmp(&right);
    }
    match (left, right) {
        (Value::String(_), Value::String(_)) if rank(left) != rank(right) => rank(left).cmp(&rank(right)),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Array(left), Value::Array(right)) => {
            let differing = left.iter().zip(right).map(|(left, right)| order(left, right)).find(|order| order.is_ne());
            differing.unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        (Value::Object(left), Value::Object(right)) => objects(left, right),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn objects(left: &Map<String, Value>, right: &Map<String, Value>) -> Ordering {
    let sorted = |fields: &Map<String, Value>| {
        let mut names: Vec<String> = fields.keys().cloned().collect();
        names.sort();
        names
    };
    let (names, others) = (sorted(left), sorted(right));
    for (name, other) in names.iter().zip(&others) {
        let values = || match (left.get(name), right.get(other)) {
            (Some(left), Some(right)) => order(left, right),
            _ => Ordering::Equal,
        };
        let ordering = name.cmp(other).then_with(values);
        if ordering.is_ne() {
            return ordering;
        }
    }
    names.len().cmp(&others.len())
}
