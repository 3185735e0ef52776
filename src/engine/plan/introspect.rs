//! Root fields of introspection: the operation that the schema's document answers.

use std::collections::BTreeSet;

use apollo_compiler::ast::{self, Selection};
use serde_json::{Map, Value};

use super::collect::Selected;
use super::document::Operation;

/// A query of one root field, with the variables that it uses.
pub fn single_field(operation: &Operation<'_>, selected: &Selected<'_>) -> (String, Map<String, Value>) {
    let mut uses = Uses { operation, variables: BTreeSet::new(), fragments: BTreeSet::new() };
    for argument in selected.arguments {
        uses.value(&argument.value);
    }
    for selections in &selected.under {
        uses.selections(selections);
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
    if !selected.under.is_empty() {
        text.push_str(" { ");
        for selection in selected.under.iter().flat_map(|selections| selections.iter()) {
            text.push_str(&selection.serialize().no_indent().to_string());
            text.push(' ');
        }
        text.push('}');
    }
    text.push_str(" }");
    for name in &uses.fragments {
        if let Some(fragment) = operation.fragments.get(name.as_str()) {
            text.push(' ');
            text.push_str(&fragment.serialize().no_indent().to_string());
        }
    }
    (text, variables)
}

/// Variables and fragments that a field uses.
struct Uses<'a> {
    operation: &'a Operation<'a>,
    variables: BTreeSet<String>,
    fragments: BTreeSet<String>,
}

impl Uses<'_> {
    fn directives(&mut self, directives: &ast::DirectiveList) {
        for directive in directives.iter() {
            for argument in &directive.arguments {
                self.value(&argument.value);
            }
        }
    }

    fn selections(&mut self, selections: &[Selection]) {
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    self.directives(&field.directives);
                    for argument in &field.arguments {
                        self.value(&argument.value);
                    }
                    self.selections(&field.selection_set);
                }
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.directives);
                    self.selections(&fragment.selection_set);
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.directives);
                    let new = self.fragments.insert(spread.fragment_name.to_string());
                    if let (true, Some(fragment)) = (new, self.operation.fragments.get(spread.fragment_name.as_str())) {
                        self.selections(&fragment.selection_set);
                    }
                }
            }
        }
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
