//! Validation of Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and CronJobs.

use serde_json::{Value, json};

use super::{meta, pod};
use crate::kubernetes::json::{at, int, list, map, remove, text};
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::status::Cause;

/// The faults of a workload of `apps/v1`.
pub(super) fn workload(kind: KindId, value: &Value, causes: &mut Vec<Cause>) {
    if int(value, "/spec/replicas").is_some_and(|replicas| replicas < 0) {
        let replicas = at(value, "/spec/replicas");
        causes.push(Cause::invalid("spec.replicas", replicas, "must be greater than or equal to 0"));
    }
    selector(value, causes);
    meta::labels(value, "/spec/template/metadata/labels", "spec.template.metadata.labels", causes);
    if kind == kinds::DEPLOYMENTS {
        strategy(value, causes);
    }
    pod::spec(at(value, "/spec/template/spec"), "spec.template.spec", causes);
    let policy = at(value, "/spec/template/spec/restartPolicy");
    if policy.as_str() != Some("Always") {
        causes.push(Cause::unsupported("spec.template.spec.restartPolicy", policy, &["Always"]));
    }
}

fn selector(value: &Value, causes: &mut Vec<Cause>) {
    let selector = at(value, "/spec/selector");
    let empty = map(selector, "/matchLabels").is_none_or(|map| map.is_empty())
        && list(selector, "/matchExpressions").is_empty();
    if selector.is_null() {
        causes.push(Cause::required("spec.selector", ""));
    } else if empty {
        let detail = "empty selector is invalid for deployment";
        causes.push(Cause::invalid("spec.selector", selector, detail));
    }
    let labels = at(value, "/spec/template/metadata/labels");
    let matches = map(selector, "/matchLabels")
        .is_none_or(|wanted| wanted.iter().all(|(key, value)| labels.get(key) == Some(value)));
    if selector.is_null() || !matches {
        let shown = if labels.is_null() { json!(null) } else { labels.clone() };
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", &shown, detail));
    }
}

fn strategy(value: &Value, causes: &mut Vec<Cause>) {
    match text(value, "/spec/strategy/type") {
        "Recreate" if !at(value, "/spec/strategy/rollingUpdate").is_null() => causes.push(Cause::forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        )),
        "Recreate" | "RollingUpdate" => {}
        _ => {
            let supported = ["Recreate", "RollingUpdate"];
            causes.push(Cause::unsupported("spec.strategy.type", at(value, "/spec/strategy/type"), &supported));
        }
    }
}

/// A selector is fixed.
pub(super) fn selector_kept(live: &Value, value: &Value, causes: &mut Vec<Cause>) {
    if at(live, "/spec/selector") != at(value, "/spec/selector") {
        causes.push(Cause::invalid("spec.selector", at(value, "/spec/selector"), "field is immutable"));
    }
}

/// Most of a StatefulSet is fixed.
pub(super) fn stateful_set_kept(live: &Value, value: &Value, causes: &mut Vec<Cause>) {
    let frozen = |object: &Value| {
        let mut spec = at(object, "/spec").clone();
        for name in [
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
        ] {
            remove(&mut spec, &[name]);
        }
        spec
    };
    if frozen(live) != frozen(value) {
        causes.push(Cause::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ));
    }
}

/// The faults of a Job.
pub(super) fn job(value: &Value, causes: &mut Vec<Cause>) {
    pod::spec(at(value, "/spec/template/spec"), "spec.template.spec", causes);
    restart_policy(value, "/spec/template/spec/restartPolicy", "spec.template.spec.restartPolicy", causes);
}

fn restart_policy(value: &Value, pointer: &str, field: &str, causes: &mut Vec<Cause>) {
    match text(value, pointer) {
        "OnFailure" | "Never" => {}
        "Always" | "" => causes.push(Cause::required(field, "valid values: \"OnFailure\", \"Never\"")),
        _ => causes.push(Cause::unsupported(field, at(value, pointer), &["OnFailure", "Never"])),
    }
}

/// The template of a Job is fixed.
pub(super) fn job_kept(live: &Value, value: &Value, causes: &mut Vec<Cause>) {
    for name in ["template", "selector", "completionMode"] {
        let (old, new) = (at(live, &format!("/spec/{name}")), at(value, &format!("/spec/{name}")));
        if old != new {
            causes.push(Cause::invalid(format!("spec.{name}"), new, "field is immutable"));
        }
    }
}

/// The faults of a CronJob.
pub(super) fn cron_job(value: &Value, causes: &mut Vec<Cause>) {
    let schedule = text(value, "/spec/schedule");
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if schedule.is_empty() {
        causes.push(Cause::required("spec.schedule", ""));
    } else if fields.len() != 5 && !schedule.starts_with('@') {
        let detail = format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" "));
        causes.push(Cause::invalid("spec.schedule", &json!(schedule), detail));
    }
    let field = "spec.jobTemplate.spec.template.spec";
    pod::spec(at(value, "/spec/jobTemplate/spec/template/spec"), field, causes);
    let pointer = "/spec/jobTemplate/spec/template/spec/restartPolicy";
    restart_policy(value, pointer, &format!("{field}.restartPolicy"), causes);
}
