//! Live queries and streams over real sockets.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{Rig, SECRET, Setup, empty_metadata};

/// A socket of a client.
pub struct Client {
    socket: tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>,
    pub agreed: Option<String>,
}

/// What came from the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Frame(Value),
    Closed(u16, String),
    Dropped,
    Nothing,
}

impl Client {
    pub async fn connect(rig: &Rig, protocol: Option<&str>, headers: &[(String, String)]) -> Self {
        let mut request = format!("ws://{}/v1/graphql", rig.address).into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        for (name, value) in headers {
            let name = tokio_tungstenite::tungstenite::http::HeaderName::try_from(name.as_str()).unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        // An unknown protocol is left unanswered, which this client takes for a fault: the raw handshake is not.
        let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
        let stream = tokio_tungstenite::MaybeTlsStream::Plain(stream);
        let (socket, response) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let agreed = response.headers().get("sec-websocket-protocol").map(|name| name.to_str().unwrap().to_owned());
        Self { socket, agreed }
    }

    /// A client that has said who it is.
    pub async fn admin(rig: &Rig) -> Self {
        let mut client = Self::connect(rig, Some("graphql-transport-ws"), &[]).await;
        client.say(json!({"type": "connection_init", "payload": {"headers": {"x-hasura-admin-secret": SECRET}}})).await;
        assert_eq!(client.hear().await, Heard::Frame(json!({"type": "connection_ack"})));
        client
    }

    pub async fn say(&mut self, frame: Value) {
        self.text(frame.to_string()).await;
    }

    pub async fn text(&mut self, text: String) {
        self.socket.send(Message::Text(text.into())).await.unwrap();
    }

    /// The next thing that is no keep-alive.
    pub async fn hear(&mut self) -> Heard {
        self.hear_within(Duration::from_secs(10)).await
    }

    pub async fn hear_within(&mut self, limit: Duration) -> Heard {
        let wait = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => {
                        let frame: Value = serde_json::from_str(&text).unwrap();
                        let kind = frame["type"].as_str().unwrap_or_default();
                        if kind != "ka" && kind != "ping" {
                            return Heard::Frame(frame);
                        }
                    }
                    Some(Ok(Message::Close(Some(frame)))) => {
                        return Heard::Closed(frame.code.into(), frame.reason.to_string());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Heard::Dropped,
                }
            }
        };
        tokio::time::timeout(limit, wait).await.unwrap_or(Heard::Nothing)
    }

    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({"id": id, "type": "subscribe", "payload": {"query": query}})).await;
    }

    /// The data of the next answer.
    pub async fn data(&mut self) -> Value {
        match self.hear().await {
            Heard::Frame(frame) if frame["type"] == "next" => frame["payload"]["data"].clone(),
            other => panic!("an answer was awaited, not {other:?}"),
        }
    }
}

const SQL: &str = "create table apps (id int primary key, name text, replicas int, team int default 1);\
    create table other (id int primary key);\
    create view running as select id, name from apps where replicas > 0;\
    insert into apps values (1, 'a', 1), (2, 'b', 2);";

async fn rig() -> Rig {
    let table = |name: &str, permissions: Value| json!({"table": {"name": name, "schema": "public"}, "select_permissions": permissions});
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([
        table(
            "apps",
            json!([{"role": "user", "permission": {"columns": "*", "filter": {"team": {"_eq": "X-Hasura-Team"}}}}])
        ),
        table("other", json!([])),
        table("running", json!([])),
    ]);
    Rig::start(Setup { sql: SQL, metadata: Some(metadata), unauthorized_role: Some("anonymous"), ..Setup::default() })
        .await
}

async fn sql(rig: &Rig, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&rig.pool).await.unwrap();
}

