//! Whether a Deployment is ready, and if not, why: from its status, its pods and their containers.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};
use k8s_openapi::api::core::v1::{Event, Pod};

use super::trouble::{Diagnosis, Trouble, Words, over, pod_trouble, unready};

/// How far a Deployment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Pods that are wanted.
    pub wanted: i32,
    /// Pods of the newest revision that are ready.
    pub ready: i32,
    /// Why not, where the cluster says so: `image cannot be pulled (ImagePullBackOff): ...`.
    pub reason: Option<String>,
}

impl Readiness {
    /// Whether all wanted pods are ready.
    pub fn complete(&self) -> bool {
        self.ready >= self.wanted
    }
}

/// How far a Deployment is with the template that was last applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    /// Pods that are wanted.
    pub wanted: i32,
    /// Pods of the newest template that are ready.
    pub ready: i32,
    /// Whether all of them are available and no other pod is left.
    pub complete: bool,
}

/// How far a Deployment is, as `kubectl rollout status` judges it.
pub fn rolled_out(deployment: &Deployment) -> Rollout {
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let none = Rollout { wanted, ready: 0, complete: false };
    let Some(status) = &deployment.status else { return none };
    // A status of an older generation says nothing about what was last applied.
    if status.observed_generation < deployment.metadata.generation {
        return none;
    }
    let updated = status.updated_replicas.unwrap_or(0);
    let alone = status.replicas.unwrap_or(0) == updated;
    let ready = status.ready_replicas.unwrap_or(0).min(updated);
    let complete = alone && updated == wanted && status.available_replicas.unwrap_or(0) >= wanted;
    Rollout { wanted, ready, complete }
}

/// Why a Deployment is not ready, as far as it, its pods or one of the events says so. Pods that have come to their end
/// say nothing: others take their place.
pub fn diagnose(deployment: &Deployment, pods: &[Pod], events: &[Event]) -> Option<Diagnosis> {
    let going = |pod: &&Pod| pod.metadata.deletion_timestamp.is_none() && !over(pod);
    let living: Vec<&Pod> = pods.iter().filter(going).collect();
    living
        .iter()
        .find_map(|pod| pod_trouble(pod, events))
        .or_else(|| refused(deployment))
        .or_else(|| living.iter().find_map(|pod| unready(pod, events)))
        // A rollout that makes no progress is given up by the cluster's own deadline: that says less than its pods do.
        .or_else(|| overdue(deployment))
}

/// Judges a Deployment by what was observed. `pods` are those that its selector finds.
pub fn readiness(deployment: &Deployment, pods: &[Pod]) -> Readiness {
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let Some(status) = &deployment.status else { return Readiness { wanted, ready: 0, reason: None } };
    // A status of an older generation says nothing about what was last applied.
    if status.observed_generation < deployment.metadata.generation {
        return Readiness { wanted, ready: 0, reason: None };
    }
    let ready = status.ready_replicas.unwrap_or(0).min(status.updated_replicas.unwrap_or(0));
    let reason = if ready >= wanted {
        None
    } else {
        pods.iter().find_map(|pod| pod_trouble(pod, &[])).or_else(|| stalled(deployment)).map(|it| it.text)
    };
    Readiness { wanted, ready, reason }
}

/// A condition of the Deployment itself, such as a quota that refuses its pods or a passed progress deadline.
fn stalled(deployment: &Deployment) -> Option<Diagnosis> {
    refused(deployment).or_else(|| overdue(deployment))
}

/// Why the cluster refuses to make its pods.
fn refused(deployment: &Deployment) -> Option<Diagnosis> {
    let condition = condition(deployment, "ReplicaFailure", "True")?;
    let words = words("pods cannot be made", condition);
    Some(words.diagnosis(Trouble::Refused, "Ask for less, or raise the limit"))
}

/// That it makes no progress within its deadline.
fn overdue(deployment: &Deployment) -> Option<Diagnosis> {
    let condition = condition(deployment, "Progressing", "False")?;
    let words = words("the rollout makes no progress", condition);
    Some(words.diagnosis(Trouble::NotReady, "See what its pods say"))
}

fn condition<'a>(deployment: &'a Deployment, kind: &str, status: &str) -> Option<&'a DeploymentCondition> {
    let mut conditions = deployment.status.as_ref()?.conditions.as_ref()?.iter();
    conditions.find(|it| (it.type_.as_deref(), it.status.as_deref()) == (Some(kind), Some(status)))
}

fn words<'a>(what: &'a str, condition: &'a DeploymentCondition) -> Words<'a> {
    let reason = condition.reason.as_deref().unwrap_or_default();
    Words { what, reason, said: condition.message.as_deref() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judge(status: serde_json::Value, pods: serde_json::Value) -> Readiness {
        let deployment = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "generation": 2 },
            "spec": { "replicas": 1, "selector": {}, "template": {} }, "status": status });
        let deployment: Deployment = serde_json::from_value(deployment).expect("deployment");
        let pods: Vec<Pod> = serde_json::from_value(pods).expect("pods");
        readiness(&deployment, &pods)
    }

    #[test]
    fn says_why_a_deployment_is_not_ready() {
        let current = json!({ "observedGeneration": 2, "updatedReplicas": 1 });
        let waiting = |reason: &str| {
            json!([{ "status": { "containerStatuses": [{ "name": "mysql", "image": "x", "imageID": "", "ready": false,
                "restartCount": 0, "state": { "waiting": { "reason": reason, "message": "Back-off\nmore" } } }] } }])
        };
        let pull = judge(current.clone(), waiting("ImagePullBackOff"));
        assert_eq!(pull.reason.as_deref(), Some("its image cannot be pulled (ImagePullBackOff: Back-off; more)"));
        assert!(judge(current.clone(), waiting("CrashLoopBackOff")).reason.is_some_and(|r| r.contains("crashes")));
        assert_eq!(judge(current.clone(), waiting("ContainerCreating")).reason, None);
        let unschedulable = json!([{ "status": { "conditions": [{ "type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes are available" }] } }]);
        assert!(judge(current, unschedulable).reason.is_some_and(|reason| reason.contains("0/3 nodes")));
    }

    #[test]
    fn an_old_observation_is_not_readiness() {
        let old = json!({ "observedGeneration": 1, "updatedReplicas": 1, "readyReplicas": 1 });
        assert!(!judge(old, json!([])).complete());
        let new = json!({ "observedGeneration": 2, "updatedReplicas": 1, "readyReplicas": 1 });
        assert!(judge(new, json!([])).complete());
    }
}
