//! LimitRanges: defaults for containers, and bounds (`plugin/pkg/admission/limitranger`).

use std::cmp::Ordering;

use serde_json::Value;

use crate::kubernetes::json::{at, default, items_mut, list, map, object, text};
use crate::kubernetes::kinds;
use crate::kubernetes::status::{ApiError, ApiResult};
use crate::kubernetes::storage::State;
use crate::kubernetes::typed::Quantity;

/// Fills in a pod's requests and limits from the namespace's LimitRanges, and refuses what is out of bounds.
pub(super) fn apply(state: &State, namespace: &str, pod: &mut Value) -> ApiResult<()> {
    let ranges: Vec<Value> = state
        .list(kinds::LIMITRANGES, namespace)
        .flat_map(|(_, range)| list(range, "/spec/limits").to_vec())
        .filter(|item| text(item, "/type") == "Container")
        .collect();
    let name = text(pod, "/metadata/name").to_owned();
    let mut wrong = Vec::new();
    let Some(spec) = pod.get_mut("spec") else { return Ok(()) };
    let mut filled = Vec::new();
    for container in items_mut(spec, "containers") {
        for range in &ranges {
            fill(container, range, &mut filled);
            bounds(container, range, &mut wrong);
        }
    }
    if !filled.is_empty() {
        let note = format!("LimitRanger plugin set: {}", filled.join("; "));
        object(pod, &["metadata", "annotations"]).insert("kubernetes.io/limit-ranger".to_owned(), note.into());
    }
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(ApiError::forbidden(&kinds::PODS, &name, one)),
        many => Err(ApiError::forbidden(&kinds::PODS, &name, &format!("[{}]", many.join(", ")))),
    }
}

fn fill(container: &mut Value, range: &Value, filled: &mut Vec<String>) {
    let name = text(container, "/name").to_owned();
    let had_limits = map(container, "/resources/limits").cloned().unwrap_or_default();
    for (source, target, word) in [("defaultRequest", "requests", "request"), ("default", "limits", "limit")] {
        let mut set = Vec::new();
        for (resource, amount) in map(range, &format!("/{source}")).into_iter().flatten() {
            let amount = match (target, had_limits.get(resource)) {
                // A limit without a request asks for the limit.
                ("requests", Some(limit)) => limit.clone(),
                _ => amount.clone(),
            };
            let amounts = object(container, &["resources", target]);
            if !amounts.contains_key(resource) {
                set.push(resource.clone());
            }
            default(amounts, resource, amount);
        }
        if !set.is_empty() {
            set.sort();
            filled.push(format!("{} {word} for container {name}", set.join(", ")));
        }
    }
}

fn bounds(container: &Value, range: &Value, wrong: &mut Vec<String>) {
    let amount = |which: &str, resource: &str| {
        at(container, &format!("/resources/{which}/{resource}")).as_str().and_then(Quantity::parse)
    };
    for (resource, bound) in map(range, "/min").into_iter().flatten() {
        let Some(bound) = bound.as_str().and_then(Quantity::parse) else { continue };
        match amount("requests", resource) {
            Some(request) if request.compare(bound) == Ordering::Less => {
                wrong.push(format!("minimum {resource} usage per Container is {bound}, but request is {request}"))
            }
            Some(_) => {}
            None => wrong.push(format!("minimum {resource} usage per Container is {bound}.  No request is specified")),
        }
    }
    for (resource, bound) in map(range, "/max").into_iter().flatten() {
        let Some(bound) = bound.as_str().and_then(Quantity::parse) else { continue };
        match amount("limits", resource) {
            Some(limit) if limit.compare(bound) == Ordering::Greater => {
                wrong.push(format!("maximum {resource} usage per Container is {bound}, but limit is {limit}"));
            }
            Some(_) => {}
            None => wrong.push(format!("maximum {resource} usage per Container is {bound}.  No limit is specified")),
        }
    }
}
