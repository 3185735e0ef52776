//! F5: a worker that stood still past its lease, as a paused virtual machine does, is refused by fencing.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use northstack::domain::{Code, Result};
use northstack::workflow::{Enqueued, Flow, NewOperation, Nudge, Progress, Runner, Step, StepContext, enqueue};
use serde_json::json;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{LEASE, Process, options, registry};
use crate::support;
use crate::workflow::runner::until;

const KIND: &str = "pause.write";

/// One step, which tells that it is there, waits for the word, and then writes under its lease.
pub fn flow(pool: &Arc<PgPool>) -> Flow {
    Flow::new(KIND, 1, vec![Step::new("write", "Write", pool, write)])
}

async fn count(pool: &PgPool, what: &str) -> i64 {
    let count = sqlx::query_scalar("select count(*) from marks where what = $1").bind(what);
    count.fetch_one(pool).await.unwrap()
}

async fn mark(pool: &PgPool, what: &str) {
    sqlx::query("insert into marks (what) values ($1)").bind(what).execute(pool).await.unwrap();
}

async fn write(pool: Arc<PgPool>, context: StepContext) -> Result<Progress> {
    let first = count(&pool, "entered").await == 0;
    mark(&pool, "entered").await;
    // In a task of its own: the runner lets the step itself go as soon as it sees that the lease is lost.
    let writing = tokio::spawn(async move {
        while count(&pool, "word").await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let outcome = match context.transaction().await {
            Ok(mut tx) => {
                sqlx::query("insert into marks (what) values ('written')").execute(&mut *tx).await.unwrap();
                tx.commit().await.map(|()| "accepted")
            }
            Err(error) if error.code() == Code::Conflict => Ok("refused"),
            Err(error) => Err(error),
        };
        let outcome = outcome.unwrap_or("fault");
        let reported = if context.report("still here").await.is_ok() { "told" } else { "not told" };
        mark(&pool, &format!("{}: {outcome}, {reported}", if first { "first" } else { "second" })).await;
    });
    writing.await.unwrap();
    Ok(Progress::Done(json!(first)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_paused_past_its_lease_is_refused() {
    let pool = PgPoolOptions::new().max_connections(8).connect_with(support::database().await).await.unwrap();
    sqlx::query("create table marks (place bigserial, what text)").execute(&pool).await.unwrap();
    let team = sqlx::query_scalar("insert into teams (name, slug) values ('One', 'one') returning id");
    let team: Uuid = team.fetch_one(&pool).await.unwrap();
    let shared = Arc::new(pool.clone());
    let mut tx = pool.begin().await.unwrap();
    let new = NewOperation {
        flow: &flow(&shared),
        team_id: team,
        subject_type: "pause",
        subject_id: Uuid::new_v4(),
        requested_by: None,
        input: json!({}),
        idempotency: None,
        correlation_id: "paused",
        lane: Some("pause".to_owned()),
        supersedes: &[],
    };
    let Enqueued::New(id) = enqueue(&mut tx, new).await.unwrap() else { panic!("no key was given") };
    tx.commit().await.unwrap();

    let paused = Process::start(&pool.connect_options());
    until("the first worker is in the step", async || count(&pool, "entered").await == 1).await;
    paused.signal(Signal::SIGSTOP);

    let runner = Runner::new(pool.clone(), registry(&pool), Nudge::default(), options(LEASE));
    let stop = CancellationToken::new();
    let token = stop.clone();
    let second = tokio::spawn(async move { runner.run(token).await });
    until("the second takes the operation over", async || count(&pool, "entered").await == 2).await;
    mark(&pool, "word").await;
    let ended = async || {
        let status: String =
            sqlx::query_scalar("select status from operations where id = $1").bind(id).fetch_one(&pool).await.unwrap();
        status == "succeeded"
    };
    until("the second ends it", ended).await;
    let after: String = state(&pool, id).await;

    paused.signal(Signal::SIGCONT);
    until("the first goes on", async || count(&pool, "first: refused, not told").await == 1).await;
    assert_eq!(count(&pool, "second: accepted, told").await, 1);
    assert_eq!(count(&pool, "written").await, 1, "written once, by the one who had the lease");
    assert_eq!(state(&pool, id).await, after, "nothing of the operation changed");
    stop.cancel();
    second.await.unwrap();
}

/// The operation and its steps, to the last column.
async fn state(pool: &PgPool, id: Uuid) -> String {
    sqlx::query_scalar(
        "select (select to_jsonb(o) from operations o where id = $1)::text
                || (select jsonb_agg(to_jsonb(s)) from operation_steps s where operation_id = $1)::text",
    )
    .bind(id)
    .fetch_one(pool)
    .await
    .unwrap()
}
