//! What deleted applications have left in the cluster. It is removed, for whoever deleted them meant them to go: by an
//! operation in the application's lane. Only what carries our labels and the id of an application whose row says that it
//! is deleted: objects of an application that no row knows are left alone, for another installation may share the
//! cluster. Namespaces stay: others live there.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::findings::{Finding, Kind, reconcile};
use super::repair::{self, Begun, Repair};
use crate::app::{App, Provisioning};
use crate::db::Audit;
use crate::db::departed::{self, Departed};
use crate::domain::Result;
use crate::vendors::kubernetes::{Client, HttpRoute, Object, ending};
use crate::workflow::flows::application::SUBJECT;
use crate::workflow::flows::application::names::{APPLICATION, MANAGED_BY};
use crate::workflow::flows::application::sweep::{SWEEP, Sweep, Swept};

/// Objects that are told of one application.
const MOST: usize = 4;
/// Applications of which something is removed at once.
const AT_ONCE: usize = 8;

const STUCK: Kind = Kind {
    title: "What a deleted application has left cannot be removed",
    severity: "warning",
    subject_type: SUBJECT,
    logged: None,
};

/// An object in the cluster.
struct Left {
    kind: String,
    namespace: String,
    name: String,
    /// How it is on its way out, if it is.
    ending: Option<String>,
}

/// What became of an attempt to remove what is left of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// Nothing was left, or somebody else is at it.
    Nothing,
    /// It was removed.
    Removed,
    /// It could not be.
    Failed(String),
}

/// One pass; answers the applications of which something was removed. Where nothing is left, nothing is written.
///
/// # Errors
/// `unavailable` when the database or the cluster is.
pub async fn remove(app: &App) -> Result<Vec<Uuid>> {
    let Some(provisioning) = &app.provisioning else { return Ok(Vec::new()) };
    let kubernetes = &provisioning.kubernetes;
    let mut left = BTreeMap::new();
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
    let departed = departed::of(app.db.pool(), &ids).await?;
    let of = |departed: &Departed| left.get(&departed.id).map(Vec::as_slice).unwrap_or_default();
    let mut outcomes = Vec::with_capacity(departed.len());
    for some in departed.chunks(AT_ONCE) {
        let emptied = some.iter().map(|departed| empty(app, provisioning, departed, of(departed)));
        outcomes.extend(try_join_all(emptied).await?);
    }
    let (mut removed, mut stuck) = (Vec::new(), Vec::new());
    for (departed, outcome) in departed.iter().zip(outcomes) {
        if outcome == Outcome::Removed {
            tracing::info!(application = %departed.id, "application_removed");
            removed.push(departed.id);
        }
        stuck.extend(held(departed, of(departed), outcome));
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
        left.entry(application).or_default().push(Left { kind, namespace, name, ending });
    };
    Ok(kubernetes.pages(&labels, keep).await?)
}

/// Lets an operation remove what is not on its way out.
async fn empty(app: &App, provisioning: &Provisioning, departed: &Departed, objects: &[Left]) -> Result<Outcome> {
    let standing: Vec<&Left> = objects.iter().filter(|object| object.ending.is_none()).collect();
    if standing.is_empty() {
        return Ok(Outcome::Nothing);
    }
    let input = Sweep {
        namespaces: standing.iter().map(|object| object.namespace.clone()).collect(),
        objects: standing.iter().map(|it| format!("{} {} in {}", it.kind, it.name, it.namespace)).collect(),
    };
    let begun = app
        .db
        .transaction(&Audit::system(Some(SWEEP.to_owned())), async |mut tx| {
            if !departed::hold(&mut tx, departed.id).await? {
                return Ok(None);
            }
            let repair = Repair { kind: SWEEP, team: departed.team_id, application: departed.id, input: &input };
            repair::begin(&mut tx, provisioning, repair).await.map(Some)
        })
        .await?;
    Ok(match begun {
        None => Outcome::Nothing,
        Some(Begun::Resting(words)) => Outcome::Failed(words),
        Some(Begun::Operation(operation)) => {
            provisioning.nudge.send(SWEEP);
            match repair::ended(app, operation).await? {
                Ok(ended) if ended.output.as_ref().is_some_and(removed) => Outcome::Removed,
                Ok(_) => Outcome::Nothing,
                Err(words) => Outcome::Failed(words),
            }
        }
    })
}

fn removed(output: &Value) -> bool {
    Swept::deserialize(output).is_ok_and(|Swept { remove }| remove.removed)
}

/// What has been asked to go in an earlier pass and is still there, and what could not be asked to go.
fn held(departed: &Departed, objects: &[Left], outcome: Outcome) -> Option<Finding> {
    let told = objects.iter().filter_map(|object| {
        let Left { kind, namespace, name, ending: Some(words) } = object else { return None };
        Some(format!("{kind} {name} in {namespace} {words}"))
    });
    let mut told: Vec<String> = told.take(MOST).collect();
    if let Outcome::Failed(words) = outcome {
        told.push(words);
    }
    (!told.is_empty()).then(|| Finding { team: departed.team_id, subject: departed.id, detail: told.join("; ") })
}
