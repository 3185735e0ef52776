//! A database that is put back from a backup while operations are on their way (F22), by the steps of
//! `docs/operations.md`: the cluster and the event bus are ahead of it, and workers of before may still be at work. Each
//! operation ends as if nothing had been; whoever held it before writes nothing; no event is missing or comes twice.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;

use k8s_openapi::api::core::v1::Pod;
use northstack::bus::{Bus, Event, Subject, bridge};
use northstack::config::Config;
use northstack::db::Db;
use northstack::dev::servers::Program;
use northstack::workflow::flows::application::{CANARY, ROLLING};
use northstack::workflow::testing::{Bench, Worker, ended, undisturbed};
use serde_json::{Map, Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::deployments::Town;
use crate::platform::{eventually, private, settings};
use crate::support::{self, Pause};

const PASSWORD: &str = "integration-test";

/// What a database held at one moment.
struct Backup {
    directory: tempfile::TempDir,
    of: PgConnectOptions,
}

impl Backup {
    async fn of(pool: &PgPool) -> Self {
        let backup = Self { directory: tempfile::tempdir().unwrap(), of: (*pool.connect_options()).clone() };
        let file = backup.file();
        backup.tool("pg_dump", &["--format=custom", "--file", &file, backup.of.get_database().unwrap()]).await;
        backup
    }

    /// Puts it in the place of the database that is there, with nothing stopped.
    async fn put_back(&self) {
        let name = self.of.get_database().unwrap();
        let beside = format!("{name}_restored");
        self.tool("createdb", &[&beside]).await;
        self.tool("pg_restore", &["--exit-on-error", "--dbname", &beside, &self.file()]).await;
        let said = self.northstack_admin_restored(&beside).await;
        assert!(said.contains("whoever held them before can write nothing"), "{said}");
        let mut server = self.of.clone().database("postgres").connect().await.unwrap();
        for statement in
            [format!("drop database {name} with (force)"), format!("alter database {beside} rename to {name}")]
        {
            server.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
        }
        server.close().await.unwrap();
    }

    fn file(&self) -> String {
        self.directory.path().join("backup").display().to_string()
    }

    async fn tool(&self, name: &str, arguments: &[&str]) {
        let server = Program::Postgres.find().unwrap().canonicalize().unwrap();
        let program: PathBuf = server.with_file_name(name);
        let output = tokio::process::Command::new(program)
            .args(["--host", self.of.get_host(), "--port", &self.of.get_port().to_string()])
            .args(["--username", self.of.get_username(), "--no-password"])
            .args(arguments)
            .env("PGPASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }

    async fn northstack_admin_restored(&self, database: &str) -> String {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_northstack"))
            .args(["admin", "restored"])
            .env("NORTHSTACK_DATABASE__HOSTS", format!("{}:{}", self.of.get_host(), self.of.get_port()))
            .env("NORTHSTACK_DATABASE__DATABASE", database)
            .env("NORTHSTACK_DATABASE__USER", self.of.get_username())
            .env("NORTHSTACK_DATABASE__PASSWORD", PASSWORD)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// What a pod takes to come is no verdict: a restore takes longer than the other tests wait.
fn patience(config: &mut Config) {
    config.applications.stuck_after = std::time::Duration::from_secs(20);
}

async fn status(town: &Town, operation: Uuid) -> String {
    town.text("operations", "status", operation).await.unwrap()
}

/// The backup is of the moment after a step's effect; the operation then goes on to its end, and is put back.
async fn ahead_by_the_rest(kind: &'static str, steps: &[&'static str]) {
    let town = Town::with(kind, patience).await;
    let expected = undisturbed(&town).await;
    for step in steps {
        let operation = town.submit().await;
        let (pause, faults) = Pause::after(step);
        let worker = Worker::start(&town, faults);
        pause.reached().await;
        let backup = Backup::of(&town.pool()).await;
        pause.go_on();
        assert_eq!(ended(&town, operation).await, "succeeded", "{step}");
        worker.stop().await;
        backup.put_back().await;
        let open = status(&town, operation).await;
        assert!(matches!(open.as_str(), "running" | "waiting"), "{step}: {open}");
        assert_eq!(town.finish(operation).await, "succeeded", "{step}: {}", town.detail(operation).await);
        let left = town.dump(operation).await;
        assert_eq!(left, expected, "{step}: another end than an undisturbed run\n{left:#}\n{expected:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_the_cluster_is_ahead_of_ends_as_an_undisturbed_one() {
    ahead_by_the_rest(ROLLING, &["configuration", "workload", "tidy"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_the_cluster_is_ahead_of_ends_as_an_undisturbed_one() {
    ahead_by_the_rest(CANARY, &["canary", "workload", "retire"]).await;
}

/// The worker of before stands still in a later step while the database goes back; then it goes on.
async fn held_from_before(kind: &'static str, step: &'static str, later: &'static str) {
    let town = Town::with(kind, patience).await;
    let expected = undisturbed(&town).await;
    let operation = town.submit().await;
    let ([first, second], faults) = Pause::after_each([step, later]);
    let of_before = Worker::start(&town, faults);
    first.reached().await;
    let backup = Backup::of(&town.pool()).await;
    first.go_on();
    second.reached().await;
    backup.put_back().await;
    let journal = journal(&town, operation).await;
    assert_eq!(journal[later], "pending", "{journal}");
    // It writes that the later step is done, if it may.
    second.go_on();
    of_before.stop().await;
    assert_eq!(town.finish(operation).await, "succeeded", "{}", town.detail(operation).await);
    let left = town.dump(operation).await;
    assert_eq!(left, expected, "another end than an undisturbed run\n{left:#}\n{expected:#}");
}

async fn journal(town: &Town, operation: Uuid) -> Value {
    let query = "select jsonb_object_agg(name, status) from operation_steps where operation_id = $1";
    sqlx::query_scalar(query).bind(operation).fetch_one(&town.pool()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_before_writes_nothing_into_a_rollout_that_was_put_back() {
    held_from_before(ROLLING, "configuration", "tidy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_before_writes_nothing_into_a_canary_that_was_put_back() {
    held_from_before(CANARY, "canary", "tidy").await;
}

/// What was deployed after the backup is in the cluster, and its rows are not in the database any more. The next revision
/// differs from it by its variables alone, which pods read when they start.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_deployed_after_the_backup_passes_for_nothing_that_is_deployed_after_the_restore() {
    let town = Town::with(ROLLING, patience).await;
    let id = town.running("api", json!({})).await;
    let backup = Backup::of(&town.pool()).await;
    let deploy = async |value: &str| {
        let variable = "insert into environment_variables (application_id, name, value) values ($1, 'MODE', $2)";
        sqlx::query(variable).bind(id).bind(value).execute(&town.pool()).await.unwrap();
        let made = town.deploy(id, "nginx:2").await;
        assert_eq!(town.finish(made.operation).await, "succeeded", "{}", town.detail(made.operation).await);
    };
    deploy("lost").await;
    let lost = starts(&town, id).await;
    backup.put_back().await;
    assert_eq!(starts(&town, id).await, lost, "nobody has touched the cluster");
    deploy("found").await;
    let found = starts(&town, id).await;
    assert_eq!(found.len(), 2);
    assert!(
        found.iter().all(|pod| !lost.contains(pod)),
        "pods that have the lost variables serve: {found:?}, {lost:?}"
    );
    let cluster = town.cluster(id).await;
    let maps = cluster["configuration"].as_array().unwrap();
    assert!(maps.iter().all(|map| map["data"]["MODE"] != "lost"), "{maps:#?}");
    assert!(maps.iter().any(|map| map["data"]["MODE"] == "found"), "{maps:#?}");
}

/// Which pods an application has.
async fn starts(town: &Town, application: Uuid) -> BTreeSet<String> {
    let selector = format!("northstack.dev/application={application}");
    let pods: Vec<Pod> = town.kubernetes.list(&town.namespace(application).await, &selector).await.unwrap();
    pods.into_iter().map(|pod| pod.metadata.uid.unwrap()).collect()
}

/// The backup is of the moment before a deployment's first step; once put back, the deployment is taken back.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_the_cluster_is_ahead_of_can_be_taken_back() {
    let town = Town::with(ROLLING, patience).await;
    let id = town.running("api", json!({})).await;
    let before = town.cluster(id).await;
    let made = town.deploy(id, "nginx:2").await;
    let backup = Backup::of(&town.pool()).await;
    assert_eq!(town.finish(made.operation).await, "succeeded");
    backup.put_back().await;
    let (pause, faults) = Pause::after("workload");
    let worker = Worker::start(&town, faults);
    pause.reached().await;
    town.cancel(made.operation).await;
    pause.go_on();
    assert_eq!(ended(&town, made.operation).await, "cancelled", "{}", town.detail(made.operation).await);
    worker.stop().await;
    assert_eq!(town.cluster(id).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_events_is_whole_again_and_in_order() {
    let private = private().await;
    let options = support::database().await;
    let (db, bus) = (Db::connect(&settings(&options)).await.unwrap(), Bus::connect(&private.config).await.unwrap());
    let stop = CancellationToken::new();
    let bridge = tokio::spawn(bridge::run(db.clone(), bus.clone(), stop.clone()));
    let subject = Subject::new("deployment", &["started"], "d");
    let mut published = Vec::new();
    let mut publish = async |count: usize| {
        for number in 0..count {
            let data = Map::from_iter([("number".to_owned(), json!(number))]);
            let event = Event::now(&subject, data, "a-request".to_owned());
            bus.publish(&subject, &event).await.unwrap();
            published.push(event.id);
        }
        published.clone()
    };
    let written = async || {
        let query = "select sequence, id from platform_events order by sequence";
        let rows: Vec<(i64, Uuid)> = sqlx::query_as(query).fetch_all(db.pool()).await.unwrap_or_default();
        rows
    };
    let wanted = publish(10).await.len();
    eventually("they are written", async || (written().await.len() == wanted).then_some(())).await;
    let backup = Backup::of(db.pool()).await;
    let wanted = publish(10).await.len();
    eventually("they are written too", async || (written().await.len() == wanted).then_some(())).await;

    backup.put_back().await;
    // Events come only once a bridge has the lease again, were it the one of before.
    eventually("a bridge holds the lease", async || {
        let held = "select count(*) from leases where name = 'bridge' and expires_at > clock_timestamp()";
        sqlx::query_scalar::<_, i64>(held).fetch_one(db.pool()).await.ok().filter(|held| *held == 1)
    })
    .await;
    let all = publish(10).await;
    eventually("all are written", async || (written().await.len() >= all.len()).then_some(())).await;
    stop.cancel();
    bridge.await.unwrap();
    let rows = written().await;
    assert_eq!(rows.iter().map(|(_, id)| *id).collect::<Vec<_>>(), all, "in order, each once");
    assert_eq!(rows.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>(), "no gaps");
}
