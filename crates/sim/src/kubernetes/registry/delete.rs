//! Deletion: grace, finalizers, propagation.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::kubernetes::clock;
use crate::kubernetes::json::{at, int, list, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::status::{ApiError, ApiResult};
use crate::kubernetes::storage::{Key, State};

/// What becomes of the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Propagation {
    /// The garbage collector deletes them afterwards.
    #[default]
    Background,
    /// They go first; the object waits for them.
    Foreground,
    /// They stay, without their owner reference.
    Orphan,
}

/// The options of a deletion (`metav1.DeleteOptions`).
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) propagation: Option<Propagation>,
    /// Seconds; `None` takes the pod's own.
    pub(crate) grace: Option<i64>,
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) dry_run: bool,
}

/// What a deletion left.
pub(crate) struct Deleted {
    /// The object as it was last, or as it is now while something holds it.
    pub(crate) object: Arc<Value>,
    /// Whether it is still there.
    pub(crate) held: bool,
}

/// Deletes the object at `key`, or marks it when something holds it.
pub(crate) fn delete(state: &mut State, key: &Key, options: &DeleteOptions) -> ApiResult<Deleted> {
    let Some(live) = state.get(key).cloned() else {
        return Err(ApiError::not_found(&key.kind, &key.name));
    };
    preconditions(key, &live, options)?;
    let kind = key.kind;
    if kind == kinds::NAMESPACES {
        return Ok(Deleted { object: namespace(state, key, &live, options)?, held: true });
    }
    let marked = !at(&live, "/metadata/deletionTimestamp").is_null();
    let propagation = options.propagation.unwrap_or(match kind {
        // The legacy default of batch/v1, which the real server warns about.
        kinds::JOBS => Propagation::Orphan,
        _ => Propagation::Background,
    });
    let grace = if kind == kinds::PODS { pod_grace(&live, options) } else { 0 };
    let mut next = (*live).clone();
    if !marked {
        let finalizer = match propagation {
            Propagation::Foreground => Some("foregroundDeletion"),
            Propagation::Orphan => Some("orphan"),
            Propagation::Background => None,
        };
        if let Some(finalizer) = finalizer {
            let mut finalizers = list(&next, "/metadata/finalizers").to_vec();
            finalizers.push(json!(finalizer));
            set(&mut next, &["metadata", "finalizers"], finalizers);
        }
    }
    let finalized = list(&next, "/metadata/finalizers").is_empty();
    let shorter = marked && int(&live, "/metadata/deletionGracePeriodSeconds").is_some_and(|old| grace < old);
    if finalized && grace == 0 {
        if options.dry_run {
            return Ok(Deleted { object: live, held: false });
        }
        if kind == kinds::PODS && options.grace != Some(0) {
            // A pod that no node runs is marked, and gone with the next write.
            mark(&live, &mut next, 0);
            state.put(key.clone(), next);
        }
        let object = state.delete(key).unwrap_or(live);
        return Ok(Deleted { object, held: false });
    }
    if marked && !shorter {
        return Ok(Deleted { object: live, held: true });
    }
    mark(&live, &mut next, grace);
    if options.dry_run {
        return Ok(Deleted { object: Arc::new(next), held: true });
    }
    Ok(Deleted { object: state.put(key.clone(), next), held: true })
}

/// Marks an object as going, with a grace in seconds.
fn mark(live: &Value, next: &mut Value, grace: i64) {
    set(next, &["metadata", "deletionTimestamp"], clock::after(grace));
    set(next, &["metadata", "deletionGracePeriodSeconds"], grace);
    if let Some(generation) = int(live, "/metadata/generation") {
        set(next, &["metadata", "generation"], generation + 1);
    }
    super::order(next);
}

fn preconditions(key: &Key, live: &Value, options: &DeleteOptions) -> ApiResult<()> {
    if let Some(uid) = &options.uid
        && uid != text(live, "/metadata/uid")
    {
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been \
             deleted and then recreated",
            text(live, "/metadata/uid")
        );
        return Err(ApiError::precondition(&key.kind, &key.name, &why));
    }
    if let Some(version) = &options.resource_version
        && version != text(live, "/metadata/resourceVersion")
    {
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). \
             The object might have been modified",
            text(live, "/metadata/resourceVersion")
        );
        return Err(ApiError::precondition(&key.kind, &key.name, &why));
    }
    Ok(())
}

/// A pod that no node runs yet, and one that has ended, goes at once.
fn pod_grace(live: &Value, options: &DeleteOptions) -> i64 {
    let ended = matches!(text(live, "/status/phase"), "Succeeded" | "Failed");
    if text(live, "/spec/nodeName").is_empty() || ended {
        return 0;
    }
    options.grace.or_else(|| int(live, "/spec/terminationGracePeriodSeconds")).unwrap_or(30).max(0)
}

fn namespace(state: &mut State, key: &Key, live: &Arc<Value>, options: &DeleteOptions) -> ApiResult<Arc<Value>> {
    if matches!(key.name.as_str(), "default" | "kube-system" | "kube-public") {
        let why = "this namespace may not be deleted";
        return Err(ApiError::forbidden(&key.kind, &key.name, why));
    }
    if !at(live, "/metadata/deletionTimestamp").is_null() {
        return Ok(live.clone());
    }
    let mut next = (**live).clone();
    set(&mut next, &["metadata", "deletionTimestamp"], clock::now());
    set(&mut next, &["status", "phase"], "Terminating");
    super::order(&mut next);
    Ok(if options.dry_run { Arc::new(next) } else { state.put(key.clone(), next) })
}
