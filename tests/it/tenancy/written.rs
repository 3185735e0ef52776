//! What people write in rows is held to the rules of deployments, and answered in their words.

use northstack::domain::Broken;
use northstack::domain::workload::{Image, Settings};
use serde_json::{Value, json};

use super::{World, refused};

/// The field that an answer of the engine is about; none where the row was written.
fn field(answer: &Value) -> Option<String> {
    let said = answer["errors"][0]["message"].as_str()?;
    let words = said.split_once("violation. ").map(|(_, words)| words).unwrap_or_else(|| panic!("{said}"));
    Some(Broken::by_words(words).unwrap_or_else(|| panic!("{said} has no sentence")).field)
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_judged_when_they_are_written_as_when_they_are_deployed() {
    let world = World::new().await;
    let (bob, id) = (world.b.owner, world.b.application);
    let words = |count: usize, length: usize| json!({ "command": vec!["x".repeat(length); count] });
    let step = |step: Value| json!({ "canary": { "steps": [step] } });
    for settings in [
        json!({}),
        serde_json::to_value(Settings::default()).unwrap(),
        json!({ "host": null, "health": null, "autoscaling": null, "readySeconds": null }),
        json!({ "drainSeconds": 0 }),
        json!({ "drainSeconds": 600 }),
        json!({ "drainSeconds": -1 }),
        json!({ "drainSeconds": 601 }),
        json!({ "drainSeconds": "5" }),
        json!({ "drainSeconds": 1.5 }),
        json!({ "drainSeconds": null }),
        json!({ "graceSeconds": 3601 }),
        json!({ "graceSeconds": 99_999_999_999_i64 }),
        json!({ "readySeconds": 0 }),
        json!({ "readySeconds": 86_400 }),
        json!({ "public": "yes" }),
        json!({ "autoDeploy": 1 }),
        json!({ "healt": {} }),
        json!({ "health": [] }),
        json!({ "health": { "path": "healthz" } }),
        json!({ "health": { "path": "/healthz", "periodSeconds": 0 } }),
        json!({ "health": { "path": "/healthz", "timeoutSeconds": 600 } }),
        json!({ "health": { "path": "/a b" } }),
        json!({ "health": { "path": "/", "often": 1 } }),
        json!({ "health": {} }),
        json!({ "host": "shop.example.com" }),
        json!({ "host": "Shop.example.com" }),
        json!({ "host": "shop.example.com." }),
        json!({ "host": "localhost" }),
        json!({ "host": "10.0.0.1" }),
        json!({ "host": "db.internal" }),
        json!({ "host": 1 }),
        json!({ "autoscaling": { "minReplicas": 1, "maxReplicas": 3 } }),
        json!({ "autoscaling": { "minReplicas": 3, "maxReplicas": 2 } }),
        json!({ "autoscaling": { "minReplicas": -1, "maxReplicas": 2 } }),
        json!({ "autoscaling": { "minReplicas": 1, "maxReplicas": 101 } }),
        json!({ "autoscaling": { "minReplicas": 1 } }),
        json!({ "autoscaling": { "maxReplicas": 1 } }),
        json!({ "canary": { "steps": [] } }),
        json!({ "canary": { "steps": [{ "weight": 20 }, { "weight": 20, "pauseSeconds": 9 }, { "weight": 60 }] } }),
        json!({ "canary": { "steps": [{ "weight": 50 }, { "weight": 20 }] } }),
        json!({ "canary": { "maxRestarts": 2 } }),
        json!({ "canary": { "restarts": 2 } }),
        step(json!({ "weight": 100 })),
        step(json!({ "weight": 0 })),
        step(json!({ "weight": 50, "pauseSeconds": null })),
        step(json!({ "weight": 50, "pauseSeconds": 604_801 })),
        json!({ "blueGreen": { "autoPromote": true, "scaleDownDelaySeconds": 3600 } }),
        json!({ "blueGreen": { "scaleDownDelaySeconds": 3601 } }),
        json!({ "security": "baseline" }),
        json!({ "security": "privileged" }),
        json!({ "command": "sh" }),
        json!({ "command": ["sh", "-c", "true"], "args": [] }),
        words(65, 1),
        words(1, 4097),
    ] {
        let written = world.update(bob, "applications", id, json!({ "settings": settings })).await;
        let deployed = Settings::read(&settings).err().map(|error| error.field().unwrap_or_default().to_owned());
        assert_eq!(field(&written), deployed, "{settings}: {written}");
    }
    for wrong in [step(json!({})), step(json!(1)), step(json!({ "weight": 50, "pause": 1 })), json!({ "command": [1] })]
    {
        assert!(Settings::read(&wrong).is_err());
        let answer = world.update(bob, "applications", id, json!({ "settings": wrong })).await;
        assert!(field(&answer).is_some_and(|field| field.starts_with("settings.c")), "{answer}");
    }
    let row = json!({ "project_id": world.b.project, "name": "new", "settings": { "drainSeconds": -1 } });
    let answer = world.insert(bob, "applications", row).await;
    let said = answer["errors"][0]["message"].as_str().unwrap();
    assert!(said.ends_with("settings.drainSeconds: must be a whole number from 0 to 600"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_references_by_the_grammar_and_repositories_are_public() {
    let world = World::new().await;
    let (bob, id) = (world.b.owner, world.b.application);
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    for image in [
        "nginx",
        "library/nginx:1.27-alpine",
        "localhost:5000/api",
        "registry.example.com:443/a/b/c__d:latest",
        "Registry.example.com/a--b",
        &format!("nginx:1.27@{digest}"),
        "",
        "Nginx",
        "nginx:",
        "nginx:-1",
        "nginx:1:2",
        "nginx\n",
        "../etc/passwd",
        "a//b",
        "-a",
        "a-",
        "a___b",
        "a..b",
        "https://ghcr.io/a",
        "example.com:0/a",
        "example.com:70000/a",
        "example..com/a",
        "nginx@sha256:abc",
        "$(cmd)",
        &format!("nginx:{}", "a".repeat(129)),
    ] {
        let answer = world.update(bob, "applications", id, json!({ "image": image })).await;
        let wrong = Image::parse("image", image).is_err().then(|| "image".to_owned());
        assert_eq!(field(&answer), wrong, "{image}: {answer}");
    }
    for (repository, right) in [
        ("https://github.com/example/shop", true),
        ("https://internal.example.com/shop.git", true),
        ("git@github.com:example/shop.git", true),
        ("ssh://git@github.com:22/example/shop", true),
        ("http://github.com/example/shop", false),
        ("https://git.internal/shop", false),
        ("https://git.LOCAL/shop", false),
        ("https://gitea.default.svc/shop", false),
        ("ssh://git@gitea.lan:22/shop", false),
        ("git@gitea.local:shop", false),
        ("https://127.0.0.1/shop", false),
        ("--upload-pack=x", false),
    ] {
        let answer = world.update(bob, "applications", id, json!({ "repository": repository })).await;
        assert_eq!(field(&answer), (!right).then(|| "repository".to_owned()), "{repository}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_one_line_that_reads_as_it_is_written() {
    let world = World::new().await;
    let (bob, b) = (world.b.owner, world.b);
    for name in ["Zoë & Co", "李", "شركة", "a\u{200d}b"] {
        for (table, id) in [("teams", b.id), ("projects", b.project), ("users", bob)] {
            let answer = world.update(bob, table, id, json!({ "name": name })).await;
            assert!(!refused(&answer), "{table} {name:?}: {answer}");
        }
    }
    for name in
        ["a\nb", "a\tb", "a\u{1b}b", "a\u{85}b", "a\u{2028}b", "a\u{202e}b", "a\u{2066}b", "a\u{200f}b", "a\u{61c}b"]
    {
        for (table, id) in [("teams", b.id), ("projects", b.project), ("users", bob), ("applications", b.application)] {
            let answer = world.update(bob, table, id, json!({ "name": name })).await;
            assert_eq!(field(&answer).as_deref(), Some("name"), "{table} {name:?}: {answer}");
        }
        let answer = world.insert(bob, "teams", json!({ "name": name })).await;
        assert_eq!(field(&answer).as_deref(), Some("name"), "{name:?}: {answer}");
        let answer = world.insert(bob, "projects", json!({ "team_id": b.id, "name": name })).await;
        assert_eq!(field(&answer).as_deref(), Some("name"), "{name:?}: {answer}");
        let store = sqlx::query(
            "insert into stores (team_id, store_id, name, namespace, url) values ($1, 'store-abcdefgh', $2, 'n', 'u')",
        );
        let refused =
            northstack::domain::Error::from(store.bind(b.id).bind(name).execute(&world.pool).await.unwrap_err());
        assert_eq!(refused.field(), Some("name"), "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_name_is_of_the_application_that_set_it_first() {
    let world = World::new().await;
    let (alice, bob) = (world.a.owner, world.b.owner);
    let host = |host: &str| json!({ "settings": { "host": host } });
    let set = world.update(alice, "applications", world.a.application, host("shop.example.com")).await;
    assert!(!refused(&set), "{set}");
    let mut row = host("shop.example.com");
    row["project_id"] = json!(world.b.project);
    row["name"] = json!("new");
    for answer in [
        world.update(bob, "applications", world.b.application, host("shop.example.com")).await,
        world.insert(bob, "applications", row).await,
    ] {
        let said = answer["errors"][0]["message"].as_str().unwrap();
        let broken = Broken::by_words(said.split_once("violation. ").unwrap().1).unwrap();
        assert_eq!(broken.message, "settings.host: another application has this host name");
    }
    // One that is gone, or has given it up, has it no more.
    let ended = "update applications set deleted_at = now() where id = $1";
    sqlx::query(ended).bind(world.a.application).execute(&world.pool).await.unwrap();
    let set = world.update(bob, "applications", world.b.application, host("shop.example.com")).await;
    assert!(!refused(&set), "{set}");
    assert!(!refused(&world.update(bob, "applications", world.b.application, json!({ "settings": {} })).await));
    let set = world.update(alice, "applications", world.a.other, host("shop.example.com")).await;
    assert!(!refused(&set), "{set}");
}
