//! What of applications is in the cluster, held against what is to be there. Each object is compared as it is read and
//! forgotten then, so that a pass over many applications needs the memory of a page.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::super::names::{APPLICATION, Colour, Target};
use super::super::{Change, desired, secrets};
use super::compare::differences;
use crate::config;
use crate::db::settled::Settled;
use crate::domain::workload::Workload;
use crate::domain::{Error, Result};
use crate::vendors::kubernetes::{Client, HttpRoute, strangers};

/// The end of what is told of an object that says that it is an application's, and is none of its.
const NEVER_DEPLOYED: &str = "is there and was never deployed";
/// Applications that are looked at at once, one by one.
const AT_ONCE: usize = 8;

/// An application with what of it is not as it is to be.
#[derive(Debug)]
pub struct Seat {
    pub id: Uuid,
    pub team: Uuid,
    /// Whether it is to be put right.
    pub heal: bool,
    /// Where it is.
    pub target: Target,
    /// The running revision in the size that the application was last given.
    pub workload: Workload,
    /// The differences, in words.
    pub differences: Vec<String>,
    colour: Colour,
}

impl Seat {
    /// An application that has not been looked at.
    ///
    /// # Errors
    /// `internal` when its rows cannot be read.
    pub fn new(row: Settled) -> Result<Self> {
        let mut workload = row.revision;
        if let Some(change) = row.change {
            let change: Change =
                serde_json::from_value(change).map_err(|source| Error::internal("read a change of size", source))?;
            if let Some(replicas) = change.replicas {
                workload.replicas = replicas;
                workload.settings.autoscaling = change.autoscaling;
            }
        }
        let target = Target {
            application: row.id,
            project: row.project_id,
            environment: row.environment,
            namespace: row.namespace,
            workload: row.workload,
        };
        Ok(Self {
            id: row.id,
            team: row.team_id,
            heal: row.heal_drift,
            target,
            workload,
            differences: Vec::new(),
            colour: Colour::default(),
        })
    }
}

/// Compares many applications with the cluster, by listing each kind once.
///
/// # Errors
/// `unavailable` when the cluster is.
pub async fn everywhere(kubernetes: &Client, settings: &config::Applications, rows: Vec<Settled>) -> Result<Vec<Seat>> {
    look(kubernetes, settings, seats(rows)?, Where::Everywhere).await
}

/// What of an application that was put right is still not as it is to be.
pub(super) async fn left(kubernetes: &Client, settings: &config::Applications, seat: Seat) -> Result<Vec<String>> {
    let seats = look(kubernetes, settings, vec![seat], Where::Own).await?;
    let differences = seats.into_iter().flat_map(|seat| seat.differences);
    // What stands beside the application's objects was told and is left alone: nobody has said that it may go.
    Ok(differences.filter(|told| !told.ends_with(NEVER_DEPLOYED)).collect())
}

fn seats(rows: Vec<Settled>) -> Result<Vec<Seat>> {
    rows.into_iter().map(Seat::new).collect()
}

/// Compares a few applications with the cluster, each by its own objects.
///
/// # Errors
/// `unavailable` when the cluster is.
pub async fn one_by_one(kubernetes: &Client, settings: &config::Applications, rows: Vec<Settled>) -> Result<Vec<Seat>> {
    let looks = seats(rows)?.into_iter().map(|seat| look(kubernetes, settings, vec![seat], Where::Own));
    stream::iter(looks).buffer_unordered(AT_ONCE).try_concat().await
}

/// Which objects are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    /// Those of all applications.
    Everywhere,
    /// Those of each application that is looked at.
    Own,
}

async fn look(kubernetes: &Client, settings: &config::Applications, seats: Vec<Seat>, at: Where) -> Result<Vec<Seat>> {
    let places = seats.iter().enumerate().map(|(place, seat)| (seat.id, place)).collect();
    let mut survey = Survey { kubernetes, at, seats, places };
    // The Service comes first: it says which pods serve.
    survey
        .judge(&Rule::<Service> {
            name: |seat| seat.target.workload.clone(),
            wanted: &|seat, _| desired::service(settings, &seat.target, &seat.workload, seat.colour).map(Some),
            note: |seat, service| seat.colour = desired::serving(Some(service)),
            strangers: false,
        })
        .await?;
    survey
        .judge(&Rule::<Deployment> {
            name: |seat| desired::deployment_name(&seat.target, seat.colour),
            wanted: &|seat, found| desired::deployment(&seat.target, &seat.workload, seat.colour, found).map(Some),
            note: |_, _| (),
            strangers: true,
        })
        .await?;
    survey
        .judge(&Rule::<Ingress> {
            name: |seat| seat.target.workload.clone(),
            wanted: &|seat, _| desired::ingress(settings, &seat.target, &seat.workload),
            note: |_, _| (),
            strangers: true,
        })
        .await?;
    survey
        .judge(&Rule::<HttpRoute> {
            name: |seat| seat.target.workload.clone(),
            wanted: &|seat, _| desired::route(settings, &seat.target, &seat.workload),
            note: |_, _| (),
            strangers: true,
        })
        .await?;
    survey
        .judge(&Rule::<HorizontalPodAutoscaler> {
            name: |seat| seat.target.workload.clone(),
            wanted: &|seat, _| desired::autoscaler(&seat.target, &seat.workload, seat.colour),
            note: |_, _| (),
            strangers: true,
        })
        .await?;
    survey
        .judge(&Rule::<PodDisruptionBudget> {
            name: |seat| seat.target.workload.clone(),
            wanted: &|seat, _| desired::budget(&seat.target).map(Some),
            note: |_, _| (),
            strangers: true,
        })
        .await?;
    survey
        .judge(&Rule::<ConfigMap> {
            name: |seat| seat.target.configuration(seat.workload.revision),
            wanted: &|seat, _| desired::configuration(&seat.target, &seat.workload).map(Some),
            note: |_, _| (),
            // Those of earlier revisions stay.
            strangers: false,
        })
        .await?;
    survey
        .judge(&Rule::<Secret> {
            name: |seat| seat.target.configuration(seat.workload.revision),
            wanted: &|seat, _| desired::secret(&seat.target, &seat.workload),
            // What is wanted has no values: who has written them is what is looked at.
            note: |seat, secret| {
                for difference in secrets::entries(secret, &seat.workload) {
                    let told = format!("Secret {}: {difference}", secret.name_any());
                    if !seat.differences.contains(&told) {
                        seat.differences.push(told);
                    }
                }
            },
            strangers: false,
        })
        .await?;
    Ok(survey.seats)
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

/// The object that an application is to have, if any, beside the one that is there.
type Wanted<'a, K> = dyn Fn(&Seat, Option<&K>) -> Result<Option<K>> + Sync + 'a;

/// What is to be there of a kind.
struct Rule<'a, K> {
    /// The name of an application's object, were it to have one.
    name: fn(&Seat) -> String,
    /// The object that it is to have.
    wanted: &'a Wanted<'a, K>,
    /// What is learned of the object that is there before it is compared.
    note: fn(&mut Seat, &K),
    /// Whether others that say that they are the application's are told of.
    strangers: bool,
}

