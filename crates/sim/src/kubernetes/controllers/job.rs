//! Jobs: pods that run to their end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::World;
use super::events::Event;
use super::garbage::release;
use super::replicaset::{is_active, is_ready, owned_by, pod_from};
use crate::kubernetes::clock;
use crate::kubernetes::json::{at, int, list, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage::Key;

const WHO: &str = "job-controller";
/// Keeps a pod until its end has been counted.
const TRACKED: &str = "batch.kubernetes.io/job-tracking";

/// Moves each Job a step on.
pub(super) fn reconcile(world: &mut World<'_>) {
    for (key, job) in world.objects(kinds::JOBS) {
        if at(&job, "/metadata/deletionTimestamp").is_null() {
            one(world, &key, &job);
        }
    }
    for (key, pod) in world.objects(kinds::PODS) {
        let tracked = list(&pod, "/metadata/finalizers").iter().any(|name| name == TRACKED);
        let orphaned = list(&pod, "/metadata/ownerReferences").is_empty();
        if tracked && (!is_active(&pod) || orphaned) {
            release(world, &key, &pod, TRACKED);
        }
    }
}

fn finished(job: &Value) -> bool {
    list(job, "/status/conditions").iter().any(|condition| {
        matches!(text(condition, "/type"), "Complete" | "Failed") && text(condition, "/status") == "True"
    })
}

fn one(world: &mut World<'_>, key: &Key, job: &Arc<Value>) {
    let uid = text(job, "/metadata/uid").to_owned();
    if finished(job) {
        if let Some(seconds) = int(job, "/spec/ttlSecondsAfterFinished")
            && world.due(&uid, "ttl", Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
        {
            world.delete(key);
        }
        return;
    }
    let mine: Vec<(Key, Arc<Value>)> =
        world.objects(kinds::PODS).into_iter().filter(|(_, pod)| owned_by(pod, job)).collect();
    let count = |phase: &str| {
        i64::try_from(mine.iter().filter(|(_, pod)| text(pod, "/status/phase") == phase).count()).unwrap_or(0)
    };
    let (done, failed) = (count("Succeeded"), count("Failed"));
    let active: Vec<&(Key, Arc<Value>)> = mine.iter().filter(|(_, pod)| is_active(pod)).collect();
    let wanted = int(job, "/spec/completions").unwrap_or(1);
    let mut end = None;
    if done >= wanted {
        end = Some(("Complete", "CompletionsReached", "Reached expected number of succeeded pods".to_owned()));
    } else if failed > int(job, "/spec/backoffLimit").unwrap_or(6) {
        let message = "Job has reached the specified backoff limit".to_owned();
        end = Some(("Failed", "BackoffLimitExceeded", message));
    } else if let Some(seconds) = int(job, "/spec/activeDeadlineSeconds")
        && world.due(&uid, "deadline", Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    {
        let message = "Job was active longer than specified deadline".to_owned();
        end = Some(("Failed", "DeadlineExceeded", message));
    }
    let suspended = at(job, "/spec/suspend").as_bool() == Some(true);
    if end.is_none() && !suspended {
        let running = i64::try_from(active.len()).unwrap_or(0);
        let parallel = int(job, "/spec/parallelism").unwrap_or(1);
        for _ in 0..(wanted - done).min(parallel).saturating_sub(running).max(0) {
            start(world, key, job);
        }
    }
    report(world, key, job, end, (done, failed), suspended);
}

fn start(world: &mut World<'_>, key: &Key, job: &Value) {
    let mut pod = pod_from(at(job, "/spec/template"), job);
    set(&mut pod, &["metadata", "generateName"], format!("{}-", key.name));
    set(&mut pod, &["metadata", "finalizers"], json!([TRACKED]));
    match world.create(kinds::PODS, pod) {
        Ok(made) => {
            let message = format!("Created pod: {}", text(&made, "/metadata/name"));
            world.tell(job, Event::normal(WHO, "SuccessfulCreate", message));
        }
        Err(error) => {
            let message = format!("Error creating: {}", error.message);
            world.tell(job, Event::warning(WHO, "FailedCreate", message));
            world.wake(world.now + Duration::from_secs(5));
        }
    }
}

fn report(
    world: &mut World<'_>,
    key: &Key,
    job: &Value,
    end: Option<(&str, &str, String)>,
    (done, failed): (i64, i64),
    suspended: bool,
) {
    let pods: Vec<Arc<Value>> = world
        .objects(kinds::PODS)
        .into_iter()
        .map(|(_, pod)| pod)
        .filter(|pod| owned_by(pod, job) && is_active(pod))
        .collect();
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let mut status = json!({});
    if let Some((kind, reason, message)) = &end {
        let now = clock::now();
        set(
            &mut status,
            &["conditions"],
            json!([{
                "type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now, "reason": reason,
                "message": message,
            }]),
        );
        if *kind == "Complete" {
            set(&mut status, &["completionTime"], now);
        }
        let event = if *kind == "Complete" {
            Event::normal(WHO, "Completed", "Job completed")
        } else {
            Event::warning(WHO, "BackoffLimitExceeded", message.clone())
        };
        world.tell(job, event);
    }
    if !suspended {
        let began = at(job, "/status/startTime").as_str().map_or_else(clock::now, str::to_owned);
        set(&mut status, &["startTime"], began);
    }
    let ended = end.is_some();
    let active = if ended { 0 } else { i64::try_from(pods.len()).unwrap_or(0) };
    for (name, count) in [("active", active), ("succeeded", done), ("failed", failed)] {
        if count > 0 {
            set(&mut status, &[name], count);
        }
    }
    set(&mut status, &["terminating"], 0);
    set(&mut status, &["uncountedTerminatedPods"], json!({}));
    set(&mut status, &["ready"], if ended { 0 } else { ready });
    if let Some(current) = world.state.get(key).cloned() {
        world.put_status(key, (*current).clone(), status, "kube-controller-manager");
    }
    if ended {
        for (pod_key, pod) in world.objects(kinds::PODS) {
            if owned_by(&pod, job) && is_active(&pod) {
                world.delete(&pod_key);
            }
        }
    }
}
