//! What is asked of a remote schema, and what its answer becomes.
//!
//! A request is written anew from the selection: in the remote's own names, with the values that permissions preset and
//! without what the engine answers itself.

mod arguments;
mod selection;

use std::sync::Arc;

use serde_json::Value;

use super::Kind;
use super::collect::{Collector, Selected};
use super::join::{Join, JoinTarget};
use crate::error::{GraphqlError, Result};
use crate::metadata::RemoteSchema;
use crate::schema::model::join::{Call, JoinInfo};
use crate::schema::model::types::TypeId;

pub use arguments::LeftForm;
use selection::Writer;

/// Root fields of a remote schema.
#[derive(Debug, Clone)]
pub struct RemotePlan {
    /// The remote schema.
    pub schema: Arc<RemoteSchema>,
    /// Which operation it is.
    pub kind: Kind,
    /// The fields; none when the engine answers all of them itself.
    pub template: Template,
    /// What is answered: the value under a key, or without one an object of the whole.
    pub key: Option<String>,
    /// What the value becomes.
    pub shape: RemoteShape,
}

/// A part of a request, with the variables that it uses.
#[derive(Debug, Clone, Default)]
pub struct Template {
    /// Its text, with holes for values of a join's left side.
    pub pieces: Vec<Piece>,
    /// Variables.
    pub variables: Vec<RemoteVariable>,
}

/// A piece of a request.
#[derive(Debug, Clone)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// A value of the left side, by its place.
    Left(usize, LeftForm),
}

/// A variable of a request.
#[derive(Debug, Clone)]
pub struct RemoteVariable {
    /// Its name.
    pub name: String,
    /// Its type in the remote's own names.
    pub ty: String,
    /// Its value.
    pub value: VariableValue,
}

/// The value of a request's variable.
#[derive(Debug, Clone, PartialEq)]
pub enum VariableValue {
    /// A value that has no literal: an object or list of a scalar of the remote's own.
    Json(Value),
    /// A session variable.
    Session(String),
}

/// What a remote's value becomes.
#[derive(Debug, Clone)]
pub enum RemoteShape {
    /// It is answered as it came.
    Plain,
    /// An object of these fields.
    Object(Vec<(String, RemoteField)>),
    /// An object of one of these types, by the name that the remote gives as [`TYPE_KEY`].
    OneOf(Vec<(String, Vec<(String, RemoteField)>)>),
}

/// A field of what a remote's value becomes.
#[derive(Debug, Clone)]
pub enum RemoteField {
    /// The value under a key.
    Value(String, RemoteShape),
    /// Fixed JSON.
    Constant(String),
    /// What is joined by the values under these keys.
    Join(usize, Vec<String>),
}

/// The key under which an object's type is asked for where several are possible.
pub const TYPE_KEY: &str = "_own_typename";

impl RemoteShape {
    fn of(fields: Vec<(String, RemoteField)>) -> Self {
        match !fields.is_empty() && Self::is_plain(&fields) {
            true => Self::Plain,
            false => Self::Object(fields),
        }
    }

    /// Whether an object of these fields is answered as it came.
    fn is_plain(fields: &[(String, RemoteField)]) -> bool {
        fields.iter().all(|(key, field)| match field {
            RemoteField::Value(from, Self::Plain) => key == from,
            _ => false,
        })
    }
}

/// The request that a root field makes.
pub(super) fn root<'a>(
    collector: &'a Collector<'a>,
    place: usize,
    name: &str,
    kind: Kind,
    selected: &Selected<'a>,
) -> Result<RemotePlan> {
    let mut writer = Writer::new(collector, place)?;
    let definition = writer.field_of(&writer.types.root(operation(kind)), name)?;
    let shape = writer.field(Some(selected.key), definition, selected, None)?;
    let (schema, template) = (writer.types.definition.clone(), writer.template);
    Ok(RemotePlan { schema, kind, template, key: Some(selected.key.to_owned()), shape })
}

/// The request that the fields of a remote schema's namespace make.
pub(super) fn namespace<'a>(
    collector: &'a Collector<'a>,
    place: usize,
    kind: Kind,
    selected: &Selected<'a>,
) -> Result<RemotePlan> {
    let mut writer = Writer::new(collector, place)?;
    let ty = selected.field.map(|field| field.ty.base()).ok_or_else(no_definition)?;
    let fields = writer.object(ty, selected)?;
    let (schema, mut template) = (writer.types.definition.clone(), writer.template);
    if fields.iter().all(|(_, field)| matches!(field, RemoteField::Constant(_))) {
        template = Template::default();
    }
    Ok(RemotePlan { schema, kind, template, key: None, shape: RemoteShape::Object(fields) })
}

/// The calls that a relationship makes, one for each distinct left side.
pub(super) fn join<'a>(
    collector: &'a Collector<'a>,
    info: &'a JoinInfo,
    place: usize,
    path: &'a [Call],
    selected: &Selected<'a>,
) -> Result<Join> {
    let mut writer = Writer::new(collector, place)?;
    let mut parent = writer.types.root("query");
    let mut shape = RemoteShape::Plain;
    for (index, call) in path.iter().enumerate() {
        let definition = writer.field_of(&parent, &call.field)?;
        parent = definition.ty.inner_named_type().to_string();
        let last = index + 1 == path.len();
        let bound = Some((&call.arguments, info.left.as_slice()));
        if last {
            shape = writer.field(None, definition, selected, bound)?;
        } else {
            writer.text(definition.name.as_str());
            writer.arguments(definition, &[], &selected.path, bound)?;
            writer.text(" { ");
        }
    }
    for _ in 1..path.len() {
        writer.text(" }");
    }
    let target = JoinTarget::Remote {
        schema: writer.types.definition.clone(),
        template: writer.template,
        path: path.iter().skip(1).map(|call| call.field.clone()).collect(),
        shape,
    };
    Ok(Join { target })
}

fn operation(kind: Kind) -> &'static str {
    match kind {
        Kind::Query => "query",
        Kind::Mutation => "mutation",
        Kind::Subscription => "subscription",
    }
}

fn no_definition() -> GraphqlError {
    GraphqlError::unexpected("a remote field without a definition")
}

/// The own name of a remote schema's type.
fn own_name<'a>(collector: &'a Collector<'a>, ty: TypeId) -> Result<&'a str> {
    collector.schema.ty(ty).remote.as_ref().map(|(_, own)| own.as_str()).ok_or_else(no_definition)
}
