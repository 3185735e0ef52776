//! A small flow over an outside world in memory: mint an id, make an object, wait until it is warm, label it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use northstack::db::operations;
use northstack::domain::{Code, Error, Result};
use northstack::workflow::testing::Bench;
use northstack::workflow::{Enqueued, Flow, Limits, NewOperation, Progress, Registry, Step, StepContext, enqueue};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::support;

pub const KIND: &str = "toy.make";

/// An object of the outside world.
#[derive(Debug, Clone, Default)]
pub struct Object {
    pub looks: u32,
    pub label: Option<String>,
    pub made: u32,
}

/// The outside world, and the faults that it has.
#[derive(Debug, Default)]
pub struct World {
    pub objects: Mutex<BTreeMap<String, Object>>,
    /// How many calls of `make` are refused from now on, with this code.
    pub refuse: Mutex<Vec<Code>>,
    /// How often an object must be looked at until it is warm.
    pub looks_until_warm: u32,
    /// Errors of the next undos.
    pub refuse_undo: Mutex<Vec<Code>>,
    /// Whether it cannot be reached at all.
    pub away: AtomicBool,
    /// How many came while it could not.
    pub turned_away: AtomicU32,
}

impl World {
    fn reached(&self) -> Result<()> {
        if !self.away.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.turned_away.fetch_add(1, Ordering::SeqCst);
        Err(Error::new(Code::Unavailable, "the world is away").during_outage())
    }
}

async fn mint(_: Arc<World>, _: StepContext) -> Result<Progress> {
    Ok(Progress::Done(json!(Uuid::new_v4().to_string())))
}

async fn make(world: Arc<World>, context: StepContext) -> Result<Progress> {
    world.reached()?;
    if let Some(code) = world.refuse.lock().unwrap().pop() {
        return Err(Error::new(code, "the world refuses"));
    }
    let name: String = context.result("mint")?;
    world.objects.lock().unwrap().entry(name.clone()).or_insert_with(|| Object { made: 1, ..Object::default() });
    Ok(Progress::Done(json!(name)))
}

async fn unmake(world: Arc<World>, context: StepContext) -> Result<Progress> {
    if let Some(code) = world.refuse_undo.lock().unwrap().pop() {
        return Err(Error::new(code, "the world keeps it"));
    }
    let name: String = context.result("mint")?;
    world.objects.lock().unwrap().remove(&name);
    Ok(Progress::done())
}

async fn warm(world: Arc<World>, context: StepContext) -> Result<Progress> {
    world.reached()?;
    let name: String = context.result("mint")?;
    let mut objects = world.objects.lock().unwrap();
    let object = objects.get_mut(&name).ok_or_else(|| Error::new(Code::VendorRejected, "no object"))?;
    object.looks += 1;
    if object.looks >= world.looks_until_warm {
        return Ok(Progress::done());
    }
    Ok(Progress::Wait { detail: format!("look {}", object.looks), poll: Duration::from_millis(10) })
}

async fn label(world: Arc<World>, context: StepContext) -> Result<Progress> {
    let name: String = context.result("mint")?;
    let input: Value = context.input()?;
    let mut objects = world.objects.lock().unwrap();
    let object = objects.get_mut(&name).ok_or_else(|| Error::new(Code::VendorRejected, "no object"))?;
    object.label = input["label"].as_str().map(str::to_owned);
    Ok(Progress::done())
}

pub fn flow(world: &Arc<World>, version: i32) -> Flow {
    let quick = Limits { timeout: Duration::from_secs(5), deadline: Duration::from_secs(30), attempts: 4 };
    Flow::new(
        KIND,
        version,
        vec![
            Step::new("mint", "Choose a name", world, mint).limits(quick),
            Step::new("make", "Make the object", world, make).undo(world, unmake).limits(quick),
            Step::new("warm", "Wait until it is warm", world, warm).limits(quick),
            Step::new("label", "Label it", world, label).limits(quick),
        ],
    )
}

/// A toy world with a database of its own.
pub struct Toy {
    pub world: Arc<World>,
    pub pool: PgPool,
    pub team: Uuid,
    pub user: Uuid,
}

impl Toy {
    pub async fn new() -> Self {
        Self::with(World { looks_until_warm: 3, ..World::default() }).await
    }

