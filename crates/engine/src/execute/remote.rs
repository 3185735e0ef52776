//! Requests to remote schemas, and what their answers become.

use serde_json::{Map, Value};

use super::value;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::json::{self, Decimal};
use crate::outbound::caller::{RemoteCall, RequestContext};
use crate::plan::{Kind, LeftForm, Piece, RemoteField, RemotePlan, RemoteShape, TYPE_KEY, Template, VariableValue};
use crate::remote::member;
use crate::session::Session;

/// Runs root fields of a remote schema and writes their answer.
pub async fn root(context: &RequestContext, plan: &RemotePlan, out: &mut Vec<u8>) -> Result<()> {
    let mut data = Map::new();
    if !plan.template.pieces.is_empty() {
        let mut request = Request::new(plan.kind);
        request.variables(&plan.template, &context.session)?;
        request.fields(&plan.template, &[])?;
        data = context.callers.remote(context, request.call(plan.schema.clone())).await?;
    }
    let value = match &plan.key {
        Some(key) => member(&mut data, key)?,
        None => Value::Object(data),
    };
    write(out, &plan.shape, &value);
    Ok(())
}

/// A request that is being written.
pub struct Request {
    kind: &'static str,
    /// Definitions of variables.
    definitions: Vec<String>,
    values: Map<String, Value>,
    text: String,
}

impl Request {
    /// A request without fields.
    pub fn new(kind: Kind) -> Self {
        let kind = match kind {
            Kind::Query => "query",
            Kind::Mutation => "mutation",
            Kind::Subscription => "subscription",
        };
        Self { kind, definitions: Vec::new(), values: Map::new(), text: String::new() }
    }

    /// Adds the variables of a template.
    ///
    /// # Errors
    /// A session variable that is missing or not of its type.
    pub fn variables(&mut self, template: &Template, session: &Session) -> Result<()> {
        for variable in &template.variables {
            let value = match &variable.value {
                VariableValue::Json(value) => value.clone(),
                VariableValue::Session(name) => of_session(session, name, &variable.ty)?,
            };
            self.definitions.push(format!("${}: {}", variable.name, variable.ty));
            self.values.insert(variable.name.clone(), value);
        }
        Ok(())
    }

    /// Adds the fields of a template under an alias.
    ///
    /// # Errors
    /// As [`Request::fields`].
    pub fn aliased(&mut self, alias: &str, template: &Template, left: &[Value]) -> Result<()> {
        self.text.push_str(alias);
        self.text.push_str(": ");
        self.fields(template, left)
    }

    /// Adds the fields of a template, its holes filled with the values of a left side.
    ///
    /// # Errors
    /// A value that cannot stand where an enum is expected.
    pub fn fields(&mut self, template: &Template, left: &[Value]) -> Result<()> {
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => self.text.push_str(text),
                Piece::Left(place, form) => {
                    let value = left.get(*place).ok_or_else(|| {
                        GraphqlError::unexpected(format!("a request asks for value {place} of {}", left.len()))
                    })?;
                    self.left(value, form)?;
                }
            }
        }
        self.text.push(' ');
        Ok(())
    }

    fn left(&mut self, value: &Value, form: &LeftForm) -> Result<()> {
        let as_text = form.ty.trim_matches(['[', ']', '!']) == "String";
        match value {
            Value::String(text) if form.is_enum => {
                // A value of the database must not become another part of the request.
                if !crate::metadata::is_name(text) {
                    let message = format!("expected an enum value for type '{}', but found {value}", form.ty);
                    return Err(GraphqlError::new(ErrorCode::ValidationFailed, message));
                }
                self.text.push_str(text);
            }
            Value::Array(_) | Value::Object(_) => {
                let name = format!("hasura_json_left_{}", self.values.len() + 1);
                self.text.push('$');
                self.text.push_str(&name);
                self.definitions.push(format!("${name}: {}", form.ty));
                self.values.insert(name, value.clone());
            }
            // A string where the remote wants one; numbers and booleans there are written as strings.
            number if as_text && json::digits(number).is_some() => {
                self.text.push_str(&Value::String(json::write(number)).to_string());
            }
            Value::Bool(_) if as_text => self.text.push_str(&Value::String(value.to_string()).to_string()),
            // JSON's literals are GraphQL's.
            other => self.text.push_str(&json::write(other)),
        }
        Ok(())
    }

    /// The request as it is sent.
    pub fn call(self, schema: std::sync::Arc<crate::metadata::RemoteSchema>) -> RemoteCall {
        let variables = match self.definitions.is_empty() {
            true => String::new(),
            false => format!(" ({})", self.definitions.join(", ")),
        };
        let query = format!("{}{variables} {{ {}}}", self.kind, self.text);
        RemoteCall { schema, query, variables: self.values }
    }
}

/// A session variable as a value of a remote's type.
fn of_session(session: &Session, name: &str, ty: &str) -> Result<Value> {
    let text = session.variable(name).ok_or_else(|| {
        GraphqlError::new(ErrorCode::NotFound, format!("{name:?} session variable expected, but not found"))
    })?;
    let value = match ty.trim_end_matches('!') {
        "Int" => text.parse::<i64>().ok().map(Value::from),
        "Float" => Decimal::parse(text).map(|_| json::number(text)),
        "Boolean" => text.to_ascii_lowercase().parse::<bool>().ok().map(Value::Bool),
        _ => Some(Value::String(text.to_owned())),
    };
    value.ok_or_else(|| {
        let message = format!("{name:?} session variable cannot be read as a value of type {ty}");
        GraphqlError::new(ErrorCode::CoercionError, message)
    })
}

/// Writes a remote's value.
pub fn write(out: &mut Vec<u8>, shape: &RemoteShape, found: &Value) {
    match (shape, found) {
        (RemoteShape::Plain, _) | (_, Value::Null) => super::json(out, found),
        (_, Value::Array(items)) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(out, shape, item);
            }
            out.push(b']');
        }
        (RemoteShape::Object(fields), _) => write_fields(out, fields, found),
        (RemoteShape::OneOf(types), _) => {
            let own = found.get(TYPE_KEY).and_then(Value::as_str).unwrap_or_default();
            let fields = types.iter().find(|(name, _)| name == own).map(|(_, fields)| fields.as_slice());
            write_fields(out, fields.unwrap_or_default(), found);
        }
    }
}

fn write_fields(out: &mut Vec<u8>, fields: &[(String, RemoteField)], found: &Value) {
    out.push(b'{');
    for (index, (key, field)) in fields.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        value::string(out, key.as_bytes());
        out.push(b':');
        match field {
            RemoteField::Value(from, shape) => write(out, shape, found.get(from).unwrap_or(&Value::Null)),
            RemoteField::Constant(text) => out.extend_from_slice(text.as_bytes()),
            RemoteField::Join(place, left) => super::wire::mark(out, *place, |out| {
                for (index, key) in left.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    super::json(out, found.get(key).unwrap_or(&Value::Null));
                }
                Ok::<(), std::convert::Infallible>(())
            })
            .unwrap_or_else(|never| match never {}),
        }
    }
    out.push(b'}');
}
