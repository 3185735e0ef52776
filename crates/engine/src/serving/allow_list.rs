//! The allow list: which operations roles other than admin may run.

use apollo_compiler::ast::{Definition, Document, Selection};
use serde_json::json;

use super::surface::Surface;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::metadata::Metadata;
use crate::request::Request;
use crate::session::Session;

/// Refuses an operation that no allowed collection holds. White space and `__typename` do not count.
pub(crate) fn check(surface: &Surface, session: &Session, request: &Request) -> Result<()> {
    if !surface.options.allow_list || session.is_admin() {
        return Ok(());
    }
    let malformed = || GraphqlError::validation("$.query", "not a valid graphql query");
    let wanted = normalised(&request.query).ok_or_else(malformed)?;
    let current = surface.core.current();
    let allowed = queries(&current.metadata, session.role()).any(|query| normalised(query).as_ref() == Some(&wanted));
    if allowed {
        return Ok(());
    }
    let internal = json!({"message": "query is not in any of the allowlists"});
    Err(GraphqlError::new(ErrorCode::ValidationFailed, "query is not allowed").with_internal(internal))
}

fn queries<'m>(metadata: &'m Metadata, role: &'m str) -> impl Iterator<Item = &'m str> {
    metadata
        .allowlist
        .iter()
        .filter(move |entry| match &entry.scope {
            None => true,
            Some(scope) => scope.global || scope.roles.iter().flatten().any(|allowed| allowed == role),
        })
        .filter_map(|entry| metadata.query_collections.iter().find(|collection| collection.name == entry.collection))
        .flat_map(|collection| collection.definition.queries.iter().map(|query| query.query.as_str()))
}

/// The document printed in one way, without `__typename`; nothing for what is no GraphQL.
fn normalised(query: &str) -> Option<String> {
    let mut document = apollo_compiler::parser::Parser::new()
        .recursion_limit(200)
        .token_limit(20_000)
        .parse_ast(query, "query.graphql")
        .ok()?;
    strip(&mut document);
    Some(document.serialize().no_indent().to_string())
}

fn strip(document: &mut Document) {
    for definition in &mut document.definitions {
        match definition {
            Definition::OperationDefinition(operation) => strip_selections(&mut operation.make_mut().selection_set),
            Definition::FragmentDefinition(fragment) => strip_selections(&mut fragment.make_mut().selection_set),
            _ => {}
        }
    }
}

fn strip_selections(selections: &mut Vec<Selection>) {
    selections.retain(|selection| !matches!(selection, Selection::Field(field) if field.name == "__typename"));
    for selection in selections {
        match selection {
            Selection::Field(field) => strip_selections(&mut field.make_mut().selection_set),
            Selection::InlineFragment(fragment) => strip_selections(&mut fragment.make_mut().selection_set),
            Selection::FragmentSpread(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_typename_do_not_count_but_names_do() {
        let listed = normalised("query TeamList { teams(order_by: {slug: asc}) { slug } }");
        assert_eq!(listed, normalised("query   TeamList {\n teams (order_by: {slug: asc}) {\n slug } }"));
        assert_eq!(listed, normalised("query TeamList { teams(order_by: {slug: asc}) { slug __typename } }"));
        assert_ne!(listed, normalised("query Other { teams(order_by: {slug: asc}) { slug } }"));
        assert_eq!(normalised("{ teams {"), None);
    }
}