#[tokio::test]
async fn a_commit_by_anyone_reaches_the_subscriber_at_once() {
    let rig = rig().await;
    let mut client = Client::admin(&rig).await;
    client.subscribe("1", "subscription { apps_by_pk(id: 1) { name replicas } }").await;
    assert_eq!(client.data().await, json!({"apps_by_pk": {"name": "a", "replicas": 1}}));
    let started = std::time::Instant::now();
    sql(&rig, "update apps set replicas = 4 where id = 1").await;
    assert_eq!(client.data().await, json!({"apps_by_pk": {"name": "a", "replicas": 4}}));
    assert!(started.elapsed() < Duration::from_millis(900), "sooner than a poll: {:?}", started.elapsed());
    rig.admin("mutation { update_apps_by_pk(pk_columns: {id: 1}, _set: {replicas: 5}) { id } }").await;
    assert_eq!(client.data().await, json!({"apps_by_pk": {"name": "a", "replicas": 5}}));
    sql(&rig, "update apps set replicas = 9 where id = 2; insert into other values (1)").await;
    sql(&rig, "truncate apps").await;
    assert_eq!(client.data().await, json!({"apps_by_pk": null}), "unrelated changes are not sent");
}

#[tokio::test]
async fn views_are_followed_through_their_tables() {
    let rig = rig().await;
    let mut client = Client::admin(&rig).await;
    client.subscribe("1", "subscription { running(order_by: {id: asc}) { id } }").await;
    assert_eq!(client.data().await, json!({"running": [{"id": 1}, {"id": 2}]}));
    let started = std::time::Instant::now();
    sql(&rig, "update apps set replicas = 0 where id = 2").await;
    assert_eq!(client.data().await, json!({"running": [{"id": 1}]}));
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[tokio::test]
async fn each_subscriber_sees_what_its_session_may_see() {
    let rig = rig().await;
    let mut clients = Vec::new();
    for team in ["1", "2", "1"] {
        let mut client = Client::connect(&rig, Some("graphql-transport-ws"), &[]).await;
        let headers = json!({"x-hasura-admin-secret": SECRET, "x-hasura-role": "user", "x-hasura-team": team});
        client.say(json!({"type": "connection_init", "payload": {"headers": headers}})).await;
        client.hear().await;
        client.subscribe("1", "subscription { apps(order_by: {id: asc}) { id } }").await;
        clients.push(client);
    }
    let seen = |ids: &[i64]| json!({"apps": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()});
    for (client, expected) in clients.iter_mut().zip([seen(&[1, 2]), seen(&[]), seen(&[1, 2])]) {
        assert_eq!(client.data().await, expected);
    }
    assert_eq!(rig.server.surface().live.queries.cohorts(), 1, "one statement serves them all");
    sql(&rig, "update apps set team = 2 where id = 2").await;
    for (client, expected) in clients.iter_mut().zip([seen(&[1]), seen(&[2]), seen(&[1])]) {
        assert_eq!(client.data().await, expected);
    }
}

#[tokio::test]
async fn a_permission_that_is_taken_away_ends_what_it_allowed() {
    let rig = rig().await;
    let mut client = Client::connect(&rig, Some("graphql-transport-ws"), &[]).await;
    let headers = json!({"x-hasura-admin-secret": SECRET, "x-hasura-role": "user", "x-hasura-team": "1"});
    client.say(json!({"type": "connection_init", "payload": {"headers": headers}})).await;
    client.hear().await;
    client.subscribe("1", "subscription { apps(order_by: {id: asc}) { id } }").await;
    client.data().await;
    rig.command(json!({"type": "pg_drop_select_permission", "args": {"table": "apps", "role": "user"}})).await;
    match client.hear().await {
        Heard::Frame(frame) => assert_eq!(frame["type"], "error", "{frame}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(client.hear().await, Heard::Frame(json!({"type": "complete", "id": "1"})));
}

#[tokio::test]
async fn streams_send_every_row_once_and_in_order() {
    let rig = rig().await;
    let mut client = Client::admin(&rig).await;
    client.subscribe("1", "subscription { apps_stream(batch_size: 2, cursor: {initial_value: {id: 0}}) { id } }").await;
    assert_eq!(client.data().await, json!({"apps_stream": [{"id": 1}, {"id": 2}]}));
    sql(&rig, "insert into apps select n, 'x', 1 from generate_series(3, 7) n").await;
    assert_eq!(client.data().await, json!({"apps_stream": [{"id": 3}, {"id": 4}]}));
    assert_eq!(client.data().await, json!({"apps_stream": [{"id": 5}, {"id": 6}]}));
    assert_eq!(client.data().await, json!({"apps_stream": [{"id": 7}]}));
}

#[tokio::test]
async fn a_stream_neither_sends_nor_orders_by_what_an_inherited_role_does_not_see() {
    let permission = |role: &str, columns: Value, filter: Value| json!({"role": role, "permission": {"columns": columns, "filter": filter}});
    let mut metadata = empty_metadata();
    metadata["sources"][0]["tables"] = json!([{"table": "box", "select_permissions": [
        permission("low", json!(["id", "a"]), json!({"id": {"_lt": 3}})),
        permission("high", json!(["id", "b"]), json!({"id": {"_gt": 2}})),
    ]}]);
    metadata["inherited_roles"] = json!([{"role_name": "both", "role_set": ["low", "high"]}]);
    let sql = "create table box (id int primary key, a int, b int);\
        insert into box values (1, 1, 40), (2, 1, 10), (3, 7, 30), (4, null, 20);";
    let rig = Rig::start(Setup { sql, metadata: Some(metadata), ..Setup::default() }).await;
    let mut client = Client::connect(&rig, Some("graphql-transport-ws"), &[]).await;
    let headers = json!({"x-hasura-admin-secret": SECRET, "x-hasura-role": "both"});
    client.say(json!({"type": "connection_init", "payload": {"headers": headers}})).await;
    client.hear().await;
    // Of both roles' rows `b` is seen on the last two alone: the first two have no place in its order.
    client.subscribe("1", "subscription { box_stream(batch_size: 1, cursor: {initial_value: {b: 0}}) { id b } }").await;
    assert_eq!(client.data().await, json!({"box_stream": [{"id": 4, "b": 20}]}));
    assert_eq!(client.data().await, json!({"box_stream": [{"id": 3, "b": 30}]}));
    sqlx::raw_sql("update box set b = 50 where id = 2; insert into box values (5, null, 60)")
        .execute(&rig.pool)
        .await
        .unwrap();
    assert_eq!(client.data().await, json!({"box_stream": [{"id": 5, "b": 60}]}));
    client
        .subscribe(
            "2",
            "subscription { box_stream(batch_size: 9, cursor: {initial_value: {b: 35}, ordering: DESC}) { id } }",
        )
        .await;
    assert_eq!(client.data().await, json!({"box_stream": [{"id": 3}, {"id": 4}]}));
}

#[tokio::test]
async fn a_stopped_subscription_is_silent_and_its_id_free() {
    let rig = rig().await;
    let mut client = Client::admin(&rig).await;
    client.subscribe("1", "subscription { apps_by_pk(id: 1) { replicas } }").await;
    client.data().await;
    client.say(json!({"id": "1", "type": "complete"})).await;
    client.subscribe("1", "subscription { apps_by_pk(id: 2) { name } }").await;
    assert_eq!(client.data().await, json!({"apps_by_pk": {"name": "b"}}));
    sql(&rig, "update apps set replicas = 7, name = 'c'").await;
    assert_eq!(client.data().await, json!({"apps_by_pk": {"name": "c"}}));
}

#[tokio::test]
async fn an_ended_token_ends_the_socket() {
    const KEY: &str = "0123456789abcdef0123456789abcdef-test";
    let rig =
        Rig::start(Setup { sql: SQL, jwt_secret: Some(json!({"type": "HS256", "key": KEY})), ..Setup::default() })
            .await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"exp": now + 2, "https://hasura.io/jwt/claims": {
        "x-hasura-allowed-roles": ["user"], "x-hasura-default-role": "user",
    }});
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    let token =
        jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret(KEY.as_bytes())).unwrap();
    let mut client = Client::connect(&rig, Some("graphql-transport-ws"), &[]).await;
    let headers = json!({"Authorization": format!("Bearer {token}")});
    client.say(json!({"type": "connection_init", "payload": {"headers": headers}})).await;
    assert_eq!(client.hear().await, Heard::Frame(json!({"type": "connection_ack"})));
    assert_eq!(client.hear().await, Heard::Dropped);
}
