//! Drift: what of running applications is not in the cluster as their revision says. It is found by listing each kind
//! once, reported, and put right where the application says so.

use std::collections::HashMap;
use std::fmt::Debug;

use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::compare::differences;
use super::findings::{Changes, Finding, Kind, reconcile};
use crate::app::{App, Provisioning};
use crate::db::Audit;
use crate::db::settled::{self, Settled};
use crate::domain::{Error, Result};
use crate::vendors::kubernetes::Client;
use crate::workflow::flows::application::desired::{self, Desired};
use crate::workflow::flows::application::names::{APPLICATION, Target};
use crate::workflow::flows::application::{Change, SUBJECT};

/// Applications that are put right at once.
const AT_ONCE: usize = 4;
/// Differences that are told of one application.
const MOST: usize = 6;

const DRIFTED: Kind = Kind {
    title: "An application is not as it was deployed",
    severity: "warning",
    subject_type: SUBJECT,
    logged: None,
};

/// What a pass found and did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Applications that were looked at.
    pub looked_at: usize,
    /// Those that were not as they are to be.
    pub drifted: Vec<Uuid>,
    /// Those of them that were put right.
    pub healed: Vec<Uuid>,
    /// Alerts.
    pub alerts: Changes,
}

/// An application with what is to be there of it, and what is not so.
struct Seat {
    row: Settled,
    target: Target,
    desired: Desired,
    differences: Vec<String>,
}

/// One pass. Nothing is written where everything is as it is to be.
///
/// # Errors
/// `unavailable` when the database or the cluster is: then nothing is said of any application.
pub async fn check(app: &App) -> Result<Drift> {
    let Some(provisioning) = &app.provisioning else { return Ok(Drift::default()) };
    let rows = settled::all(app.db.pool()).await?;
    let mut seats = look(provisioning, rows).await?;
    let looked_at = seats.len();
    seats.retain(|seat| !seat.differences.is_empty());
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("northstack_applications_drifted").set(seats.len() as f64);
    let mut outcomes: Vec<(bool, Finding)> = Vec::with_capacity(seats.len());
    for some in seats.chunks(AT_ONCE) {
        outcomes.extend(join_all(some.iter().map(|seat| settle(app, provisioning, seat))).await);
    }
    let healed = outcomes.iter().filter(|(healed, _)| *healed).map(|(_, finding)| finding.subject).collect();
    let findings: Vec<Finding> = outcomes.into_iter().map(|(_, finding)| finding).collect();
    let drifted = findings.iter().map(|finding| finding.subject).collect();
    let alerts = reconcile(app, &DRIFTED, &findings).await?;
    Ok(Drift { looked_at, drifted, healed, alerts })
}

/// Compares every application with the cluster, kind by kind.
async fn look(provisioning: &Provisioning, rows: Vec<Settled>) -> Result<Vec<Seat>> {
    let kubernetes = &provisioning.kubernetes;
    let services: Found<Service> = Found::all(kubernetes).await?;
    let deployments: Found<Deployment> = Found::all(kubernetes).await?;
    let mut seats = Vec::with_capacity(rows.len());
    for row in rows {
        let target = target_of(&row);
        let service = services.get(&target.namespace, &target.workload);
        let colour = desired::serving(service);
        let standing = deployments.get(&target.namespace, &desired::deployment_name(&target, colour));
        let wanted = desired::desired(&provisioning.applications, &target, &workload(&row)?, colour, standing)?;
        let mut seat = Seat { row, target, desired: wanted, differences: Vec::new() };
        seat.differences.extend(services.differences(&seat.target.namespace, &seat.desired.service)?);
        seat.differences.extend(deployments.differences(&seat.target.namespace, &seat.desired.deployment)?);
        seat.differences.extend(deployments.strangers(&seat, &[seat.desired.deployment.name_any()]));
        seats.push(seat);
    }
    drop((services, deployments));
    optional::<Ingress>(kubernetes, &mut seats, |desired| desired.ingress.as_ref()).await?;
    optional::<HorizontalPodAutoscaler>(kubernetes, &mut seats, |desired| desired.autoscaler.as_ref()).await?;
    optional::<PodDisruptionBudget>(kubernetes, &mut seats, |desired| Some(&desired.budget)).await?;
    let maps: Found<ConfigMap> = Found::all(kubernetes).await?;
    for seat in &mut seats {
        seat.differences.extend(maps.differences(&seat.target.namespace, &seat.desired.configuration)?);
    }
    Ok(seats)
}

/// Compares an object that an application has or has not; none may be there that it has not.
async fn optional<K>(kubernetes: &Client, seats: &mut [Seat], pick: fn(&Desired) -> Option<&K>) -> Result<()>
where
    K: Object,
{
    let found: Found<K> = Found::all(kubernetes).await?;
    for seat in seats {
        let wanted = pick(&seat.desired);
        let mut differences = match wanted {
            Some(wanted) => found.differences(&seat.target.namespace, wanted)?,
            None => Vec::new(),
        };
        let own: Vec<String> = wanted.map(ResourceExt::name_any).into_iter().collect();
        differences.extend(found.strangers(seat, &own));
        seat.differences.extend(differences);
    }
    Ok(())
}

