//! A real remote schema: an async-graphql server that counts what it is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_graphql::{
    Context, EmptySubscription, Enum, Error, ErrorExtensions, ID, InputObject, Interface, Object, Schema, SimpleObject,
    Union,
};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Json, Router};
use serde_json::Value;

/// The remote.
pub struct Remote {
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
pub struct Shared {
    asked: Mutex<Vec<(HeaderMap, String)>>,
    phases: Mutex<BTreeMap<String, Phase>>,
}

#[derive(Enum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Pending,
    Running,
    Failed,
}

#[derive(SimpleObject, Clone)]
pub struct Pod {
    name: String,
    restarts: i32,
}

#[derive(Clone)]
pub struct Runtime {
    id: String,
    region: Option<String>,
}

#[Object]
impl Runtime {
    async fn id(&self) -> ID {
        self.id.clone().into()
    }
    /// The row of the application.
    async fn app_id(&self) -> Option<i32> {
        self.id.strip_prefix("app-").and_then(|number| number.parse().ok())
    }
    async fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
    async fn phase(&self, context: &Context<'_>) -> Phase {
        let phases = context.data_unchecked::<Arc<Shared>>().phases.lock().unwrap();
        phases.get(&self.id).copied().unwrap_or(Phase::Running)
    }
    async fn pods(&self, #[graphql(default = 2)] limit: i32) -> Vec<Pod> {
        (0..limit).map(|number| Pod { name: format!("{}-{number}", self.id), restarts: number }).collect()
    }
    async fn broken(&self) -> Result<Option<String>, Error> {
        Err(Error::new("pods cannot be listed").extend_with(|_, extensions| extensions.set("code", "UPSTREAM")))
    }
}

#[derive(Clone)]
pub struct Bill {
    id: &'static str,
    total: f64,
}

#[Object]
impl Bill {
    async fn id(&self) -> ID {
        self.id.into()
    }
    async fn total(&self) -> f64 {
        self.total
    }
}

#[derive(Union, Clone)]
pub enum Found {
    Runtime(Runtime),
    Bill(Bill),
}

#[derive(Interface, Clone)]
#[graphql(field(name = "id", ty = "ID"))]
pub enum Thing {
    Runtime(Runtime),
    Bill(Bill),
}

#[derive(InputObject)]
pub struct Text {
    eq: Option<String>,
    like: Option<String>,
}

#[derive(InputObject)]
pub struct Filter {
    owner: Option<Text>,
    phase: Option<Phase>,
    limit: Option<i32>,
}

pub struct Query;

fn text(filter: &Option<Text>) -> String {
    let Some(Text { eq, like }) = filter else { return "any".to_owned() };
    format!("eq {eq:?} like {like:?}")
}

#[Object]
impl Query {
    async fn runtime(&self, id: ID, region: Option<String>) -> Option<Runtime> {
        let id = id.to_string();
        (id != "gone").then_some(Runtime { id, region })
    }
    async fn runtimes(&self, ids: Vec<ID>) -> Vec<Runtime> {
        ids.into_iter().map(|id| Runtime { id: id.to_string(), region: None }).collect()
    }
    async fn search(&self, filter: Filter) -> String {
        let phase = filter.phase.map_or("any".to_owned(), |phase| format!("{phase:?}").to_uppercase());
        format!("owner {} phase {phase} limit {:?}", text(&filter.owner), filter.limit)
    }
    async fn found(&self) -> Vec<Found> {
        let runtime = Runtime { id: "app-1".to_owned(), region: None };
        vec![Found::Runtime(runtime), Found::Bill(Bill { id: "b-1", total: 12.5 })]
    }
    async fn things(&self) -> Vec<Thing> {
        let runtime = Runtime { id: "app-2".to_owned(), region: None };
        vec![Thing::Runtime(runtime), Thing::Bill(Bill { id: "b-2", total: 1.5 })]
    }
    async fn in_phase(&self, phase: Phase) -> Vec<Runtime> {
        let name = if phase == Phase::Failed { "app-9" } else { "app-1" };
        vec![Runtime { id: name.to_owned(), region: None }]
    }
}

pub struct Mutation;

#[Object]
impl Mutation {
    async fn restart(&self, id: ID) -> Runtime {
        Runtime { id: id.to_string(), region: None }
    }
}

type Graph = Schema<Query, Mutation, EmptySubscription>;

async fn answer(
    State((graph, shared)): State<(Graph, Arc<Shared>)>,
    headers: HeaderMap,
    Json(request): Json<async_graphql::Request>,
) -> Json<async_graphql::Response> {
    if request.operation_name.as_deref() != Some("IntrospectionQuery") {
        shared.asked.lock().unwrap().push((headers, request.query.clone()));
    }
    Json(graph.execute(request).await)
}

impl Remote {
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let graph = Schema::build(Query, Mutation, EmptySubscription).data(shared.clone()).finish();
        let router = Router::new().fallback(answer).with_state((graph, shared.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/graphql", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared }
    }

    /// The documents that it was asked since the last look.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().drain(..).map(|(_, query)| query).collect()
    }

    /// The values of a header that it was asked with since the last look.
    pub fn asked_with(&self, header: &str) -> Vec<String> {
        let value = |(headers, _): (HeaderMap, String)| headers[header].to_str().unwrap().to_owned();
        self.shared.asked.lock().unwrap().drain(..).map(value).collect()
    }

    pub fn set_phase(&self, id: &str, phase: Phase) {
        self.shared.phases.lock().unwrap().insert(id.to_owned(), phase);
    }

    /// Its entry in the metadata.
    pub fn entry(&self, more: Value) -> Value {
        let mut entry = serde_json::json!({"name": "runtime", "definition": {"url": self.url}});
        for (key, value) in more.as_object().into_iter().flatten() {
            match (key.as_str(), entry.get_mut(key)) {
                ("definition", Some(Value::Object(definition))) => {
                    definition.extend(value.as_object().unwrap().clone());
                }
                _ => entry[key] = value.clone(),
            }
        }
        entry
    }
}
