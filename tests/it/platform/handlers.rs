//! The handlers of events, over a real nats-server: duplicates change nothing, poison is put aside, the rest goes on.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use northstack::app::App;
use northstack::app::handlers::{self, Handler};
use northstack::bus::{Event, Replay, Subject};
use northstack::domain::Actor;
use northstack::vendors::kubernetes::Client;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::bus::{Private, eventually, private};
use crate::support::Service;

struct Town {
    service: Service,
    private: Private,
    team: Uuid,
    application: Uuid,
    stop: CancellationToken,
}

impl Drop for Town {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Town {
    /// A service with a bus of its own, a team with an application, and the handlers at work.
    async fn new() -> Self {
        let private = private().await;
        let nats = private.config.clone();
        let service = Service::provisioned(Client::unconnected().unwrap(), |config| config.nats = nats).await;
        let pool = service.app.db.pool();
        let team: Uuid = sqlx::query_scalar("insert into teams (name, slug) values ('One', 'one') returning id")
            .fetch_one(pool)
            .await
            .unwrap();
        let application: Uuid = sqlx::query_scalar(
            "with p as (insert into projects (team_id, name) values ($1, 'shop') returning id)
             insert into applications (project_id, name) select id, 'web' from p returning id",
        )
        .bind(team)
        .fetch_one(pool)
        .await
        .unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(handlers::run(Arc::clone(&service.app), stop.clone()));
        Self { service, private, team, application, stop }
    }

    fn app(&self) -> &App {
        &self.service.app
    }

    /// Tells of a row as the engine's event trigger does.
    async fn changed(&self, table: &str, id: Uuid) {
        let event = self.change(table, id).await;
        self.app().bus.publish_trigger(&event).await.unwrap();
    }

    async fn change(&self, table: &str, id: Uuid) -> northstack::bus::events::Trigger {
        let query = format!("select to_jsonb(r) from {table} r where id = $1");
        let row: Value =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(id).fetch_one(self.app().db.pool()).await.unwrap();
        serde_json::from_value(json!({
            "id": Uuid::new_v4(), "created_at": "2026-11-21T21:02:59.418862",
            "table": { "schema": "public", "name": table },
            "event": { "op": "UPDATE", "data": { "old": row, "new": row } },
        }))
        .unwrap()
    }

    async fn told(&self, subject: &Subject, data: Value) -> Event {
        let data: Map<String, Value> = serde_json::from_value(data).unwrap();
        let event = Event::now(subject, data, "told");
        self.app().bus.publish(subject, &event).await.unwrap();
        event
    }

