//! Holds a selection of introspection against introspection's own types, in Hasura's words.

use std::collections::HashSet;

use apollo_compiler::ast::{self, Argument, FieldDefinition, Selection};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Node, Schema};

use crate::engine::error::{GraphqlError, Result};
use crate::engine::plan::collect::Selected;
use crate::engine::plan::document::{Operation, included};
use crate::engine::plan::input::{Input, mismatch};
use crate::engine::plan::usage::may_stand;

/// Checks `__schema` or `__type` of the query root with everything under it.
///
/// # Errors
/// The first field or argument that does not fit, with its place.
pub fn check(schema: &Schema, root: &str, operation: &Operation<'_>, selected: &Selected<'_>) -> Result<()> {
    let mut check = Check { schema, operation, seen: HashSet::new() };
    let definition = check.definition(root, selected.name, &selected.path)?;
    check.arguments(definition, selected.arguments, &selected.path)?;
    let ty = definition.ty.inner_named_type();
    if selected.under.is_empty() {
        return Err(missing_selection(ty, &selected.path));
    }
    selected.under.iter().try_for_each(|selections| check.selections(ty, selections, &selected.path))
}

struct Check<'a> {
    schema: &'a Schema,
    operation: &'a Operation<'a>,
    /// Fragments that were looked at, by the type they were spread in.
    seen: HashSet<(&'a str, &'a str)>,
}

fn missing_selection(ty: &str, path: &str) -> GraphqlError {
    GraphqlError::validation(path, format!("missing selection set for '{ty}'"))
}

impl<'a> Check<'a> {
    fn definition(&self, ty: &str, name: &str, path: &str) -> Result<&'a FieldDefinition> {
        let found = self.schema.type_field(ty, name).ok().map(|component| &***component);
        found.ok_or_else(|| GraphqlError::validation(path, format!("field '{name}' not found in type: '{ty}'")))
    }

    fn selections(&mut self, ty: &'a str, selections: &'a [Selection], path: &str) -> Result<()> {
        let inside = format!("{path}.selectionSet");
        let variables = &self.operation.variables;
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    let place = format!("{inside}.{}", field.name);
                    if included(&field.directives, variables, &place)? && field.name != "__typename" {
                        self.field(ty, field, &place)?;
                    }
                }
                Selection::InlineFragment(fragment) => {
                    if included(&fragment.directives, variables, &inside)? {
                        self.selections(ty, &fragment.selection_set, path)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.fragment_name.as_str();
                    let fragment = self.operation.fragments.get(name).ok_or_else(|| {
                        let message = format!("reference to undefined fragment \"{name}\"");
                        GraphqlError::validation(format!("{inside}.{name}"), message)
                    })?;
                    if included(&spread.directives, variables, &inside)? && self.seen.insert((ty, name)) {
                        self.selections(ty, &fragment.selection_set, path)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(&mut self, ty: &'a str, field: &'a ast::Field, path: &str) -> Result<()> {
        let definition = self.definition(ty, &field.name, path)?;
        self.arguments(definition, &field.arguments, path)?;
        let ty = definition.ty.inner_named_type();
        let composite = matches!(self.schema.types.get(ty), Some(ExtendedType::Object(_)));
        match (composite, field.selection_set.is_empty()) {
            (true, true) => Err(missing_selection(ty, path)),
            (false, false) => Err(GraphqlError::validation(path, "unexpected subselection set for non-object field")),
            (true, false) => self.selections(ty, &field.selection_set, path),
            (false, true) => Ok(()),
        }
    }

    fn arguments(&self, definition: &FieldDefinition, given: &'a [Node<Argument>], path: &str) -> Result<()> {
        let unknown =
            given.iter().find(|given| definition.arguments.iter().all(|argument| argument.name != given.name));
        if let Some(unknown) = unknown {
            let message = format!("'{}' has no argument named '{}'", definition.name, unknown.name);
            return Err(GraphqlError::validation(path, message));
        }
        for argument in &definition.arguments {
            let path = format!("{path}.args.{}", argument.name);
            match given.iter().find(|given| given.name == argument.name) {
                Some(given) => self.argument(&argument.ty, argument.default_value.is_some(), &given.value, &path)?,
                None if argument.ty.is_non_null() && argument.default_value.is_none() => {
                    return Err(GraphqlError::validation(path, format!("missing required field '{}'", argument.name)));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn argument(&self, ty: &ast::Type, default: bool, value: &'a ast::Value, path: &str) -> Result<()> {
        let variables = &self.operation.variables;
        if let ast::Value::Variable(name) = value {
            may_stand(variables, name, &ty.to_string(), default, path)?;
        }
        let Some(value) = Input::Ast(value).resolve(variables, path)? else { return Ok(()) };
        let name = ty.inner_named_type().as_str();
        match name {
            _ if value.is_null() && !ty.is_non_null() => Ok(()),
            "String" if value.text().is_none() => Err(mismatch(path, "a string", name, value)),
            "Boolean" if value.boolean().is_none() => Err(mismatch(path, "a boolean", name, value)),
            _ => Ok(()),
        }
    }
}
