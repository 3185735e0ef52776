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
    /// How long a claim on an operation holds without renewal.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub lease: Duration,
    /// How often the table of operations is looked at without a nudge.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub poll: Duration,
}

impl Default for Worker {
    fn default() -> Self {
        Self { concurrency: 16, lease: Duration::from_secs(30), poll: Duration::from_secs(5) }
    }
}

impl Worker {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.range("worker.concurrency", self.concurrency, 1..=1_000);
        problems.positive("worker.poll", self.poll);
        if self.lease < Duration::from_secs(2) {
            problems.add("worker.lease", "must be at least 2s");
        }
    }
}
