//! Root fields of introspection: the operation that the schema's document answers.

mod check;

use std::collections::{BTreeMap, BTreeSet};

use apollo_compiler::ast::{self, FragmentDefinition, Selection};
use apollo_compiler::{Node, name};
use serde_json::{Map, Value};

use super::collect::Selected;
use super::document::{Operation, included};
use crate::engine::error::Result;

pub use check::check;

/// A query of one root field, with the variables that it uses. What directives leave out is not in it.
///
/// # Errors
/// A directive's value that is no boolean.
pub fn single_field(operation: &Operation<'_>, selected: &Selected<'_>) -> Result<(String, Map<String, Value>)> {
    let mut uses = Uses { operation, variables: BTreeSet::new(), fragments: BTreeMap::new() };
    for argument in selected.arguments {
        uses.value(&argument.value);
    }
    let mut under = Vec::new();
    for selections in &selected.under {
        under.extend(uses.kept(selections)?);
    }
    let mut text = String::from("query");
    let mut variables = Map::new();
    let definitions: Vec<&ast::VariableDefinition> = operation
        .variables
        .definitions()
        .filter(|definition| uses.variables.contains(definition.name.as_str()))
        .collect();
    if !definitions.is_empty() {
        let list: Vec<String> =
            definitions.iter().map(|definition| definition.serialize().no_indent().to_string()).collect();
        text.push_str(&format!("({})", list.join(", ")));
    }
    for definition in definitions {
        if let Some(value) = operation.variables.given().get(definition.name.as_str()) {
            variables.insert(definition.name.to_string(), value.clone());
        }
        // What is sent depends on the value.
        let _ = operation.variables.inspect(&definition.name, "$");
    }
    text.push_str(" { ");
    if selected.key != selected.name {
        text.push_str(&format!("{}: ", selected.key));
    }
    text.push_str(selected.name);
    if !selected.arguments.is_empty() {
        let list: Vec<String> = selected
            .arguments
            .iter()
            .map(|argument| format!("{}: {}", argument.name, argument.value.serialize().no_indent()))
            .collect();
        text.push_str(&format!("({})", list.join(", ")));
    }
    if !under.is_empty() {
        text.push_str(" { ");
        for selection in under {
            text.push_str(&selection.serialize().no_indent().to_string());
            text.push(' ');
        }
        text.push('}');
    }
    text.push_str(" }");
    for fragment in uses.fragments.values().flatten() {
        text.push(' ');
        text.push_str(&fragment.serialize().no_indent().to_string());
    }
    Ok((text, variables))
}

/// What a field uses.
struct Uses<'a> {
    operation: &'a Operation<'a>,
    variables: BTreeSet<String>,
    /// Fragments with what is kept of them; nothing while that is still being found.
    fragments: BTreeMap<String, Option<FragmentDefinition>>,
}

impl Uses<'_> {
    /// The selections that directives keep, without these directives; their variables and fragments are noted.
    fn kept(&mut self, selections: &[Selection]) -> Result<Vec<Selection>> {
        let mut kept = Vec::with_capacity(selections.len());
        for selection in selections {
            let directives = match selection {
                Selection::Field(field) => &field.directives,
                Selection::InlineFragment(fragment) => &fragment.directives,
                Selection::FragmentSpread(spread) => &spread.directives,
            };
            if !included(directives, &self.operation.variables, "$")? {
                continue;
            }
            let mut selection = selection.clone();
            match &mut selection {
                Selection::Field(field) => {
                    let field = field.make_mut();
                    field.directives.clear();
                    field.arguments.iter().for_each(|argument| self.value(&argument.value));
                    if !field.selection_set.is_empty() {
                        field.selection_set = self.kept(&field.selection_set)?;
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let fragment = fragment.make_mut();
                    fragment.directives.clear();
                    fragment.selection_set = self.kept(&fragment.selection_set)?;
                }
                Selection::FragmentSpread(spread) => {
                    spread.make_mut().directives.clear();
                    self.fragment(&spread.fragment_name)?;
                }
            }
            kept.push(selection);
        }
        if kept.is_empty() {
            kept.push(nothing());
        }
        Ok(kept)
    }

    fn fragment(&mut self, name: &str) -> Result<()> {
        let Some(fragment) = self.operation.fragments.get(name) else { return Ok(()) };
        if self.fragments.contains_key(name) {
            return Ok(());
        }
        self.fragments.insert(name.to_owned(), None);
        let mut fragment = (*fragment).clone();
        fragment.directives.clear();
        fragment.selection_set = self.kept(&fragment.selection_set)?;
        self.fragments.insert(name.to_owned(), Some(fragment));
        Ok(())
    }

    fn value(&mut self, value: &ast::Value) {
        match value {
            ast::Value::Variable(name) => {
                self.variables.insert(name.to_string());
            }
            ast::Value::List(items) => items.iter().for_each(|item| self.value(item)),
            ast::Value::Object(fields) => fields.iter().for_each(|(_, value)| self.value(value)),
            _ => {}
        }
    }
}

/// A selection that selects nothing, for where everything was left out.
fn nothing() -> Selection {
    let value = Node::new(ast::Value::Boolean(true));
    let argument = Node::new(ast::Argument { name: name!("if"), value });
    let skip = Node::new(ast::Directive { name: name!("skip"), arguments: vec![argument] });
    Selection::Field(Node::new(ast::Field {
        alias: None,
        name: name!("__typename"),
        arguments: Vec::new(),
        directives: ast::DirectiveList(vec![skip]),
        selection_set: Vec::new(),
    }))
}
