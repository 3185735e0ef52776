//! Names that stand twice where each may stand once: arguments of a field or directive, fields of an object.

use std::collections::HashSet;

use apollo_compiler::Node;
use apollo_compiler::ast::{Argument, Definition, DirectiveList, Document, Selection, Value};

/// Whether a document has any. Hasura's parser takes such a text for no document at all.
pub(super) fn any(document: &Document) -> bool {
    document.definitions.iter().any(|definition| match definition {
        Definition::OperationDefinition(operation) => {
            let variables = &operation.variables;
            variables.iter().any(|variable| {
                directives(&variable.directives) || variable.default_value.as_ref().is_some_and(|value| within(value))
            }) || directives(&operation.directives)
                || selections(&operation.selection_set)
        }
        Definition::FragmentDefinition(fragment) => {
            directives(&fragment.directives) || selections(&fragment.selection_set)
        }
        _ => false,
    })
}

// The parser bounds the depth.
fn selections(list: &[Selection]) -> bool {
    list.iter().any(|selection| match selection {
        Selection::Field(field) => {
            arguments(&field.arguments) || directives(&field.directives) || selections(&field.selection_set)
        }
        Selection::InlineFragment(fragment) => directives(&fragment.directives) || selections(&fragment.selection_set),
        Selection::FragmentSpread(spread) => directives(&spread.directives),
    })
}

fn directives(list: &DirectiveList) -> bool {
    list.iter().any(|directive| arguments(&directive.arguments))
}

fn arguments(list: &[Node<Argument>]) -> bool {
    twice(list.iter().map(|argument| argument.name.as_str())) || list.iter().any(|argument| within(&argument.value))
}

fn within(value: &Value) -> bool {
    match value {
        Value::List(items) => items.iter().any(|item| within(item)),
        Value::Object(fields) => {
            twice(fields.iter().map(|(name, _)| name.as_str())) || fields.iter().any(|(_, value)| within(value))
        }
        _ => false,
    }
}

/// Few names are compared one with another: most objects have few, and nothing is set aside for them.
fn twice<'a>(mut names: impl ExactSizeIterator<Item = &'a str> + Clone) -> bool {
    if names.len() <= 16 {
        return names.clone().enumerate().any(|(place, name)| names.clone().skip(place + 1).any(|other| other == name));
    }
    let mut seen = HashSet::with_capacity(names.len());
    names.any(|name| !seen.insert(name))
}
