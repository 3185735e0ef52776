//! What is ours. An object that only has the name of one of the application's objects is neither changed nor deleted,
//! and what is applied says what is in the way.

use std::sync::Arc;

use futures::future::BoxFuture;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde::Deserialize;
use uuid::Uuid;

use super::super::super::flow::{Progress, StepContext};
use super::names::{APPLICATION, MANAGED_BY, PROJECT, REVISION, Target};
use super::{Needs, isolation, manifests};
use crate::db::applications;
use crate::domain::{ApplicationStatus, Code, Error, Result};
use crate::vendors;
use crate::vendors::kubernetes::{Client, FIELD_MANAGER, Object, namespace_ending};

/// Selects the application's objects that belong to a revision, and were made here.
pub(super) fn of_revisions(target: &Target) -> String {
    format!("{},{}={},{REVISION}", target.selector(), MANAGED_BY.0, MANAGED_BY.1)
}

/// Whether an object is the application's.
pub(super) fn is_ours(target: &Target, metadata: &ObjectMeta) -> bool {
    belongs(metadata, APPLICATION, target.application)
}

/// Whether an object says in a label that it belongs to an owner, or was applied here and has lost the label since.
fn belongs(metadata: &ObjectMeta, label: &str, owner: Uuid) -> bool {
    match metadata.labels.as_ref().and_then(|labels| labels.get(label)) {
        Some(said) => *said == owner.to_string(),
        None => {
            let mut managers = metadata.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref());
            managers.any(|manager| manager == FIELD_MANAGER)
        }
    }
}

/// The application's object of a name; none when there is none.
///
/// # Errors
/// `vendor-rejected` when somebody else's has that name.
pub(super) async fn get<K: Object>(kubernetes: &Client, target: &Target, name: &str) -> Result<Option<K>> {
    let found: Option<K> = kubernetes.get(&target.namespace, name).await?;
    match &found {
        Some(object) if !is_ours(target, object.meta()) => Err(in_the_way(target, object)),
        _ => Ok(found),
    }
}

fn in_the_way<K: Object>(target: &Target, object: &K) -> Error {
    let (kind, name, namespace) = (K::kind(&()), object.name_any(), &target.namespace);
    let message = format!(
        "the {kind} {name} in the namespace {namespace} is not this application's: rename or delete it, or give it the \
         label {APPLICATION}={}, and try again",
        target.application
    );
    Error::new(Code::VendorRejected, message)
}

/// Makes an object as it is wanted, unless somebody else's is in its place. A namespace that went away meanwhile is
/// made again for the next try.
///
/// # Errors
/// `vendor-rejected` when somebody else's is there, `conflict` while the namespace is on its way out or was made again.
pub(super) async fn apply<K: Object>(needs: &Needs, target: &Target, wanted: &K) -> Result<K> {
    get::<K>(&needs.kubernetes, target, &wanted.name_any()).await?;
    match needs.kubernetes.apply_alone(&target.namespace, wanted).await {
        Err(error @ (vendors::Error::Conflict(_) | vendors::Error::NotFound(_))) => {
            let missing = needs.kubernetes.namespace(&target.namespace).await?.is_none();
            namespace(needs, target).await?;
            if !missing {
                return Err(error.into());
            }
            let message = format!("the namespace {} had gone, and has been made again", target.namespace);
            Err(Error::new(Code::Conflict, message))
        }
        other => Ok(other?),
    }
}

/// Deletes an object of the application; somebody else's of that name is left alone.
pub(super) async fn delete<K: Object>(needs: &Needs, target: &Target, name: &str) -> Result<()> {
    let found: Option<K> = needs.kubernetes.get(&target.namespace, name).await?;
    if found.is_some_and(|object| is_ours(target, object.meta())) {
        needs.kubernetes.delete::<K>(&target.namespace, name).await?;
    }
    Ok(())
}

/// Refuses to go on in a namespace that is on its way out.
///
/// # Errors
/// `conflict`, with what holds it.
pub(super) async fn require_namespace(needs: &Needs, target: &Target) -> Result<()> {
    let name = &target.namespace;
    let words = needs.kubernetes.namespace(name).await?.as_ref().and_then(namespace_ending);
    words.map_or(Ok(()), |words| Err(Error::new(Code::Conflict, format!("the namespace {name} {words}"))))
}

/// A step's work that waits while the namespace is on its way out, for as long as a deletion may take: it is made again
/// when it is gone.
pub(super) fn patient<F, R>(
    work: F,
) -> impl Fn(Arc<Needs>, StepContext) -> BoxFuture<'static, Result<Progress>> + Send + Sync + 'static
where
    F: Fn(Arc<Needs>, StepContext) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Progress>> + Send + 'static,
{
    move |needs, context| {
        let tried = work(Arc::clone(&needs), context.clone());
        Box::pin(async move {
            match tried.await {
                Err(error) if error.code() == Code::Conflict => waits(&needs, &context, error).await,
                other => other,
            }
        })
    }
}

/// The same for work that takes something back. Of an application that is being deleted nothing is brought back: its
/// deletion waits for this operation's end.
pub(super) fn back<F, R>(
    work: F,
) -> impl Fn(Arc<Needs>, StepContext) -> BoxFuture<'static, Result<Progress>> + Send + Sync + 'static
where
    F: Fn(Arc<Needs>, StepContext) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Progress>> + Send + 'static,
{
    let work = Arc::new(patient(work));
    move |needs, context| {
        let work = Arc::clone(&work);
        Box::pin(async move {
            let mut tx = context.transaction().await?;
            let row = applications::find_any(&mut *tx, context.operation().subject_id).await?;
            tx.commit().await?;
            let leaving = [ApplicationStatus::Deleting, ApplicationStatus::Deleted];
            if row.is_none_or(|row| row.deleted || leaving.contains(&row.status)) {
                return Ok(Progress::done());
            }
            work(needs, context).await
        })
    }
}

async fn waits(needs: &Needs, context: &StepContext, error: Error) -> Result<Progress> {
    let Placed { target } = context.input()?;
    let Some(found) = needs.kubernetes.namespace(&target.namespace).await? else { return Err(error) };
    let Some(words) = namespace_ending(&found) else { return Err(error) };
    let detail = format!("the namespace {} {words}; it is made again when it is gone", target.namespace);
    if context.elapsed() >= needs.settings.delete_timeout {
        return Err(Error::new(Code::VendorRejected, detail));
    }
    Ok(Progress::Wait { detail, poll: needs.poll })
}

/// The part that the inputs of all flows here have in common.
#[derive(Deserialize)]
struct Placed {
    target: Target,
}

/// Makes the namespace of the application's project and environment, unless it is there.
///
/// # Errors
/// `vendor-rejected` when it is somebody else's, `conflict` while it is on its way out: with what holds it.
pub(super) async fn namespace(needs: &Needs, target: &Target) -> Result<()> {
    let name = &target.namespace;
    let found = needs.kubernetes.namespace(name).await?;
    if found.is_some_and(|found| !belongs(&found.metadata, PROJECT, target.project)) {
        let message = format!(
            "the namespace {name} is not this project's: delete it, or give it the label {PROJECT}={}, and try again",
            target.project
        );
        return Err(Error::new(Code::VendorRejected, message));
    }
    let applied = needs.kubernetes.apply_namespace(&manifests::namespace(target)?).await?;
    if let Some(words) = namespace_ending(&applied) {
        return Err(Error::new(Code::Conflict, format!("the namespace {name} {words}")));
    }
    isolation::apply(&needs.kubernetes, &needs.settings, target).await?;
    Ok(())
}
