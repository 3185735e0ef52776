//! Mixed work: operations of several flows, whose effects lie in tables of the test.
//!
//! `effects` stands for the outside world: a step makes its object there by a name of its own, whatever lease it holds.
//! `counts` is what the observers write, in the transactions that record the steps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use northstack::domain::{Code, Error, Result};
use northstack::workflow::{
    Enqueued, Flow, Limits, NewOperation, Progress, Step, StepContext, Transition, enqueue, signal,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

/// The kinds of work, in turn.
pub const KINDS: [&str; 6] = ["load.short", "load.wait", "load.signal", "load.flaky", "load.refused", "load.cancel"];
/// How long `load.wait` waits.
const WARM: Duration = Duration::from_millis(80);

pub async fn prepare(pool: &PgPool) -> (Uuid, Uuid) {
    for statement in [
        "create table effects (operation_id uuid, step text, primary key (operation_id, step))",
        "create table counts (operation_id uuid, what text, times integer, primary key (operation_id, what))",
        "create table lane_order (place bigserial, lane text, label text)",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    let team = sqlx::query_scalar("insert into teams (name, slug) values ('Load', 'load') returning id");
    let user = sqlx::query_scalar("insert into users (email, name) values ('a@example.com', 'Ada') returning id");
    (team.fetch_one(pool).await.unwrap(), user.fetch_one(pool).await.unwrap())
}

/// Enqueues the operation of a number: its kind and its lane follow from it.
pub async fn submit(pool: &PgPool, (team, user): (Uuid, Uuid), number: usize) -> Uuid {
    let kind = KINDS[number % KINDS.len()];
    let flows = flows(&Arc::new(pool.clone()));
    let flow = flows.iter().find(|flow| flow.kind() == kind).unwrap();
    let label = format!("{number:05}");
    let new = NewOperation {
        flow,
        team_id: team,
        subject_type: "load",
        subject_id: Uuid::new_v4(),
        requested_by: Some(user),
        input: json!({ "label": label }),
        idempotency: None,
        correlation_id: &label,
        // A third of the work is one after the other; what waits for a person would hold up the rest.
        lane: (number.is_multiple_of(3) && kind == "load.short").then(|| format!("lane-{}", number % 4)),
        supersedes: &[],
    };
    let mut tx = pool.begin().await.unwrap();
    let Enqueued::New(id) = enqueue(&mut tx, new).await.unwrap() else { panic!("no key was given") };
    if kind == "load.signal" {
        signal(&mut tx, id, "go", &json!(number), Some(user)).await.unwrap();
    }
    tx.commit().await.unwrap();
    id
}

/// Asks for the end of what only ends so, once it has got to where it waits.
pub async fn cancel_waiting(pool: &PgPool) {
    sqlx::query(
        "update operations o set cancel_requested_at = now(), available_at = now()
         where kind = 'load.cancel' and status = 'waiting' and cancel_requested_at is null and lease_holder is null",
    )
    .execute(pool)
    .await
    .unwrap();
}

pub async fn open(pool: &PgPool) -> i64 {
    let open = "select count(*) from operations where status in ('queued', 'running', 'waiting')";
    sqlx::query_scalar(open).fetch_one(pool).await.unwrap()
}

/// How many operations a process holds.
pub async fn held_by(pool: &PgPool, process: u32) -> i64 {
    let held = "select count(*) from operations where lease_holder like '%/' || $1 || '/%' and finished_at is null";
    sqlx::query_scalar(held).bind(process.to_string()).fetch_one(pool).await.unwrap()
}

/// All that is left of every operation, by its label: equal work gives equal dumps, whatever happened on the way.
pub async fn dump(pool: &PgPool) -> BTreeMap<String, Value> {
    let rows: Vec<(String, Value)> = sqlx::query_as(
        "select o.input ->> 'label',
                jsonb_build_array(
                  o.kind, o.status, o.direction, o.lease_holder, o.error_code, o.output,
                  (select jsonb_agg(jsonb_build_array(name, status, result) order by ordinal)
                   from operation_steps where operation_id = o.id),
                  (select jsonb_agg(step order by step) from effects where operation_id = o.id),
                  (select jsonb_object_agg(what, times) from counts where operation_id = o.id))
         from operations o",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    rows.into_iter().collect()
}

/// The order in which the operations of each lane began.
pub async fn lanes(pool: &PgPool) -> BTreeMap<String, Vec<String>> {
    let query = "select lane, array_agg(label order by place) from lane_order group by lane";
    let rows: Vec<(String, Vec<String>)> = sqlx::query_as(query).fetch_all(pool).await.unwrap();
    rows.into_iter().collect()
}

pub fn flows(pool: &Arc<PgPool>) -> Vec<Flow> {
    let quick = Limits { timeout: Duration::from_secs(60), deadline: Duration::from_secs(120), attempts: 1_000 };
    let flow = |kind: &'static str, middle: Step| {
        let steps = vec![
            Step::new("first", "First", pool, make).undo(pool, unmake),
            middle.undo(pool, unmake),
            Step::new("last", "Last", pool, make).undo(pool, unmake),
        ];
        let steps = steps.into_iter().map(|step| step.limits(quick)).collect();
        Flow::new(kind, 1, steps).observed_by(Arc::new(|db, operation, transition| {
            Box::pin(async move {
                let what = match transition {
                    Transition::StepDone { name, .. } => name.to_owned(),
                    Transition::Succeeded => "succeeded".to_owned(),
                    Transition::Failed { step, .. } => format!("failed at {step}"),
                    Transition::Cancelled => "cancelled".to_owned(),
                    Transition::Superseded { .. } | Transition::Resumed { .. } | Transition::CancelRequested => {
                        "unexpected".to_owned()
                    }
                };
                if let (Some(lane), "first") = (&operation.lane, what.as_str()) {
                    sqlx::query("insert into lane_order (lane, label) values ($1, $2)")
                        .bind(lane)
                        .bind(operation.input["label"].as_str())
                        .execute(&mut *db)
                        .await?;
                }
                sqlx::query(
                    "insert into counts as kept values ($1, $2, 1)
                     on conflict (operation_id, what) do update set times = kept.times + 1",
                )
                .bind(operation.id)
                .bind(what)
                .execute(db)
                .await?;
                Ok(())
            })
        }))
    };
    vec![
        flow("load.short", Step::new("middle", "Middle", pool, make)),
        flow("load.wait", Step::new("middle", "Middle", pool, warm)),
        flow("load.signal", Step::new("middle", "Middle", pool, wait_for_signal)),
        flow("load.flaky", Step::new("middle", "Middle", pool, flaky)),
        flow("load.refused", Step::new("middle", "Middle", pool, refused)),
        flow("load.cancel", Step::new("middle", "Middle", pool, never)),
    ]
}

async fn effect(pool: &PgPool, context: &StepContext, step: &str) -> Result<()> {
    sqlx::query("insert into effects values ($1, $2) on conflict do nothing")
        .bind(context.operation().id)
        .bind(step)
        .execute(pool)
        .await?;
    Ok(())
}

async fn make(pool: Arc<PgPool>, context: StepContext) -> Result<Progress> {
    effect(&pool, &context, context.step()).await?;
    Ok(Progress::Done(json!(context.step())))
}

async fn unmake(pool: Arc<PgPool>, context: StepContext) -> Result<Progress> {
    sqlx::query("delete from effects where operation_id = $1 and step = $2")
        .bind(context.operation().id)
        .bind(context.step())
        .execute(&*pool)
        .await?;
    Ok(Progress::done())
}

async fn warm(pool: Arc<PgPool>, context: StepContext) -> Result<Progress> {
    if context.elapsed() < WARM {
        return Ok(Progress::Wait { detail: "warms up".to_owned(), poll: Duration::from_millis(20) });
    }
    make(pool, context).await
}

async fn wait_for_signal(pool: Arc<PgPool>, context: StepContext) -> Result<Progress> {
    match context.signal::<Value>("go").await? {
        Some(said) => {
            effect(&pool, &context, context.step()).await?;
            Ok(Progress::Done(said))
        }
        None => Ok(Progress::Park { detail: "waits for a signal".to_owned(), wake: None }),
    }
}

async fn flaky(pool: Arc<PgPool>, context: StepContext) -> Result<Progress> {
    if context.attempt() < 3 {
        return Err(Error::new(Code::Unavailable, "not now"));
    }
    make(pool, context).await
}

async fn refused(_: Arc<PgPool>, _: StepContext) -> Result<Progress> {
    Err(Error::new(Code::VendorRejected, "never"))
}

async fn never(pool: Arc<PgPool>, context: StepContext) -> Result<Progress> {
    effect(&pool, &context, context.step()).await?;
    Ok(Progress::Wait { detail: "waits for its end".to_owned(), poll: Duration::from_millis(200) })
}
