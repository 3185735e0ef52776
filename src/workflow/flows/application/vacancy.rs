//! Namespaces in which nothing lives any more. What somebody else has put into one keeps it: nothing is deleted because
//! something is unclear.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use kube::ResourceExt;
use serde_json::json;

use super::super::super::flow::Progress;
use super::names::{MANAGED_BY, PROJECT, Target};
use super::{Needs, objects};
use crate::domain::Result;
use crate::vendors;
use crate::vendors::kubernetes::{Client, Object, namespace_ending};

/// What the cluster itself puts into every namespace.
const ROOT_CERTIFICATE: &str = "kube-root-ca.crt";
/// The type of the tokens that older clusters put into every namespace.
const TOKEN: &str = "kubernetes.io/service-account-token";

/// Removes the application's namespace if it is ours and nothing is in it, and waits until it is gone.
pub(super) async fn remove(needs: &Needs, target: &Target) -> Result<Progress> {
    let name = target.namespace.as_str();
    let Some(namespace) = needs.kubernetes.namespace(name).await? else { return Ok(Progress::done()) };
    if let Some(words) = namespace_ending(&namespace) {
        return Ok(Progress::Wait { detail: format!("the namespace {name} {words}"), poll: needs.poll });
    }
    let project = target.project.to_string();
    let ours = |key: &str, value: &str| namespace.labels().get(key).is_some_and(|said| said == value);
    if !ours(PROJECT, &project) || !ours(MANAGED_BY.0, MANAGED_BY.1) {
        return Ok(Progress::Done(json!({ "kept": "it is not ours" })));
    }
    if let Some(found) = inhabitant(&needs.kubernetes, name).await? {
        return Ok(Progress::Done(json!({ "kept": format!("{found} is in it") })));
    }
    needs.kubernetes.delete_namespace(name).await?;
    Ok(Progress::Wait { detail: format!("the namespace {name} is being deleted"), poll: needs.poll })
}

/// Something that lives in a namespace.
async fn inhabitant(kubernetes: &Client, namespace: &str) -> Result<Option<String>> {
    let pods: Vec<Pod> = kubernetes.list(namespace, "").await?;
    if let Some(pod) = objects::that_run(pods).first() {
        return Ok(Some(format!("the pod {}", pod.name_any())));
    }
    let found = [
        some::<PersistentVolumeClaim>(kubernetes, namespace, |_| true).await?,
        some::<StatefulSet>(kubernetes, namespace, |_| true).await?,
        some::<Deployment>(kubernetes, namespace, |_| true).await?,
        some::<DaemonSet>(kubernetes, namespace, |_| true).await?,
        some::<CronJob>(kubernetes, namespace, |_| true).await?,
        some::<Job>(kubernetes, namespace, |_| true).await?,
        some::<Service>(kubernetes, namespace, |_| true).await?,
        some::<ConfigMap>(kubernetes, namespace, |map| map.name_any() != ROOT_CERTIFICATE).await?,
        some::<Secret>(kubernetes, namespace, |secret| secret.type_.as_deref() != Some(TOKEN)).await?,
    ];
    Ok(found.into_iter().flatten().next())
}

/// The first object of a kind that counts. Of what we may not even list, it is unclear whether there is some.
async fn some<K: Object>(kubernetes: &Client, namespace: &str, counts: fn(&K) -> bool) -> Result<Option<String>> {
    let kind = K::kind(&());
    match kubernetes.list::<K>(namespace, "").await {
        Ok(list) => Ok(list.iter().find(|object| counts(object)).map(|it| format!("the {kind} {}", it.name_any()))),
        Err(vendors::Error::Unauthorized(_)) => Ok(Some(format!("perhaps a {kind}, which the platform may not list,"))),
        Err(error) => Err(error.into()),
    }
}
