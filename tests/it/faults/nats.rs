//! A bus that is killed, loses its store, is away, loses answers and delivers everything again, while operations and
//! handlers of events run (F7): every effect happens once, and the log of events is whole and in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use northstack::app::handlers;
use northstack::bus::{Bus, Event, Subject, bridge};
use northstack::config;
use northstack::dev::servers::{Nats, free_port};
use northstack::domain::Redacted;
use northstack::vendors::kubernetes::Client;
use northstack::workflow::testing::Bench;
use northstack::workflow::{Nudge, Options, Runner};
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::engine_serving::{Rig, Setup, empty_metadata};
use crate::platform::Proxy;
use crate::support::{ACTION_SECRET, Service};
use crate::workflow::runner::until;
use crate::workflow::{Toy, World};

/// Things of which events tell; the events of each are published one after the other.
const THINGS: usize = 4;
/// Events of each.
const EVENTS: usize = 60;
/// Operations under way meanwhile.
const OPERATIONS: usize = 30;
const TOKEN: &str = "integration-test";
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that can be killed and started again on the same port.
struct Server {
    directory: tempfile::TempDir,
    port: u16,
    nats: Option<Nats>,
}

impl Server {
    async fn start() -> Self {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port().unwrap());
        let mut server = Self { directory, port, nats: None };
        server.revive().await;
        server
    }

    /// `kill -9`.
    async fn kill(&mut self) {
        let mut nats = self.nats.take().unwrap();
        let pid = nats.process().id().unwrap().try_into().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        nats.process().wait().await.unwrap();
    }

    /// Forgets every stream.
    fn empty(&self) {
        std::fs::remove_dir_all(self.directory.path().join("jetstream")).unwrap();
    }

    async fn revive(&mut self) {
        self.nats = Some(Nats::start_at(self.directory.path(), &Redacted::from(TOKEN), self.port).await.unwrap());
    }
}

/// A service at work over a bus of its own, behind a proxy.
struct Scene {
    server: Server,
    proxy: Proxy,
    service: Service,
    toy: Arc<Toy>,
    stop: CancellationToken,
    running: JoinSet<()>,
    published: Arc<AtomicUsize>,
    /// Publishers go on to that number of events each.
    allowed: tokio::sync::watch::Sender<usize>,
}

impl Scene {
    async fn begin() -> Self {
        let server = Server::start().await;
        let proxy = Proxy::start(server.port).await;
        let nats = config::Nats {
            servers: vec![format!("nats://127.0.0.1:{}", proxy.port)],
            token: Some(Redacted::from(TOKEN)),
            redelivery_pauses: vec![Duration::from_millis(50)],
            publish_timeout: Duration::from_secs(1),
            ..config::Nats::default()
        };
        let service = Service::provisioned(Client::unconnected().unwrap(), |config| config.nats = nats).await;
        let (app, stop) = (Arc::clone(&service.app), CancellationToken::new());
        let world = World { looks_until_warm: 3, ..World::default() };
        let toy = Arc::new(Toy::over(app.db.pool().clone(), world).await);
        let mut running = JoinSet::new();
        running.spawn(bridge::run(app.db.clone(), app.bus.clone(), stop.clone()));
        running.spawn(handlers::run(Arc::clone(&app), stop.clone()));
        let nudge = Nudge::default();
        let options = Options { concurrency: 8, poll: Duration::from_millis(500), ..Options::default() };
        let runner = Runner::new(app.db.pool().clone(), toy.registry(), nudge.clone(), options);
        let token = stop.clone();
        running.spawn(async move { runner.run(token).await });
        running.spawn(pass_nudges_on(app.bus.clone(), nudge, stop.clone()));
        let (published, allowed) = (Arc::<AtomicUsize>::default(), tokio::sync::watch::Sender::new(0));
        for thing in 0..THINGS {
            running.spawn(publish(app.bus.clone(), thing, allowed.subscribe(), Arc::clone(&published)));
        }
        Self { server, proxy, service, toy, stop, running, published, allowed }
    }

    fn pool(&self) -> &PgPool {
        self.service.app.db.pool()
    }

    async fn submit(&self, count: usize) {
        for _ in 0..count {
            self.toy.enqueue(1).await;
            // As a replica that only answers requests tells it.
            let _ = self.service.app.bus.nudge("toy.make").await;
        }
    }

    async fn until<F: Future<Output = bool>>(&self, what: &str, so: impl Fn() -> F) {
        let begun = Instant::now();
        while !so().await {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?}", self.counts().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Events acknowledged, written and handled, and operations that have ended.
    async fn counts(&self) -> (usize, i64, i64, i64) {
        let (written, handled, ended): (i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from platform_events),
                    (select count(*) from audit_logs where resource_type = 'thing'),
                    (select count(*) from operations where finished_at is not null)",
        )
        .fetch_one(self.pool())
        .await
        .unwrap();
        (self.published.load(Ordering::SeqCst), written, handled, ended)
    }

