//! Actions: the input of the call, and what is answered of its output.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Query;
use super::collect::Selected;
use super::context::Context;
use super::input::Input;
use super::select::{Rows, untied};
use super::shape::Answer;
use crate::actions::output::Expected;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::json;
use crate::metadata::{Action, RelationshipType, TypeRelationship};
use crate::schema::coerce::integer;
use crate::schema::model::TableId;
use crate::schema::model::boolexp::{BoolExp, Comparison, Source};
use crate::schema::model::types::{FieldKind, TypeId, TypeKind, TypeRef};

/// A root field that an action answers.
#[derive(Debug, Clone)]
pub struct ActionPlan {
    /// The action.
    pub action: Arc<Action>,
    /// Arguments by name.
    pub input: Map<String, Value>,
    /// Whether it asks for the result of an asynchronous action rather than calling it; `input` then holds the id.
    pub result: bool,
    /// What is answered.
    pub output: ActionShape,
    /// What the webhook's answer has to be.
    pub expected: Expected,
}

impl ActionPlan {
    /// Whether rows of tables are joined to the output.
    pub fn reads_tables(&self) -> bool {
        self.output.reads_tables()
    }
}

/// What is answered of an action's output.
#[derive(Debug, Clone)]
pub struct ActionShape {
    /// Its form.
    pub form: ActionForm,
}

impl ActionShape {
    fn reads_tables(&self) -> bool {
        match &self.form {
            ActionForm::Value => false,
            ActionForm::List(inner) => inner.reads_tables(),
            ActionForm::Object(fields) => fields.fields.iter().any(|(_, field)| match field {
                ActionField::Related(_) => true,
                ActionField::Output(_, shape) => shape.reads_tables(),
                ActionField::Constant(_) => false,
            }),
        }
    }
}

/// The form of an action's output.
#[derive(Debug, Clone)]
pub enum ActionForm {
    /// A value as it is.
    Value,
    /// A list.
    List(Box<ActionShape>),
    /// An object.
    Object(ActionFields),
}

/// The selected fields of an action's object.
#[derive(Debug, Clone, Default)]
pub struct ActionFields {
    /// Each with its response key.
    pub fields: Vec<(String, ActionField)>,
}

/// A selected field of an action's object.
#[derive(Debug, Clone)]
pub enum ActionField {
    /// A field of the output, by its name there.
    Output(String, ActionShape),
    /// Rows of a table.
    Related(Arc<RelatedRows>),
    /// A fixed value.
    Constant(String),
}

/// Rows of a table that belong to an action's output. The statement's cursor values are the output's fields.
#[derive(Debug, Clone, PartialEq)]
pub struct RelatedRows {
    /// The statement.
    pub query: Query,
    /// Fields of the output whose values it takes.
    pub fields: Vec<String>,
}

impl<'a> Context<'a> {
    /// A call of an action.
    pub(super) fn action(&mut self, action: &Arc<Action>, selected: &Selected<'a>) -> Result<ActionPlan> {
        let mut input = Map::new();
        let field = selected.definition()?;
        for (name, definition) in &field.arguments {
            let path = format!("{}.args.{name}", selected.path);
            let argument = selected.arguments.iter().find(|argument| argument.name.as_str() == name);
            match argument.map(|argument| Input::Ast(&argument.value)) {
                Some(value) => {
                    self.check(value, &definition.ty, &path)?;
                    let json = value.json(self.variables, &path)?;
                    input.insert(name.clone(), self.listed(json, &definition.ty));
                }
                None if definition.ty.is_required() => {
                    return Err(GraphqlError::validation(path, format!("missing required field '{name}'")));
                }
                None => {}
            }
        }
        let output = match action.definition.is_asynchronous() {
            true => ActionShape { form: ActionForm::Value },
            false => self.action_shape(&field.ty, selected)?,
        };
        Ok(ActionPlan { action: action.clone(), input, result: false, output, expected: self.expected(action) })
    }

