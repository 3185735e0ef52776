//! Root fields of introspection: what is asked for, held against introspection's own types in Hasura's words.

use apollo_compiler::ast::{self, Argument, FieldDefinition, Selection};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Node, Schema};
use indexmap::IndexMap;

use super::collect::Selected;
use super::document::{Operation, included};
use super::input::{Input, mismatch};
use super::usage::may_stand;
use crate::error::{GraphqlError, Result};
use crate::schema::Asked;

/// What `__schema` or `__type` of the query root asks for: fragments are spread, directives applied, equal response keys
/// merged.
///
/// # Errors
/// The first field or argument that does not fit, with its place.
pub fn asked<'a>(
    schema: &Schema,
    root: &str,
    operation: &'a Operation<'a>,
    selected: &Selected<'a>,
) -> Result<Asked<'a>> {
    let reader = Reader { schema, operation };
    let definition = reader.definition(root, selected.name, &selected.path)?;
    let mut asked = reader.read(definition, selected.name, selected.arguments, &selected.path)?;
    let ty = definition.ty.inner_named_type();
    if selected.under.is_empty() {
        return Err(missing_selection(ty, &selected.path));
    }
    for selections in &selected.under {
        reader.selections(ty, selections, &selected.path, &mut asked.under)?;
    }
    Ok(asked)
}

struct Reader<'s, 'a> {
    schema: &'s Schema,
    operation: &'a Operation<'a>,
}

fn missing_selection(ty: &str, path: &str) -> GraphqlError {
    GraphqlError::validation(path, format!("missing selection set for '{ty}'"))
}

impl<'s, 'a> Reader<'s, 'a> {
    fn definition(&self, ty: &str, name: &str, path: &str) -> Result<&'s FieldDefinition> {
        let found = self.schema.type_field(ty, name).ok().map(|component| &***component);
        found.ok_or_else(|| GraphqlError::validation(path, format!("field '{name}' not found in type: '{ty}'")))
    }

    fn selections(
        &self,
        ty: &str,
        selections: &'a [Selection],
        path: &str,
        into: &mut IndexMap<&'a str, Asked<'a>>,
    ) -> Result<()> {
        let inside = format!("{path}.selectionSet");
        let variables = &self.operation.variables;
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    let place = format!("{inside}.{}", field.name);
                    if included(&field.directives, variables, &place)? {
                        self.field(ty, field, &place, into)?;
                    }
                }
                Selection::InlineFragment(fragment) => {
                    if included(&fragment.directives, variables, &inside)?
                        && fragment.type_condition.as_ref().is_none_or(|on| on == ty)
                    {
                        self.selections(ty, &fragment.selection_set, path, into)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.fragment_name.as_str();
                    let fragment = self.operation.fragments.get(name).ok_or_else(|| {
                        let message = format!("reference to undefined fragment \"{name}\"");
                        GraphqlError::validation(format!("{inside}.{name}"), message)
                    })?;
                    if included(&spread.directives, variables, &inside)? && fragment.type_condition == ty {
                        self.selections(ty, &fragment.selection_set, path, into)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(
        &self,
        ty: &str,
        field: &'a ast::Field,
        path: &str,
        into: &mut IndexMap<&'a str, Asked<'a>>,
    ) -> Result<()> {
        let name = field.name.as_str();
        let key = field.response_name().as_str();
        if name == "__typename" {
            into.insert(key, Asked { name, ..Asked::default() });
            return Ok(());
        }
        let definition = self.definition(ty, name, path)?;
        let asked = self.read(definition, name, &field.arguments, path)?;
        let known = into.entry(key).or_insert(asked);
        if known.name != name {
            let message = format!("selection of both '{}' and '{name}' on the same response key '{key}'", known.name);
            return Err(GraphqlError::validation(path, message));
        }
        let same = known.arguments.len() == field.arguments.len()
            && known.arguments.iter().all(|argument| field.arguments.contains(argument));
        if !same {
            let message = format!("inconsistent arguments between multiple selections of field '{name}'");
            return Err(GraphqlError::validation(path, message));
        }
        let ty = definition.ty.inner_named_type();
        let composite = matches!(self.schema.types.get(ty), Some(ExtendedType::Object(_)));
        match (composite, field.selection_set.is_empty()) {
            (true, true) => Err(missing_selection(ty, path)),
            (false, false) => Err(GraphqlError::validation(path, "unexpected subselection set for non-object field")),
            (true, false) => self.selections(ty, &field.selection_set, path, &mut known.under),
            (false, true) => Ok(()),
        }
    }

    /// A field with its arguments, which are two in all of introspection.
    fn read(
        &self,
        definition: &FieldDefinition,
        name: &'a str,
        arguments: &'a [Node<Argument>],
        path: &str,
    ) -> Result<Asked<'a>> {
        let unknown =
            arguments.iter().find(|given| definition.arguments.iter().all(|argument| argument.name != given.name));
        if let Some(unknown) = unknown {
            let message = format!("'{}' has no argument named '{}'", definition.name, unknown.name);
            return Err(GraphqlError::validation(path, message));
        }
        let mut asked = Asked { name, arguments, ..Asked::default() };
        for argument in &definition.arguments {
            let path = format!("{path}.args.{}", argument.name);
            let given = match arguments.iter().find(|given| given.name == argument.name) {
                Some(given) => self.argument(&argument.ty, argument.default_value.is_some(), &given.value, &path)?,
                None => None,
            };
            match (argument.name.as_str(), given) {
                ("name", Some(name)) => asked.of = name.text(),
                ("includeDeprecated", Some(flag)) => asked.deprecated = flag.boolean().unwrap_or_default(),
                (_, None) if argument.ty.is_non_null() && argument.default_value.is_none() => {
                    return Err(GraphqlError::validation(path, format!("missing required field '{}'", argument.name)));
                }
                _ => {}
            }
        }
        Ok(asked)
    }

    fn argument(&self, ty: &ast::Type, default: bool, value: &'a ast::Value, path: &str) -> Result<Option<Input<'a>>> {
        let variables = &self.operation.variables;
        if let ast::Value::Variable(name) = value {
            may_stand(variables, name, &ty.to_string(), default, path)?;
        }
        let value = Input::Ast(value).resolve(variables, path)?;
        match ty.inner_named_type().as_str() {
            _ if value.is_null() && !ty.is_non_null() => {}
            "String" if value.text().is_none() => return Err(mismatch(path, "a string", "String", value)),
            "Boolean" if value.boolean().is_none() => return Err(mismatch(path, "a boolean", "Boolean", value)),
            _ => {}
        }
        Ok(Some(value))
    }
}
