//! The worker that runs operations.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// The worker that runs operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Operations that one process runs at once.
    pub concurrency: usize,
    /// Operations of one team at once, over all processes, so that one team cannot keep the others waiting.
    #[schemars(extend("x-live" = true))]
    pub team_concurrency: usize,
    /// How long a claim on an operation holds without renewal.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub lease: Duration,
    /// How often the table of operations is looked at without a nudge.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub poll: Duration,
    /// How often lapsed leases are given back and stuck operations are looked for.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub lease_sweep: Duration,
    /// How often ready stores are asked whether they still answer.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub store_check: Duration,
    /// How often namespaces without a store or an application are looked for.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub orphan_check: Duration,
    /// How often preview environments whose time is over are looked for.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub preview_check: Duration,
    /// How often applications are asked whether they serve.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub application_check: Duration,
    /// For how long an application may lack pods before that is reported.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub unhealthy_after: Duration,
    /// How often applications are compared with what was deployed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drift_check: Duration,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            concurrency: 16,
            team_concurrency: 8,
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(5),
            lease_sweep: Duration::from_secs(30),
            store_check: Duration::from_secs(60),
            orphan_check: Duration::from_secs(10 * 60),
            preview_check: Duration::from_secs(60),
            application_check: Duration::from_secs(15),
            unhealthy_after: Duration::from_secs(30),
            drift_check: Duration::from_secs(60),
        }
    }
}

impl Worker {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("worker.concurrency", self.concurrency, 1..=1_000);
        problems.range("worker.team_concurrency", self.team_concurrency, 1..=1_000);
        problems.positive("worker.poll", self.poll);
        for (field, value) in [
            ("worker.lease_sweep", self.lease_sweep),
            ("worker.store_check", self.store_check),
            ("worker.orphan_check", self.orphan_check),
            ("worker.preview_check", self.preview_check),
            ("worker.application_check", self.application_check),
            ("worker.drift_check", self.drift_check),
        ] {
            if value < Duration::from_secs(1) || value > Duration::from_secs(86_400) {
                problems.add(field, "must be from 1s to 1day");
            }
        }
        if self.lease < Duration::from_secs(2) {
            problems.add("worker.lease", "must be at least 2s");
        }
    }
}
