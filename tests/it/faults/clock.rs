//! Workers whose clocks are wrong (F13): leases are granted, kept and lost by the database's time alone.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::support;
use crate::workflow::processes::{Process, load};
use crate::workflow::runner::until;

/// Long beside the pauses of a loaded machine.
const LEASE: Duration = Duration::from_secs(2);
/// How much later than the lease's end another may take an operation over on a loaded machine.
const SLACK: Duration = Duration::from_secs(8);
const RIGHT: &str = "+0s";

/// What makes a program believe in another time; none where it is not installed.
fn library() -> Option<PathBuf> {
    let places =
        std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    places.into_iter().find(|file| file.is_file())
}

/// A clock that can be set while a program goes by it.
struct Clock {
    file: tempfile::NamedTempFile,
    library: PathBuf,
}

impl Clock {
    fn at(time: &str) -> Option<Self> {
        let Some(library) = library() else {
            println!("skipped: libfaketime is not installed; `scripts/setup test` installs it");
            return None;
        };
        let clock = Self { file: tempfile::NamedTempFile::new().unwrap(), library };
        clock.set(time);
        Some(clock)
    }

    fn set(&self, time: &str) {
        std::fs::write(self.file.path(), format!("{time}\n")).unwrap();
    }

    /// What a program is started with. Durations are not touched: a machine's clock that is set does not change them.
    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.path().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// The seconds by which a program is ahead that goes by it.
    fn ahead(&self) -> i64 {
        let output = Command::new("date").arg("+%s").envs(self.environment()).output().unwrap();
        let shown: i64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        shown - time::OffsetDateTime::now_utc().unix_timestamp()
    }
}

/// An operation that one worker holds in a step for as long as the transaction lasts.
struct Held {
    pool: PgPool,
    operation: Uuid,
    holder: Process,
    lock: sqlx::Transaction<'static, sqlx::Postgres>,
}

impl Held {
    async fn by(clock: &Clock) -> Self {
        let pool = PgPoolOptions::new().max_connections(4).connect_with(support::database().await).await.unwrap();
        let owner = load::prepare(&pool).await;
        let mut lock = pool.begin().await.unwrap();
        sqlx::query("lock table effects in access exclusive mode").execute(&mut *lock).await.unwrap();
        let operation = load::submit(&pool, owner, 0).await;
        let holder = Process::with_environment(&pool.connect_options(), LEASE, &clock.environment());
        let id = holder.0.id();
        until("the worker is in the step", async || load::held_by(&pool, id).await == 1).await;
        Self { pool, operation, holder, lock }
    }

    /// A worker that stands by, and looks for work already.
    async fn rival(&self, clock: &Clock) -> Process {
        let sessions = async || -> i64 {
            let query =
                "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
                         and query like '%operations%'";
            sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
        };
        let before = sessions().await;
        let rival = Process::with_environment(&self.pool.connect_options(), LEASE, &clock.environment());
        until("the other looks for work", async || sessions().await > before).await;
        rival
    }

    async fn generation(&self) -> i64 {
        let query = sqlx::query_scalar("select generation from operations where id = $1").bind(self.operation);
        query.fetch_one(&self.pool).await.unwrap()
    }

    /// Looks for longer than a lease whether the operation stays with its holder.
    async fn stays(&self, words: &str) {
        let (begun, generation) = (Instant::now(), self.generation().await);
        while begun.elapsed() < LEASE * 3 / 2 {
            assert_eq!(load::held_by(&self.pool, self.holder.0.id()).await, 1, "{words}: the lease was lost");
            assert_eq!(self.generation().await, generation, "{words}: the lease was taken");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets the holder stand still; the other takes over when the lease is over, and ends the operation.
    async fn passes_on(self, rival: Process, words: &str) {
        self.holder.signal(Signal::SIGSTOP);
        let (paused, generation) = (Instant::now(), self.generation().await);
        let id = rival.0.id();
        until("the other takes over", async || load::held_by(&self.pool, id).await == 1).await;
        let took = paused.elapsed();
        // The last renewal was at most a third of a lease before.
        assert!(took > LEASE / 3 && took < LEASE + SLACK, "{words}: taken over after {took:?}");
        assert_eq!(self.generation().await, generation + 1, "{words}");
        self.lock.rollback().await.unwrap();
        until("the other ends it", async || load::open(&self.pool).await == 0).await;
        let dump = load::dump(&self.pool).await;
        assert_eq!(dump["00000"][1], "succeeded", "{words}: {dump:?}");
    }
}

async fn one_holds_and_the_other_stands_by(of_holder: &str, of_rival: &str, ahead: i64) {
    let (Some(holder), Some(rival)) = (Clock::at(of_holder), Clock::at(of_rival)) else { return };
    let words = format!("the holder's clock is {of_holder}, the other's {of_rival}");
    let wrong = if of_holder == RIGHT { &rival } else { &holder };
    assert!((wrong.ahead() - ahead).abs() < 60, "{words}: the clock is wrong by {}", wrong.ahead());
    let held = Held::by(&holder).await;
    let rival = held.rival(&rival).await;
    held.stays(&words).await;
    held.passes_on(rival, &words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_clock_is_wrong_steals_no_lease() {
    tokio::join!(
        one_holds_and_the_other_stands_by(RIGHT, "+600s", 600),
        one_holds_and_the_other_stands_by(RIGHT, "-600s", -600)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_clock_is_wrong_keeps_no_lease_and_loses_none() {
    tokio::join!(
        one_holds_and_the_other_stands_by("+600s", RIGHT, 600),
        one_holds_and_the_other_stands_by("-600s", RIGHT, -600)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_during_a_lease_changes_nothing() {
    let (Some(clock), Some(right)) = (Clock::at(RIGHT), Clock::at(RIGHT)) else { return };
    let held = Held::by(&clock).await;
    let rival = held.rival(&right).await;
    for (time, least) in [("+600s", 500), ("-600s", -700), ("@2038-01-20 03:14:08", 300_000_000), (RIGHT, -10)] {
        clock.set(time);
        assert!(clock.ahead() >= least, "{time}: the clock is ahead by {}", clock.ahead());
        held.stays(&format!("the clock jumps to {time}")).await;
    }
    held.passes_on(rival, "after the jumps").await;
}
