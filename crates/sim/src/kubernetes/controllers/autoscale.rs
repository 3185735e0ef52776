//! Disruption budgets, and the lower bound of autoscalers (no metrics exist here).

use serde_json::{Value, json};

use super::World;
use super::events::Event;
use super::replicaset::{is_active, is_ready};
use crate::kubernetes::clock;
use crate::kubernetes::json::{at, int, list, map, matches, set, text};
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::storage::Key;

/// Reports budgets and keeps targets within their autoscaler's bounds.
pub(super) fn reconcile(world: &mut World<'_>) {
    for (key, budget) in world.objects(kinds::PDBS) {
        budget_status(world, &key, &budget);
    }
    for (key, autoscaler) in world.objects(kinds::HPAS) {
        bounds(world, &key, &autoscaler);
    }
}

fn budget_status(world: &mut World<'_>, key: &Key, budget: &Value) {
    let selector = map(budget, "/spec/selector/matchLabels");
    let pods: Vec<_> = world
        .objects(kinds::PODS)
        .into_iter()
        .filter(|(_, pod)| matches(selector, map(pod, "/metadata/labels")) && is_active(pod))
        .collect();
    let expected = i64::try_from(pods.len()).unwrap_or(0);
    let healthy = i64::try_from(pods.iter().filter(|(_, pod)| is_ready(pod)).count()).unwrap_or(0);
    let desired = match (at(budget, "/spec/minAvailable"), at(budget, "/spec/maxUnavailable")) {
        (Value::Null, Value::Null) => expected,
        (Value::Null, most) => (expected - share(most, expected)).max(0),
        (least, _) => share(least, expected),
    };
    let allowed = (healthy - desired).max(0);
    let (state, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let before = list(budget, "/status/conditions").first().cloned().unwrap_or_default();
    let since =
        if text(&before, "/status") == state { text(&before, "/lastTransitionTime").to_owned() } else { clock::now() };
    let status = json!({
        "observedGeneration": at(budget, "/metadata/generation"), "disruptionsAllowed": allowed,
        "currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": expected,
        "conditions": [{
            "type": "DisruptionAllowed", "status": state,
            "observedGeneration": at(budget, "/metadata/generation"), "lastTransitionTime": since,
            "reason": reason, "message": "",
        }],
    });
    world.put_status(key, budget.clone(), status, "kube-controller-manager");
}

fn share(amount: &Value, of: i64) -> i64 {
    match amount {
        Value::Number(number) => number.as_i64().unwrap_or(0),
        Value::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            (of * percent + 99) / 100
        }
        _ => 0,
    }
}

fn target(kind: &str) -> Option<KindId> {
    match kind {
        "Deployment" => Some(kinds::DEPLOYMENTS),
        "StatefulSet" => Some(kinds::STATEFULSETS),
        "ReplicaSet" => Some(kinds::REPLICASETS),
        _ => None,
    }
}

fn bounds(world: &mut World<'_>, key: &Key, autoscaler: &Value) {
    let name = text(autoscaler, "/spec/scaleTargetRef/name");
    let found = target(text(autoscaler, "/spec/scaleTargetRef/kind"))
        .map(|kind| Key::new(kind, world.namespace, name))
        .and_then(|target| world.state.get(&target).cloned().map(|object| (target, object)));
    let Some((target, object)) = found else { return };
    let current = int(&object, "/spec/replicas").unwrap_or(1);
    let (least, most) =
        (int(autoscaler, "/spec/minReplicas").unwrap_or(1), int(autoscaler, "/spec/maxReplicas").unwrap_or(1));
    // Scaled to nothing by hand, a target is left alone.
    let wanted = if current == 0 { 0 } else { current.clamp(least, most.max(least)) };
    if wanted != current {
        let mut next = (*object).clone();
        set(&mut next, &["spec", "replicas"], wanted);
        world.put(&target, next);
    }
    let mut status = json!({
        "currentReplicas": int(&object, "/status/replicas").unwrap_or(0), "desiredReplicas": wanted,
        "currentMetrics": null,
    });
    if !world.cluster.metrics {
        set(&mut status, &["conditions"], blind(world, autoscaler));
    }
    world.put_status(key, autoscaler.clone(), status, "kube-controller-manager");
}

/// The conditions of an autoscaler where there is no metrics server; it complains of that in an event.
fn blind(world: &mut World<'_>, autoscaler: &Value) -> Value {
    const REASON: &str = "FailedGetResourceMetric";
    const WHY: &str = "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics \
        from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)";
    let known = list(autoscaler, "/status/conditions");
    if !known.is_empty() {
        return json!(known);
    }
    world.tell(autoscaler, Event::warning("horizontal-pod-autoscaler", REASON, WHY));
    let now = clock::now();
    let why = format!("the HPA was unable to compute the replica count: {WHY}");
    json!([
        { "type": "AbleToScale", "status": "True", "lastTransitionTime": now, "reason": "SucceededGetScale",
          "message": "the HPA controller was able to get the target's current scale" },
        { "type": "ScalingActive", "status": "False", "lastTransitionTime": now, "reason": REASON, "message": why },
    ])
}