    /// The result of an asynchronous action.
    pub(super) fn action_result(&mut self, action: &Arc<Action>, selected: &Selected<'a>) -> Result<ActionPlan> {
        let field = selected.definition()?;
        let path = format!("{}.args.id", selected.path);
        let argument = selected.arguments.iter().find(|argument| argument.name.as_str() == "id");
        let value = argument.map(|argument| Input::Ast(&argument.value));
        let value = value.ok_or_else(|| GraphqlError::validation(path.clone(), "missing required field 'id'"))?;
        for definition in field.arguments.values() {
            self.check(value, &definition.ty, &path)?;
        }
        let id = value.json(self.variables, &path)?;
        let invalid = |message: String| GraphqlError::at(&path, ErrorCode::ParseFailed, message);
        match id.as_str() {
            Some(text) if uuid::Uuid::try_parse(text).is_ok() => {}
            Some(_) => return Err(invalid("invalid UUID".to_owned())),
            None => {
                let found = json::kind(&id);
                return Err(invalid(format!("parsing UUID failed, expected String, but encountered {found}")));
            }
        }
        let input = Map::from_iter([("id".to_owned(), id)]);
        let output = self.action_shape(&field.ty, selected)?;
        Ok(ActionPlan { action: action.clone(), input, result: true, output, expected: self.expected(action) })
    }

    fn expected(&self, action: &Action) -> Expected {
        Expected::of(&self.model.custom_types, &action.definition.output_type)
    }

    /// An input value as the webhook receives it: one that stands where a list is declared is a list of itself.
    fn listed(&self, value: Value, ty: &TypeRef) -> Value {
        match (ty, value) {
            (_, Value::Null) => Value::Null,
            (TypeRef::List(inner, _), Value::Array(items)) => {
                items.into_iter().map(|item| self.listed(item, inner)).collect()
            }
            (TypeRef::List(inner, _), one) => Value::Array(vec![self.listed(one, inner)]),
            (TypeRef::Named(id, _), Value::Object(fields)) => match &self.schema.ty(*id).kind {
                TypeKind::Input(known) => {
                    let of = |name: &String, value| match known.get(name) {
                        Some(field) => self.listed(value, &field.ty),
                        None => value,
                    };
                    Value::Object(
                        fields
                            .into_iter()
                            .map(|(name, value)| {
                                let value = of(&name, value);
                                (name, value)
                            })
                            .collect(),
                    )
                }
                _ => Value::Object(fields),
            },
            (TypeRef::Named(..), other) => other,
        }
    }

    /// Whether an input value has the form of its type. Values of scalars are the webhook's affair.
    fn check(&self, value: Input<'a>, ty: &TypeRef, path: &str) -> Result<()> {
        let value = value.resolve(self.variables, path)?;
        let base = self.schema.ty(ty.base());
        if value.is_null() {
            if !ty.is_required() {
                return Ok(());
            }
            if let TypeRef::List(..) = ty {
                return self.members(value, path).map(|_| ());
            }
        }
        match ty {
            TypeRef::List(inner, _) => {
                self.members(value, path)?.into_iter().try_for_each(|(item, path)| self.check(item, inner, &path))
            }
            TypeRef::Named(id, _) => match &base.kind {
                TypeKind::Input(_) => self
                    .fields(value, *id, path)?
                    .into_iter()
                    .try_for_each(|(name, field, value)| self.check(value, &field.ty, &format!("{path}.{name}"))),
                TypeKind::Enum(_) => self.enum_value(value, *id, path).map(|_| ()),
                _ => self.check_scalar(value, &base.name, path),
            },
        }
    }

    fn check_scalar(&self, value: Input<'a>, name: &str, path: &str) -> Result<()> {
        let bounded = |least: i64, most: i64| match value.whole_number() {
            Some(number) => integer(&number, least, most, path).map(|_| true),
            None => Ok(false),
        };
        let (fits, expected) = match name {
            "Int" => (bounded(i64::from(i32::MIN), i64::from(i32::MAX))?, "a 32-bit integer"),
            "Float" => (value.is_number(), "a float"),
            "Boolean" => (value.boolean().is_some(), "a boolean"),
            "String" => (value.text().is_some(), "a string"),
            "ID" => (value.text().is_some() || bounded(i64::MIN, i64::MAX)?, "a String or a 32-bit integer"),
            _ => (true, ""),
        };
        match fits {
            true => Ok(()),
            false => Err(super::input::mismatch(path, expected, name, value)),
        }
    }

