//! What deleted applications have left in the cluster. It is removed, for whoever deleted them meant them to go. Only
//! what carries our labels and the id of an application whose row says that it is deleted: objects of an application
//! that no row knows are left alone, for another installation may share the cluster. Namespaces stay: others live there.

use std::collections::BTreeMap;

use futures::future::{BoxFuture, FutureExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use uuid::Uuid;

use super::findings::{Finding, Kind, reconcile};
use crate::app::App;
use crate::db::Audit;
use crate::db::departed::{self, Departed};
use crate::domain::Result;
use crate::vendors;
use crate::vendors::kubernetes::{Client, HttpRoute, Object, ending};
use crate::workflow::flows::application::SUBJECT;
use crate::workflow::flows::application::names::{APPLICATION, MANAGED_BY};

/// Objects that are told of one application.
const MOST: usize = 4;

const STUCK: Kind = Kind {
    title: "What a deleted application has left cannot be removed",
    severity: "warning",
    subject_type: SUBJECT,
    logged: None,
};

type Delete = for<'a> fn(&'a Client, &'a str, &'a str) -> BoxFuture<'a, vendors::Result<()>>;

/// An object in the cluster.
struct Left {
    kind: String,
    namespace: String,
    name: String,
    /// How it is on its way out, if it is.
    ending: Option<String>,
    delete: Delete,
}

/// One pass; answers the applications of which something was removed. Where nothing is left, nothing is written.
///
/// # Errors
/// `unavailable` when the database or the cluster is.
pub async fn remove(app: &App) -> Result<Vec<Uuid>> {
    let Some(provisioning) = &app.provisioning else { return Ok(Vec::new()) };
    let kubernetes = &provisioning.kubernetes;
    let mut left = BTreeMap::new();
    // The way from outside goes first, and what the pods read goes last.
    collect::<Ingress>(kubernetes, &mut left).await?;
    collect::<HttpRoute>(kubernetes, &mut left).await?;
    collect::<HorizontalPodAutoscaler>(kubernetes, &mut left).await?;
    collect::<Service>(kubernetes, &mut left).await?;
    collect::<Deployment>(kubernetes, &mut left).await?;
    collect::<PodDisruptionBudget>(kubernetes, &mut left).await?;
    collect::<ConfigMap>(kubernetes, &mut left).await?;
    collect::<Secret>(kubernetes, &mut left).await?;
    // Read after the cluster was: an application's row is there before its objects.
    let ids: Vec<Uuid> = left.keys().copied().collect();
    let (mut removed, mut stuck) = (Vec::new(), Vec::new());
    for departed in departed::of(app.db.pool(), &ids).await? {
        let objects = left.get(&departed.id).map(Vec::as_slice).unwrap_or_default();
        stuck.extend(held(&departed, objects));
        if empty(app, kubernetes, &departed, objects).await? {
            tracing::info!(application = %departed.id, "application_removed");
            removed.push(departed.id);
        }
    }
    reconcile(app, &STUCK, &stuck).await?;
    Ok(removed)
}

async fn collect<K: Object + 'static>(kubernetes: &Client, left: &mut BTreeMap<Uuid, Vec<Left>>) -> Result<()> {
    let labels = format!("{}={},{APPLICATION}", MANAGED_BY.0, MANAGED_BY.1);
    let keep = |object: K| {
        let Some(application) = object.labels().get(APPLICATION).and_then(|id| id.parse().ok()) else { return };
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let (kind, ending) = (K::kind(&()).into_owned(), ending(object.meta()));
        left.entry(application).or_default().push(Left { kind, namespace, name, ending, delete: delete::<K> });
    };
    Ok(kubernetes.pages(&labels, keep).await?)
}

fn delete<'a, K: Object + 'static>(
    kubernetes: &'a Client,
    namespace: &'a str,
    name: &'a str,
) -> BoxFuture<'a, vendors::Result<()>> {
    kubernetes.delete::<K>(namespace, name).boxed()
}

/// Removes what is not on its way out, while nothing can be begun. False when there was nothing to remove.
async fn empty(app: &App, kubernetes: &Client, departed: &Departed, objects: &[Left]) -> Result<bool> {
    if objects.iter().all(|object| object.ending.is_some()) {
        return Ok(false);
    }
    app.db
        .transaction(&Audit::system(None), async |mut tx| {
            if !departed::hold(&mut tx, departed.id).await? {
                return Ok(false);
            }
            for object in objects.iter().filter(|object| object.ending.is_none()) {
                (object.delete)(kubernetes, &object.namespace, &object.name).await?;
            }
            Ok(true)
        })
        .await
}

/// What has been asked to go in an earlier pass and is still there.
fn held(departed: &Departed, objects: &[Left]) -> Option<Finding> {
    let told = objects.iter().filter_map(|object| {
        let Left { kind, namespace, name, ending: Some(words), .. } = object else { return None };
        Some(format!("{kind} {name} in {namespace} {words}"))
    });
    let told: Vec<String> = told.take(MOST).collect();
    (!told.is_empty()).then(|| Finding { team: departed.team_id, subject: departed.id, detail: told.join("; ") })
}
