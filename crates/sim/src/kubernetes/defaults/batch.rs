//! Defaults of Jobs and CronJobs (`pkg/apis/batch/v1/defaults.go`).

use serde_json::{Value, json};

use super::{fill, object_value, pod, template};
use crate::kubernetes::json::{at, text};

/// A Job. Its selector and labels come with its uid, at creation.
pub(super) fn job(value: &mut Value) {
    job_spec(value);
    template(value);
}

fn job_spec(value: &mut Value) {
    let indexed = text(value, "/spec/completionMode") == "Indexed";
    if at(value, "/spec/completions").is_null() && at(value, "/spec/parallelism").is_null() && !indexed {
        fill(value, &["spec"], "completions", 1);
        fill(value, &["spec"], "parallelism", 1);
    }
    fill(value, &["spec"], "parallelism", 1);
    let failures = if at(value, "/spec/backoffLimitPerIndex").is_null() { 6 } else { i64::from(i32::MAX) };
    fill(value, &["spec"], "backoffLimit", failures);
    fill(value, &["spec"], "completionMode", "NonIndexed");
    fill(value, &["spec"], "suspend", false);
    fill(value, &["spec"], "manualSelector", false);
    let policy = if at(value, "/spec/podFailurePolicy").is_null() { "TerminatingOrFailed" } else { "Failed" };
    fill(value, &["spec"], "podReplacementPolicy", policy);
}

/// A CronJob.
pub(super) fn cron_job(value: &mut Value) {
    fill(value, &["spec"], "concurrencyPolicy", "Allow");
    fill(value, &["spec"], "suspend", false);
    fill(value, &["spec"], "successfulJobsHistoryLimit", 3);
    fill(value, &["spec"], "failedJobsHistoryLimit", 1);
    fill(value, &["spec", "jobTemplate"], "metadata", json!({}));
    fill(value, &["spec", "jobTemplate", "spec", "template"], "metadata", json!({}));
    pod::spec(object_value(value, &["spec", "jobTemplate", "spec", "template", "spec"]));
}
