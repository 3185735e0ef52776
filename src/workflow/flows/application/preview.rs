//! Preview environments: a copy of an application in a namespace of its own.

use std::sync::Arc;

use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::Deployment;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::super::flow::{Flow, Observer, Progress, Step, StepContext, Transition};
use super::names::{Colour, Slot, Target};
use super::{LONGEST, Needs, judge, manifests, network, objects, ours};
use crate::db::operations::{self, Operation};
use crate::db::{previews, steps};
use crate::domain::workload::Workload;
use crate::domain::{Code, Error, PreviewStatus, Result};
use crate::vendors::kubernetes::namespace_ending;

/// The kind of the operation that makes one.
pub const CREATE: &str = "preview.create";
/// The kind of the operation that removes one.
pub const DELETE: &str = "preview.delete";
/// The subject type of both.
pub const SUBJECT: &str = "preview_environment";

/// The colour of all its pods: a preview is replaced, not rolled out beside itself.
const SLOT: Slot = Slot::Stable(Colour::Blue);

/// The input of both flows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// Where its objects are: a namespace that it has to itself.
    pub target: Target,
    pub workload: Workload,
}

struct View {
    needs: Arc<Needs>,
    input: Preview,
}

impl View {
    fn new(needs: Arc<Needs>, context: &StepContext) -> Result<Self> {
        Ok(Self { needs, input: context.input()? })
    }
}

