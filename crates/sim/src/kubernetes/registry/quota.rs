//! ResourceQuotas (`plugin/pkg/admission/resourcequota`).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::kubernetes::json::{at, list, map, text};
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::status::{ApiError, ApiResult};
use crate::kubernetes::storage::{Key, State};
use crate::kubernetes::typed::Quantity;

type Usage = BTreeMap<String, Quantity>;

/// What of a quota's hard limits the namespace uses, by the names in `hard`.
pub(crate) fn used(state: &State, namespace: &str, quota: &Value) -> Usage {
    let mut total: Usage = hard(quota).into_keys().map(|name| (name, Quantity::ZERO)).collect();
    for (key, object) in state.contents(namespace) {
        for (name, amount) in usage(key.kind, object) {
            if let Some(sum) = total.get_mut(&name) {
                *sum = sum.plus(amount);
            }
        }
    }
    total
}

/// Refuses a new object that would exceed a quota of its namespace.
pub(super) fn check_creation(state: &State, kind: KindId, namespace: &str, value: &Value) -> ApiResult<()> {
    check(state, kind, namespace, value, &usage(kind, value))
}

/// Refuses a change that would exceed a quota, such as a claim that grows.
pub(super) fn check_change(state: &State, key: &Key, live: &Value, value: &Value) -> ApiResult<()> {
    let before = usage(key.kind, live);
    let more: Usage = usage(key.kind, value)
        .into_iter()
        .filter_map(|(name, amount)| {
            let old = before.get(&name).copied().unwrap_or(Quantity::ZERO);
            (amount.compare(old) == Ordering::Greater).then_some((name, amount))
        })
        .collect();
    if more.is_empty() { Ok(()) } else { check(state, key.kind, &key.namespace, value, &more) }
}

fn check(state: &State, kind: KindId, namespace: &str, value: &Value, wanted: &Usage) -> ApiResult<()> {
    if !kind.namespaced {
        return Ok(());
    }
    let name = text(value, "/metadata/name");
    for (key, quota) in state.list(kinds::QUOTAS, namespace) {
        let hard = hard(quota);
        if kind == kinds::PODS {
            missing(&key.name, &hard, value)?;
        }
        let used = used(state, namespace, quota);
        let over: Vec<(&String, Quantity, Quantity, Quantity)> = hard
            .iter()
            .filter_map(|(resource, limit)| {
                let asked = *wanted.get(resource)?;
                let now = used.get(resource).copied().unwrap_or(Quantity::ZERO);
                let exceeds = asked != Quantity::ZERO && now.plus(asked).compare(*limit) == Ordering::Greater;
                exceeds.then_some((resource, asked, now, *limit))
            })
            .collect();
        if !over.is_empty() {
            let print = |pick: fn(&(&String, Quantity, Quantity, Quantity)) -> Quantity| {
                let pairs: Vec<String> = over.iter().map(|row| format!("{}={}", row.0, pick(row))).collect();
                pairs.join(",")
            };
            let why = format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                key.name,
                print(|row| row.1),
                print(|row| row.2),
                print(|row| row.3)
            );
            return Err(ApiError::forbidden(&kind, name, &why));
        }
    }
    Ok(())
}

/// A quota on compute makes every container state it.
fn missing(quota: &str, hard: &Usage, pod: &Value) -> ApiResult<()> {
    let mut lacking: Vec<String> = Vec::new();
    for resource in hard.keys() {
        let Some((which, compute)) = compute(resource) else { continue };
        let containers: Vec<&str> = list(pod, "/spec/containers")
            .iter()
            .filter(|container| at(container, &format!("/resources/{which}/{compute}")).is_null())
            .map(|container| text(container, "/name"))
            .collect();
        if !containers.is_empty() {
            lacking.push(format!("{resource} for: {}", containers.join(",")));
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let why = format!("failed quota: {quota}: must specify {}", lacking.join("; "));
    Err(ApiError::forbidden(&kinds::PODS, text(pod, "/metadata/name"), &why))
}

fn compute(resource: &str) -> Option<(&'static str, &str)> {
    match resource {
        "cpu" | "memory" => Some(("requests", resource)),
        _ => match resource.split_once('.')? {
            ("requests", name @ ("cpu" | "memory")) => Some(("requests", name)),
            ("limits", name @ ("cpu" | "memory")) => Some(("limits", name)),
            _ => None,
        },
    }
}

fn hard(quota: &Value) -> Usage {
    map(quota, "/spec/hard")
        .into_iter()
        .flatten()
        .filter_map(|(name, amount)| Some((name.clone(), Quantity::parse(amount.as_str()?)?)))
        .collect()
}

/// What one object counts, under every name that a quota may use.
fn usage(kind: KindId, object: &Value) -> Usage {
    let mut usage = Usage::new();
    let mut add = |name: String, amount: Quantity| {
        let sum = usage.entry(name).or_insert(Quantity::ZERO);
        *sum = sum.plus(amount);
    };
    let one = Quantity::whole(1);
    add(format!("count/{}", kind.qualified()), one);
    match kind {
        kinds::PODS => {
            if matches!(text(object, "/status/phase"), "Succeeded" | "Failed") {
                return usage;
            }
            add("pods".to_owned(), one);
            for container in list(object, "/spec/containers") {
                for which in ["requests", "limits"] {
                    for (name, amount) in map(container, &format!("/resources/{which}")).into_iter().flatten() {
                        let Some(amount) = amount.as_str().and_then(Quantity::parse) else { continue };
                        add(format!("{which}.{name}"), amount);
                        if which == "requests" {
                            add(name.clone(), amount);
                        }
                    }
                }
            }
        }
        kinds::SERVICES => {
            add("services".to_owned(), one);
            match text(object, "/spec/type") {
                "LoadBalancer" => {
                    add("services.loadbalancers".to_owned(), one);
                    let ports = i64::try_from(list(object, "/spec/ports").len()).unwrap_or(0);
                    add("services.nodeports".to_owned(), Quantity::whole(ports));
                }
                "NodePort" => {
                    let ports = i64::try_from(list(object, "/spec/ports").len()).unwrap_or(0);
                    add("services.nodeports".to_owned(), Quantity::whole(ports));
                }
                _ => {}
            }
        }
        kinds::PVCS => {
            add(kind.plural.to_owned(), one);
            if let Some(size) = text_quantity(object, "/spec/resources/requests/storage") {
                add("requests.storage".to_owned(), size);
            }
        }
        kinds::SECRETS | kinds::CONFIGMAPS | kinds::QUOTAS => add(kind.plural.to_owned(), one),
        _ => {}
    }
    usage
}

fn text_quantity(object: &Value, pointer: &str) -> Option<Quantity> {
    at(object, pointer).as_str().and_then(Quantity::parse)
}
