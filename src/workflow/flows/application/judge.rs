//! Whether a rollout has become ready, by what is observed; and when it is certain that it will not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;

use super::super::super::flow::{Progress, StepContext};
use super::names::{RESTARTED, Slot, Target};
use super::prepare::Before;
use super::{Needs, Rollout, network, objects, ours, quota};
use crate::domain::workload::Workload;
use crate::domain::{Code, Error, Result};
use crate::vendors::kubernetes::{Trouble, diagnose, ending, rolled_out, said};

pub(super) async fn ready(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let before = Before::of(&context)?;
    let (needs, target, workload) = (&rollout.needs, rollout.target(), rollout.workload());
    let again = async {
        objects::configure(needs, &context, target, workload).await?;
        network::publish(needs, target, workload, before.colour, network::share(&context)?).await?;
        objects::roll_out(&rollout, before.slot()).await
    };
    verdict(needs, &context, target, before.slot(), workload, again).await
}

/// Waits likewise; but what somebody else has made of the Deployment meanwhile is no verdict: before one, it is applied
/// once more by `again`, and waited for if that has changed it.
pub(super) async fn verdict(
    needs: &Needs,
    context: &StepContext,
    target: &Target,
    slot: Slot,
    workload: &Workload,
    again: impl Future<Output = Result<Deployment>> + Send,
) -> Result<Progress> {
    let name = slot.name(target);
    let found: Option<Deployment> = ours::get(&needs.kubernetes, target, &name).await?;
    let seen = match &found {
        Some(deployment) => {
            match settled(needs, context, target, slot, workload, deployment, context.elapsed()).await {
                Ok(wait @ Progress::Wait { .. }) => return Ok(wait),
                seen => Some(seen),
            }
        }
        None => None,
    };
    ours::require_namespace(needs, target).await?;
    let now = again.await?.metadata;
    let same =
        found.is_some_and(|before| (before.metadata.uid, before.metadata.generation) == (now.uid, now.generation));
    match seen {
        Some(seen) if same => seen,
        _ => {
            let detail = format!("somebody else had changed or deleted the deployment {name}; it is put right");
            Ok(Progress::Wait { detail, poll: needs.poll })
        }
    }
}

/// Waits until the Deployment of a slot shows a revision and nothing else, and serves. `elapsed` is how long it has been
/// waited for.
///
/// # Errors
/// `vendor-rejected` with the reason once it is certain that it will not, `timeout` when it took too long.
pub(super) async fn slot_ready(
    needs: &Needs,
    context: &StepContext,
    target: &Target,
    slot: Slot,
    workload: &Workload,
    elapsed: Duration,
) -> Result<Progress> {
    let name = slot.name(target);
    let Some(deployment) = needs.kubernetes.get::<Deployment>(&target.namespace, &name).await? else {
        return Err(Error::new(Code::VendorRejected, format!("the deployment {name} is not there any more")));
    };
    settled(needs, context, target, slot, workload, &deployment, elapsed).await
}

/// The same for a Deployment that was just read.
pub(super) async fn settled(
    needs: &Needs,
    context: &StepContext,
    target: &Target,
    slot: Slot,
    workload: &Workload,
    deployment: &Deployment,
    elapsed: Duration,
) -> Result<Progress> {
    let selector = slot.selector(target, Some(workload.revision));
    let seen = rolled_out(deployment);
    let ending = ending(&deployment.metadata).map(|words| format!("the deployment {} {words}", slot.name(target)));
    if seen.complete && ending.is_none() {
        return Ok(Progress::done());
    }
    let pods: Vec<Pod> = needs.kubernetes.list(&target.namespace, &selector).await?;
    let (ready, revision) = (ready_pods(deployment, &pods), workload.revision);
    let mut detail = format!("{ready}/{} pods of revision {revision} ready, {} s", seen.wanted, elapsed.as_secs());
    let mut why = None;
    if let Some(words) = ending {
        detail = format!("{detail}; {words}");
        why = Some(words);
    } else if let Some(mut diagnosis) = diagnose(deployment, &pods, &[]) {
        if matches!(diagnosis.trouble, Trouble::Crash { .. }) {
            // Only events tell that a probe was the reason.
            let events = needs.kubernetes.events(&target.namespace).await?;
            diagnosis = diagnose(deployment, &pods, &events).unwrap_or(diagnosis);
        }
        let mut text = diagnosis.text;
        if matches!(diagnosis.trouble, Trouble::NotReady)
            && let Some(said) = probe_said(needs, target, &pods).await?
        {
            text = format!("{text} ({said})");
        }
        if matches!(diagnosis.trouble, Trouble::Configuration) {
            // Somebody may have taken away what the containers are configured by.
            objects::configure(needs, context, target, workload).await?;
        }
        if let Some(words) = loosened(&text) {
            text = format!("{text}; {words}");
        }
        if hopeless(needs, &diagnosis.trouble, elapsed) {
            let wait = match diagnosis.trouble {
                Trouble::Refused => quota::waits_for(needs, target, &text).await?,
                _ => None,
            };
            let Some(wait) = wait else { return Err(not_ready(workload, &text)) };
            text = format!("{text}; {wait}");
        }
        detail = format!("{detail}; {text}");
        why = Some(text);
    }
    let longest =
        workload.settings.ready_seconds.map_or(needs.settings.ready_timeout, |it| Duration::from_secs(it.into()));
    if elapsed >= longest {
        let seconds = longest.as_secs();
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        return Err(not_ready(workload, &format!("it is not ready after {seconds} s{why}")));
    }
    Ok(Progress::Wait { detail, poll: needs.poll })
}