/// What was found of a kind of an application. Objects may come twice, when a list was begun again.
#[derive(Default)]
struct Verdict {
    there: bool,
    differences: Vec<String>,
    strangers: BTreeSet<String>,
}

/// The applications that are looked at, and where.
struct Survey<'a> {
    kubernetes: &'a Client,
    at: Where,
    seats: Vec<Seat>,
    places: HashMap<Uuid, usize>,
}

impl Survey<'_> {
    async fn judge<K: Object>(&mut self, rule: &Rule<'_, K>) -> Result<()> {
        let mut verdicts: Vec<Verdict> = self.seats.iter().map(|_| Verdict::default()).collect();
        let mut failure = None;
        let own = match self.at {
            Where::Everywhere => Vec::new(),
            Where::Own => self.seats.iter().map(|seat| seat.target.clone()).collect(),
        };
        let (seats, places) = (&mut self.seats, &self.places);
        let each = |object: K| {
            let Some(place) = place(places, &object) else { return };
            let (Some(seat), Some(verdict)) = (seats.get_mut(place), verdicts.get_mut(place)) else { return };
            if seat.target.namespace == object.namespace().unwrap_or_default()
                && let Err(error) = meet(rule, seat, verdict, object)
            {
                failure.get_or_insert(error);
            }
        };
        match self.at {
            Where::Everywhere => self.kubernetes.pages(APPLICATION, each).await?,
            Where::Own => {
                let mut objects: Vec<K> = Vec::new();
                for target in &own {
                    objects.extend(self.kubernetes.list::<K>(&target.namespace, &target.selector()).await?);
                }
                objects.into_iter().for_each(each);
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        for (seat, verdict) in self.seats.iter_mut().zip(verdicts) {
            let kind = K::kind(&());
            if !verdict.there && (rule.wanted)(seat, None)?.is_some() {
                seat.differences.push(format!("{kind} {} is not there", (rule.name)(seat)));
            }
            seat.differences.extend(verdict.differences);
            let strange = |name| format!("{kind} {name} {NEVER_DEPLOYED}");
            seat.differences.extend(verdict.strangers.into_iter().map(strange));
        }
        Ok(())
    }
}

/// The place of the application whose object it says that it is.
fn place<K: Object>(places: &HashMap<Uuid, usize>, object: &K) -> Option<usize> {
    let application: Uuid = object.labels().get(APPLICATION)?.parse().ok()?;
    places.get(&application).copied()
}

/// Compares an object that is there with the one that is to be.
fn meet<K: Object>(rule: &Rule<'_, K>, seat: &mut Seat, verdict: &mut Verdict, mut object: K) -> Result<()> {
    let (kind, name) = (K::kind(&()), object.name_any());
    let own = name == (rule.name)(seat);
    if own {
        (rule.note)(seat, &object);
    }
    let wanted = if own { (rule.wanted)(seat, Some(&object))? } else { None };
    let Some(wanted) = wanted else {
        if rule.strangers {
            verdict.strangers.insert(name);
        }
        return Ok(());
    };
    verdict.there = true;
    if object.meta().deletion_timestamp.is_some() {
        verdict.differences = vec![format!("{kind} {name} is being removed")];
        return Ok(());
    }
    let added = strangers(&wanted, &object);
    // Larger than all the rest, and nothing that is compared.
    object.meta_mut().managed_fields = None;
    let mut list = differences(&plain(&wanted)?, &plain(&object)?);
    list.retain(|told| !added.iter().any(|added| told.starts_with(&format!("{} ", added.path))));
    list.extend(added.iter().map(ToString::to_string));
    verdict.differences = list.into_iter().map(|difference| format!("{kind} {name}: {difference}")).collect();
    Ok(())
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
