//! The bus against a real nats-server.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use northstack::bus::{Bus, Event, Replay, Subject, Subscription, bridge};
use northstack::config;
use northstack::db::Db;
use northstack::dev::servers::Nats;
use northstack::domain::{Code, Error, Redacted};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::proxy::Proxy;
use super::{database, settings};
use crate::support;

/// A server of its own: streams are known by name.
pub struct Private {
    _server: Nats,
    _directory: tempfile::TempDir,
    pub config: config::Nats,
}

pub async fn private() -> Private {
    let directory = tempfile::tempdir().unwrap();
    let token = Redacted::from("integration-test");
    let server = Nats::start(directory.path(), &token).await.unwrap();
    let config = config::Nats {
        servers: vec![server.url()],
        token: Some(token),
        redelivery_pauses: vec![Duration::from_millis(20)],
        max_deliver: 3,
        ..config::Nats::default()
    };
    Private { _server: server, _directory: directory, config }
}

fn event(subject: &Subject, number: usize) -> Event {
    let mut data = Map::new();
    data.insert("number".into(), json!(number));
    Event::now(subject, data, format!("request-{number}"))
}

fn number(event: &Event) -> usize {
    event.data["number"].as_u64().unwrap().try_into().unwrap()
}

fn subscription(name: &str, filter: &str) -> Subscription {
    Subscription { name: name.into(), filter: filter.into(), concurrency: 4 }
}

pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(value) = check().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never happened: {what}");
}

#[tokio::test]
async fn streams_are_made_once_and_brought_up_to_date() {
    let private = private().await;
    let bus = Bus::connect(&private.config).await.unwrap();
    let health = bus.health().await.unwrap();
    assert!(health.missing.is_empty() && health.version.starts_with("2."), "{health:?}");
    let longer = config::Nats { duplicate_window: Duration::from_secs(300), ..private.config.clone() };
    Bus::connect(&longer).await.expect("an update of the same streams").close().await;
    let more = config::Nats { replicas: 3, ..private.config.clone() };
    let refused = Bus::connect(&more).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidInput, "one server cannot keep three copies: {}", refused.chain());
}

