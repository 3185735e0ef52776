//! Who may do what, what is refused by name before anything reaches the cluster, and keys that stand for one request.

use northstack::workflow::flows::application;
use northstack::workflow::testing::Bench;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Town;

fn session(user: &Value) -> Value {
    json!({ "x-hasura-role": "user", "x-hasura-user-id": user })
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_and_nothing_reaches_the_cluster() {
    let town = Town::with(application::ROLLING, |config| {
        config.server.public_url = Some("https://portal.example.com/".parse().unwrap());
    })
    .await;
    let me = session(&json!(town.caller.actor.user_id()));
    let mut untouched = Vec::new();
    for (columns, input, field) in [
        (json!({}), json!({ "image": "Nginx" }), "image"),
        (json!({}), json!({ "image": "nginx:a:b" }), "image"),
        (json!({}), json!({ "image": "nginx@sha256:12" }), "image"),
        (json!({}), json!({ "image": "example.com:99999/nginx" }), "image"),
        (json!({}), json!({ "image": "$(cmd)" }), "image"),
        (json!({}), json!({ "image": "{{ .Values.image }}" }), "image"),
        (json!({}), json!({ "image": "../nginx" }), "image"),
        (json!({ "image": null }), json!({}), "image"),
        (json!({}), json!({ "commit": "0123456789abcdef" }), "commit"),
        (json!({}), json!({ "image": "nginx", "commit": "main; rm -rf /" }), "commit"),
        (json!({}), json!({ "strategy": "magic" }), "strategy"),
        (json!({}), json!({ "idempotencyKey": "" }), "idempotencyKey"),
        (json!({ "replicas": 0 }), json!({}), "replicas"),
        (json!({ "resources": { "limits": { "memory": "1e9Gi" } } }), json!({}), "resources.limits.memory"),
        (json!({ "resources": { "requests": { "cpu": "-1" } } }), json!({}), "resources.requests.cpu"),
        (json!({ "settings": { "health": { "path": "no slash" } } }), json!({}), "settings.health.path"),
        (json!({ "settings": { "hoost": "a.example.com" } }), json!({}), "settings.hoost"),
        (json!({ "settings": { "host": "other.127.0.0.1.nip.io" } }), json!({}), "settings.host"),
        (json!({ "settings": { "host": "10.0.0.1" } }), json!({}), "settings.host"),
        (json!({ "settings": { "host": "github.io" } }), json!({}), "settings.host"),
        (json!({ "settings": { "host": "co.uk" } }), json!({}), "settings.host"),
        (json!({ "settings": { "host": "kubernetes.default.svc" } }), json!({}), "settings.host"),
        (json!({ "settings": { "host": "db.internal" } }), json!({}), "settings.host"),
        (json!({ "settings": { "host": "portal.example.com" } }), json!({}), "settings.host"),
        (json!({}), json!({ "image": "localhost:2375/x" }), "image"),
        (json!({}), json!({ "image": "127.0.0.1:8180/x" }), "image"),
        (json!({}), json!({ "image": "registry.default.svc/x" }), "image"),
        (json!({ "resources": { "requests": { "cpu": "65" } } }), json!({}), "resources.requests.cpu"),
        (json!({ "resources": { "requests": { "cpu": "60" } }, "replicas": 5 }), json!({}), "resources.requests.cpu"),
    ] {
        let id = town.application(&format!("api-{}", untouched.len()), columns.clone()).await;
        let mut arguments = json!({ "id": id });
        arguments.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        let answer = town.service.action("deployApplication", arguments, me.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (422, "invalid-input"),
            "{columns} {input}: {}",
            answer.text
        );
        assert_eq!(answer.json()["extensions"]["field"], json!(field), "{}", answer.text);
        untouched.push(id);
    }
    let id = town.application("vars", json!({})).await;
    let insert = "insert into environment_variables (application_id, name, value) values ($1, 'MESSAGE', E'one\\ntwo')";
    sqlx::query(insert).bind(id).execute(&town.pool()).await.unwrap();
    let answer = town.service.action("deployApplication", json!({ "id": id }), me.clone()).await;
    assert_eq!(answer.json()["extensions"]["field"], json!("variables.MESSAGE"), "{}", answer.text);
    untouched.push(id);

    let operations: i64 = sqlx::query_scalar("select count(*) from operations").fetch_one(&town.pool()).await.unwrap();
    assert_eq!(operations, 0);
    assert!(town.kubernetes.namespaces("northstack.dev/project").await.unwrap().is_empty());
    for id in untouched {
        assert_eq!(town.text("applications", "namespace", id).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_asked_for_too_much_at_once_waits_and_may_still_delete() {
    let town = Town::new(application::ROLLING).await;
    let me = session(&json!(town.caller.actor.user_id()));
    let (id, other) = (town.application("api", json!({})).await, town.application("web", json!({})).await);
    for limit in ["application.open_operations", "team.open_operations"] {
        let most = if limit.starts_with("team") { 3 } else { 2 };
        let lower = "update row_limits set most = $1 where name = $2";
        sqlx::query(lower).bind(most).bind(limit).execute(&town.pool()).await.unwrap();
    }
    let open = "insert into operations (kind, flow_version, team_id, subject_type, subject_id, requested_by, input, correlation_id, status)
                select 'application.restart', 1, p.team_id, 'application', a.id, $2, '{}', 'c', 'waiting'
                from applications a join projects p on p.id = a.project_id where a.id = $1";
    let wait = async |application: Uuid| {
        sqlx::query(open).bind(application).bind(town.caller.actor.user_id()).execute(&town.pool()).await.map(drop)
    };
    wait(id).await.unwrap();
    wait(id).await.unwrap();
    let deploy = async |id: Uuid| town.service.action("deployApplication", json!({ "id": id }), me.clone()).await;
    let refused = deploy(id).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "invalid-input"), "{}", refused.text);
    assert!(refused.text.contains("id: the application has 2 operations that have not ended"), "{}", refused.text);
    wait(other).await.unwrap();
    let refused = deploy(other).await;
    assert!(refused.text.contains("team_id: the team has 3 operations that have not ended"), "{}", refused.text);
    let ended = "update operations set status = 'cancelled' where subject_id = $1";
    sqlx::query(ended).bind(other).execute(&town.pool()).await.unwrap();
    assert_eq!(deploy(other).await.status.as_u16(), 200);
    let delete = town.service.action("deleteApplication", json!({ "id": other }), me).await;
    assert_eq!(delete.status.as_u16(), 200, "{}", delete.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_is_refused_and_to_a_stranger_nothing_is_there() {
    let town = Town::new(application::ROLLING).await;
    let id = town.application("api", json!({})).await;
    let made = town.deploy(id, "nginx:1").await;
    let viewer = town.service.register("viewer@example.com").await["userId"].clone();
    let stranger = town.service.register("stranger@example.com").await["userId"].clone();
    let join = "insert into team_members (team_id, user_id, role)
                select team_id, $2, 'viewer' from projects where id = $1";
    let user: Uuid = viewer.as_str().unwrap().parse().unwrap();
    sqlx::query(join).bind(town.project).bind(user).execute(&town.pool()).await.unwrap();
    let unknown = Uuid::new_v4();
    let calls = |application: Uuid, deployment: Uuid| {
        vec![
            ("deployApplication", json!({ "id": application })),
            ("rollbackDeployment", json!({ "applicationId": application })),
            ("scaleApplication", json!({ "id": application, "replicas": 2 })),
            ("restartApplication", json!({ "id": application })),
            ("startApplication", json!({ "id": application })),
            ("stopApplication", json!({ "id": application })),
            ("deleteApplication", json!({ "id": application })),
            ("promoteDeployment", json!({ "id": deployment })),
            ("abortDeployment", json!({ "id": deployment })),
        ]
    };
    for ((action, input), (_, nothing)) in calls(id, made.deployment).into_iter().zip(calls(unknown, unknown)) {
        let refused = town.service.action(action, input.clone(), session(&viewer)).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "forbidden"), "{action}");
        let hidden = town.service.action(action, input, session(&stranger)).await;
        let missing = town.service.action(action, nothing, session(&stranger)).await;
        assert_eq!((hidden.status.as_u16(), hidden.text), (404, missing.text), "{action}");
    }
    let compare = json!({ "applicationId": id, "from": 1, "to": 1 });
    let seen = town.service.action("compareRevisions", compare.clone(), session(&viewer)).await;
    assert_eq!(seen.json(), json!({ "changes": [] }), "{}", seen.text);
    assert_eq!(town.service.action("compareRevisions", compare, session(&stranger)).await.code(), "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stands_for_one_request_and_two_deployments_at_once_come_one_after_the_other() {
    let town = Town::new(application::ROLLING).await;
    let me = session(&json!(town.caller.actor.user_id()));
    let id = town.application("api", json!({})).await;
    let ask = async |action: &str, input: Value| town.service.action(action, input, me.clone()).await;
    let one = json!({ "id": id, "image": "nginx:1", "idempotencyKey": "k" });
    let (first, again) = tokio::join!(ask("deployApplication", one.clone()), ask("deployApplication", one.clone()));
    assert_eq!(first.status.as_u16(), 200, "{}", first.text);
    assert_eq!(first.json(), again.json());
    let other = ask("deployApplication", json!({ "id": id, "image": "nginx:2", "idempotencyKey": "k" })).await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (409, "idempotency-conflict"));
    assert_eq!(ask("stopApplication", json!({ "id": id, "idempotencyKey": "k" })).await.status.as_u16(), 409);
    let operation: Uuid = first.json()["operationId"].as_str().unwrap().parse().unwrap();
    assert_eq!(town.finish(operation).await, "succeeded");

    // Of three that are asked for at once, the last one asked for runs; those that nobody had begun are superseded.
    let (a, b, c) = tokio::join!(town.deploy(id, "nginx:2"), town.deploy(id, "nginx:3"), town.deploy(id, "nginx:4"));
    let mut made = [a, b, c];
    let mut numbers = Vec::new();
    for one in &made {
        numbers.push(town.text("deployments", "revision", one.deployment).await.unwrap().parse::<i32>().unwrap());
    }
    let mut order: Vec<usize> = (0..3).collect();
    order.sort_by_key(|place| numbers[*place]);
    made = order.iter().map(|place| made[*place].clone()).collect::<Vec<_>>().try_into().unwrap();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4], "each has a number of its own");
    assert_eq!(town.finish(made[2].operation).await, "succeeded");
    let status = async |one: usize| town.text("deployments", "status", made[one].deployment).await.unwrap();
    assert_eq!(
        (status(0).await, status(1).await, status(2).await),
        ("superseded".into(), "superseded".into(), "running".into())
    );
    assert_eq!(town.pods(id).await.len(), 2);
}
