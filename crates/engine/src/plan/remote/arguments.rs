//! Arguments of remote fields: what the client gives, what a permission presets, what a relationship binds.

use apollo_compiler::Node;
use apollo_compiler::ast::{self, Argument, FieldDefinition, InputValueDefinition, Type};
use apollo_compiler::schema::{EnumType, ExtendedType, InputObjectType};
use serde_json::{Map, Value};

use super::selection::{Bound, Writer, append};
use super::{Piece, RemoteVariable, VariableValue};
use crate::error::{GraphqlError, Result};
use crate::json;
use crate::plan::input::{Input, mismatch};
use crate::schema::model::join::Left;
use crate::schema::remote::{Preset, preset, session_variable};

/// How a value of the left side is written.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftForm {
    /// Without quotes.
    pub is_enum: bool,
    /// The type of a variable that holds it, where it has no literal.
    pub ty: String,
}

/// A value that a relationship binds, with the left side that it may name.
#[derive(Clone, Copy)]
struct Binding<'a> {
    value: &'a Value,
    left: &'a [Left],
}

impl<'a> Writer<'a> {
    /// Writes the arguments of a field.
    pub fn arguments(
        &mut self,
        field: &'a FieldDefinition,
        given: &'a [Node<Argument>],
        path: &str,
        bound: Option<Bound<'a>>,
    ) -> Result<()> {
        let mut open = "(";
        for definition in &field.arguments {
            let name = definition.name.as_str();
            let path = format!("{path}.args.{name}");
            let argument = given.iter().find(|argument| argument.name.as_str() == name);
            let value = argument.map(|argument| Input::Ast(&argument.value));
            let bound = bound.and_then(|(values, left)| Some(Binding { value: values.get(name)?, left }));
            let mut pieces = Vec::new();
            if self.input(definition, value, bound, &path, &mut pieces)? {
                self.text(open);
                self.text(name);
                self.text(": ");
                self.pieces(pieces);
                open = ", ";
            }
        }
        if open != "(" {
            self.text(")");
        }
        Ok(())
    }