#[tokio::test]
async fn an_event_published_twice_is_kept_once_and_can_be_read_again() {
    let private = private().await;
    let bus = Bus::connect(&private.config).await.unwrap();
    let subject = Subject::new("deployment", &["started"], "app.1 *");
    let first = event(&subject, 1);
    let kept = bus.publish(&subject, &first).await.unwrap();
    assert_eq!((kept.stream.as_str(), kept.duplicate), ("DEPLOYMENTS", false));
    let again = bus.publish(&subject, &first).await.unwrap();
    assert_eq!((again.sequence, again.duplicate), (kept.sequence, true));
    let other = Subject::new("store", &["ready"], "s");
    let sent = futures::future::join_all((2..=4).map(|n| {
        let (bus, other) = (&bus, &other);
        async move { bus.publish_async(other, &event(other, n)).await.unwrap().confirmed().await }
    }))
    .await;
    assert!(sent.iter().all(Result::is_ok));

    let replay = Replay::all;
    let all = bus.get_history(&replay(">", 10)).await.unwrap();
    assert_eq!(all.len(), 4);
    assert_eq!(all[0].event, first);
    assert_eq!(bus.get_history(&replay("deployment.*.>", 10)).await.unwrap().len(), 1);
    assert_eq!(bus.get_history(&replay("store.>", 2)).await.unwrap().len(), 2);
    assert_eq!(bus.get_history(&replay("cluster.>", 2)).await.unwrap().len(), 0);
    let since = Replay { since: Some(all[2].recorded_at), ..replay(">", 10) };
    assert_eq!(bus.get_history(&since).await.unwrap().len(), 2);
    let until = Replay { until: Some(all[1].recorded_at), ..replay(">", 10) };
    assert_eq!(bus.get_history(&until).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_stream_is_read_to_its_end_from_its_middle_and_by_pages() {
    let private = private().await;
    let bus = Bus::connect(&private.config).await.unwrap();
    // Few subjects with many events each, beside those that a filter leaves out: the server's count of what is left is
    // wrong then.
    let subjects =
        ["deployment", "build"].map(|domain| ["a", "b", "c"].map(|entity| Subject::new(domain, &["changed"], entity)));
    for chunk in (0..600).collect::<Vec<usize>>().chunks(100) {
        let sent = chunk.iter().map(|n| {
            let subject = &subjects[n % 2][n % 3];
            let bus = &bus;
            async move { bus.publish_async(subject, &event(subject, *n)).await.unwrap().confirmed().await.unwrap() }
        });
        futures::future::join_all(sent).await;
    }
    let read = async |subject: &str, from: Option<u64>, page: usize| {
        let replay = Replay { from_sequence: from, ..Replay::all(subject, usize::MAX) };
        let mut found = Vec::new();
        for mut pages in bus.pages(&replay).unwrap() {
            while let Some(page) = bus.next_page(&mut pages, page).await.unwrap() {
                found.extend(page.iter().map(|recorded| number(&recorded.event)));
            }
        }
        found.len()
    };
    let all = async {
        assert_eq!(read("deployment.>", None, 70).await, 300);
        assert_eq!(read("deployment.changed.a", Some(301), 1_000).await, 50);
        assert_eq!(read("build.>", Some(301), 100).await, 150);
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("a read that never ends");
}

#[tokio::test]
async fn consumers_of_one_name_share_the_events_and_go_on_where_they_stopped() {
    let private = private().await;
    let bus = Bus::connect(&private.config).await.unwrap();
    let subject = Subject::new("store", &["ready"], "s");
    bus.publish(&subject, &event(&subject, 0)).await.unwrap();
    let seen = Mutex::new(Vec::new());
    let stop = CancellationToken::new();
    let handle = async |delivery: northstack::bus::Delivery| {
        seen.lock().unwrap().push(number(&delivery.event));
        if seen.lock().unwrap().len() == 20 {
            stop.cancel();
        }
        Ok(())
    };
    let publish = async {
        for n in 1..20 {
            bus.publish(&subject, &event(&subject, n)).await.unwrap();
        }
        Ok(())
    };
    let (one, two, three) = tokio::join!(
        bus.subscribe(subscription("shop", "store.>"), handle, stop.clone()),
        bus.subscribe(subscription("shop", "store.>"), handle, stop.clone()),
        publish
    );
    (one.and(two).and(three)).unwrap();
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
    let wrong = bus.subscribe(subscription("wrong", ">"), async |_| Ok(()), stop).await.unwrap_err();
    assert_eq!(wrong.field(), Some("filter"));
}

#[tokio::test]
async fn what_cannot_be_handled_lies_with_the_dead_letters_until_driven_again() {
    let private = private().await;
    let bus = Bus::connect(&private.config).await.unwrap();
    let subject = Subject::new("cluster", &["failed"], "c");
    let (fails, runs) = (std::sync::atomic::AtomicBool::new(true), AtomicUsize::new(0));
    let others = AtomicUsize::new(0);
    let stop = CancellationToken::new();
    let handle = async |delivery: northstack::bus::Delivery| {
        runs.fetch_add(1, Ordering::SeqCst);
        match (fails.load(Ordering::SeqCst), number(&delivery.event)) {
            (true, 1) => Err(Error::unavailable("asking the cluster", "it is down")),
            (true, _) => Err(Error::invalid("data", "not understood")),
            (false, _) => Ok(()),
        }
    };
    let work = async {
        for n in [1, 2] {
            bus.publish(&subject, &event(&subject, n)).await.unwrap();
        }
        let letters = eventually("both are dead", async || {
            Some(bus.dead_letters(10).await.unwrap()).filter(|letters| letters.len() == 2)
        })
        .await;
        assert_eq!(runs.load(Ordering::SeqCst), 4, "three times the passing failure, once the lasting one");
        let of = |code: &str| letters.iter().find(|(_, letter)| letter.error_code == code).unwrap();
        assert_eq!((of("unavailable").1.deliveries, of("invalid-input").1.deliveries), (3, 1));
        assert_eq!(of("invalid-input").1.error_message, "not understood");
        assert_eq!(of("invalid-input").1.subject, subject.as_str());

        fails.store(false, Ordering::SeqCst);
        for (place, _) in &letters {
            bus.redrive(*place).await.unwrap();
        }
        eventually("both are handled", async || (runs.load(Ordering::SeqCst) == 6).then_some(())).await;
        assert_eq!(bus.dead_letters(10).await.unwrap().len(), 0);
        assert_eq!(bus.redrive(letters[0].0).await.unwrap_err().code(), Code::NotFound);
        eventually("the other consumer has seen the first two", async || {
            (others.load(Ordering::SeqCst) == 2).then_some(())
        })
        .await;
        stop.cancel();
    };
    let other = async |_| {
        others.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    let (consumed, also, ()) = tokio::join!(
        bus.subscribe(subscription("watch", "cluster.>"), handle, stop.clone()),
        bus.subscribe(subscription("other", "cluster.>"), other, stop.clone()),
        work
    );
    consumed.and(also).unwrap();
    assert_eq!(others.load(Ordering::SeqCst), 2, "what is driven again is for the consumer that gave up alone");
}

#[tokio::test]
async fn a_nudge_reaches_one_worker() {
    let private = private().await;
    let bus = Bus::connect(&private.config).await.unwrap();
    let mut nudges = Box::pin(bus.work_nudges());
    bus.nudge("store.create").await.unwrap();
    bus.nudge("store.delete").await.unwrap();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        kinds.push(tokio::time::timeout(Duration::from_secs(10), nudges.next()).await.unwrap().unwrap());
    }
    assert_eq!(kinds, ["store.create", "store.delete"]);
}

async fn rows(db: &Db) -> Vec<(i64, Uuid, Option<Uuid>, String, Option<String>)> {
    let query = "select sequence, id, team_id, subject, entity_id from platform_events order by sequence";
    sqlx::query_as(query).fetch_all(db.pool()).await.unwrap()
}

#[tokio::test]
async fn the_bridge_writes_every_event_once_in_order_whatever_is_lost_meanwhile() {
    let private = private().await;
    let database = settings(&support::database().await);
    let to_nats =
        Proxy::start(private.config.servers[0].rsplit_once(':').unwrap().1.trim_end_matches('/').parse().unwrap())
            .await;
    let to_database = Proxy::start(database.port).await;
    let bus = Bus::connect(&private.config).await.unwrap();
    let db = Db::connect(&database).await.unwrap();
    let team: Uuid = sqlx::query_scalar("insert into teams (name, slug) values ('t', 't') returning id")
        .fetch_one(db.pool())
        .await
        .unwrap();

    let proxied =
        config::Nats { servers: vec![format!("nats://127.0.0.1:{}", to_nats.port)], ..private.config.clone() };
    let behind = Bus::connect(&proxied).await.unwrap();
    let hosts = vec![format!("127.0.0.1:{}", to_database.port)];
    let cut_off = Db::connect(&config::Database { hosts, ..database.clone() }).await.unwrap();
    // Two bridges: one writes, the other stands by.
    let stop = CancellationToken::new();
    let first = tokio::spawn(bridge::run(cut_off, behind, stop.child_token()));
    let second_stop = stop.child_token();
    let second = tokio::spawn(bridge::run(db.clone(), bus.clone(), second_stop.clone()));

    let subject = Subject::new("store", &["ready"], "s-1");
    let published = Mutex::new(Vec::new());
    let publish = async |n: usize| {
        let mut event = event(&subject, n);
        event.data.insert("row".into(), json!({ "team_id": team }));
        bus.publish(&subject, &event).await.unwrap();
        published.lock().unwrap().push(event.id);
    };
    for n in 0..50 {
        publish(n).await;
        match n {
            10 => to_nats.cut(),
            20 => to_nats.restore(),
            30 => to_database.cut(),
            40 => to_database.restore(),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let written = eventually("all are written", async || Some(rows(&db).await).filter(|rows| rows.len() >= 50)).await;
    assert_eq!(written.iter().map(|row| row.0).collect::<Vec<_>>(), (1..=50).collect::<Vec<i64>>(), "no gaps");
    assert_eq!(written.iter().map(|row| row.1).collect::<Vec<_>>(), *published.lock().unwrap(), "in order, each once");
    assert!(written.iter().all(|row| row.2 == Some(team) && row.4.as_deref() == Some("s-1")));

    // A message that is no event does not hold the bridge up.
    let raw = async_nats::ConnectOptions::with_token("integration-test".into())
        .connect(&private.config.servers[0])
        .await
        .unwrap();
    raw.publish("store.odd.s", "not an event".into()).await.unwrap();
    raw.flush().await.unwrap();
    publish(50).await;
    eventually("the next is written", async || Some(rows(&db).await).filter(|rows| rows.len() == 51)).await;
    assert_eq!(bus.dead_letters(10).await.unwrap().len(), 1);
    stop.cancel();
    first.await.unwrap();
    second.await.unwrap();
}

#[tokio::test]
async fn the_bridge_tells_that_it_has_written() {
    let (db, private) = (database().await, private().await);
    let bus = Bus::connect(&private.config).await.unwrap();
    // Another process hears it too.
    let elsewhere = Bus::connect(&private.config).await.unwrap();
    let (told, mut heard) = tokio::sync::watch::channel(0);
    let listening = tokio::spawn(async move {
        let mut written = std::pin::pin!(elsewhere.written());
        while written.next().await.is_some() {
            told.send_modify(|times| *times += 1);
        }
    });
    let stop = CancellationToken::new();
    let bridge = tokio::spawn(bridge::run(db.clone(), bus.clone(), stop.clone()));
    let subject = Subject::new("alert", &["raised"], "a");
    // Whoever begins to listen may miss the first.
    for n in 0.. {
        bus.publish(&subject, &event(&subject, n)).await.unwrap();
        eventually("it is written", async || (rows(&db).await.len() > n).then_some(())).await;
        if tokio::time::timeout(Duration::from_secs(1), heard.changed()).await.is_ok() {
            break;
        }
        assert!(n < 10, "nothing is told");
    }
    stop.cancel();
    bridge.await.unwrap();
    listening.abort();
}

#[tokio::test]
async fn the_bridge_goes_on_when_the_bus_was_made_anew() {
    let db = database().await;
    let subject = Subject::new("alert", &["raised"], "a");
    let mut ids = BTreeSet::new();
    for round in 0..2 {
        // Each round has a server with empty streams, whose numbers start again.
        let private = private().await;
        let bus = Bus::connect(&private.config).await.unwrap();
        let stop = CancellationToken::new();
        let bridge = tokio::spawn(bridge::run(db.clone(), bus.clone(), stop.clone()));
        for n in 0..=round {
            let event = event(&subject, n);
            bus.publish(&subject, &event).await.unwrap();
            ids.insert(event.id);
        }
        eventually("all are written", async || (rows(&db).await.len() == ids.len()).then_some(())).await;
        stop.cancel();
        bridge.await.unwrap();
    }
    assert_eq!(rows(&db).await.iter().map(|row| row.0).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn a_row_change_becomes_an_event_and_a_row() {
    let private = private().await;
    let bus = Bus::connect(&private.config).await.unwrap();
    let delivery = |table: &str, row: Value| -> northstack::bus::events::Trigger {
        serde_json::from_value(json!({
            "id": "0923f4b4-2489-4330-8ef0-bfccf22470e8",
            "created_at": "2026-11-21T21:02:59.418862",
            "table": { "schema": "public", "name": table },
            "event": { "op": "INSERT", "data": { "old": null, "new": row }, "session_variables": null }
        }))
        .unwrap()
    };
    let store = delivery("stores", json!({ "id": "s", "status": "provisioning" }));
    let published = bus.publish_trigger(&store).await.unwrap();
    assert!(!published.duplicate);
    assert!(bus.publish_trigger(&store).await.unwrap().duplicate, "a repeated delivery changes nothing");
    let refused = bus.publish_trigger(&delivery("secrets", json!({ "id": "x" }))).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidInput);
}
