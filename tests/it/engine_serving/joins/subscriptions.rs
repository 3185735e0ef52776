//! Joins inside live queries and streams, which Hasura refuses.

use serde_json::json;

use super::super::live::{Client, Heard};
use super::remote::Phase;
use super::rig;

#[tokio::test]
async fn a_live_query_is_joined_and_follows_its_rows() {
    let (rig, remote) = rig().await;
    let mut client = Client::admin(&rig).await;
    client.subscribe("1", "subscription { apps(where: {id: {_eq: 1}}) { owner runtime { phase } } }").await;
    assert_eq!(client.data().await, json!({"apps": [{"owner": "o1", "runtime": {"phase": "RUNNING"}}]}));
    remote.set_phase("app-1", Phase::Failed);
    sqlx::query("update apps set owner = 'o9' where id = 1").execute(&rig.pool).await.unwrap();
    rig.server.tables_changed(&[("public", "apps")]);
    assert_eq!(client.data().await, json!({"apps": [{"owner": "o9", "runtime": {"phase": "FAILED"}}]}));
    // The key of the join changes with the row.
    sqlx::query("update apps set key = 'app-2' where id = 1").execute(&rig.pool).await.unwrap();
    rig.server.tables_changed(&[("public", "apps")]);
    assert_eq!(client.data().await, json!({"apps": [{"owner": "o9", "runtime": {"phase": "RUNNING"}}]}));
}

#[tokio::test]
async fn a_live_query_follows_the_rows_that_are_joined_to_what_is_joined() {
    let (rig, _remote) = rig().await;
    let mut client = Client::admin(&rig).await;
    let query = "subscription { apps_by_pk(id: 1) { own_builds(order_by: {id: asc}) { id } runtime { app { builds_aggregate { aggregate { count } } } } } }";
    client.subscribe("1", query).await;
    let count = |n: i32| json!({"app": {"builds_aggregate": {"aggregate": {"count": n}}}});
    assert_eq!(
        client.data().await,
        json!({"apps_by_pk": {"own_builds": [{"id": 1}, {"id": 2}, {"id": 4}], "runtime": count(3)}})
    );
    sqlx::query("delete from builds where id = 2").execute(&rig.pool).await.unwrap();
    rig.server.tables_changed(&[("public", "builds")]);
    assert_eq!(client.data().await, json!({"apps_by_pk": {"own_builds": [{"id": 1}, {"id": 4}], "runtime": count(2)}}));
}

#[tokio::test]
async fn each_subscriber_of_a_cohort_is_joined_as_who_asks() {
    let (rig, remote) = rig().await;
    let query = "subscription { apps(where: {id: {_eq: 1}}) { runtime { region } } }";
    let connect = |region: &'static str| {
        let rig = &rig;
        async move {
            let mut client = Client::connect(rig, Some("graphql-transport-ws"), &[]).await;
            let headers = json!({"x-hasura-admin-secret": super::SECRET, "x-hasura-role": "user", "x-hasura-team": "1",
                "x-hasura-region": region});
            client.say(json!({"type": "connection_init", "payload": {"headers": headers}})).await;
            assert_eq!(client.hear().await, Heard::Frame(json!({"type": "connection_ack"})));
            client.subscribe("1", query).await;
            client
        }
    };
    let (mut one, mut other) = (connect("eu").await, connect("us").await);
    assert_eq!(one.data().await, json!({"apps": [{"runtime": {"region": "eu"}}]}));
    assert_eq!(other.data().await, json!({"apps": [{"runtime": {"region": "us"}}]}));
    let mut regions = remote.asked_with("x-hasura-region");
    regions.sort();
    assert_eq!(regions, ["eu", "us"]);
}

#[tokio::test]
async fn a_stream_is_joined_row_by_row() {
    let (rig, remote) = rig().await;
    let mut client = Client::admin(&rig).await;
    let query = "subscription { builds_stream(batch_size: 2, cursor: {initial_value: {id: 1}}) { id pods { name } } }";
    client.subscribe("1", query).await;
    let row = |id: i32, key: &str| json!({"id": id, "pods": [{"name": format!("{key}-0")}]});
    assert_eq!(client.data().await, json!({"builds_stream": [row(2, "app-1"), row(3, "app-2")]}));
    assert_eq!(client.data().await, json!({"builds_stream": [row(4, "app-1")]}));
    sqlx::query("insert into builds values (5, 2, 'app-2')").execute(&rig.pool).await.unwrap();
    rig.server.tables_changed(&[("public", "builds")]);
    assert_eq!(client.data().await, json!({"builds_stream": [row(5, "app-2")]}));
    assert_eq!(remote.asked().len(), 3, "one request a batch");
}

#[tokio::test]
async fn a_join_that_fails_refuses_a_subscription_that_has_not_begun() {
    let (rig, _remote) = rig().await;
    let mut client = Client::admin(&rig).await;
    client.subscribe("1", "subscription { apps(where: {id: {_eq: 1}}) { runtime { broken } } }").await;
    let Heard::Frame(frame) = client.hear().await else { panic!("a frame was awaited") };
    assert_eq!(
        (&frame["type"], &frame["payload"][0]["message"]),
        (&json!("error"), &json!("Errors from remote server"))
    );
}