    fn pieces(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.text(&text),
                left => self.template.pieces.push(left),
            }
        }
    }

    /// Writes the value of an argument or of a field of an input object; says whether there is one.
    fn input(
        &mut self,
        definition: &'a InputValueDefinition,
        given: Option<Input<'a>>,
        bound: Option<Binding<'a>>,
        path: &str,
        out: &mut Vec<Piece>,
    ) -> Result<bool> {
        match preset(&definition.directives) {
            Some(Preset::Value(value)) => {
                append(out, &value.serialize().no_indent().to_string());
                return Ok(true);
            }
            Some(Preset::Mixed(value)) => {
                self.preset(value, &definition.ty, out);
                return Ok(true);
            }
            Some(Preset::Session(variable)) => {
                let name = self.session_variable(variable, &definition.ty);
                append(out, &format!("${name}"));
                return Ok(true);
            }
            None => {}
        }
        let given = given.map(|value| value.resolve(&self.collector.operation.variables, path)).transpose()?;
        if let Some(binding) = bound {
            match (binding.value, self.input_object(&definition.ty)) {
                (Value::Object(fields), Some(input)) => {
                    let given = given.filter(|value| !value.is_null());
                    self.input_fields(input, given, Some((fields, binding.left)), path, out)?;
                }
                _ => self.bound(binding, &definition.ty, out)?,
            }
            return Ok(true);
        }
        match given {
            Some(value) => self.value(value, &definition.ty, path, out).map(|()| true),
            None if definition.is_required() => {
                Err(GraphqlError::validation(path, format!("missing required field '{}'", definition.name)))
            }
            None => Ok(false),
        }
    }

    /// Writes a value of the metadata in which session variables stand.
    fn preset(&mut self, value: &ast::Value, ty: &Type, out: &mut Vec<Piece>) {
        if let Some(variable) = session_variable(value) {
            let name = self.session_variable(variable, ty);
            return append(out, &format!("${name}"));
        }
        match (value, ty) {
            (ast::Value::List(items), Type::List(inner) | Type::NonNullList(inner)) => {
                append(out, "[");
                for (index, item) in items.iter().enumerate() {
                    append(out, if index > 0 { ", " } else { "" });
                    self.preset(item, inner, out);
                }
                append(out, "]");
            }
            (ast::Value::Object(fields), _) => {
                let input = self.input_object(ty);
                append(out, "{");
                for (index, (name, value)) in fields.iter().enumerate() {
                    append(out, &format!("{}{name}: ", if index > 0 { ", " } else { "" }));
                    let field = input.and_then(|input| input.fields.get(name));
                    let inner = field.map_or_else(|| ty.clone(), |field| (*field.ty).clone());
                    self.preset(value, &inner, out);
                }
                append(out, "}");
            }
            (value, _) => append(out, &value.serialize().no_indent().to_string()),
        }
    }

    fn input_object(&self, ty: &Type) -> Option<&'a InputObjectType> {
        match self.visible.types.get(ty.inner_named_type()) {
            Some(ExtendedType::InputObject(input)) => Some(input),
            _ => None,
        }
    }

    /// Writes a value that a client gives, variables replaced.
    fn value(&mut self, value: Input<'a>, ty: &'a Type, path: &str, out: &mut Vec<Piece>) -> Result<()> {
        let name = ty.inner_named_type().as_str();
        let shown = self.types.names.ty(name);
        if value.is_null() && !ty.is_non_null() {
            append(out, "null");
            return Ok(());
        }
        if let Type::List(inner) | Type::NonNullList(inner) = ty {
            if value.is_null() {
                return Err(GraphqlError::validation(path, "expected a list, but found null"));
            }
            if !matches!(value, Input::Ast(ast::Value::List(_)) | Input::Json(Value::Array(_))) {
                return self.value(value, inner, path, out);
            }
            append(out, "[");
            for (index, item) in value.list().into_iter().enumerate() {
                if index > 0 {
                    append(out, ", ");
                }
                let path = format!("{path}[{index}]");
                let item = item.resolve(&self.collector.operation.variables, &path)?;
                self.value(item, inner, &path, out)?;
            }
            append(out, "]");
            return Ok(());
        }
        match self.visible.types.get(name) {
            Some(ExtendedType::InputObject(input)) => self.input_fields(input, Some(value), None, path, out),
            Some(ExtendedType::Enum(definition)) => self.enum_value(definition, value, shown, path, out),
            _ if value.is_null() => {
                Err(GraphqlError::validation(path, format!("unexpected null value for type '{shown}'")))
            }
            _ => self.scalar(value, ty, path, out),
        }
    }

    fn input_fields(
        &mut self,
        input: &'a InputObjectType,
        given: Option<Input<'a>>,
        bound: Option<(&'a Map<String, Value>, &'a [Left])>,
        path: &str,
        out: &mut Vec<Piece>,
    ) -> Result<()> {
        let shown = self.types.names.ty(&input.name);
        let given = match given {
            Some(value) => value.object().ok_or_else(|| mismatch(path, "an object", shown, value))?,
            None => Vec::new(),
        };
        let open = |name: &str| {
            let bound = bound.and_then(|(bound, _)| bound.get(name));
            input.fields.get(name).is_some_and(|field| preset(&field.directives).is_none())
                && bound.is_none_or(Value::is_object)
        };
        if let Some((unknown, _)) = given.iter().find(|(name, _)| !open(name)) {
            let message = format!("field '{unknown}' not found in type: '{shown}'");
            return Err(GraphqlError::validation(format!("{path}.{unknown}"), message));
        }
        append(out, "{");
        let mut separator = "";
        for field in input.fields.values() {
            let name = field.name.as_str();
            let value = given.iter().find(|(given, _)| *given == name).map(|(_, value)| *value);
            let bound = bound.and_then(|(bound, left)| Some(Binding { value: bound.get(name)?, left }));
            let mut pieces = Vec::new();
            if self.input(field, value, bound, &format!("{path}.{name}"), &mut pieces)? {
                append(out, separator);
                append(out, name);
                append(out, ": ");
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => append(out, &text),
                        left => out.push(left),
                    }
                }
                separator = ", ";
            }
        }
        append(out, "}");
        Ok(())
    }

    fn enum_value(
        &mut self,
        definition: &EnumType,
        value: Input<'a>,
        shown: &str,
        path: &str,
        out: &mut Vec<Piece>,
    ) -> Result<()> {
        let name = value.enum_value().ok_or_else(|| mismatch(path, "an enum value", shown, value))?;
        if !definition.values.contains_key(name) {
            let known: Vec<String> = definition.values.keys().map(|value| format!("'{value}'")).collect();
            let message =
                format!("expected one of the values [{}] for type '{shown}', but found '{name}'", known.join(", "));
            return Err(GraphqlError::validation(path, message));
        }
        append(out, name);
        Ok(())
    }

    /// Writes a scalar; whether it fits is the remote's affair.
    fn scalar(&mut self, value: Input<'a>, ty: &Type, path: &str, out: &mut Vec<Piece>) -> Result<()> {
        match value {
            Input::Ast(value) if !matches!(value, ast::Value::List(_) | ast::Value::Object(_)) => {
                append(out, &value.serialize().no_indent().to_string());
            }
            other => match other.json(&self.collector.operation.variables, path)? {
                json @ (Value::Array(_) | Value::Object(_)) => {
                    let name = format!("hasura_json_var_{}", self.template.variables.len() + 1);
                    append(out, &format!("${name}"));
                    let variable = RemoteVariable { name, ty: ty.to_string(), value: VariableValue::Json(json) };
                    self.template.variables.push(variable);
                }
                // JSON's literals are GraphQL's.
                json => append(out, &json::write(&json)),
            },
        }
        Ok(())
    }

    /// Writes a value that the metadata of a relationship gives.
    fn bound(&mut self, binding: Binding<'a>, ty: &Type, out: &mut Vec<Piece>) -> Result<()> {
        let definition = self.visible.types.get(ty.inner_named_type());
        let is_enum = matches!(definition, Some(ExtendedType::Enum(_)));
        let of = |value| Binding { value, left: binding.left };
        match (binding.value, ty) {
            (Value::String(text), _) if text.starts_with('$') => {
                let name = text.get(1..).unwrap_or_default();
                let place = binding.left.iter().position(|left| left.name == name).ok_or_else(|| {
                    GraphqlError::unexpected(format!("a relationship binds ${name}, which is not on its left side"))
                })?;
                out.push(Piece::Left(place, LeftForm { is_enum, ty: ty.to_string() }));
            }
            (Value::Array(items), Type::List(inner) | Type::NonNullList(inner)) => {
                append(out, "[");
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        append(out, ", ");
                    }
                    self.bound(of(item), inner, out)?;
                }
                append(out, "]");
            }
            (Value::Object(fields), _) => {
                append(out, "{");
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        append(out, ", ");
                    }
                    append(out, &format!("{name}: "));
                    let field = self.input_object(ty).and_then(|input| input.fields.get(name.as_str()));
                    let inner = field.map_or_else(|| ty.clone(), |field| (*field.ty).clone());
                    self.bound(of(value), &inner, out)?;
                }
                append(out, "}");
            }
            (Value::String(text), _) if is_enum => append(out, text),
            (scalar, _) => append(out, &scalar.to_string()),
        }
        Ok(())
    }

    /// The request's variable for a session variable.
    fn session_variable(&mut self, variable: &str, ty: &Type) -> String {
        let (variable, ty) = (variable.to_ascii_lowercase(), ty.to_string());
        let value = VariableValue::Session(variable.clone());
        let known = self.template.variables.iter().find(|known| known.value == value && known.ty == ty);
        if let Some(known) = known {
            return known.name.clone();
        }
        let mut name = variable.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        // One session variable may fill places of different types.
        while self.template.variables.iter().any(|known| known.name == name) {
            name.push('_');
        }
        self.template.variables.push(RemoteVariable { name: name.clone(), ty, value });
        name
    }
}