fn target_of(row: &Settled) -> Target {
    Target {
        application: row.id,
        project: row.project_id,
        environment: row.environment.clone(),
        namespace: row.namespace.clone(),
        workload: row.workload.clone(),
    }
}

/// The running revision in the size that the application was last given.
fn workload(row: &Settled) -> Result<crate::domain::workload::Workload> {
    let mut workload = row.revision.clone();
    if let Some(change) = &row.change {
        let change: Change = serde_json::from_value(change.clone())
            .map_err(|source| Error::internal("read a change of size", source))?;
        if let Some(replicas) = change.replicas {
            workload.replicas = replicas;
            workload.settings.autoscaling = change.autoscaling;
        }
    }
    Ok(workload)
}

/// Puts an application right if it says so. Answers whether it did, and what is to be reported.
async fn settle(app: &App, provisioning: &Provisioning, seat: &Seat) -> (bool, Finding) {
    let mut told: Vec<&str> = seat.differences.iter().take(MOST).map(String::as_str).collect();
    let healed = if seat.row.heal_drift { Some(heal(app, provisioning, seat).await) } else { None };
    let end = match &healed {
        Some(Ok(true)) => "it was put right".to_owned(),
        Some(Ok(false)) => "something is being done to it".to_owned(),
        Some(Err(error)) => format!("it could not be put right: {}", error.message()),
        None => String::new(),
    };
    told.extend((!end.is_empty()).then_some(end.as_str()));
    let detail = told.join("; ");
    let healed = matches!(healed, Some(Ok(true)));
    if healed {
        metrics::counter!("northstack_drift_healed_total").increment(1);
    }
    tracing::warn!(application = %seat.row.id, healed, "application_drifted");
    (healed, Finding { team: seat.row.team_id, subject: seat.row.id, detail })
}

/// Applies what is to be there, while nothing else can be begun. False when something was begun before.
async fn heal(app: &App, provisioning: &Provisioning, seat: &Seat) -> Result<bool> {
    app.db
        .transaction(&Audit::system(None), async |mut tx| {
            if !settled::hold(&mut tx, seat.row.id, seat.row.revision.revision).await? {
                return Ok(false);
            }
            desired::apply(&provisioning.kubernetes, &seat.target, &seat.desired).await?;
            Ok(true)
        })
        .await
}

/// What an object of a kind has to offer here.
trait Object:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug
{
}

impl<K> Object for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug
{
}

/// The objects of a kind that belong to applications, by namespace and name.
struct Found<K> {
    objects: HashMap<String, HashMap<String, K>>,
}

impl<K: Object> Found<K> {
    async fn all(kubernetes: &Client) -> Result<Self> {
        let mut objects: HashMap<String, HashMap<String, K>> = HashMap::new();
        let keep = |mut object: K| {
            // Larger than all the rest, and nothing that is compared.
            object.meta_mut().managed_fields = None;
            objects.entry(object.namespace().unwrap_or_default()).or_default().insert(object.name_any(), object);
        };
        kubernetes.pages(APPLICATION, keep).await?;
        Ok(Self { objects })
    }

    fn get(&self, namespace: &str, name: &str) -> Option<&K> {
        self.objects.get(namespace)?.get(name)
    }

    /// What of an object is not as it is to be.
    fn differences(&self, namespace: &str, wanted: &K) -> Result<Vec<String>> {
        let (kind, name) = (K::kind(&()), wanted.name_any());
        let Some(found) = self.get(namespace, &name) else { return Ok(vec![format!("{kind} {name} is not there")]) };
        if found.meta().deletion_timestamp.is_some() {
            return Ok(vec![format!("{kind} {name} is being removed")]);
        }
        let list = differences(&plain(wanted)?, &plain(found)?);
        Ok(list.into_iter().map(|difference| format!("{kind} {name}: {difference}")).collect())
    }

    /// Objects that say that they are the application's and are none of its own.
    fn strangers(&self, seat: &Seat, own: &[String]) -> Vec<String> {
        let id = seat.row.id.to_string();
        let here = self.objects.get(&seat.target.namespace).into_iter().flatten();
        let strange = here.filter(|(name, object)| {
            !own.contains(name) && object.labels().get(APPLICATION).is_some_and(|label| *label == id)
        });
        strange.map(|(name, _)| format!("{} {name} is there and was never deployed", K::kind(&()))).collect()
    }
}

/// An object as JSON, without what names it.
fn plain<K: Serialize>(object: &K) -> Result<Value> {
    let mut value =
        serde_json::to_value(object).map_err(|source| Error::internal("write an object as JSON", source))?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    Ok(value)
}