    fn action_shape(&mut self, ty: &TypeRef, selected: &Selected<'a>) -> Result<ActionShape> {
        let form = match ty {
            TypeRef::List(inner, _) => ActionForm::List(Box::new(self.action_shape(inner, selected)?)),
            TypeRef::Named(id, _) => match &self.schema.ty(*id).kind {
                TypeKind::Object(..) => ActionForm::Object(self.action_fields(*id, selected)?),
                TypeKind::Scalar | TypeKind::Enum(_) => ActionForm::Value,
                TypeKind::Interface(_) | TypeKind::Union(_) | TypeKind::Input(_) => {
                    return Err(selected.unexpected("an action's answer"));
                }
            },
        };
        Ok(ActionShape { form })
    }

    fn action_fields(&mut self, ty: TypeId, selected: &Selected<'a>) -> Result<ActionFields> {
        let mut fields = Vec::new();
        let name = self.schema.ty(ty).name.clone();
        for field in self.under(selected)? {
            let value = match field.field {
                None => ActionField::Constant(format!("\"{name}\"")),
                Some(definition) => match &definition.kind {
                    FieldKind::ActionRelationship(place, table) => {
                        ActionField::Related(Arc::new(self.action_rows(&name, *place, *table, &field)?))
                    }
                    FieldKind::ActionField | FieldKind::AsyncField => {
                        ActionField::Output(field.name.to_owned(), self.action_shape(&definition.ty, &field)?)
                    }
                    _ => return Err(field.unexpected("a field of an action's answer")),
                },
            };
            fields.push((field.key.to_owned(), value));
        }
        Ok(ActionFields { fields })
    }

    fn relationship_of(&self, ty: &str, place: usize) -> Option<&'a TypeRelationship> {
        let object = self.model.custom_types.objects.iter().find(|object| object.name == ty)?;
        object.relationships.get(place)
    }

    fn action_rows(&mut self, ty: &str, place: usize, table: TableId, selected: &Selected<'a>) -> Result<RelatedRows> {
        let relationship =
            self.relationship_of(ty, place).ok_or_else(|| GraphqlError::unexpected("no such relationship"))?;
        let mut args = self.args(selected, table)?;
        let mut fields = Vec::new();
        let mut parts = Vec::new();
        for (field, column) in &relationship.field_mapping {
            let info = self.table(table);
            // A column that is passed over is a condition less, and rows that belong to others.
            let column = info.column(column).ok_or_else(|| {
                GraphqlError::unexpected(format!(
                    "'{}' is joined by the column '{column}', which is gone",
                    selected.name
                ))
            })?;
            let ty = info.columns[column].ty.clone();
            parts.push(BoolExp::Column(column, Comparison::equal(Source::Cursor(fields.len()), ty)));
            fields.push(field.clone());
        }
        args.filter = Some(args.filter.unwrap_or(BoolExp::TRUE).and(BoolExp::And(parts)));
        // The context's values belong to this statement alone.
        let params = std::mem::take(&mut self.params);
        let rows = Rows { table, origin: self.read(table), tie: &untied, permitted: true };
        let under = self.under(selected)?;
        let aggregate = selected.field.is_some_and(|field| {
            self.schema.field(field.ty.base(), "nodes").is_some_and(|f| f.kind == FieldKind::Nodes)
        });
        let (select, answer) = if aggregate {
            let (select, shape) = self.aggregate(&rows, &args, selected, &under)?;
            (select, Answer::First(shape))
        } else {
            let (select, shape) = self.rows(&rows, &args, &under)?;
            match relationship.kind {
                RelationshipType::Object => (select, Answer::First(shape)),
                RelationshipType::Array => (select, Answer::List(shape)),
            }
        };
        let query = self.query(select, answer);
        self.params = params;
        Ok(RelatedRows { query, fields })
    }
}
