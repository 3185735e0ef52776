//! `whyNot`: the chain of facts behind "not live", from the application's row down to a container and up to its address.
//!
//! First everything is read ([`Observed`]), then facts are made of it, then a conclusion of the facts. Only the first
//! touches the world.

mod cluster;
mod events;
mod rows;
mod words;

use async_graphql::SimpleObject;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Event, Namespace, Service};
use k8s_openapi::api::networking::v1::Ingress;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Seen;
use crate::app::App;
use crate::db::runtime::{self, Deployment, Operation, Placed, Step};
use crate::domain::{Actor, Result};
use crate::vendors::kubernetes::{HttpRoute, over, said};
use crate::workflow::flows::application::{SUBJECT, names::APPLICATION};

/// Why an application is not live, or that it is.
#[derive(SimpleObject, Debug, Clone)]
pub struct WhyNot {
    /// The application.
    pub application_id: Uuid,
    /// Whether its newest revision serves traffic.
    pub live: bool,
    /// What it comes to, and what to do about it.
    pub conclusion: String,
    /// The facts, in the order of cause: what was wanted, what was made of it, what runs, how it is reached.
    pub facts: Vec<Fact>,
}

/// One thing that was looked at.
#[derive(SimpleObject, Debug, Clone)]
pub struct Fact {
    /// Where it was seen: `Application`, `Revision`, `Operation` or `Step`, or the kind of an object in the cluster.
    pub source: String,
    /// What it is about, such as the object's name.
    pub subject: String,
    /// Whether it is as it is to be.
    pub ok: bool,
    /// What was seen.
    pub evidence: String,
    /// When it was seen: the row's last change, or when the cluster was asked.
    pub observed_at: OffsetDateTime,
    /// What to do about it, and how near it is to the cause.
    #[graphql(skip)]
    advice: Option<(Cause, String)>,
    /// What somebody else said of it, which others may have said already.
    #[graphql(skip)]
    quote: Option<String>,
}

/// How near a failing fact is to the cause of it all; the nearest one is the conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// Follows from others.
    Effect,
    /// The way to the pods.
    Route,
    /// What the platform does about it.
    Operation,
    /// What a Deployment says of its pods.
    Workload,
    /// What a pod says of itself.
    Pod,
    /// What a container says of itself.
    Container,
    /// There is nothing for anything to be in.
    Place,
    /// It is so because somebody wanted it.
    Wish,
}

impl Fact {
    fn new(
        source: &str,
        subject: impl Into<String>,
        ok: bool,
        evidence: impl Into<String>,
        at: OffsetDateTime,
    ) -> Self {
        Self {
            source: source.to_owned(),
            subject: subject.into(),
            ok,
            evidence: evidence.into(),
            observed_at: at,
            advice: None,
            quote: None,
        }
    }

    /// With what was said of it, in words that are told once however many say them.
    fn quoting(mut self, words: Option<&str>) -> Self {
        self.quote = words.map(said).filter(|words| !words.is_empty());
        self
    }

    fn advising(mut self, cause: Cause, advice: impl Into<String>) -> Self {
        self.advice = Some((cause, advice.into()));
        self
    }
}

/// All that is known of an application.
struct Observed {
    application: Placed,
    deployment: Option<Deployment>,
    operation: Option<Operation>,
    step: Option<Step>,
    cluster: Cluster,
}

/// What the cluster says.
enum Cluster {
    /// Nothing was ever asked of it.
    Untouched,
    /// It does not answer.
    Silent(String, OffsetDateTime),
    /// What is there.
    Seen(Box<Objects>),
}

/// The objects of the application.
struct Objects {
    at: OffsetDateTime,
    namespace: Option<Namespace>,
    seen: Seen,
    replica_sets: Vec<ReplicaSet>,
    events: Vec<Event>,
    service: Option<Service>,
    ingress: Option<Ingress>,
    autoscaler: Option<HorizontalPodAutoscaler>,
    /// The route through a Gateway, where it is to have one in place of an Ingress.
    route: Option<HttpRoute>,
    /// Whether it is.
    routed: bool,
}

