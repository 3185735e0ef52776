//! Whether a rollout has become ready, by what is observed; and when it is certain that it will not.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;

use super::super::super::flow::{Progress, StepContext};
use super::names::{Slot, Target};
use super::prepare::Before;
use super::{Needs, Rollout};
use crate::domain::workload::Workload;
use crate::domain::{Code, Error, Result};
use crate::vendors::kubernetes::{Trouble, diagnose, rolled_out};

pub(super) async fn ready(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let slot = Before::of(&context)?.slot();
    slot_ready(&rollout.needs, rollout.target(), slot, rollout.workload(), context.elapsed()).await
}

/// Waits until the Deployment of a slot shows a revision and nothing else, and serves. `elapsed` is how long it has been
/// waited for.
///
/// # Errors
/// `vendor-rejected` with the reason once it is certain that it will not, `timeout` when it took too long.
pub(super) async fn slot_ready(
    needs: &Needs,
    target: &Target,
    slot: Slot,
    workload: &Workload,
    elapsed: Duration,
) -> Result<Progress> {
    let name = slot.name(target);
    let Some(deployment) = needs.kubernetes.get::<Deployment>(&target.namespace, &name).await? else {
        return Err(Error::new(Code::VendorRejected, format!("the deployment {name} is not there any more")));
    };
    settled(needs, target, slot, workload, &deployment, elapsed).await
}

/// The same for a Deployment that was just read.
pub(super) async fn settled(
    needs: &Needs,
    target: &Target,
    slot: Slot,
    workload: &Workload,
    deployment: &Deployment,
    elapsed: Duration,
) -> Result<Progress> {
    let selector = slot.selector(target, Some(workload.revision));
    let seen = rolled_out(deployment);
    if seen.complete {
        return Ok(Progress::done());
    }
    let pods: Vec<Pod> = needs.kubernetes.list(&target.namespace, &selector).await?;
    let mut detail = format!("{}/{} ready, {} s", seen.ready, seen.wanted, elapsed.as_secs());
    let mut why = None;
    if let Some(diagnosis) = diagnose(deployment, &pods) {
        let mut text = diagnosis.text;
        if matches!(diagnosis.trouble, Trouble::NotReady)
            && let Some(said) = probe_said(needs, target, &pods).await?
        {
            text = format!("{text} ({said})");
        }
        if hopeless(needs, &diagnosis.trouble, elapsed) {
            return Err(not_ready(workload, &text));
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

fn not_ready(workload: &Workload, why: &str) -> Error {
    Error::new(Code::VendorRejected, format!("revision {} does not become ready: {why}", workload.revision))
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
    let said = warnings.into_iter().rev().find(|event| event.reason.as_deref() == Some("Unhealthy"));
    let text = said.and_then(|event| event.message).unwrap_or_default();
    let line: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
    Ok(Some(line).filter(|line| !line.is_empty()))
}
