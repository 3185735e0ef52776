//! Who may touch secrets, and what is refused by name.

use northstack::workflow::testing::Bench;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{me, session, set, tables_with, town};

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_is_refused_and_to_a_stranger_no_secret_is_there() {
    let town = town().await;
    let (id, _) = set(&town, "api-key", "v").await;
    let app = town.application("api", json!({})).await;
    let team: String = town.text("secrets", "team_id", id).await.unwrap();
    let viewer = town.service.register("viewer@example.com").await["userId"].clone();
    let stranger = town.service.register("stranger@example.com").await["userId"].clone();
    let join = "insert into team_members (team_id, user_id, role) values ($1::uuid, $2, 'viewer')";
    let user: Uuid = viewer.as_str().unwrap().parse().unwrap();
    sqlx::query(join).bind(&team).bind(user).execute(&town.pool()).await.unwrap();
    let nothing = Uuid::new_v4();
    let calls = |id: Value, team: Value, app: Value| {
        [
            ("setSecret", json!({ "id": id, "value": "v" })),
            ("setSecret", json!({ "teamId": team, "name": "api-key", "value": "v" })),
            ("setSecret", json!({ "applicationId": app, "name": "api-key", "value": "v" })),
            ("revealSecret", json!({ "id": id })),
            ("deleteSecret", json!({ "id": id })),
        ]
    };
    let real = calls(json!(id), json!(team), json!(app));
    for ((action, input), (_, unknown)) in real.into_iter().zip(calls(json!(nothing), json!(nothing), json!(nothing))) {
        let refused = town.service.action(action, input.clone(), session(&viewer)).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "forbidden"), "{action} {input}");
        let hidden = town.service.action(action, input.clone(), session(&stranger)).await;
        let missing = town.service.action(action, unknown, session(&stranger)).await;
        assert_eq!((hidden.status.as_u16(), hidden.text), (404, missing.text), "{action} {input}");
        let anonymous = town.service.action(action, input, json!({ "x-hasura-role": "anonymous" })).await;
        assert!(matches!(anonymous.status.as_u16(), 401 | 403 | 404), "{action}: {}", anonymous.text);
    }
    let versions: Vec<i32> = sqlx::query_scalar("select version from secrets").fetch_all(&town.pool()).await.unwrap();
    assert_eq!(versions, [1], "nothing was written");
    let reveals: i64 = sqlx::query_scalar("select count(*) from audit_logs where action = 'reveal'")
        .fetch_one(&town.pool())
        .await
        .unwrap();
    assert_eq!(reveals, 0);
    let tried: Vec<Uuid> = sqlx::query_scalar(
        "select actor_id from audit_logs
         where action = 'reveal-refused' and resource_id = $1 and actor_id is not null order by created_at",
    )
    .bind(id)
    .fetch_all(&town.pool())
    .await
    .unwrap();
    let stranger: Uuid = stranger.as_str().unwrap().parse().unwrap();
    assert_eq!(tried, [user, stranger], "who wanted to see it is known");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_and_never_quoted() {
    let town = town().await;
    let (id, _) = set(&town, "api-key", "v").await;
    let app = town.application("api", json!({})).await;
    let other = json!(Uuid::new_v4());
    let long = "canary".repeat(20_000);
    for (input, field) in [
        (json!({ "value": "canary" }), "name"),
        (json!({ "name": "a b", "value": "canary" }), "name"),
        (json!({ "name": "", "value": "canary" }), "name"),
        (json!({ "name": "a", "value": "" }), "value"),
        (json!({ "name": "a", "value": "canary\u{0}" }), "value"),
        (json!({ "name": "a", "value": long }), "value"),
        (json!({ "id": id, "name": "a", "value": "canary" }), "id"),
        (json!({ "applicationId": app, "teamId": other, "name": "a", "value": "canary" }), "teamId"),
        (json!({ "name": "a", "value": "canary", "idempotencyKey": "" }), "idempotencyKey"),
    ] {
        let answer = town.service.action("setSecret", input, me(&town)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (422, "invalid-input"), "{}", answer.text);
        assert_eq!(answer.json()["extensions"]["field"], field, "{}", answer.text);
        assert!(!answer.text.contains("canary"), "{}", answer.text);
    }
    let count: i64 = sqlx::query_scalar("select count(*) from secrets").fetch_one(&town.pool()).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stands_for_one_request_and_keeps_no_trace_of_the_value() {
    let town = town().await;
    let ask = async |input: Value| town.service.action("setSecret", input, me(&town)).await;
    let one = json!({ "name": "a", "value": "first", "idempotencyKey": "k" });
    let (first, again) = tokio::join!(ask(one.clone()), ask(one.clone()));
    let (first, again) = match first.status.as_u16() {
        200 => (first, again),
        // Of two at once, one may be told to try again.
        _ => (again, first),
    };
    assert_eq!(first.json()["version"], 1, "{}", first.text);
    assert!(again.status == 200 && again.json() == first.json() || again.status == 409, "{}", again.text);
    assert_eq!(ask(one.clone()).await.json(), first.json());
    for other in [
        json!({ "name": "a", "value": "second", "idempotencyKey": "k" }),
        json!({ "name": "b", "value": "first", "idempotencyKey": "k" }),
    ] {
        let refused = ask(other).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "idempotency-conflict"));
    }
    // Somebody has set it since: the first request, repeated, does not bring its value back.
    assert_eq!(set(&town, "a", "third").await.1, 2);
    assert_eq!(ask(one).await.json(), first.json());
    let id: Uuid = first.json()["secretId"].as_str().unwrap().parse().unwrap();
    assert_eq!(super::reveal(&town, id).await["value"], "third");
    // A digest of a short value is as good as the value.
    use sha2::Digest;
    let digest = hex::encode(sha2::Sha256::digest("third"));
    assert_eq!(tables_with(&town, &[&digest]).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_make_the_same_secret_at_once_make_one() {
    let town = town().await;
    let (a, b, c) = tokio::join!(set(&town, "a", "1"), set(&town, "a", "2"), set(&town, "a", "3"));
    assert!(a.0 == b.0 && b.0 == c.0, "{a:?} {b:?} {c:?}");
    let mut versions = [a.1, b.1, c.1];
    versions.sort_unstable();
    assert_eq!(versions, [1, 2, 3]);
}
