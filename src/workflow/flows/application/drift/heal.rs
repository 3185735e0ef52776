//! Puts an application right: what its running revision says is applied, and looked at again.
//!
//! It is begun by the platform itself, in the application's lane: nothing else is done to the application meanwhile. It
//! gives up soon, so that a deployment does not wait behind it for a cluster that does not answer.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::super::super::flow::{Flow, Limits, Progress, Step, StepContext};
use super::super::names::Target;
use super::super::{Needs, desired, secrets};
use super::look::{Seat, left};
use crate::db::secrets::Secret;
use crate::db::settled;
use crate::domain::{Code, Error, Result};

/// The kind of the operation that puts an application right.
pub const HEAL: &str = "application.heal";

/// Differences that are told when some are left.
const MOST: usize = 6;

/// Who asked for nothing waits for little.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(20), deadline: Duration::from_secs(10), attempts: 3 };

/// The input of the flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heal {
    /// Where its objects are.
    pub target: Target,
    /// The revision that runs.
    pub revision: i32,
    /// What was not as it is to be, in words.
    pub differences: Vec<String>,
}

/// What the flow kept when the application is as it is to be.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Healed {
    /// What was seen at the end; nothing where the application was left to somebody else.
    pub verify: Verified,
}

/// What the last look saw.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Verified {
    /// Whether everything is as it is to be.
    pub healed: bool,
}

/// `application.heal`, version 1.
pub fn flow(needs: &Arc<Needs>) -> Flow {
    let steps = vec![
        Step::new("apply", "Apply the revision that runs", needs, apply).limits(LIMITS),
        Step::new("verify", "Look whether it is as it was deployed", needs, verify).limits(LIMITS),
    ];
    Flow::new(HEAL, 1, steps).not_cancellable()
}

/// What is to be put right, with the rows of its secrets; none when the application has been left to somebody else since.
async fn wanted(context: &StepContext) -> Result<Option<(Seat, Vec<Secret>)>> {
    let Heal { target, revision, .. } = context.input()?;
    let mut tx = context.transaction().await?;
    let row = settled::of(&mut *tx, &[target.application]).await?.pop();
    let seat = row.filter(|row| row.heal_drift && row.revision.revision == revision).map(Seat::new).transpose()?;
    let found = match seat {
        Some(seat) => {
            let rows = secrets::rows(&mut tx, &seat.target, &seat.workload).await?;
            Some((seat, rows))
        }
        None => None,
    };
    tx.commit().await?;
    Ok(found)
}

fn left_to_another() -> Progress {
    Progress::Skipped { detail: "something else has been asked for meanwhile".to_owned() }
}

async fn apply(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let Some((Seat { target, workload, .. }, rows)) = wanted(&context).await? else { return Ok(left_to_another()) };
    let (kubernetes, settings) = (&needs.kubernetes, &needs.settings);
    let desired = desired::beside(kubernetes, settings, &target, &workload).await?;
    desired::settle(kubernetes, settings, &target).await?;
    let keys = needs.config.get().secrets.clone();
    secrets::provide(kubernetes, &keys, &rows, &target, &workload).await?;
    desired::apply(kubernetes, &target, &desired).await?;
    Ok(Progress::done())
}

/// Whoever says that it was put right has looked.
async fn verify(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let Some((seat, _)) = wanted(&context).await? else { return Ok(left_to_another()) };
    let mut still = left(&needs.kubernetes, &needs.settings, seat).await?;
    if still.is_empty() {
        metrics::counter!("northstack_drift_healed_total").increment(1);
        return Ok(Progress::Done(json!(Verified { healed: true })));
    }
    still.truncate(MOST);
    // Another try would find the same: whoever looks for drift asks again, ever more rarely.
    Err(Error::new(Code::VendorRejected, still.join("; ")))
}
