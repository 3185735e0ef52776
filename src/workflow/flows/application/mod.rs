//! Applications on Kubernetes: deployments, rollbacks, size, restarts, and preview environments.
//!
//! A project's environment is a namespace. An application has in it a Deployment (two while blue and green change
//! places, or while a canary runs), a Service, an Ingress or an HTTPRoute, an autoscaler, a disruption budget, and a
//! ConfigMap and a Secret for each revision in use. Every object is applied whole, by server-side apply; which revision it shows is a
//! label on it, so that a step finds its own effect when it is done again.

mod canary;
mod change;
mod colours;
pub mod delete;
pub mod desired;
pub mod drift;
mod isolation;
mod judge;
mod live;
mod manifests;
pub mod names;
mod network;
mod objects;
mod observe;
mod ours;
mod pods;
mod prepare;
pub mod preview;
mod quota;
pub mod secrets;
pub mod sweep;
mod tidy;
mod vacancy;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::flow::{Flow, Step, StepContext};
use crate::config::{self, Live};
use crate::db::deployments;
use crate::domain::workload::Workload;
use crate::domain::{Error, Result};
use crate::vendors::kubernetes::Client;

pub use canary::Stand;
pub use change::{Change, Size};
pub use colours::PROMOTE;
pub use names::Target;
use ours::{back, patient};

/// The subject type of operations on applications.
pub const SUBJECT: &str = "application";
/// The subject type of what the platform does by itself to an application's objects in the cluster. It is a subject of its
/// own, though its id is the application's: the newest operation of an application says what a person wants of it, and
/// whether that has come to its end.
pub const OBJECTS: &str = "application_objects";
/// The kind of a deployment pod by pod (strategies `rolling` and `recreate`).
pub const ROLLING: &str = "deployment.rolling";
/// The kind of a deployment by a canary.
pub const CANARY: &str = "deployment.canary";
/// The kind of a deployment by two colours.
pub const BLUE_GREEN: &str = "deployment.blue_green";
/// The kind of a rollback.
pub const ROLLBACK: &str = "deployment.rollback";
/// The kind of a change of an application's size.
pub const SCALE: &str = "application.scale";
/// The kind of a restart.
pub const RESTART: &str = "application.restart";
/// The kind of a start after a stop.
pub const START: &str = "application.start";
/// The kind of a stop.
pub const STOP: &str = "application.stop";

/// A step that waits for pods bounds itself, by what the application says.
const LONGEST: Duration = Duration::from_secs(2 * 86_400);

/// What the steps of an application need.
#[derive(Debug, Clone)]
pub struct Needs {
    pub kubernetes: Client,
    /// Addresses and limits.
    pub settings: config::Applications,
    /// How often something that is waited for is looked at.
    pub poll: Duration,
    /// The configuration in force, for the keys that open secrets.
    pub config: Live,
}

/// The input of a deployment: all that it runs, but no value of a secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Where its objects are.
    pub target: Target,
    /// The deployment's row.
    pub deployment: Uuid,
    pub workload: Workload,
}

/// One step's view of a deployment.
struct Rollout {
    needs: Arc<Needs>,
    input: Input,
}

impl Rollout {
    fn new(needs: Arc<Needs>, context: &StepContext) -> Result<Self> {
        Ok(Self { needs, input: context.input()? })
    }

    fn kubernetes(&self) -> &Client {
        &self.needs.kubernetes
    }

    fn target(&self) -> &Target {
        &self.input.target
    }

    fn workload(&self) -> &Workload {
        &self.input.workload
    }

    /// What an earlier revision ran.
    async fn revision(&self, context: &StepContext, number: i32) -> Result<Workload> {
        revision(context, self.target().application, number).await
    }
}

/// What a revision of an application ran.
async fn revision(context: &StepContext, application: Uuid, number: i32) -> Result<Workload> {
    let mut tx = context.transaction().await?;
    let found = deployments::revision(&mut *tx, application, number).await?;
    tx.commit().await?;
    found.ok_or_else(|| Error::internal("read a revision", "it is not there"))
}

/// `deployment.rolling`, version 1.
pub fn rolling(needs: &Arc<Needs>) -> Flow {
    Flow::new(ROLLING, 1, in_place(needs)).observed_by(observe::deployment())
}

/// `deployment.rollback`, version 1: an earlier revision, whole, in place of the one that is there.
pub fn rollback(needs: &Arc<Needs>) -> Flow {
    Flow::new(ROLLBACK, 1, in_place(needs)).observed_by(observe::deployment())
}

