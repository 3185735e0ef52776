//! Inherited roles: the union of other roles' permissions.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::model::boolexp::BoolExp;
use super::model::{Inconsistency, Model, Permissions, SelectRule};
use crate::metadata::{ActionPermission, InheritedRole};

/// Gives each inherited role the union of its parents' permissions; conflicts are reported and left out. `known` are the
/// roles that the metadata permits something to.
pub fn apply(model: &mut Model, roles: &[InheritedRole], known: &BTreeSet<&str>, faults: &mut Vec<Inconsistency>) {
    let mut refuse = |role: &InheritedRole, reason: String| {
        faults.push(Inconsistency {
            kind: "inherited_role".to_owned(),
            name: format!("inherited role {}", role.role_name),
            reason,
            definition: json!(role),
        });
    };
    for role in roles {
        let is_known =
            |parent: &&String| known.contains(parent.as_str()) || roles.iter().any(|r| r.role_name == **parent);
        let missing: Vec<&str> = role.role_set.iter().filter(|parent| !is_known(parent)).map(String::as_str).collect();
        if !missing.is_empty() {
            let (missing, name) = (missing.join(", "), &role.role_name);
            refuse(
                role,
                format!(
                    "Inconsistent object: the following parent role(s) are not found: {missing} which are required \
                     to construct the inherited role: {name:?}"
                ),
            );
        }
    }
    let (ordered, cyclic) = order(roles);
    for role in cyclic {
        refuse(role, "found cycle(s) in roles".to_owned());
    }
    for role in ordered {
        unite(model, role, faults);
        let is_parent = |other: &String| role.role_set.contains(other);
        let own = |other: &String| *other == role.role_name;
        for action in &mut model.actions {
            let has = |is: &dyn Fn(&String) -> bool| action.permissions.iter().any(|permission| is(&permission.role));
            if has(&is_parent) && !has(&own) {
                let permission = ActionPermission { role: role.role_name.clone(), comment: None };
                Arc::make_mut(action).permissions.push(permission);
            }
        }
        for permitted in model.functions.iter_mut().filter_map(|function| function.roles.as_mut()) {
            if permitted.iter().any(is_parent) && !permitted.iter().any(own) {
                permitted.push(role.role_name.clone());
            }
        }
    }
}

/// Parents before children; and the roles of cycles, which are never ready.
pub fn order(roles: &[InheritedRole]) -> (Vec<&InheritedRole>, Vec<&InheritedRole>) {
    let mut done: Vec<&InheritedRole> = Vec::new();
    let mut waiting: Vec<&InheritedRole> = roles.iter().collect();
    while !waiting.is_empty() {
        let is_ready = |parent: &String| {
            done.iter().any(|role| role.role_name == *parent) || !roles.iter().any(|role| role.role_name == *parent)
        };
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|role| role.role_set.iter().all(is_ready));
        if ready.is_empty() {
            return (done, rest);
        }
        done.extend(ready);
        waiting = rest;
    }
    (done, waiting)
}

fn unite(model: &mut Model, role: &InheritedRole, faults: &mut Vec<Inconsistency>) {
    for table in &mut model.tables {
        let parents: Vec<&Permissions> =
            role.role_set.iter().filter_map(|parent| table.permissions.get(parent)).collect();
        let own = table.permissions.get(&role.role_name).cloned().unwrap_or_default();
        let mut conflict = |kind: &str| {
            faults.push(Inconsistency {
                kind: Inconsistency::CONFLICT.to_owned(),
                name: role.role_name.clone(),
                reason: format!(
                    "Could not inherit permission for the role '{}' for the entity: '{kind} permission, table: {}, source: 'default''",
                    role.role_name, table.name
                ),
                definition: json!({"permission_type": kind, "source": "default", "table": table.name.to_string()}),
            });
        };
        let selects: Vec<&SelectRule> = parents.iter().filter_map(|parent| parent.select.as_deref()).collect();
        let united = Permissions {
            select: own.select.clone().or_else(|| union(&selects).map(Arc::new)),
            insert: own.insert.clone().or_else(|| {
                single(parents.iter().filter_map(|p| p.insert.clone()), |a, b| {
                    a.columns == b.columns
                        && a.presets == b.presets
                        && a.check == b.check
                        && a.backend_only == b.backend_only
                })
                .unwrap_or_else(|()| {
                    conflict("insert");
                    None
                })
            }),
            update: own.update.clone().or_else(|| {
                single(parents.iter().filter_map(|p| p.update.clone()), |a, b| {
                    a.columns == b.columns
                        && a.presets == b.presets
                        && a.check == b.check
                        && a.filter == b.filter
                        && a.backend_only == b.backend_only
                })
                .unwrap_or_else(|()| {
                    conflict("update");
                    None
                })
            }),
            delete: own.delete.clone().or_else(|| {
                single(parents.iter().filter_map(|p| p.delete.clone()), |a, b| {
                    a.filter == b.filter && a.backend_only == b.backend_only
                })
                .unwrap_or_else(|()| {
                    conflict("delete");
                    None
                })
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
        // The greatest that is given; a parent without one does not lift it.
        limit: rules.iter().filter_map(|rule| rule.limit).max(),
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
