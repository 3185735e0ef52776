//! What a durable step costs, against a floor measured in the same run: three commits by plain SQL (T14).
//!
//! `cargo bench --bench workflow`. PostgreSQL is a private one that writes to disk before it answers. The process starts
//! itself once more as a worker that is killed.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use northstack::dev::servers::{Durability, Postgres};
use northstack::domain::Redacted;
use northstack::workflow::{
    Enqueued, Flow, NewOperation, Nudge, Options, Progress, Registry, Runner, Step, StepContext, enqueue,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Steps of the operations whose throughput is measured.
const STEPS: usize = 5;
/// Operations of one measurement.
const OPERATIONS: usize = 300;
/// Operations at work at once.
const AT_ONCE: usize = 16;
/// How often a worker is killed.
const KILLS: usize = 10;
const WORKER: &str = "NORTHSTACK_BENCH_WORKER_PORT";
const PASSWORD: &str = "bench";
const USER: &str = "NORTHSTACK_BENCH_WORKER_USER";
/// Steps of the operations whose single steps are measured.
const LONG: usize = 40;

/// When each step of each operation was called.
type Calls = Arc<Mutex<Vec<(Uuid, Instant)>>>;

fn flow(kind: &'static str, steps: usize, calls: &Calls) -> Flow {
    let work = |calls: Arc<Calls>, context: StepContext| async move {
        calls.lock().unwrap().push((context.operation().id, Instant::now()));
        Ok(Progress::Done(Value::Null))
    };
    let calls = Arc::new(Arc::clone(calls));
    let steps = (0..steps)
        .map(|number| {
            let name: &'static str = format!("step-{number}").leak();
            Step::new(name, name, &calls, work)
        })
        .collect();
    Flow::new(kind, 1, steps)
}

/// A flow whose one step stands still until the table `go` has a row.
fn held(pool: &PgPool) -> Flow {
    let work = |pool: Arc<PgPool>, _: StepContext| async move {
        sqlx::query("insert into entered default values").execute(&*pool).await?;
        while sqlx::query_scalar::<_, i64>("select count(*) from go").fetch_one(&*pool).await? == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(Progress::Done(Value::Null))
    };
    Flow::new("bench.held", 1, vec![Step::new("hold", "Hold", &Arc::new(pool.clone()), work)])
}

async fn submit(pool: &PgPool, team: Uuid, flow: &Flow) -> Uuid {
    let mut tx = pool.begin().await.unwrap();
    let new = NewOperation {
        flow,
        team_id: team,
        subject_type: "bench",
        subject_id: Uuid::new_v4(),
        requested_by: None,
        input: json!({}),
        idempotency: None,
        correlation_id: "bench",
        lane: None,
        supersedes: &[],
    };
    let Enqueued::New(id) = enqueue(&mut tx, new).await.unwrap() else { panic!("no key was given") };
    tx.commit().await.unwrap();
    id
}

async fn open(pool: &PgPool) -> i64 {
    let open = "select count(*) from operations where status in ('queued', 'running', 'waiting')";
    sqlx::query_scalar(open).fetch_one(pool).await.unwrap()
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn quantile(sorted: &[Duration], share: f64) -> Duration {
    // The place lies within the list.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    let place = ((sorted.len() - 1) as f64 * share) as usize;
    sorted[place]
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    format!("p50 {:.2?}, p99 {:.2?}", quantile(&times, 0.5), quantile(&times, 0.99))
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    quantile(&times, 0.5)
}

/// Three commits of a step by plain SQL, as many times as asked, over one connection.
async fn plain(pool: &PgPool, team: Uuid, steps: usize) -> Vec<Duration> {
    let id = submit(pool, team, &flow("bench.floor", 1, &Calls::default())).await;
    let mut connection = pool.acquire().await.unwrap();
    let statements = [
        "update operation_steps set status = 'running', attempt = attempt + 1 where operation_id = $1",
        "update operations set output = '{}' where id = $1",
        "update operation_steps set status = 'pending', result = 'null' where operation_id = $1",
    ];
    let mut times = Vec::with_capacity(steps);
    for _ in 0..steps {
        let began = Instant::now();
        for statement in statements {
            sqlx::query(statement).bind(id).execute(&mut *connection).await.unwrap();
        }
        times.push(began.elapsed());
    }
    sqlx::query("update operations set status = 'succeeded' where id = $1").bind(id).execute(pool).await.unwrap();
    times
}

/// Runs what was enqueued to its end; gives how long it took.
async fn run(pool: &PgPool, registry: Registry, at_once: usize) -> Duration {
    let options = Options { concurrency: at_once, ..Options::default() };
    let (runner, stop) = (Runner::new(pool.clone(), registry, Nudge::default(), options), CancellationToken::new());
    let token = stop.clone();
    let began = Instant::now();
    let task = tokio::spawn(async move { runner.run(token).await });
    until(async || open(pool).await == 0).await;
    let took = began.elapsed();
    stop.cancel();
    task.await.unwrap();
    took
}

/// The time from one step's call to the next one's of the same operation: all of it is the runner's, for the steps do
/// nothing.
fn between(calls: &Calls) -> Vec<Duration> {
    let mut calls = calls.lock().unwrap().clone();
    calls.sort();
    calls.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1 - pair[0].1).collect()
}

/// `kill -9` of a worker in a step, and the time until its successor has ended the operation.
async fn resume(pool: &PgPool, team: Uuid, server: &Postgres) -> Duration {
    for statement in ["truncate go", "truncate entered"] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    submit(pool, team, &held(pool)).await;
    let mut first = worker(server);
    let entered = async || sqlx::query_scalar::<_, i64>("select count(*) from entered").fetch_one(pool).await.unwrap();
    until(async || entered().await == 1).await;
    first.kill().unwrap();
    first.wait().unwrap();
    let killed = Instant::now();
    sqlx::query("insert into go values (1)").execute(pool).await.unwrap();
    let mut second = worker(server);
    until(async || open(pool).await == 0).await;
    let took = killed.elapsed();
    second.kill().unwrap();
    second.wait().unwrap();
    took
}

fn worker(server: &Postgres) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(WORKER, server.port().to_string()).env(USER, server.user()).stdout(Stdio::null()).spawn().unwrap()
}