impl App {
    /// Why an application is not live.
    ///
    /// # Errors
    /// `not-found`, also for an application of a team of which the actor is no member; `unavailable` when the database
    /// is. A cluster that does not answer is a fact, and no error.
    pub async fn why_not(&self, actor: &Actor, id: Uuid) -> Result<WhyNot> {
        let application = self.visible_application(actor, id).await?;
        let pool = self.db.pool();
        let deployment = runtime::newest_deployment(pool, id).await?;
        let operation = runtime::newest_operation(pool, SUBJECT, id).await?;
        let step = match &operation {
            Some(operation) => runtime::current_step(pool, operation.id).await?,
            None => None,
        };
        let cluster = match self.objects(&application).await {
            Ok(Some(objects)) => Cluster::Seen(Box::new(objects)),
            Ok(None) => Cluster::Untouched,
            Err(error) => Cluster::Silent(error.message().to_owned(), OffsetDateTime::now_utc()),
        };
        Ok(explain(&Observed { application, deployment, operation, step, cluster }))
    }

    async fn objects(&self, application: &Placed) -> Result<Option<Objects>> {
        let (Some(namespace), Some(workload)) = (&application.namespace, &application.workload) else {
            return Ok(None);
        };
        let kubernetes = self.cluster()?;
        let selector = format!("{APPLICATION}={}", application.id);
        let gateway = self.provisioning.as_ref().and_then(|it| it.applications.gateway());
        let (seen, there, replica_sets, events, service, ingress, autoscaler, route) = tokio::try_join!(
            Seen::of(kubernetes, namespace, &selector),
            async { Ok(kubernetes.namespace(namespace).await?) },
            async { Ok(kubernetes.list(namespace, &selector).await?) },
            async { Ok(kubernetes.events(namespace).await?) },
            async { Ok(kubernetes.get(namespace, workload).await?) },
            async { Ok(kubernetes.get(namespace, workload).await?) },
            async { Ok(kubernetes.get(namespace, workload).await?) },
            async {
                match gateway {
                    Some(_) => Ok(kubernetes.get(namespace, workload).await?),
                    None => Ok(None),
                }
            },
        )?;
        let at = OffsetDateTime::now_utc();
        let routed = gateway.is_some();
        let (namespace, mut seen) = (there, seen);
        // What has come to its end comes last: it explains nothing while others are there.
        seen.pods.sort_by_key(over);
        Ok(Some(Objects { at, namespace, seen, replica_sets, events, service, ingress, autoscaler, route, routed }))
    }
}

/// The facts, and what they come to.
fn explain(observed: &Observed) -> WhyNot {
    let mut facts = rows::facts(observed);
    facts.extend(cluster::facts(observed));
    let live = facts.iter().all(|fact| fact.ok);
    quote_once(&mut facts);
    WhyNot { application_id: observed.application.id, live, conclusion: conclude(observed, &facts), facts }
}

/// Adds to each fact what was said of it, unless a fact before it has the same words or their end, where the cause is.
fn quote_once(facts: &mut [Fact]) {
    /// Characters of an end that are no chance: others may have said the same with another beginning.
    const END: usize = 40;
    let mut told = String::new();
    for fact in facts {
        if let Some(quote) = fact.quote.take() {
            let end = quote.char_indices().rev().nth(END).and_then(|(at, _)| quote.get(at..)).unwrap_or(&quote);
            if !told.contains(end.trim_end_matches([')', '.', ' '])) {
                fact.evidence.push_str(&format!(": {quote}"));
            }
        }
        told.push_str(&fact.evidence);
        told.push('\n');
    }
}

fn conclude(observed: &Observed, facts: &[Fact]) -> String {
    let wrong = facts.iter().filter(|fact| !fact.ok).filter_map(|fact| fact.advice.as_ref());
    // Of two that are as near to the cause, the one that was found first.
    let nearest = wrong.reduce(|best, next| if next.0 > best.0 { next } else { best });
    match nearest {
        Some((_, advice)) => advice.clone(),
        None if facts.iter().all(|fact| fact.ok) => {
            let place = observed.application.url.as_ref().map(|url| format!(" at {url}")).unwrap_or_default();
            format!("The application is live{place}.")
        }
        None => "The application is on its way: nothing that was seen is wrong for good. Look again soon.".to_owned(),
    }
}
