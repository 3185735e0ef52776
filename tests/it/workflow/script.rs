//! Flows whose steps a test writes: each run of a step is kept, with the subject's label.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use northstack::domain::Result;
use northstack::workflow::{
    Enqueued, Flow, Limits, NewOperation, Nudge, Options, Progress, Registry, Runner, Step, StepContext, Transition,
    enqueue,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support;

pub const KIND: &str = "script.run";

/// What a step does, called with its context each time.
type Work = dyn Fn(StepContext) -> BoxFuture<'static, Result<Progress>> + Send + Sync;

/// A database with scripted operations, and what was done.
#[derive(Clone)]
pub struct Stage {
    pub pool: PgPool,
    pub user: Uuid,
    pub nudge: Nudge,
    /// What the observer was told, as (label, word).
    pub told: Arc<Mutex<Vec<(String, String)>>>,
    work: Arc<Work>,
}

/// A worker of a stage.
pub struct Working {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Working {
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

impl Stage {
    /// A stage whose operations have one step, `work`, which does this.
    pub async fn new(work: impl Fn(&StepContext) -> Result<Progress> + Send + Sync + 'static) -> Self {
        Self::asynchronous(move |context| {
            let outcome = work(&context);
            Box::pin(async move { outcome })
        })
        .await
    }

    /// Likewise, with work that waits for others.
    pub async fn asynchronous(
        work: impl Fn(StepContext) -> BoxFuture<'static, Result<Progress>> + Send + Sync + 'static,
    ) -> Self {
        let pool = PgPoolOptions::new().max_connections(12).connect_with(support::database().await).await.unwrap();
        let user = sqlx::query_scalar("insert into users (email, name) values ('a@example.com', 'Ada') returning id");
        let user: Uuid = user.fetch_one(&pool).await.unwrap();
        Self { pool, user, nudge: Nudge::default(), told: Arc::default(), work: Arc::new(work) }
    }

    pub async fn team(&self, slug: &str) -> Uuid {
        let team = sqlx::query_scalar("insert into teams (name, slug) values ($1, $1) returning id").bind(slug);
        team.fetch_one(&self.pool).await.unwrap()
    }

    pub fn flow(&self) -> Flow {
        let quick = Limits { timeout: Duration::from_secs(5), deadline: Duration::from_secs(30), attempts: 4 };
        let work = Arc::new(Arc::clone(&self.work));
        let step = Step::new("work", "Work", &work, |work: Arc<Arc<Work>>, context| work(context));
        let told = Arc::clone(&self.told);
        Flow::new(KIND, 1, vec![step.limits(quick)]).observed_by(Arc::new(move |_, operation, transition| {
            let word = match transition {
                Transition::StepDone { .. } => "step done".to_owned(),
                Transition::Succeeded => "succeeded".to_owned(),
                Transition::Failed { .. } => "failed".to_owned(),
                Transition::Resumed { undo } => format!("resumed, undo {undo}"),
                Transition::CancelRequested => "cancel requested".to_owned(),
                Transition::Cancelled => "cancelled".to_owned(),
                Transition::Superseded { by } => format!("superseded by {by}"),
            };
            told.lock().unwrap().push((label(&operation.input), word));
            Box::pin(async { Ok(()) })
        }))
    }

    /// Enqueues an operation in its own transaction.
    pub async fn enqueue(&self, team: Uuid, label: &str, lane: Option<&str>, supersedes: bool) -> Uuid {
        let mut tx = self.pool.begin().await.unwrap();
        let flow = self.flow();
        let own = [&flow];
        let new = NewOperation {
            flow: &flow,
            team_id: team,
            subject_type: "script",
            subject_id: Uuid::new_v4(),
            requested_by: Some(self.user),
            input: json!({ "label": label }),
            idempotency: None,
            correlation_id: "scripted",
            lane: lane.map(str::to_owned),
            supersedes: if supersedes { &own } else { &[] },
        };
        let enqueued = enqueue(&mut tx, new).await.unwrap();
        tx.commit().await.unwrap();
        self.nudge.send(KIND);
        match enqueued {
            Enqueued::New(id) => id,
            Enqueued::Before { .. } => panic!("no idempotency key was given"),
        }
    }

    /// A worker that looks for work when it is nudged or something is due, and not otherwise.
    pub fn work(&self, options: Options) -> Working {
        self.start(Options { poll: Duration::from_secs(3600), ..options })
    }

    /// A worker with these options.
    pub fn start(&self, options: Options) -> Working {
        let options =
            Options { backoff_first: Duration::from_millis(5), backoff_most: Duration::from_millis(50), ..options };
        let runner = Runner::new(self.pool.clone(), Registry::new([self.flow()]), self.nudge.clone(), options);
        let stop = CancellationToken::new();
        let token = stop.clone();
        Working { stop, task: tokio::spawn(async move { runner.run(token).await }) }
    }

    pub async fn status(&self, id: Uuid) -> String {
        let status = sqlx::query_scalar("select status from operations where id = $1").bind(id);
        status.fetch_one(&self.pool).await.unwrap()
    }

    pub async fn ends(&self, id: Uuid, status: &str) {
        self.until(id, &["succeeded", "failed", "cancelled"]).await;
        assert_eq!(self.status(id).await, status);
    }

    /// Waits until an operation has one of these statuses.
    pub async fn until(&self, id: Uuid, statuses: &[&str]) {
        let what = format!("{id} becomes one of {statuses:?}");
        super::runner::until(&what, async || statuses.contains(&self.status(id).await.as_str())).await;
    }
}

pub fn label(input: &Value) -> String {
    input["label"].as_str().unwrap_or_default().to_owned()
}

/// The pool of the database in which a step's operation is, for what others do meanwhile.
pub async fn connect(context: &StepContext) -> PgPool {
    let mut tx = context.transaction().await.unwrap();
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(&mut *tx).await.unwrap();
    drop(tx);
    let options = support::servers().postgres.options(&name);
    PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
}
