//! Inherited roles: the union of other roles' permissions.

use std::sync::Arc;

use serde_json::json;

use super::boolexp::BoolExp;
use super::model::{Inconsistency, Model, Permissions, SelectRule};
use crate::engine::metadata::InheritedRole;

/// Gives each inherited role the union of its parents' permissions; conflicts are reported and left out.
pub fn apply(model: &mut Model, roles: &[InheritedRole], faults: &mut Vec<Inconsistency>) {
    // Parents before children; a role in a cycle is never ready.
    let mut done: Vec<&str> = Vec::new();
    let mut waiting: Vec<&InheritedRole> = roles.iter().collect();
    while !waiting.is_empty() {
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|role| {
            role.role_set
                .iter()
                .all(|parent| done.contains(&parent.as_str()) || !roles.iter().any(|other| other.role_name == *parent))
        });
        if ready.is_empty() {
            for role in rest {
                faults.push(Inconsistency {
                    kind: "inherited_role".to_owned(),
                    name: format!("inherited role {}", role.role_name),
                    reason: "found cycle(s) in roles".to_owned(),
                    definition: json!(role),
                });
            }
            return;
        }
        for role in ready {
            unite(model, role, faults);
            done.push(&role.role_name);
        }
        waiting = rest;
    }
}

fn unite(model: &mut Model, role: &InheritedRole, faults: &mut Vec<Inconsistency>) {
    for table in &mut model.tables {
        let parents: Vec<&Permissions> =
            role.role_set.iter().filter_map(|parent| table.permissions.get(parent)).collect();
        let own = table.permissions.get(&role.role_name).cloned().unwrap_or_default();
        let mut conflict = |kind: &str| {
            faults.push(Inconsistency {
                kind: "inherited role permission inconsistency".to_owned(),
                name: format!("role {} table {}", role.role_name, table.name),
                reason: format!(
                    "Could not inherit permission for the role '{}' for the entity: '{kind} permission, table: {}, source: 'default''",
                    role.role_name, table.name
                ),
                definition: json!({"role_name": role.role_name, "role_set": role.role_set}),
            });
        };
        let selects: Vec<&SelectRule> = parents.iter().filter_map(|parent| parent.select.as_deref()).collect();
        let united = Permissions {
            select: own.select.clone().or_else(|| union(&selects).map(Arc::new)),
            insert: own.insert.clone().or_else(|| {
                single(parents.iter().filter_map(|p| p.insert.clone()), |a, b| {
                    a.columns == b.columns && a.presets == b.presets && a.check == b.check
                })
                .unwrap_or_else(|()| {
                    conflict("insert");
                    None
                })
            }),
            update: own.update.clone().or_else(|| {
                single(parents.iter().filter_map(|p| p.update.clone()), |a, b| {
                    a.columns == b.columns && a.presets == b.presets && a.check == b.check && a.filter == b.filter
                })
                .unwrap_or_else(|()| {
                    conflict("update");
                    None
                })
            }),
            delete: own.delete.clone().or_else(|| {
                single(parents.iter().filter_map(|p| p.delete.clone()), |a, b| a.filter == b.filter).unwrap_or_else(
                    |()| {
                        conflict("delete");
                        None
                    },
                )
            }),
        };
        if united.select.is_some() || united.insert.is_some() || united.update.is_some() || united.delete.is_some() {
            table.permissions.insert(role.role_name.clone(), united);
        }
    }
}

/// The one rule that all share; nothing when there is none; a conflict when they differ.
fn single<T>(mut rules: impl Iterator<Item = Arc<T>>, same: impl Fn(&T, &T) -> bool) -> Result<Option<Arc<T>>, ()> {
    let Some(first) = rules.next() else { return Ok(None) };
    match rules.all(|rule| same(&first, &rule)) {
        true => Ok(Some(first)),
        false => Err(()),
    }
}

/// Rows that any parent sees, and of each row the columns that a parent who sees the row may see.
fn union(rules: &[&SelectRule]) -> Option<SelectRule> {
    let first = rules.first()?;
    if let [only] = rules {
        return Some((*only).clone());
    }
    let columns: Vec<bool> =
        (0..first.columns.len()).map(|column| rules.iter().any(|rule| rule.columns[column])).collect();
    let computed: Vec<bool> =
        (0..first.computed.len()).map(|field| rules.iter().any(|rule| rule.computed[field])).collect();
    let guards = (0..columns.len())
        .map(|column| guard(rules, |rule| rule.columns[column], |rule| &rule.guards[column]))
        .collect();
    let computed_guards = (0..computed.len())
        .map(|field| guard(rules, |rule| rule.computed[field], |rule| &rule.computed_guards[field]))
        .collect();
    let filters: Vec<BoolExp> = rules.iter().map(|rule| rule.filter.clone()).collect();
    let roots = |pick: fn(&SelectRule) -> &Option<Vec<_>>| {
        rules.iter().map(|rule| pick(rule).clone()).reduce(|a, b| Some(a?.into_iter().chain(b?).collect())).flatten()
    };
    Some(SelectRule {
        columns,
        guards,
        computed,
        computed_guards,
        filter: match filters.iter().any(BoolExp::is_true) {
            true => BoolExp::TRUE,
            false => BoolExp::Or(filters),
        },
        limit: rules.iter().map(|rule| rule.limit).reduce(|a, b| Some(a?.max(b?))).flatten(),
        aggregations: rules.iter().any(|rule| rule.aggregations),
        query_roots: roots(|rule| &rule.query_roots),
        subscription_roots: roots(|rule| &rule.subscription_roots),
    })
}

/// When a value shows that not every parent may see: on rows of a parent who may.
fn guard(
    rules: &[&SelectRule],
    sees: impl Fn(&SelectRule) -> bool,
    own: impl Fn(&SelectRule) -> &Option<BoolExp>,
) -> Option<BoolExp> {
    let seers: Vec<&SelectRule> = rules.iter().copied().filter(|rule| sees(rule)).collect();
    if seers.len() == rules.len() && seers.iter().all(|rule| own(rule).is_none()) {
        return None;
    }
    let conditions: Vec<BoolExp> =
        seers.iter().map(|rule| own(rule).clone().unwrap_or(BoolExp::TRUE).and(rule.filter.clone())).collect();
    (!conditions.iter().any(BoolExp::is_true)).then_some(BoolExp::Or(conditions))
}
