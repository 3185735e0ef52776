//! The usage that ResourceQuotas report.

use serde_json::{Map, Value, json};

use super::World;
use crate::kubernetes::json::at;
use crate::kubernetes::kinds;
use crate::kubernetes::registry::quota_used;

/// Recounts each quota.
pub(super) fn reconcile(world: &mut World<'_>) {
    for (key, quota) in world.objects(kinds::QUOTAS) {
        let used: Map<String, Value> = quota_used(world.state, world.namespace, &quota)
            .into_iter()
            .map(|(name, amount)| (name, json!(amount.to_string())))
            .collect();
        let status = json!({"hard": at(&quota, "/spec/hard"), "used": used});
        world.put_status(&key, (*quota).clone(), status, "kube-controller-manager");
    }
}