    pub async fn with(world: World) -> Self {
        let pool = PgPoolOptions::new().max_connections(12).connect_with(support::database().await).await.unwrap();
        Self::over(pool, world).await
    }

    /// Over a migrated database.
    pub async fn over(pool: PgPool, world: World) -> Self {
        let team = sqlx::query_scalar("insert into teams (name, slug) values ('Toys', 'toys') returning id");
        let team: Uuid = team.fetch_one(&pool).await.unwrap();
        let user = sqlx::query_scalar("insert into users (email, name) values ('a@example.com', 'Ada') returning id");
        let user: Uuid = user.fetch_one(&pool).await.unwrap();
        Self { world: Arc::new(world), pool, team, user }
    }

    pub fn new_operation<'a>(&'a self, flow: &'a Flow) -> NewOperation<'a> {
        NewOperation {
            flow,
            team_id: self.team,
            subject_type: "toy",
            subject_id: Uuid::new_v4(),
            requested_by: Some(self.user),
            input: json!({ "label": "fragile" }),
            idempotency: None,
            correlation_id: "toy-request",
            lane: None,
            supersedes: &[],
        }
    }

    pub async fn enqueue(&self, version: i32) -> Uuid {
        let flow = flow(&self.world, version);
        let mut tx = self.pool.begin().await.unwrap();
        let enqueued = enqueue(&mut tx, self.new_operation(&flow)).await.unwrap();
        tx.commit().await.unwrap();
        match enqueued {
            Enqueued::New(id) => id,
            Enqueued::Before { .. } => panic!("no idempotency key was given"),
        }
    }

    /// (status, direction, lease holder, error message, stuck reason) of an operation.
    pub async fn row(&self, id: Uuid) -> (String, String, Option<String>, Option<String>, Option<String>) {
        sqlx::query_as(
            "select status, direction, lease_holder, error_message, stuck_reason from operations where id = $1",
        )
        .bind(id)
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    /// (name, status, attempt, detail) of an operation's steps.
    pub async fn steps(&self, id: Uuid) -> Vec<(String, String, i32, Option<String>)> {
        sqlx::query_as(
            "select name, status, attempt, detail from operation_steps where operation_id = $1 order by ordinal",
        )
        .bind(id)
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }

    pub async fn request_cancel(&self, id: Uuid) {
        let mut tx = self.pool.begin().await.unwrap();
        assert!(operations::request_cancel(&mut tx, id).await.unwrap());
        tx.commit().await.unwrap();
    }

    pub async fn requeue(&self, id: Uuid, direction: &str) {
        let mut tx = self.pool.begin().await.unwrap();
        assert!(operations::requeue(&mut tx, id, direction.parse().unwrap()).await.unwrap());
        tx.commit().await.unwrap();
    }
}

impl Bench for Toy {
    fn flow(&self) -> Arc<Flow> {
        Arc::clone(self.registry().newest(KIND).unwrap())
    }

    fn registry(&self) -> Registry {
        Registry::new([flow(&self.world, 1)])
    }

    fn pool(&self) -> PgPool {
        self.pool.clone()
    }

    async fn submit(&self) -> Uuid {
        self.world.objects.lock().unwrap().clear();
        self.enqueue(1).await
    }

    async fn retry(&self, operation: Uuid) {
        let (_, direction, ..) = self.row(operation).await;
        self.requeue(operation, &direction).await;
    }

    async fn cancel(&self, operation: Uuid) {
        self.request_cancel(operation).await;
    }

    async fn dump(&self, operation: Uuid) -> Value {
        let (status, direction, holder, error, stuck) = self.row(operation).await;
        let steps: Vec<_> = self.steps(operation).await.into_iter().map(|(name, status, ..)| (name, status)).collect();
        let objects: Vec<_> = {
            let objects = self.world.objects.lock().unwrap();
            objects.values().map(|object| json!({ "label": object.label, "made": object.made })).collect()
        };
        json!({ "operation": [status, direction, holder, error, stuck], "steps": steps, "objects": objects })
    }

    async fn residue(&self, operation: Uuid) -> Value {
        let (status, direction, holder, error, stuck) = self.row(operation).await;
        let objects = self.world.objects.lock().unwrap().len();
        json!({ "operation": [status, direction, holder, error, stuck], "objects": objects })
    }
}
