//! F6: a database that crashes, ends sessions, refuses commits, loses answers, is away and is slow, under workers of the
//! toy flow.

use std::time::{Duration, Instant};

use northstack::dev::servers::{Durability, Postgres};
use northstack::domain::Redacted;
use northstack::workflow::testing::Bench;
use northstack::workflow::{Nudge, Options, Runner};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::platform::Proxy;
use crate::workflow::{Toy, World};

/// Operations under way while the database fails.
const OPERATIONS: usize = 30;
const SEED: u64 = 20_261_122;
const PATIENCE: Duration = Duration::from_secs(90);

/// A database server of the test's own, since its faults would strike every other test.
struct Private {
    _directory: tempfile::TempDir,
    server: Postgres,
}

impl Private {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Commits wait for the disk: what was answered must survive a crash of the server.
        let server = Postgres::start(directory.path(), &Redacted::from("private"), Durability::Durable).await.unwrap();
        server.create_database("faults").await.unwrap();
        let mut connection = server.options("faults").connect().await.unwrap();
        let mut migrator = sqlx::migrate!();
        migrator.set_locking(false).run(&mut connection).await.unwrap();
        Self { _directory: directory, server }
    }

    fn options(&self) -> PgConnectOptions {
        self.server.options("faults")
    }

    /// A session beside the pools, once the server takes one.
    async fn session(&self) -> PgConnection {
        let begun = Instant::now();
        loop {
            match self.options().connect().await {
                Ok(connection) => return connection,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "the server does not come back: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn toy(pool: PgPool) -> Toy {
    Toy::over(pool, World { looks_until_warm: 3, ..World::default() }).await
}

async fn open(options: PgConnectOptions) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(12).acquire_timeout(Duration::from_secs(5));
    pool.connect_with(options).await.unwrap()
}

/// Operations in a shared server's database, which is reached directly and through a proxy.
struct Behind {
    proxy: Proxy,
    direct: PgPool,
    through: PgPool,
    toy: Toy,
    operations: Vec<Uuid>,
}

impl Behind {
    async fn new() -> Self {
        let options = crate::support::database().await;
        let proxy = Proxy::start(options.get_port()).await;
        let direct = open(options.clone()).await;
        let through = open(options.port(proxy.port)).await;
        let toy = toy(direct.clone()).await;
        let operations = submit(&toy).await;
        Self { proxy, direct, through, toy, operations }
    }
}

/// Two workers whose leases are short, so that what one lost the other takes up.
struct Workers {
    stop: CancellationToken,
    running: Vec<tokio::task::JoinHandle<()>>,
}

impl Workers {
    fn start(toy: &Toy, pool: &PgPool) -> Self {
        Self::with_lease(toy, pool, Duration::from_secs(1))
    }

    fn with_lease(toy: &Toy, pool: &PgPool, lease: Duration) -> Self {
        let stop = CancellationToken::new();
        let worker = || {
            let options = Options {
                concurrency: 8,
                lease,
                heartbeat: lease * 3 / 10,
                poll: Duration::from_millis(100),
                backoff_first: Duration::from_millis(10),
                backoff_most: Duration::from_millis(100),
                ..Options::default()
            };
            let runner = Runner::new(pool.clone(), toy.registry(), Nudge::default(), options);
            let stop = stop.clone();
            tokio::spawn(async move { runner.run(stop).await })
        };
        let running = vec![worker(), worker()];
        Self { stop, running }
    }

    async fn stop(self) {
        self.stop.cancel();
        for worker in self.running {
            worker.await.unwrap();
        }
    }
}

const ENDED: &str = "select count(*) from operations where finished_at is not null";
const STEPS_DONE: &str = "select count(*) from operation_steps where status = 'succeeded'";

/// How many there are, if the database says.
async fn count(pool: &PgPool, query: &'static str) -> Option<i64> {
    sqlx::query_scalar(query).fetch_one(pool).await.ok()
}

/// Disturbs so many times, at moments that the seed gives, and waits until every operation has ended. The steps have
/// deadlines: a database that never lasts would rightly fail them.
async fn disturb(pool: &PgPool, times: u32, mut fault: impl AsyncFnMut()) {
    println!("seed {SEED}");
    let mut random = StdRng::seed_from_u64(SEED);
    for _ in 0..times {
        tokio::time::sleep(Duration::from_millis(random.random_range(20..200))).await;
        fault().await;
    }
    let begun = Instant::now();
    println!("{:?} of {OPERATIONS} had ended when the faults did", count(pool, ENDED).await);
    finished(pool).await;
    println!("the rest took {:?}", begun.elapsed());
}

async fn finished(pool: &PgPool) {
    reach(pool, ENDED, OPERATIONS as i64).await;
}

async fn reach(pool: &PgPool, query: &'static str, wanted: i64) {
    let begun = Instant::now();
    while count(pool, query).await < Some(wanted) {
        assert!(begun.elapsed() < PATIENCE, "{query}: {:?} of {wanted}", count(pool, query).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Every operation has succeeded and has had its effect once.
async fn assert_each_once(toy: &Toy, pool: &PgPool, operations: &[Uuid]) {
    let mut statuses: Vec<(Uuid, String, Option<String>)> =
        sqlx::query_as("select id, status, error_message from operations").fetch_all(pool).await.unwrap();
    statuses.retain(|(_, status, _)| status != "succeeded");
    assert!(statuses.is_empty(), "{statuses:?}");
    let objects = toy.world.objects.lock().unwrap().clone();
    assert_eq!(objects.len(), operations.len(), "one object for each operation");
    assert!(objects.values().all(|object| object.label.as_deref() == Some("fragile")));
    let steps: Vec<(String, i64)> =
        sqlx::query_as("select status, count(*) from operation_steps group by status order by status")
            .fetch_all(pool)
            .await
            .unwrap();
    assert_eq!(steps, [("succeeded".to_owned(), 4 * operations.len() as i64)]);
}

async fn submit(toy: &Toy) -> Vec<Uuid> {
    let mut operations = Vec::new();
    for _ in 0..OPERATIONS {
        operations.push(toy.enqueue(1).await);
    }
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_again_and_again_loses_nothing() {
    let private = Private::start().await;
    let pool = open(private.options()).await;
    let toy = toy(pool.clone()).await;
    let operations = submit(&toy).await;
    let workers = Workers::start(&toy, &pool);
    disturb(&pool, 5, async || {
        // A backend that is killed makes the server end all others and recover from its log.
        let mut session = private.session().await;
        let Ok(backend) = sqlx::query_scalar::<_, i32>("select pg_backend_pid()").fetch_one(&mut session).await else {
            return;
        };
        let killed = nix::sys::signal::kill(nix::unistd::Pid::from_raw(backend), nix::sys::signal::Signal::SIGKILL);
        assert!(matches!(killed, Ok(()) | Err(nix::errno::Errno::ESRCH)), "{killed:?}");
        // The next fault comes when the server has.
        drop(private.session().await);
    })
    .await;
    workers.stop().await;
    assert_each_once(&toy, &pool, &operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_ended_are_opened_again() {
    let private = Private::start().await;
    let pool = open(private.options()).await;
    let toy = toy(pool.clone()).await;
    let operations = submit(&toy).await;
    let workers = Workers::start(&toy, &pool);
    let mut ended = 0;
    disturb(&pool, 15, async || {
        let mut session = private.session().await;
        let others = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                      where datname = current_database() and pid <> pg_backend_pid()";
        ended += sqlx::query_scalar::<_, i64>(others).fetch_one(&mut session).await.unwrap();
    })
    .await;
    assert!(ended > 0, "some session was there to end");
    workers.stop().await;
    assert_each_once(&toy, &pool, &operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_conflict_are_done_again() {
    let pool = open(crate::support::database().await).await;
    let toy = toy(pool.clone()).await;
    let operations = submit(&toy).await;
    // A sequence counts what a transaction that is taken back cannot.
    sqlx::raw_sql(
        "create sequence refused;
         create function refuse() returns trigger language plpgsql as $$ begin
           if random() < 0.1 then
             perform nextval('refused');
             raise exception 'refused by the test'
               using errcode = case when random() < 0.5 then '40001' else '40P01' end;
           end if;
           return null;
         end $$;
         create constraint trigger refuse_steps after update on operation_steps
           deferrable initially deferred for each row execute procedure refuse();
         create constraint trigger refuse_operations after update on operations
           deferrable initially deferred for each row execute procedure refuse();",
    )
    .execute(&pool)
    .await
    .unwrap();
    let workers = Workers::start(&toy, &pool);
    finished(&pool).await;
    workers.stop().await;
    let refused: i64 = sqlx::query_scalar("select last_value from refused").fetch_one(&pool).await.unwrap();
    assert!(refused > 5, "{refused} commits were refused");
    assert_each_once(&toy, &pool, &operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_changes_nothing() {
    let Behind { proxy, direct, through, toy, operations } = Behind::new().await;
    let workers = Workers::start(&toy, &through);
    disturb(&direct, 15, async || {
        proxy.cut();
        proxy.restore();
    })
    .await;
    workers.stop().await;
    assert_each_once(&toy, &direct, &operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_for_a_while_is_waited_for() {
    let Behind { proxy, direct, through, toy, operations } = Behind::new().await;
    let workers = Workers::start(&toy, &through);
    reach(&direct, ENDED, 1).await;
    proxy.cut();
    // Longer than a lease and than a worker waits for a connection.
    tokio::time::sleep(Duration::from_secs(7)).await;
    proxy.restore();
    finished(&direct).await;
    workers.stop().await;
    assert_each_once(&toy, &direct, &operations).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_slow_is_worked_with_all_the_same() {
    const DELAY: Duration = Duration::from_millis(200);
    let Behind { proxy, direct, through, toy, operations } = Behind::new().await;
    proxy.delay(DELAY);
    let begun = Instant::now();
    sqlx::query("select 1").execute(&through).await.unwrap();
    assert!(begun.elapsed() >= DELAY, "a statement took {:?} only", begun.elapsed());
    // A transaction of a step takes more than a second now.
    let workers = Workers::with_lease(&toy, &through, Duration::from_secs(5));
    reach(&direct, STEPS_DONE, 16).await;
    proxy.delay(Duration::ZERO);
    finished(&direct).await;
    workers.stop().await;
    assert_each_once(&toy, &direct, &operations).await;
}
