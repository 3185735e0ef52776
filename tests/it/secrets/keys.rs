//! The keys that secrets are sealed with: their rotation while everything goes on, and their loss (proof F20).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use northstack::app::secrets::{keys as uses, rewrap};
use northstack::db::Audit;
use northstack::workflow::Faults;
use northstack::workflow::testing::{Bench, Worker, ended};
use serde_json::json;
use uuid::Uuid;

use super::{NEW, OLD, keys, point, reveal, seen_by_pods, set, town};
use crate::deployments::bench::Town;

/// Secrets by their ids, with the values that they are to have.
type Values = BTreeMap<Uuid, String>;

async fn rewrapped(town: &Town) -> northstack::app::secrets::Rewrapped {
    let ring = town.service.app.config.get().secrets.ring().unwrap();
    rewrap(&town.service.app.db, &ring, &Audit::system(None), |_| {}).await.unwrap()
}

async fn all_open(town: &Town, values: &Values) {
    for (id, value) in values {
        assert_eq!(reveal(town, *id).await["value"], *value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_while_deployments_run_and_secrets_change() {
    let town = town().await;
    let mut values = Values::new();
    for number in 0..120 {
        let value = format!("value {number}");
        values.insert(set(&town, &format!("s{number}"), &value).await.0, value);
    }
    let app = town.application("api", json!({ "replicas": 1 })).await;
    point(&town, app, json!({ "ONE": "s0", "TWO": "s1" })).await;
    let stop = AtomicBool::new(false);
    let worker = Worker::start(&town, Faults::none());
    let deploy = async {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) || count < 3 {
            let made = town.deploy(app, if count % 2 == 0 { "nginx:1" } else { "nginx:2" }).await;
            assert_eq!(ended(&town, made.operation).await, "succeeded");
            assert_eq!(seen_by_pods(&town, app, "ONE").await, ["value 0"]);
            count += 1;
        }
        count
    };
    let change = async {
        let mut changed = Values::new();
        for number in (60..120).cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let value = format!("changed {number} {}", changed.len());
            changed.insert(set(&town, &format!("s{number}"), &value).await.0, value);
        }
        changed
    };
    let rotate = async {
        // Every process knows the new key before any of them seals with it.
        town.service.configure(|config| keys(config, &[OLD, NEW], "old"));
        town.service.configure(|config| keys(config, &[OLD, NEW], "new"));
        // Interrupted in the middle, it is begun again and goes on.
        let ring = town.service.app.config.get().secrets.ring().unwrap();
        let (seen, mut enough, by) = (AtomicBool::new(false), 0, Audit::system(None));
        let begun = rewrap(&town.service.app.db, &ring, &by, |_| {
            enough += 1;
            seen.store(enough >= 20, Ordering::Relaxed);
        });
        let interrupted = async {
            while !seen.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            done = begun => drop(done.unwrap()),
            () = interrupted => {}
        }
        // A request that had begun under the old key may have ended behind it: it is run until it says that all is done.
        while rewrapped(&town).await.remaining > 0 {}
        let again = rewrapped(&town).await;
        assert_eq!((again.rewrapped, again.remaining), (0, 0), "a second run has nothing to do");
        town.service.configure(|config| keys(config, &[NEW], "new"));
        stop.store(true, Ordering::Relaxed);
    };
    let (deployments, changed, ()) = tokio::join!(deploy, change, rotate);
    worker.stop().await;
    assert!(deployments >= 3);
    values.extend(changed);
    all_open(&town, &values).await;
    let ring = town.service.app.config.get().secrets.ring().unwrap();
    let used = uses(&town.service.app.db, &ring).await.unwrap();
    assert_eq!(used.len(), 1, "{used:?}");
    assert_eq!((used[0].key_id.as_str(), used[0].secrets, used[0].active), ("new", 120, true));
    let failed: i64 = sqlx::query_scalar("select count(*) from operations where status <> 'succeeded'")
        .fetch_one(&town.pool())
        .await
        .unwrap();
    assert_eq!(failed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_a_secret_is_not_lost_and_what_needs_it_says_which_key() {
    let town = town().await;
    let (id, _) = set(&town, "api-key", "the value").await;
    let app = town.application("api", json!({})).await;
    point(&town, app, json!({ "API_KEY": "api-key" })).await;
    let first = town.deploy(app, "nginx:1").await;
    assert_eq!(town.finish(first.operation).await, "succeeded");

    town.service.configure(|config| keys(config, &[NEW], "new"));
    let lost = town.deploy(app, "nginx:2").await;
    assert_eq!(town.finish(lost.operation).await, "failed");
    let detail: String =
        sqlx::query_scalar("select detail from operation_steps where operation_id = $1 and name = 'configuration'")
            .bind(lost.operation)
            .fetch_one(&town.pool())
            .await
            .unwrap();
    assert!(detail.contains("API_KEY, api-key") && detail.contains("the key \"old\", which is not in"), "{detail}");
    assert_eq!(town.pods(app).await, ["nginx:1", "nginx:1"], "what runs goes on");
    let refused = town.service.app.reveal_secret(&town.caller, id).await.unwrap_err();
    assert!(refused.message().contains("api-key: ") && refused.message().contains("\"old\""), "{refused}");
    let report = rewrapped(&town).await;
    assert_eq!((report.rewrapped, report.remaining, report.failed.len()), (0, 1, 1), "{report:?}");

    // With the key it works again where it stood.
    town.service.configure(|config| keys(config, &[OLD, NEW], "new"));
    town.service.app.retry_operation(&town.caller, lost.operation, None).await.unwrap();
    assert_eq!(town.finish(lost.operation).await, "succeeded");
    assert_eq!(seen_by_pods(&town, app, "API_KEY").await, ["the value", "the value"]);
    assert_eq!(reveal(&town, id).await["value"], "the value");

    // A deployment that is accepted under no key at all is refused before anything is done.
    town.service.configure(|config| config.secrets = Default::default());
    let new = northstack::app::deployments::NewDeployment::default();
    let refused = town.service.app.deploy_application(&town.caller, app, &new, None).await.unwrap_err();
    assert_eq!(refused.field(), Some("variables.API_KEY"), "{refused}");
    let set = northstack::app::secrets::NewSecret {
        name: Some("x".to_owned()),
        value: "y".into(),
        ..northstack::app::secrets::NewSecret::default()
    };
    let refused = town.service.app.set_secret(&town.caller, &set).await.unwrap_err();
    assert!(refused.message().contains("no key for secrets is configured"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_and_rotates_keys_at_the_command_line() {
    let town = town().await;
    for number in 0..3 {
        set(&town, &format!("s{number}"), "the value").await;
    }
    let database = town.service.config.database.clone();
    let run = async |command: &'static str, keys: &[&str], active: &str| {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_northstack"))
            .args(["admin", "secrets", command, "--output", "json"])
            .env("NORTHSTACK_DATABASE__HOSTS", format!("{}:{}", database.hosts[0], database.port))
            .env("NORTHSTACK_DATABASE__DATABASE", &database.database)
            .env("NORTHSTACK_DATABASE__USER", &database.user)
            .env("NORTHSTACK_DATABASE__PASSWORD", database.password.as_ref().unwrap().expose())
            .env("NORTHSTACK_SECRETS__KEYS", keys.join(","))
            .env("NORTHSTACK_SECRETS__ACTIVE_KEY", active)
            .output()
            .await
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let told = serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default();
        (output.status.code().unwrap(), told, String::from_utf8(output.stderr).unwrap())
    };
    let (code, told, _) = run("status", &[OLD], "old").await;
    assert_eq!((code, &told[0]["secrets"]), (0, &json!(3)), "{told:#}");
    let (code, told, _) = run("status", &[NEW], "new").await;
    assert_eq!((code, &told[1]["keyId"], &told[1]["configured"]), (6, &json!("old"), &json!(false)), "{told:#}");
    let (code, told, _) = run("rewrap", &[NEW], "new").await;
    assert_eq!((code, &told["remaining"]), (6, &json!(3)), "{told:#}");
    let (code, told, _) = run("rewrap", &[OLD, NEW], "new").await;
    assert_eq!((code, &told["rewrapped"], &told["remaining"]), (0, &json!(3), &json!(0)), "{told:#}");
    assert_eq!(run("status", &[NEW], "new").await.0, 0);
    let (code, _, error) = run("status", &[], "").await;
    assert_eq!((code, error.contains("no key for secrets is configured")), (5, true), "{error}");
    let (code, _, error) = run("status", &["T0xET0xE"], "").await;
    assert_eq!((code, error.contains("secrets.keys"), error.contains("T0xE")), (2, true, false), "{error}");
}