fn in_place(needs: &Arc<Needs>) -> Vec<Step> {
    vec![
        Step::new("prepare", "Look at what is running", needs, patient(prepare::look)),
        Step::new("namespace", "Create the namespace", needs, patient(objects::namespace)),
        Step::new("configuration", "Write the configuration", needs, patient(objects::configuration))
            .undo(needs, back(objects::no_configuration)),
        Step::new("network", "Publish the address", needs, patient(network::network))
            .undo(needs, back(network::earlier_network)),
        Step::new("workload", "Roll out the revision", needs, patient(objects::workload))
            .undo(needs, back(objects::earlier_workload))
            .deadline(LONGEST),
        Step::new("ready", "Wait until it is ready", needs, patient(judge::ready)).deadline(LONGEST),
        Step::new("scaling", "Set up scaling and disruption limits", needs, patient(objects::scaling))
            .undo(needs, back(objects::earlier_scaling)),
        Step::new("tidy", "Remove what earlier revisions left", needs, patient(tidy::leftovers)).deadline(LONGEST),
    ]
}

/// `deployment.canary`, version 1: on a growing share of the pods first, then as `deployment.rolling`.
pub fn by_canary(needs: &Arc<Needs>) -> Flow {
    let mut steps = in_place(needs);
    let canary = Step::new("canary", "Try the revision on a share of the pods", needs, patient(canary::walk))
        .undo(needs, back(canary::give_up))
        .deadline(LONGEST);
    let retire = Step::new("retire", "Remove the canary", needs, patient(canary::retire)).deadline(LONGEST);
    insert_after(&mut steps, "configuration", canary);
    insert_after(&mut steps, "ready", retire);
    Flow::new(CANARY, 1, steps).observed_by(observe::deployment())
}

fn insert_after(steps: &mut Vec<Step>, name: &str, step: Step) {
    let place = steps.iter().position(|step| step.name() == name).map_or(steps.len(), |place| place + 1);
    steps.insert(place, step);
}

/// `deployment.blue_green`, version 1: beside the revision that serves, then all at once.
pub fn blue_green(needs: &Arc<Needs>) -> Flow {
    let steps = vec![
        Step::new("prepare", "Look at what is running", needs, patient(prepare::look)),
        Step::new("namespace", "Create the namespace", needs, patient(objects::namespace)),
        Step::new("configuration", "Write the configuration", needs, patient(objects::configuration))
            .undo(needs, back(objects::no_configuration)),
        Step::new("candidate", "Start the new colour beside the old one", needs, patient(colours::candidate))
            .undo(needs, back(colours::no_candidate))
            .deadline(LONGEST),
        Step::new("ready", "Wait until it is ready", needs, patient(colours::ready)).deadline(LONGEST),
        Step::new("promotion", "Wait for the promotion", needs, patient(colours::promotion)),
        Step::new("network", "Switch the traffic", needs, patient(colours::switch))
            .undo(needs, back(network::earlier_network)),
        Step::new("scaling", "Set up scaling and disruption limits", needs, patient(colours::scaling))
            .undo(needs, back(objects::earlier_scaling)),
        Step::new("retire", "Remove the earlier colour", needs, patient(colours::retire))
            .undo(needs, back(colours::bring_back))
            .deadline(LONGEST),
        Step::new("tidy", "Remove what earlier revisions left", needs, patient(tidy::leftovers)).deadline(LONGEST),
    ];
    Flow::new(BLUE_GREEN, 1, steps).observed_by(observe::deployment())
}

/// `application.scale`, `application.restart`, `application.start` and `application.stop`, version 1.
pub fn changes(needs: &Arc<Needs>) -> [Flow; 4] {
    let change = |kind, title: &str, wait: &str| {
        let steps = vec![
            Step::new("prepare", "Look at what is running", needs, patient(change::look)),
            Step::new("change", title, needs, patient(change::apply)).undo(needs, back(change::back)).deadline(LONGEST),
            Step::new("ready", wait, needs, patient(change::settled)).deadline(LONGEST),
        ];
        Flow::new(kind, 1, steps).observed_by(observe::change())
    };
    [
        change(SCALE, "Change the number of pods", "Wait until that many are ready"),
        change(RESTART, "Replace the pods", "Wait until the new pods are ready"),
        change(START, "Start the pods", "Wait until they are ready"),
        change(STOP, "Stop the pods", "Wait until they are gone"),
    ]
}

/// Every flow of applications.
pub fn flows(needs: &Arc<Needs>) -> Vec<Flow> {
    let mut flows = vec![rolling(needs), by_canary(needs), blue_green(needs), rollback(needs)];
    flows.extend(changes(needs));
    flows.extend([delete::flow(needs), preview::create(needs), preview::delete(needs)]);
    flows.extend([drift::heal::flow(needs), sweep::flow(needs)]);
    flows
}
