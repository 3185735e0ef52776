//! The last step: what earlier revisions left and nobody uses any more.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::super::super::flow::{Progress, StepContext};
use super::names::{Colour, Slot};
use super::prepare::Before;
use super::{BLUE_GREEN, Needs, Rollout, colours, objects, ours};
use crate::domain::Result;

/// Removes every Deployment but the one that serves (one that failed may have been kept), and then the configuration of
/// every other revision: no pod of one is left.
pub(super) async fn leftovers(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (target, kubernetes) = (rollout.target(), rollout.kubernetes());
    let before = Before::of(&context)?;
    let serving = if context.operation().kind == BLUE_GREEN { colours::next(&before) } else { before.slot() };
    let all = [Slot::Stable(Colour::Blue), Slot::Stable(Colour::Green), Slot::Canary(serving.colour())];
    for slot in all.into_iter().filter(|slot| *slot != serving) {
        if let wait @ Progress::Wait { .. } = objects::remove(&rollout.needs, target, slot).await? {
            return Ok(wait);
        }
    }
    let (current, selector) = (target.configuration(rollout.workload().revision), ours::of_revisions(target));
    let maps: Vec<ConfigMap> = kubernetes.list(&target.namespace, &selector).await?;
    for name in maps.into_iter().filter_map(|map| map.metadata.name).filter(|name| *name != current) {
        kubernetes.delete::<ConfigMap>(&target.namespace, &name).await?;
    }
    let secrets: Vec<Secret> = kubernetes.list(&target.namespace, &selector).await?;
    for name in secrets.into_iter().filter_map(|secret| secret.metadata.name).filter(|name| *name != current) {
        kubernetes.delete::<Secret>(&target.namespace, &name).await?;
    }
    Ok(Progress::done())
}