/// `preview.create`, version 1.
pub fn create(needs: &Arc<Needs>) -> Flow {
    let steps = vec![
        Step::new("namespace", "Create the namespace", needs, ours::patient(namespace))
            .undo(needs, gone)
            .deadline(LONGEST),
        Step::new("configuration", "Write the configuration", needs, ours::patient(configuration)),
        Step::new("network", "Publish the address", needs, ours::patient(network)),
        Step::new("workload", "Start the pods", needs, ours::patient(workload)),
        Step::new("ready", "Wait until it is ready", needs, ours::patient(ready)).deadline(LONGEST),
    ];
    let observer: Observer =
        Arc::new(|db, operation, seen| -> BoxFuture<'_, Result<()>> { Box::pin(created(db, operation, seen)) });
    Flow::new(CREATE, 1, steps).observed_by(observer)
}

/// `preview.delete`, version 1.
pub fn delete(needs: &Arc<Needs>) -> Flow {
    let longest = needs.settings.delete_timeout;
    let steps = vec![
        Step::new("namespace", "Delete the namespace", needs, leave),
        Step::new("gone", "Wait until all of it is gone", needs, gone).deadline(longest),
    ];
    let observer: Observer =
        Arc::new(|db, operation, seen| -> BoxFuture<'_, Result<()>> { Box::pin(deleted(db, operation, seen)) });
    Flow::new(DELETE, 1, steps).not_cancellable().observed_by(observer)
}

async fn namespace(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let view = View::new(needs, &context)?;
    let mut tx = context.transaction().await?;
    previews::move_to(&mut tx, context.operation().subject_id, PreviewStatus::Deploying, None).await?;
    tx.commit().await?;
    ours::namespace(&view.needs, &view.input.target).await?;
    Ok(Progress::Done(json!({ "namespace": view.input.target.namespace })))
}

async fn configuration(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let view = View::new(needs, &context)?;
    objects::configure(&view.needs, &context, &view.input.target, &view.input.workload).await?;
    Ok(Progress::done())
}

async fn network(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let view = View::new(needs, &context)?;
    let Preview { target, workload } = &view.input;
    network::publish(&view.needs, target, workload, SLOT.colour(), 0).await?;
    Ok(Progress::Done(json!({ "url": target.url(&view.needs.settings, workload) })))
}

async fn workload(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    stand(&View::new(needs, &context)?).await?;
    Ok(Progress::done())
}

async fn stand(view: &View) -> Result<Deployment> {
    let Preview { target, workload } = &view.input;
    let deployment = manifests::deployment(target, workload, SLOT, workload.replicas, None)?;
    ours::apply(&view.needs, target, &deployment).await
}

async fn ready(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let view = View::new(needs, &context)?;
    let Preview { target, workload } = &view.input;
    let again = async {
        objects::configure(&view.needs, &context, target, workload).await?;
        network::publish(&view.needs, target, workload, SLOT.colour(), 0).await?;
        stand(&view).await
    };
    judge::verdict(&view.needs, &context, target, SLOT, workload, again).await
}

/// Asks for the end of the namespace. The creation has ended: one operation of a preview runs at a time.
async fn leave(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let view = View::new(needs, &context)?;
    view.needs.kubernetes.delete_namespace(&view.input.target.namespace).await?;
    Ok(Progress::done())
}

/// Deletes the namespace unless it is gone or going, and waits until it is gone.
async fn gone(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let view = View::new(needs, &context)?;
    let name = &view.input.target.namespace;
    let Some(namespace) = view.needs.kubernetes.namespace(name).await? else { return Ok(Progress::done()) };
    if namespace.metadata.deletion_timestamp.is_none() {
        view.needs.kubernetes.delete_namespace(name).await?;
    }
    let words = namespace_ending(&namespace).unwrap_or_else(|| "is being deleted".to_owned());
    let detail = format!("the namespace {name} {words}; {} s", context.elapsed().as_secs());
    Ok(Progress::Wait { detail, poll: view.needs.poll })
}

async fn created(db: &mut PgConnection, operation: &Operation, seen: Transition<'_>) -> Result<()> {
    let preview = operation.subject_id;
    match seen {
        Transition::Superseded { .. } | Transition::CancelRequested => Ok(()),
        // One that was gone on with is queued until its first step is done.
        Transition::StepDone { .. } => previews::move_to(db, preview, PreviewStatus::Deploying, None).await.map(drop),
        Transition::Succeeded => {
            let url = address(db, operation.id).await?;
            previews::set_url(db, preview, url.as_deref()).await?;
            previews::move_to(db, preview, PreviewStatus::Running, None).await.map(drop)
        }
        Transition::Failed { error, .. } => {
            previews::move_to(db, preview, PreviewStatus::Failed, Some(error.message())).await.map(drop)
        }
        Transition::Resumed { undo } => {
            resumed(db, preview, if undo { PreviewStatus::Deleting } else { PreviewStatus::Queued }).await
        }
        // A deletion that waits for this says itself when all is gone.
        Transition::Cancelled if others(db, operation).await? => Ok(()),
        Transition::Cancelled => {
            previews::move_to(db, preview, PreviewStatus::Deleting, None).await?;
            previews::move_to(db, preview, PreviewStatus::Deleted, None).await.map(drop)
        }
    }
}

/// Moves a preview along with its operation, which was queued again.
async fn resumed(db: &mut PgConnection, preview: Uuid, to: PreviewStatus) -> Result<()> {
    if previews::move_to(db, preview, to, None).await? {
        return Ok(());
    }
    Err(Error::new(Code::IllegalTransition, "the preview environment's status does not allow that now"))
}

async fn others(db: &mut PgConnection, operation: &Operation) -> Result<bool> {
    operations::count_other_open(db, SUBJECT, operation.subject_id, operation.id).await.map(|open| open > 0)
}

/// The address that the network step kept.
async fn address(db: &mut PgConnection, operation: Uuid) -> Result<Option<String>> {
    let steps = steps::list(db, operation).await?;
    let result = steps.into_iter().find(|step| step.name == "network").and_then(|step| step.result);
    Ok(result.and_then(|result| result.get("url")?.as_str().map(str::to_owned)))
}

async fn deleted(db: &mut PgConnection, operation: &Operation, seen: Transition<'_>) -> Result<()> {
    let preview = operation.subject_id;
    match seen {
        Transition::StepDone { .. }
        | Transition::Superseded { .. }
        | Transition::CancelRequested
        | Transition::Cancelled => Ok(()),
        Transition::Resumed { .. } => resumed(db, preview, PreviewStatus::Deleting).await,
        Transition::Succeeded => previews::move_to(db, preview, PreviewStatus::Deleted, None).await.map(drop),
        Transition::Failed { error, .. } => {
            previews::move_to(db, preview, PreviewStatus::Failed, Some(error.message())).await.map(drop)
        }
    }
}