/// How many pods are ready that show what the Deployment was last given: not those of a revision before, and not those
/// that a restart replaces.
fn ready_pods(deployment: &Deployment, pods: &[Pod]) -> usize {
    let restarted = |annotations: Option<&BTreeMap<String, String>>| annotations?.get(RESTARTED).cloned();
    let template = deployment.spec.template.metadata.as_ref();
    let newest = restarted(template.and_then(|template| template.annotations.as_ref()));
    let own = pods.iter().filter(|pod| restarted(pod.metadata.annotations.as_ref()) == newest);
    own.filter(|pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        let mut conditions = conditions.into_iter().flatten();
        let ready = conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True");
        ready && pod.metadata.deletion_timestamp.is_none()
    })
    .count()
}

fn not_ready(workload: &Workload, why: &str) -> Error {
    Error::new(Code::VendorRejected, format!("revision {} does not become ready: {why}", workload.revision))
}

/// What helps where the cluster refuses what the application's level of security does not allow.
fn loosened(text: &str) -> Option<&'static str> {
    if text.contains("runAsNonRoot") {
        return Some(
            "an image that has to run as root needs settings.security `baseline`; any other names its user by a number",
        );
    }
    text.contains("violates PodSecurity").then_some(
        "the namespace's label pod-security.kubernetes.io/enforce asks for more than settings.security `baseline` gives: \
         use `restricted`, or loosen the label",
    )
}

/// Whether what is seen will not pass by waiting.
fn hopeless(needs: &Needs, trouble: &Trouble, elapsed: Duration) -> bool {
    let settings = &needs.settings;
    match trouble {
        Trouble::Hopeless => true,
        Trouble::Image | Trouble::Configuration | Trouble::Refused => elapsed >= settings.stuck_after,
        Trouble::Crash { restarts } => u32::try_from(*restarts).is_ok_and(|it| it >= settings.crash_restarts),
        Trouble::Unschedulable => elapsed >= settings.unschedulable_after,
        Trouble::NotReady => false,
    }
}

/// What the newest warning says about a probe of one of the pods.
async fn probe_said(needs: &Needs, target: &Target, pods: &[Pod]) -> Result<Option<String>> {
    let Some(pod) = pods.iter().find_map(|pod| pod.metadata.name.as_deref()) else { return Ok(None) };
    let warnings = needs.kubernetes.warnings(&target.namespace, pod).await?;
    let unhealthy = warnings.into_iter().rev().find(|event| event.reason.as_deref() == Some("Unhealthy"));
    let text = unhealthy.and_then(|event| event.message).unwrap_or_default();
    Ok(Some(said(&text)).filter(|line| !line.is_empty()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn pods_of_a_revision_before_and_of_before_a_restart_do_not_count() {
        let template = |restarted: Value| {
            let deployment = json!({ "metadata": {}, "spec": { "selector": {},
                "template": { "metadata": { "annotations": restarted } } } });
            serde_json::from_value::<Deployment>(deployment).expect("deployment")
        };
        let pod = |restarted: Value, ready: &str, going: Value| {
            let pod = json!({ "metadata": { "annotations": restarted, "deletionTimestamp": going },
                "status": { "conditions": [{ "type": "Ready", "status": ready }] } });
            serde_json::from_value::<Pod>(pod).expect("pod")
        };
        let (one, none) = (json!({ RESTARTED: "one" }), Value::Null);
        let pods = [
            pod(none.clone(), "True", Value::Null),
            pod(one.clone(), "True", Value::Null),
            pod(one.clone(), "True", Value::Null),
            pod(one.clone(), "False", Value::Null),
            pod(one.clone(), "True", json!("2026-01-01T00:00:00Z")),
        ];
        assert_eq!(ready_pods(&template(one), &pods), 2);
        assert_eq!(ready_pods(&template(none), &pods), 1);
        assert_eq!(ready_pods(&template(Value::Null), &[]), 0);
    }
}
