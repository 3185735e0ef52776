//! The first step of a deployment: what is running, and that a new revision begins.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::super::flow::{Progress, StepContext};
use super::live::Standing;
use super::names::{Colour, Slot};
use super::{Needs, Rollout, live};
use crate::db::{applications, deployments};
use crate::domain::workload::Autoscaling;
use crate::domain::{ApplicationStatus, DeploymentStatus, Error, Result};

/// What was there before a deployment began: where a deployment that is taken back leads.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Before {
    /// The colour that served.
    pub colour: Colour,
    /// The revision that the serving Deployment showed; none when there was none.
    pub revision: Option<i32>,
    /// The pods that it asked for.
    pub replicas: u32,
    /// The operation that had last replaced its pods.
    pub restarted: Option<String>,
    /// Between how many pods it scaled itself.
    pub autoscaling: Option<Autoscaling>,
    /// The application's status.
    pub status: ApplicationStatus,
    pub url: Option<String>,
}

impl Before {
    /// What the step kept.
    pub fn of(context: &StepContext) -> Result<Self> {
        context.result("prepare")
    }

    /// The serving Deployment.
    pub fn slot(&self) -> Slot {
        Slot::Stable(self.colour)
    }
}

/// Reads what is running, and moves the deployment and its application on. What it read the first time is kept with
/// the deployment, so that a second run gives the same.
pub(super) async fn look(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (target, deployment) = (rollout.target(), rollout.input.deployment);
    let colour = live::colour(rollout.kubernetes(), target).await?;
    let mut standing = live::standing(rollout.kubernetes(), target, Slot::Stable(colour)).await?;
    if let Some(standing) = &mut standing {
        // It shows this deployment's own where the database was put back to before it, and the cluster is ahead.
        standing.revision = standing.revision.filter(|shown| *shown != rollout.workload().revision);
    }
    let autoscaling = live::autoscaling(rollout.kubernetes(), target).await?;
    let mut tx = context.transaction().await?;
    let row = deployments::find(&mut *tx, deployment).await?;
    let row = row.ok_or_else(|| Error::internal("read a deployment", "it is not there"))?;
    let application = applications::lock(&mut tx, target.application).await?;
    let application = application.ok_or_else(|| Error::not_found("application"))?;
    let before = match row.progress.get("before") {
        Some(kept) => kept.clone(),
        None => {
            let revision = match &standing {
                Some(standing) => shown(&mut tx, target.application, standing, Some(deployment)).await?,
                None => None,
            };
            let before = Before {
                colour,
                revision,
                replicas: standing.as_ref().map_or(0, |standing| standing.replicas),
                restarted: standing.and_then(|standing| standing.restarted),
                autoscaling,
                status: application.status,
                url: application.url,
            };
            let before = serde_json::to_value(before)
                .map_err(|source| Error::internal("write what a deployment found", source))?;
            deployments::progress(&mut tx, deployment, &json!({ "before": before })).await?;
            before
        }
    };
    deployments::move_to(&mut tx, deployment, DeploymentStatus::Deploying, None).await?;
    applications::move_to(&mut tx, target.application, ApplicationStatus::Deploying).await?;
    tx.commit().await?;
    Ok(Progress::Done(before))
}

/// The revision that serves by a Deployment that stands: what it shows may be one that failed, while the pods of the one
/// before go on. To that one leads what is taken back.
pub(super) async fn shown(
    tx: &mut PgConnection,
    application: Uuid,
    standing: &Standing,
    except: Option<Uuid>,
) -> Result<Option<i32>> {
    let running = deployments::running(&mut *tx, application, except).await?;
    if running.is_some() {
        return Ok(running);
    }
    let Some(number) = standing.revision else { return Ok(None) };
    let past = deployments::history(&mut *tx, application).await?;
    Ok(past.into_iter().find(|past| past.revision == number && past.served).map(|past| past.revision))
}

/// What a deployment found, from its row: for observers, who see no step's result.
pub(super) fn found(progress: &Value) -> Option<Before> {
    serde_json::from_value(progress.get("before")?.clone()).ok()
}