    /// Lets so many events of each thing be published, and waits until something has been.
    async fn publish_to(&self, each: usize) {
        let before = self.published.load(Ordering::SeqCst);
        self.allowed.send_replace(each);
        self.until("something is published", async || self.published.load(Ordering::SeqCst) > before + 5).await;
    }

    /// Waits until the events so far have been written and handled.
    async fn settled(&self, each: usize) {
        let all = THINGS * each;
        let wanted = i64::try_from(all).unwrap();
        self.until("all is written and handled", async || {
            let (published, written, handled, _) = self.counts().await;
            (published, written, handled) == (all, wanted, wanted)
        })
        .await;
    }

    /// Lets everything come to its end and judges it.
    async fn end(mut self) {
        self.allowed.send_replace(EVENTS);
        let begun = Instant::now();
        self.settled(EVENTS).await;
        let operations = i64::try_from(OPERATIONS).unwrap();
        self.until("all operations have ended", async || self.counts().await.3 == operations).await;
        println!("all had its effect {:?} after the fault", begun.elapsed());
        let rows: Vec<(i64, Uuid, String, Value)> =
            sqlx::query_as("select sequence, id, entity_id, data from platform_events order by sequence")
                .fetch_all(self.pool())
                .await
                .unwrap();
        let sequences: Vec<i64> = rows.iter().map(|row| row.0).collect();
        assert_eq!(sequences, (1..=rows.len() as i64).collect::<Vec<_>>(), "no gap");
        assert_eq!(rows.iter().map(|row| row.1).collect::<BTreeSet<_>>().len(), rows.len(), "each once");
        let mut of_things: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (_, _, thing, data) in &rows {
            of_things.entry(thing).or_default().push(data["number"].as_u64().unwrap());
        }
        assert_eq!(of_things.len(), THINGS);
        for (thing, numbers) in of_things {
            assert_eq!(numbers, (0..EVENTS as u64).collect::<Vec<_>>(), "{thing}: in order");
        }
        let acts: Vec<(String, i64)> = sqlx::query_as(
            "select details ->> 'eventId', count(*) from audit_logs where resource_type = 'thing' group by 1
             having count(*) <> 1",
        )
        .fetch_all(self.pool())
        .await
        .unwrap();
        assert_eq!(acts, [], "each act is kept once");
        let statuses: Vec<(String, i64)> = sqlx::query_as("select status, count(*) from operations group by status")
            .fetch_all(self.pool())
            .await
            .unwrap();
        assert_eq!(statuses, [("succeeded".to_owned(), operations)]);
        assert_eq!(self.toy.world.objects.lock().unwrap().len(), OPERATIONS, "one object for each operation");
        assert_eq!(self.service.app.bus.dead_letters(10).await.unwrap().len(), 0);
        self.stop.cancel();
        while let Some(ended) = self.running.join_next().await {
            ended.unwrap();
        }
    }
}

