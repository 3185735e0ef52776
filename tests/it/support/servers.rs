//! One private PostgreSQL, Redis and NATS for the whole run.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use northstack::dev::servers::{Durability, Nats, Postgres, Redis};
use northstack::domain::Redacted;
use sqlx::{ConnectOptions, Connection, Executor};

/// The run's servers. They end with the test process.
pub struct Servers {
    pub postgres: Postgres,
    pub redis: Redis,
    pub nats: Nats,
}

const TEMPLATE: &str = "northstack_template";

/// The run's servers, started on first use with a migrated template database.
pub fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| {
        // A thread of their own that never ends: the kernel ends children with the thread that started them.
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                sender.send(start().await).unwrap();
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().expect("the private servers start")
    })
}

async fn start() -> Servers {
    let root = run_directory();
    let secret = Redacted::from("integration-test");
    let postgres = Postgres::start(&root.join("postgres"), &secret, Durability::CrashSafeOnly).await.unwrap();
    postgres.create_database(TEMPLATE).await.unwrap();
    let mut connection = postgres.options(TEMPLATE).connect().await.unwrap();
    let mut migrator = sqlx::migrate!();
    migrator.set_locking(false).run(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let redis = Redis::start(&root.join("redis"), &secret).await.unwrap();
    let nats = Nats::start(&root.join("nats"), &secret).await.unwrap();
    Servers { postgres, redis, nats }
}

/// A fresh directory for this run; those of runs that have ended are removed.
fn run_directory() -> PathBuf {
    let root = std::env::temp_dir().join("northstack-it");
    std::fs::create_dir_all(&root).unwrap();
    for entry in std::fs::read_dir(&root).unwrap().flatten() {
        let alive = entry.file_name().to_str().is_some_and(|pid| std::path::Path::new("/proc").join(pid).exists());
        if !alive {
            // Another run may be removing it too.
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
    root.join(std::process::id().to_string())
}

/// A new database with all migrations applied; its name is unique in the run.
pub async fn database() -> sqlx::postgres::PgConnectOptions {
    create(Some(TEMPLATE)).await
}

/// A new database with nothing in it.
pub async fn empty_database() -> sqlx::postgres::PgConnectOptions {
    create(None).await
}

async fn create(template: Option<&str>) -> sqlx::postgres::PgConnectOptions {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("it_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let postgres = &servers().postgres;
    let mut connection = postgres.options("postgres").connect().await.unwrap();
    let template = template.unwrap_or("template1");
    let statement = format!("create database {name} template {template}");
    connection.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    connection.close().await.unwrap();
    postgres.options(&name)
}
