//! Names that two things may not share: root fields, and types of rows.
//!
//! Of two that do the later one is left out: tables come first, then functions, then actions.

use super::{Resolver, metadata};
use crate::metadata::ActionType;
use crate::schema::model::{FunctionInfo, Model, TableInfo};
use crate::schema::table_type_name;

/// Something named, in the selection set or the list that it must be alone in under that name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    place: Place,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Query,
    Mutation,
    Subscription,
    Type,
}

fn claim(place: Place, name: &str) -> Claim {
    Claim { place, name: name.to_owned() }
}

/// What a table is known by.
pub(super) fn of_table(model: &Model, table: &TableInfo) -> Vec<Claim> {
    let roots = &table.roots;
    let mut claims = vec![claim(Place::Type, &table_type_name(model, table))];
    let by_key = !table.primary_key.is_empty();
    let reads = [&roots.select, &roots.select_aggregate].into_iter().chain(by_key.then_some(&roots.select_by_pk));
    for name in reads {
        claims.extend([claim(Place::Query, name), claim(Place::Subscription, name)]);
    }
    claims.push(claim(Place::Subscription, &roots.select_stream));
    let (insertable, updatable, deletable) = table.mutable;
    let mut writes = Vec::new();
    if insertable {
        writes.extend([&roots.insert, &roots.insert_one]);
    }
    if updatable {
        writes.extend([&roots.update, &roots.update_many].into_iter().chain(by_key.then_some(&roots.update_by_pk)));
    }
    if deletable {
        writes.extend(std::iter::once(&roots.delete).chain(by_key.then_some(&roots.delete_by_pk)));
    }
    claims.extend(writes.into_iter().map(|name| claim(Place::Mutation, name)));
    claims
}

/// What a function is known by.
pub(super) fn of_function(function: &FunctionInfo) -> Vec<Claim> {
    if function.mutation {
        return vec![claim(Place::Mutation, &function.root)];
    }
    let places = |name: &String| [claim(Place::Query, name), claim(Place::Subscription, name)];
    [&function.root, &function.root_aggregate].into_iter().flat_map(places).collect()
}

/// What an action is known by.
pub(super) fn of_action(action: &metadata::Action) -> Vec<Claim> {
    let name = &action.name;
    let own = match action.definition.kind {
        ActionType::Query => claim(Place::Query, name),
        ActionType::Mutation => claim(Place::Mutation, name),
    };
    match action.definition.is_asynchronous() {
        // Its result is a field of its own, and has a type.
        true => vec![own, claim(Place::Query, name), claim(Place::Subscription, name), claim(Place::Type, name)],
        false => vec![own],
    }
}

impl Resolver<'_> {
    /// Takes names, all of them or none.
    ///
    /// # Errors
    /// The name that something else has, in Hasura's words.
    pub(super) fn claim(&mut self, claims: Vec<Claim>) -> Result<(), String> {
        let twice = |(place, claim): (usize, &Claim)| claims.iter().take(place).any(|earlier| earlier == claim);
        let found =
            claims.iter().enumerate().find(|(place, claim)| self.taken.contains(claim) || twice((*place, claim)));
        if let Some((_, Claim { place, name })) = found {
            let set = match place {
                Place::Query => "query_root",
                Place::Mutation => "mutation_root",
                Place::Subscription => "subscription_root",
                Place::Type => return Err(format!("Found conflicting definitions for GraphQL type '{name}'")),
            };
            let message =
                format!("Encountered conflicting definitions in the selection set for '{set}' for field '{name}'");
            return Err(format!("{message}. Fields must not be defined more than once across all sources."));
        }
        self.taken.extend(claims);
        Ok(())
    }
}
