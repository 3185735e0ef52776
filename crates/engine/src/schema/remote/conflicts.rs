//! What a remote schema may not bring because something else has its name already.

use std::collections::HashSet;

use apollo_compiler::schema::ExtendedType;

use super::{RemoteTypes, is_standard, root_types};
use crate::schema::model::Model;
use crate::schema::table_type_name;

/// Names that a remote schema shares with tables, functions, actions or an earlier remote schema, a sentence for each.
pub fn conflicts(model: &Model, earlier: &[RemoteTypes], new: &RemoteTypes) -> Vec<String> {
    let mut found = Vec::new();
    let mut roots: HashSet<String> = of_model(model);
    roots.extend(earlier.iter().flat_map(root_names));
    for name in root_names(new) {
        if roots.contains(&name) {
            found.push(format!("Inconsistent object: Duplicate remote field '{name}'"));
        }
    }
    let mut types: HashSet<String> = model.tables.iter().map(|table| table_type_name(model, table)).collect();
    let custom = &model.custom_types;
    types.extend(custom.objects.iter().map(|object| object.name.clone()));
    types.extend(custom.input_objects.iter().map(|object| object.name.clone()));
    types.extend(custom.enums.iter().map(|object| object.name.clone()));
    for (name, definition) in shown_types(new) {
        let differs =
            |other: &RemoteTypes| shown_types(other).any(|(theirs, known)| theirs == name && !same(definition, known));
        if types.contains(name) || earlier.iter().any(differs) {
            found.push(format!("Inconsistent object: Found conflicting definitions for type '{name}'"));
        }
    }
    found
}

fn of_model(model: &Model) -> HashSet<String> {
    let mut names = HashSet::new();
    for table in &model.tables {
        let roots = &table.roots;
        let all = [
            &roots.select,
            &roots.select_by_pk,
            &roots.select_aggregate,
            &roots.select_stream,
            &roots.insert,
            &roots.insert_one,
            &roots.update,
            &roots.update_by_pk,
            &roots.update_many,
            &roots.delete,
            &roots.delete_by_pk,
        ];
        names.extend(all.into_iter().cloned());
    }
    names.extend(model.functions.iter().flat_map(|function| [function.root.clone(), function.root_aggregate.clone()]));
    names.extend(model.actions.iter().map(|action| action.name.clone()));
    names
}

/// The names that a remote schema gives to root types here.
fn root_names(remote: &RemoteTypes) -> Vec<String> {
    if let Some(namespace) = &remote.names.namespace {
        return vec![namespace.clone()];
    }
    let mut names = Vec::new();
    for (_, root) in root_types(&remote.schema) {
        if let Some(ExtendedType::Object(object)) = remote.schema.types.get(root.as_str()) {
            names.extend(object.fields.keys().map(|field| remote.names.field(&root, field).to_owned()));
        }
    }
    names
}

/// Types that stand in a role's schema under their name here; scalars may be shared.
fn shown_types(remote: &RemoteTypes) -> impl Iterator<Item = (&str, &ExtendedType)> {
    let hidden: Vec<String> = match remote.names.namespace {
        Some(_) => Vec::new(),
        None => root_types(&remote.schema).into_iter().map(|(_, name)| name).collect(),
    };
    remote
        .schema
        .types
        .iter()
        .filter(move |(name, ty)| {
            !matches!(ty, ExtendedType::Scalar(_))
                && !name.starts_with("__")
                && !is_standard(name)
                && !hidden.iter().any(|root| root == name.as_str())
        })
        .map(|(name, ty)| (remote.names.ty(name), ty))
}

fn same(one: &ExtendedType, other: &ExtendedType) -> bool {
    one.serialize().to_string() == other.serialize().to_string()
}
