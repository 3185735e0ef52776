//! Queries of collections, held against what admin sees.

use std::collections::{HashMap, HashSet};

use apollo_compiler::ast::{Definition, FragmentDefinition, OperationType, Selection};
use apollo_compiler::parser::Parser;

use super::model::types::{TypeId, TypeKind};
use super::{Inconsistency, RoleSchema};
use crate::metadata::{Metadata, QueryCollection};

/// The queries of collections that ask for what is not there, as Hasura lists them.
pub fn faults(metadata: &Metadata, admin: &RoleSchema) -> Vec<Inconsistency> {
    let mut found = Vec::new();
    for collection in &metadata.query_collections {
        for query in &collection.definition.queries {
            let errors = Check::of(admin, &query.query);
            if errors.is_empty() {
                continue;
            }
            let quoted: Vec<String> = errors.iter().map(|error| format!("{error:?}")).collect();
            let mut reason = format!(
                "Inconsistent object: In query collection {:?} the query {:?} is invalid with the following error(s): {}",
                collection.name,
                query.name,
                quoted.join(", "),
            );
            let endpoints = endpoints(metadata, collection, &query.name);
            if !endpoints.is_empty() {
                let names = endpoints.join(", ");
                reason.push_str(&format!(". This query is being used in the following REST endpoint(s): {names}"));
            }
            found.push(Inconsistency {
                kind: "query_collections".to_owned(),
                name: format!("query_collections {} in {}", query.name, collection.name),
                reason,
                definition: serde_json::to_value(query).unwrap_or_default(),
            });
        }
    }
    found
}

/// The endpoints that serve a query, quoted.
fn endpoints(metadata: &Metadata, collection: &QueryCollection, query: &str) -> Vec<String> {
    let serves = |endpoint: &&crate::metadata::RestEndpoint| {
        let reference = &endpoint.definition.query;
        reference.collection_name == collection.name && reference.query_name == query
    };
    metadata.rest_endpoints.iter().filter(serves).map(|endpoint| format!("{:?}", endpoint.name)).collect()
}

/// Walks a document and gathers what it asks for in vain.
struct Check<'a> {
    schema: &'a RoleSchema,
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    open: HashSet<&'a str>,
    errors: Vec<String>,
}

impl<'a> Check<'a> {
    fn of(schema: &'a RoleSchema, text: &str) -> Vec<String> {
        let parsed = Parser::new().recursion_limit(200).token_limit(20_000).parse_ast(text, "query.graphql");
        let Ok(document) = parsed else { return vec!["not a valid graphql document".to_owned()] };
        let fragments = document.definitions.iter().filter_map(|definition| match definition {
            Definition::FragmentDefinition(fragment) => Some((fragment.name.as_str(), &**fragment)),
            _ => None,
        });
        let mut check = Check { schema, fragments: fragments.collect(), open: HashSet::new(), errors: Vec::new() };
        for definition in &document.definitions {
            let Definition::OperationDefinition(operation) = definition else { continue };
            let (root, what) = match operation.operation_type {
                OperationType::Query => (Some(schema.query), "query"),
                OperationType::Mutation => (schema.mutation, "mutation"),
                OperationType::Subscription => (schema.subscription, "subscription"),
            };
            match root {
                Some(root) => check.selections(root, &operation.selection_set, "$"),
                None => check.errors.push(format!("$: no {what} is defined")),
            }
        }
        check.errors
    }

    fn selections(&mut self, ty: TypeId, selections: &'a [Selection], path: &str) {
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    let name = field.name.as_str();
                    if name.starts_with("__") {
                        continue;
                    }
                    let place = format!("{path}.{name}");
                    match self.schema.field(ty, name) {
                        Some(found) => self.selections(found.ty.base(), &field.selection_set, &place),
                        None => {
                            let object = &self.schema.ty(ty).name;
                            self.errors.push(format!("{place}: field '{name}' not found in object '{object}'"));
                        }
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let on = fragment.type_condition.as_ref().map_or(Some(ty), |name| self.named(name));
                    self.under(on, fragment.type_condition.as_deref(), &fragment.selection_set, path);
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.fragment_name.as_str();
                    let Some(fragment) = self.fragments.get(name).copied() else {
                        self.errors.push(format!("{path}: fragment '{name}' is not defined"));
                        continue;
                    };
                    if self.open.insert(name) {
                        let condition = fragment.type_condition.as_str();
                        self.under(self.named(condition), Some(condition), &fragment.selection_set, path);
                        self.open.remove(name);
                    }
                }
            }
        }
    }

    fn under(&mut self, on: Option<TypeId>, condition: Option<&str>, selections: &'a [Selection], path: &str) {
        match on {
            Some(on) => self.selections(on, selections, path),
            None => self.errors.push(format!("{path}: type '{}' is not defined", condition.unwrap_or_default())),
        }
    }

    fn named(&self, name: &str) -> Option<TypeId> {
        let id = *self.schema.types.by_name.get(name)?;
        matches!(self.schema.ty(id).kind, TypeKind::Object(..) | TypeKind::Interface(_) | TypeKind::Union(_))
            .then_some(id)
    }
}