/// Publishes the events of a thing in order, each until the bus has it, as the engine delivers those of a row.
async fn publish(
    bus: Bus,
    thing: usize,
    mut allowed: tokio::sync::watch::Receiver<usize>,
    published: Arc<AtomicUsize>,
) {
    let subject = Subject::new("audit", &["thing", "changed"], &format!("thing-{thing}"));
    for number in 0..EVENTS {
        allowed.wait_for(|allowed| *allowed > number).await.unwrap();
        let mut data = Map::new();
        data.insert("number".to_owned(), json!(number));
        let event = Event::now(&subject, data, "a-request");
        while bus.publish(&subject, &event).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        published.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn pass_nudges_on(bus: Bus, nudge: Nudge, stop: CancellationToken) {
    let mut nudges = std::pin::pin!(bus.work_nudges());
    while let Some(Some(_)) = stop.run_until_cancelled(nudges.next()).await {
        nudge.arrived();
    }
}

/// A way to the server beside the proxy.
async fn beside(server: &Server) -> async_nats::jetstream::Context {
    let options = async_nats::ConnectOptions::with_token(TOKEN.to_owned());
    async_nats::jetstream::new(options.connect(format!("nats://127.0.0.1:{}", server.port)).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_started_again_loses_nothing() {
    let mut scene = Scene::begin().await;
    scene.submit(OPERATIONS / 2).await;
    for round in 1..=3 {
        scene.publish_to(EVENTS * round / 4).await;
        scene.server.kill().await;
        scene.server.revive().await;
    }
    scene.submit(OPERATIONS / 2).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_with_an_empty_store_is_set_up_again() {
    let mut scene = Scene::begin().await;
    scene.submit(OPERATIONS / 2).await;
    scene.publish_to(EVENTS / 2).await;
    // What the server has acknowledged and nobody has read yet is lost with the store, whoever keeps it.
    scene.settled(EVENTS / 2).await;
    scene.server.kill().await;
    scene.server.empty();
    scene.submit(OPERATIONS / 2).await;
    scene.server.revive().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_for_a_while_is_waited_for() {
    let mut scene = Scene::begin().await;
    scene.submit(OPERATIONS / 2).await;
    scene.publish_to(EVENTS / 2).await;
    scene.server.kill().await;
    scene.submit(OPERATIONS / 2).await;
    // Operations do not need the bus: they come to their end while it is away.
    let operations = i64::try_from(OPERATIONS).unwrap();
    scene.until("all operations have ended", async || scene.counts().await.3 == operations).await;
    // Longer than an acknowledgment is waited for.
    tokio::time::sleep(Duration::from_secs(3)).await;
    scene.server.revive().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgments_that_are_lost_double_nothing() {
    let scene = Scene::begin().await;
    scene.submit(OPERATIONS / 2).await;
    for round in 1..=6 {
        scene.publish_to(EVENTS * round / 8).await;
        scene.proxy.cut();
        scene.proxy.restore();
    }
    scene.submit(OPERATIONS / 2).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_are_deleted_handle_everything_again_to_no_effect() {
    let scene = Scene::begin().await;
    scene.submit(OPERATIONS / 2).await;
    let jetstream = beside(&scene.server).await;
    for round in 1..=3 {
        scene.publish_to(EVENTS * round / 4).await;
        let stream = jetstream.get_stream("AUDIT").await.unwrap();
        let names = async || -> Vec<String> { stream.consumer_names().map(Result::unwrap).collect().await };
        scene.until("the handler's consumer is there", async || names().await.contains(&"handler-audit".into())).await;
        // That of the handler, and the one with which the bridge reads, if it has made it again already.
        for name in names().await {
            let deleted = stream.delete_consumer(&name).await.map(|status| status.success);
            assert!(deleted.is_ok() || name != "handler-audit", "{deleted:?}");
        }
    }
    scene.submit(OPERATIONS / 2).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_store_had_and_nobody_had_read_comes_again_from_the_database() {
    let mut server = Server::start().await;
    let nats = config::Nats {
        servers: vec![format!("nats://127.0.0.1:{}", server.port)],
        token: Some(Redacted::from(TOKEN)),
        publish_timeout: Duration::from_secs(1),
        ..config::Nats::default()
    };
    let service = Service::provisioned(Client::unconnected().unwrap(), |config| config.nats = nats).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = service.router();
    let listening = tokio::spawn(async move { axum::serve(listener, router).await });
    let (app, pool) = (&service.app, service.app.db.pool().clone());
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([{ "table": { "name": "alerts", "schema": "public" }, "event_triggers": [{
        "name": "alerts", "definition": { "insert": { "columns": "*" } }, "webhook": format!("{url}/events/alerts"),
        "retry_conf": { "num_retries": 100, "interval_sec": 1, "timeout_sec": 5 },
        "headers": [{ "name": "x-northstack-action-secret", "value": ACTION_SECRET }],
    }] }]);
    let engine = Rig::over(pool.clone(), Setup { metadata: Some(metadata), ..Setup::default() }).await;
    let raise = async |count: i32| {
        let insert = "insert into alerts (team_id, severity, title)
             select t.id, 'info', n::text from teams t, generate_series(1, $1) n where t.slug = 'one'";
        sqlx::query(insert).bind(count).execute(&pool).await.unwrap();
    };
    let written =
        async || -> i64 { sqlx::query_scalar("select count(*) from platform_events").fetch_one(&pool).await.unwrap() };
    let delivered = async || -> i64 {
        let query = "select count(*) from hdb_catalog.event_log where delivered";
        sqlx::query_scalar(query).fetch_one(&pool).await.unwrap()
    };
    sqlx::query("insert into teams (name, slug) values ('One', 'one')").execute(&pool).await.unwrap();
    raise(5).await;
    let stop = CancellationToken::new();
    let bridge = tokio::spawn(bridge::run(app.db.clone(), app.bus.clone(), stop.clone()));
    until("the first are written", async || written().await == 5).await;
    stop.cancel();
    bridge.await.unwrap();
    // Acknowledged by the bus, read by nobody, and lost.
    raise(20).await;
    until("the others are acknowledged", async || delivered().await == 25).await;
    server.kill().await;
    server.empty();
    server.revive().await;
    raise(1).await;
    let stop = CancellationToken::new();
    let bridge = tokio::spawn(bridge::run(app.db.clone(), app.bus.clone(), stop.clone()));
    until("all are written", async || written().await == 26).await;
    let rows: Vec<(i64, Uuid)> = sqlx::query_as("select sequence, (data -> 'row' ->> 'id')::uuid from platform_events")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(rows.iter().map(|row| row.0).collect::<BTreeSet<_>>(), (1..=26).collect(), "no gap");
    assert_eq!(rows.iter().map(|row| row.1).collect::<BTreeSet<_>>().len(), 26, "each once");
    stop.cancel();
    bridge.await.unwrap();
    engine.server.stop().await;
    listening.abort();
}
