//! Workers as processes of their own: killed at random moments (F4), and paused past their leases (F5).

mod kills;
pub mod load;
mod pause;
mod resume;

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use northstack::domain::Redacted;
use northstack::workflow::{Nudge, Options, Registry, Runner};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio_util::sync::CancellationToken;

/// The variables that tell a worker process its database.
const DATABASE: &str = "NORTHSTACK_TEST_WORKER_DATABASE";
const PORT: &str = "NORTHSTACK_TEST_WORKER_PORT";
const HOLD: &str = "NORTHSTACK_TEST_WORKER_LEASE";
const USER: &str = "NORTHSTACK_TEST_WORKER_USER";
/// What the tests' servers have as their password.
const PASSWORD: &str = "integration-test";

/// How long a claim of these workers holds: what a kill costs, at most.
const LEASE: Duration = Duration::from_millis(600);

/// A worker process.
pub struct Process(pub Child);

impl Process {
    /// Starts this very test program as a worker.
    fn start(database: &PgConnectOptions) -> Self {
        Self::with_lease(database, LEASE)
    }

    /// Likewise, with claims that hold this long.
    pub fn with_lease(database: &PgConnectOptions, lease: Duration) -> Self {
        Self::with_environment(database, lease, &[])
    }

    /// Likewise, with these variables beside the others.
    pub fn with_environment(database: &PgConnectOptions, lease: Duration, more: &[(&str, String)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "workflow::processes::worker_process", "--ignored", "--quiet"])
            .env(DATABASE, database.get_database().unwrap())
            .env(PORT, database.get_port().to_string())
            .env(HOLD, lease.as_millis().to_string())
            .env(USER, database.get_username())
            .envs(more.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::kill(id, signal).unwrap();
    }

    /// `kill -9`. Answers its process id.
    fn kill(mut self) -> u32 {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already where a test killed it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The flows that worker processes know, over a pool for effects that no lease guards.
fn registry(pool: &PgPool) -> Registry {
    let pool = Arc::new(pool.clone());
    Registry::new(load::flows(&pool).into_iter().chain([pause::flow(&pool)]))
}

fn options(lease: Duration) -> Options {
    Options {
        lease,
        heartbeat: lease / 3,
        poll: Duration::from_millis(50),
        backoff_first: Duration::from_millis(5),
        backoff_most: Duration::from_millis(20),
        ..Options::default()
    }
}

/// No test: the process that the others start, kill, pause and resume.
#[test]
#[ignore = "the process that the tests of this module start"]
fn worker_process() {
    let variable = |name| std::env::var(name).expect("the tests of this module start this one");
    let database = PgConnectOptions::new()
        .host("127.0.0.1")
        .port(variable(PORT).parse().unwrap())
        .username(&variable(USER))
        .password(Redacted::from(PASSWORD).expose())
        .database(&variable(DATABASE));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = PgPoolOptions::new().max_connections(12).connect_with(database).await.unwrap();
        let runner = Runner::new(
            pool.clone(),
            registry(&pool),
            Nudge::default(),
            options(Duration::from_millis(variable(HOLD).parse().unwrap())),
        );
        runner.run(CancellationToken::new()).await;
    });
}