async fn work(port: u16) {
    let options =
        PgConnectOptions::new().host("127.0.0.1").port(port).username(&std::env::var(USER).unwrap()).password(PASSWORD);
    let pool = PgPoolOptions::new().max_connections(8).connect_with(options.database("bench")).await.unwrap();
    let runner = Runner::new(pool.clone(), Registry::new([held(&pool)]), Nudge::default(), Options::default());
    runner.run(CancellationToken::new()).await;
}

async fn measure() {
    let directory = tempfile::tempdir().unwrap();
    let server = Postgres::start(directory.path(), &Redacted::from(PASSWORD), Durability::Durable).await.unwrap();
    server.create_database("bench").await.unwrap();
    let connections = u32::try_from(AT_ONCE * 2).unwrap();
    let pool = PgPoolOptions::new().max_connections(connections).min_connections(connections);
    let pool = pool.connect_with(server.options("bench")).await.unwrap();
    sqlx::migrate!().set_locking(false).run(&pool).await.unwrap();
    for statement in ["create table go (n integer)", "create table entered (n serial)"] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let team = sqlx::query_scalar("insert into teams (name, slug) values ('Bench', 'bench') returning id");
    let team: Uuid = team.fetch_one(&pool).await.unwrap();

    plain(&pool, team, 50).await;
    let floor = plain(&pool, team, 300).await;
    let floor_median = median(&floor);
    println!("floor, 3 commits by plain SQL, alone:          {}", spread(floor));

    let alone = Calls::default();
    let long = flow("bench.long", LONG, &alone);
    for _ in 0..8 {
        submit(&pool, team, &long).await;
    }
    run(&pool, Registry::new([long]), 1).await;
    let steps = between(&alone);
    let ratio = median(&steps).as_secs_f64() / floor_median.as_secs_f64();
    println!("a durable step, one operation at a time:       {} ({ratio:.2} x the floor)", spread(steps));

    let began = Instant::now();
    let floors = (0..AT_ONCE).map(|_| plain(&pool, team, OPERATIONS * STEPS / AT_ONCE));
    let floor_steps: usize = futures::future::join_all(floors).await.iter().map(Vec::len).sum();
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let floor_rate = floor_steps as f64 / began.elapsed().as_secs_f64();
    println!("floor, {AT_ONCE} at once:                             {floor_rate:.0} steps/s");

    let crowd = Calls::default();
    let short = flow("bench.short", STEPS, &crowd);
    for _ in 0..OPERATIONS {
        submit(&pool, team, &short).await;
    }
    let took = run(&pool, Registry::new([short]), AT_ONCE).await;
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let operations = OPERATIONS as f64 / took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let rate = operations * STEPS as f64;
    println!(
        "durable steps, {AT_ONCE} operations at once:          {rate:.0} steps/s, {operations:.0} operations of {STEPS} \
         steps/s ({:.2} of the floor), step to step {}",
        rate / floor_rate,
        spread(between(&crowd))
    );

    let mut resumed = Vec::new();
    for _ in 0..KILLS {
        resumed.push(resume(&pool, team, &server).await);
    }
    let most = resumed.iter().max().copied().unwrap_or_default();
    println!("kill -9 of a worker to its operation's end by a new one: {}, most {most:.2?}", spread(resumed));
    pool.close().await;
    server.stop().await;
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match std::env::var(WORKER) {
        Ok(port) => runtime.block_on(work(port.parse().unwrap())),
        Err(_) => runtime.block_on(measure()),
    }
}