    async fn one<T>(&self, query: &'static str, id: Uuid) -> T
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        sqlx::query_scalar(query).bind(id).fetch_one(self.app().db.pool()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_shows_in_the_deployment_that_waits_for_it_and_its_end_is_signalled_once() {
    let town = Town::new().await;
    let build: Uuid = town
        .one(
            "insert into builds (application_id, status, image) values ($1, 'running', 'web:2') returning id",
            town.application,
        )
        .await;
    let operation: Uuid = town
        .one(
            "insert into operations (kind, team_id, subject_type, subject_id, correlation_id, status, available_at)
             values ('x', $1, 'application', gen_random_uuid(), 'x', 'waiting', 'infinity') returning id",
            town.team,
        )
        .await;
    let deployment: Uuid = sqlx::query_scalar(
        "insert into deployments (application_id, revision, status, build_id, operation_id)
         values ($1, 1, 'building', $2, $3) returning id",
    )
    .bind(town.application)
    .bind(build)
    .bind(operation)
    .fetch_one(town.app().db.pool())
    .await
    .unwrap();
    town.changed("builds", build).await;
    let progress = "select progress ->> 'build' from deployments where id = $1";
    eventually("the build shows", async || {
        (town.one::<Option<String>>(progress, deployment).await.as_deref() == Some("running")).then_some(())
    })
    .await;
    let signals = "select count(*) from operation_signals where operation_id = $1";
    assert_eq!(town.one::<i64>(signals, operation).await, 0);

    let _: Uuid = town.one("update builds set status = 'succeeded' where id = $1 returning id", build).await;
    let ended = northstack::bus::events::event(&town.change("builds", build).await).unwrap().1;
    for _ in 0..3 {
        Handler::Builds.handle(town.app(), &ended).await.unwrap();
    }
    assert_eq!(town.one::<i64>(signals, operation).await, 1);
    let said: Value = town.one("select payload from operation_signals where operation_id = $1", operation).await;
    assert_eq!(said, json!({ "status": "succeeded", "image": "web:2", "error": null }));
    assert!(town.one::<bool>("select available_at <= now() from operations where id = $1", operation).await, "woken");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_built_is_deployed_once_where_the_application_says_so() {
    let town = Town::new().await;
    let deployed = "select count(*) from deployments where application_id = $1";
    let build: Uuid = town
        .one(
            "insert into builds (application_id, status, image, commit_sha)
             values ($1, 'succeeded', 'registry.example.com/web:2', 'abcdef1') returning id",
            town.application,
        )
        .await;
    let built = northstack::bus::events::event(&town.change("builds", build).await).unwrap().1;
    Handler::Builds.handle(town.app(), &built).await.unwrap();
    assert_eq!(town.one::<i64>(deployed, town.application).await, 0, "nobody asked for it");
    let wish = "update applications set settings = '{\"autoDeploy\": true}' where id = $1 returning id";
    let _: Uuid = town.one(wish, town.application).await;
    for _ in 0..3 {
        Handler::Builds.handle(town.app(), &built).await.unwrap();
    }
    assert_eq!(town.one::<i64>(deployed, town.application).await, 1);
    let row: Value = town.one("select to_jsonb(d) from deployments d where build_id = $1", build).await;
    assert_eq!((&row["image"], &row["status"]), (&json!("registry.example.com/web:2"), &json!("queued")));
    assert!(row["operation_id"].is_string(), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendors_word_becomes_the_clusters_status_and_an_alert_until_it_is_well_again() {
    let town = Town::new().await;
    let cluster: Uuid = town
        .one("insert into clusters (team_id, name, provider, status) values ($1, 'edge', 'rancher', 'ready') returning id", town.team)
        .await;
    let subject = |word: &str| Subject::new("cluster", &[word], &cluster.to_string());
    let status = "select status from clusters where id = $1";
    let alerts = "select count(*) from alerts where subject_id = $1 and resolved_at is null";
    let degraded = town.told(&subject("degraded"), json!({ "message": "node-2 is not ready" })).await;
    eventually("the cluster is degraded", async || {
        (town.one::<String>(status, cluster).await == "degraded").then_some(())
    })
    .await;
    assert_eq!(town.one::<i64>(alerts, cluster).await, 1);
    let detail: String = town.one("select detail from alerts where subject_id = $1", cluster).await;
    assert_eq!(detail, "edge: node-2 is not ready");

    town.told(&subject("ready"), json!({})).await;
    eventually("the cluster is well", async || (town.one::<String>(status, cluster).await == "ready").then_some(()))
        .await;
    assert_eq!(town.one::<i64>(alerts, cluster).await, 0);
    // The old event again, as after a redelivery: it is known.
    Handler::Clusters.handle(town.app(), &degraded).await.unwrap();
    assert_eq!(town.one::<String>(status, cluster).await, "ready");
    // A status that cannot follow, and a cluster that is not there.
    town.told(&subject("provisioning"), json!({})).await;
    let nobody = Subject::new("cluster", &["failed"], &Uuid::new_v4().to_string());
    town.told(&nobody, json!({})).await;
    let failed = town.told(&subject("failed"), json!({ "error": "gone" })).await;
    eventually("the cluster has failed", async || {
        (town.one::<String>(status, cluster).await == "failed").then_some(())
    })
    .await;
    Handler::Clusters.handle(town.app(), &failed).await.unwrap();
    assert_eq!(town.one::<i64>(alerts, cluster).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_events_are_chained_once_and_poison_is_put_aside_with_its_error() {
    let town = Town::new().await;
    let poison = Subject::new("audit", &["user"], "user-0");
    let mut good = Vec::new();
    for number in 0..40 {
        if number == 10 {
            town.told(&poison, json!({})).await;
        }
        let subject = Subject::new("audit", &["user", "login"], &format!("user-{number}"));
        good.push(town.told(&subject, json!({ "team_id": town.team })).await);
    }
    let kept = "select count(*) from audit_logs where team_id = $1 and resource_type = 'user' and action = 'login'";
    eventually("all good ones are kept", async || (town.one::<i64>(kept, town.team).await == 40).then_some(())).await;
    for event in &good {
        Handler::Audit.handle(town.app(), event).await.unwrap();
    }
    assert_eq!(town.one::<i64>(kept, town.team).await, 40, "a repetition is recognised");
    let report = northstack::app::audit::verify(town.app().db.pool(), None).await.unwrap();
    assert_eq!(report.findings, []);

    let admin = Actor::Admin(None);
    let letters = eventually("poison is put aside", async || {
        let letters = town.app().dead_letters(&admin, 10).await.unwrap();
        (!letters.is_empty()).then_some(letters)
    })
    .await;
    let (place, letter) = &letters[0];
    assert_eq!(
        (letters.len(), letter.consumer.as_str(), letter.error_code.as_str()),
        (1, "handler-audit", "invalid-input")
    );
    assert!(letter.error_message.contains("names the action"), "{}", letter.error_message);
    let user = Actor::User(Uuid::new_v4());
    assert_eq!(town.app().dead_letters(&user, 10).await.unwrap_err().code(), northstack::domain::Code::Forbidden);
    assert_eq!(town.app().redrive(&user, *place).await.unwrap_err().code(), northstack::domain::Code::Forbidden);

    let numbers = town.app().bus.numbers().await.unwrap();
    let audit = numbers.iter().find(|stream| stream.name == "AUDIT").unwrap();
    assert_eq!((audit.messages, audit.last_sequence), (41, 41));
    let handler = audit.consumers.iter().find(|consumer| consumer.name == "handler-audit").unwrap();
    assert_eq!((handler.pending, handler.unsettled), (0, 0), "all were settled");

    // By the command line: listed, driven again, and put aside again, for it is no better.
    let listed = events(&town, &["dead", "list"]);
    assert_eq!(listed[0]["letter"]["subject"], "audit.user.user-0");
    let driven = events(&town, &["dead", "redrive", "--all"]);
    assert_eq!(driven, json!({ "redriven": [place] }));
    eventually("it is put aside again", async || {
        let letters = town.app().dead_letters(&admin, 10).await.unwrap();
        (letters.len() == 1 && letters[0].0 > *place).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_read_again_by_place_and_followed() {
    let private = private().await;
    let bus = northstack::bus::Bus::connect(&private.config).await.unwrap();
    let subject = Subject::new("store", &["ready"], "s");
    let publish = async |number: usize| {
        let event = Event::now(&subject, Map::new(), format!("request-{number}"));
        bus.publish(&subject, &event).await.unwrap();
    };
    for number in 1..=5 {
        publish(number).await;
    }
    let from = |place| Replay { from_sequence: Some(place), ..Replay::all("store.>", 10) };
    let places = |events: Vec<northstack::bus::Recorded>| events.iter().map(|event| event.sequence).collect::<Vec<_>>();
    assert_eq!(places(bus.get_history(&from(4)).await.unwrap()), [4, 5]);
    assert_eq!(places(bus.get_history(&from(0)).await.unwrap()), [1, 2, 3, 4, 5]);
    let several = Replay { from_sequence: Some(1), ..Replay::all(">", 10) };
    assert_eq!(bus.get_history(&several).await.unwrap_err().field(), Some("subject"));

    let mut followed = Box::pin(bus.follow(&from(5)).await.unwrap());
    let mut next = async || {
        let event = tokio::time::timeout(Duration::from_secs(10), followed.next()).await.unwrap().unwrap().unwrap();
        (event.sequence, event.event.metadata.correlation_id)
    };
    assert_eq!(next().await, (5, "request-5".to_owned()), "what is kept first");
    publish(6).await;
    assert_eq!(next().await, (6, "request-6".to_owned()), "then what comes");
}

/// Runs `northstack events` on the town's bus; gives its JSON.
fn events(town: &Town, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_northstack"))
        .args(["events", "--output", "json"])
        .args(arguments)
        .env("NORTHSTACK_NATS__SERVERS", town.private.config.servers.join(","))
        .env("NORTHSTACK_NATS__TOKEN", "integration-test")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
