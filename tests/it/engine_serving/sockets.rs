//! The handshake of sockets, and who a socket is: as Hasura chooses, refuses and closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use jsonwebtoken::{EncodingKey, Header};
use northstack::engine::serving::Admission;
use northstack::http::Backend;
use northstack::vendors::hasura::{self, Credentials, Request};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::live::{Client, Heard};
use super::{Rig, SECRET, Setup, empty_metadata};

pub const KEY: &str = "a key of thirty-two characters!!";

/// A token of a user.
pub fn token(user: &str) -> String {
    let claims = json!({"exp": 4_102_444_800_i64, "https://hasura.io/jwt/claims": {
        "x-hasura-allowed-roles": ["user"], "x-hasura-default-role": "user", "x-hasura-user-id": user,
    }});
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(KEY.as_bytes())).unwrap()
}

async fn rig() -> Rig {
    let mut metadata = empty_metadata();
    let own = json!({"columns": "*", "filter": {"owner": {"_eq": "X-Hasura-User-Id"}}});
    metadata["sources"][0]["tables"] =
        json!([{"table": "things", "select_permissions": [{"role": "user", "permission": own}]}]);
    Rig::start(Setup {
        sql: "create table things (id int primary key, owner text); insert into things values (1, 'ada'), (2, 'bob')",
        metadata: Some(metadata),
        jwt_secret: Some(json!({"type": "HS256", "key": KEY})),
        unauthorized_role: Some("anonymous"),
        ..Setup::default()
    })
    .await
}

fn init(headers: Value) -> Value {
    json!({"type": "connection_init", "payload": {"headers": headers}})
}

#[tokio::test]
async fn the_protocol_is_chosen_by_the_whole_header_as_in_hasura() {
    let rig = rig().await;
    for (offered, agreed) in [
        ("graphql-transport-ws", "graphql-transport-ws"),
        ("graphql-ws", "graphql-ws"),
        ("graphql-ws, graphql-transport-ws", "graphql-ws"),
        ("graphql-transport-ws, graphql-ws", "graphql-ws"),
        ("graphql-transport-ws,graphql-ws", "graphql-ws"),
    ] {
        let client = Client::connect(&rig, Some(offered), &[]).await;
        assert_eq!(client.agreed.as_deref(), Some(agreed), "{offered}");
    }
}

/// The answer to a handshake as it stands on the wire, and the first bytes after it.
async fn handshake(address: std::net::SocketAddr, offered: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /v1/graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {offered}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = async {
        loop {
            let mut bytes = [0; 1024];
            let count = stream.read(&mut bytes).await.unwrap();
            answer.extend_from_slice(&bytes[..count]);
            if count == 0 {
                return;
            }
        }
    };
    // Nothing else may come before `connection_init`.
    let _ = tokio::time::timeout(Duration::from_millis(700), reading).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn headers_of_the_handshake_are_written_as_they_were_asked_and_nothing_comes_before_the_ack() {
    let rig = rig().await;
    let (embedded, external) = {
        let serve = async |backend: Backend| {
            let service = crate::support::Service::with_backend(|_| {}, |_| backend).await;
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let stop = CancellationToken::new();
            tokio::spawn(northstack::http::serve(listener, service.router(), stop, Duration::from_secs(1)));
            (address, service)
        };
        let hasura = Backend::external(&rig.url("/")).unwrap();
        (serve(Backend::Embedded(rig.server.router())).await, serve(hasura).await)
    };
    for (name, address) in [("embedded", embedded.0), ("external", external.0)] {
        for offered in ["graphql-transport-ws", "graphql-ws"] {
            let answer = handshake(address, offered).await;
            assert!(answer.starts_with("HTTP/1.1 101"), "{name}: {answer}");
            assert!(answer.contains(&format!("Sec-WebSocket-Protocol: {offered}\r\n")), "{name}: {answer}");
            assert!(answer.ends_with("\r\n\r\n"), "{name}: a frame came before connection_init: {answer:?}");
        }
    }
}

#[tokio::test]
async fn two_tokens_are_refused_as_in_hasura_wherever_they_stand() {
    let rig = rig().await;
    let bearer = format!("Bearer {}", token("ada"));
    let both = [("authorization".to_owned(), bearer.clone())];
    let mut client = Client::connect(&rig, Some("graphql-transport-ws"), &both).await;
    client.say(init(json!({"authorization": bearer}))).await;
    assert_eq!(client.hear().await, Heard::Closed(4403, r#"{"server_error_msg":"4403: Forbidden"}"#.to_owned()));

    let message = "Could not verify JWT: Multiple JWTs found";
    let mut client = Client::connect(&rig, Some("graphql-ws"), &both).await;
    client.say(init(json!({"Authorization": format!("Bearer {}", token("bob"))}))).await;
    assert_eq!(client.hear().await, Heard::Frame(json!({"type": "connection_error", "payload": message})));
    assert!(matches!(client.hear().await, Heard::Closed(4400, _)));

    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    let (_, answer) =
        rig.send("POST", "/v1/graphql", &twice, Some(json!({"query": "{ things { id } }"}).to_string())).await;
    assert_eq!(
        answer["errors"][0],
        json!({"message": message, "extensions": {"path": "$", "code": "invalid-headers"}})
    );

    for (handshake, in_init) in [(both.as_slice(), json!({})), (&[], json!({"authorization": bearer}))] {
        let mut client = Client::connect(&rig, Some("graphql-transport-ws"), handshake).await;
        client.say(init(in_init)).await;
        assert_eq!(client.hear().await, Heard::Frame(json!({"type": "connection_ack"})));
        client.subscribe("1", "subscription { things { id } }").await;
        assert_eq!(client.data().await, json!({"things": [{"id": 1}]}));
    }
    // The administrator's secret decides before any token.
    let mut client = Client::connect(&rig, Some("graphql-transport-ws"), &both).await;
    client.say(init(json!({"authorization": bearer, "x-hasura-admin-secret": SECRET}))).await;
    assert_eq!(client.hear().await, Heard::Frame(json!({"type": "connection_ack"})));
}

/// Who has signed out, for the one test below.
static SIGNED_OUT: AtomicBool = AtomicBool::new(false);

struct UntilSignedOut;

impl Admission for UntilSignedOut {
    fn holds<'a>(&'a self, _: &'a axum::http::HeaderMap) -> futures::future::BoxFuture<'a, bool> {
        Box::pin(async { !SIGNED_OUT.load(Ordering::SeqCst) })
    }
}

#[tokio::test]
async fn a_socket_ends_with_the_session_of_its_caller_and_speaks_in_the_products_words() {
    let mut metadata = empty_metadata();
    let own = json!({"columns": "*", "filter": {}});
    metadata["sources"][0]["tables"] = json!([{
        "table": "things",
        "select_permissions": [{"role": "user", "permission": own}],
        "insert_permissions": [{"role": "user", "permission": {"columns": "*", "check": {}}}],
    }]);
    let rig = Rig::start(Setup {
        sql: "create table things (id int primary key, owner text); insert into things values (1, 'ada')",
        metadata: Some(metadata),
        jwt_secret: Some(json!({"type": "HS256", "key": KEY})),
        unauthorized_role: Some("anonymous"),
        adjust: Some(|options| {
            options.admission = Some(Arc::new(UntilSignedOut));
            options.readmission = Duration::from_millis(50);
            options.wording = Some(Arc::new(|error| error["message"] = "in words".into()));
        }),
        ..Setup::default()
    })
    .await;
    let bearer = json!({"authorization": format!("Bearer {}", token("ada"))});
    let forbidden = Heard::Closed(4403, r#"{"server_error_msg":"4403: Forbidden"}"#.to_owned());
    let mut idle = Client::connect(&rig, Some("graphql-transport-ws"), &[]).await;
    let mut older = Client::connect(&rig, Some("graphql-ws"), &[]).await;
    for client in [&mut idle, &mut older] {
        client.say(init(bearer.clone())).await;
        assert_eq!(client.hear().await, Heard::Frame(json!({"type": "connection_ack"})));
    }
    idle.subscribe("1", "mutation { insert_things_one(object: {id: 1}) { id } }").await;
    let Heard::Frame(refused) = idle.hear().await else { panic!("no answer") };
    assert_eq!((&refused["type"], &refused["payload"][0]["message"]), (&json!("error"), &json!("in words")));
    assert_eq!(refused["payload"][0]["extensions"]["code"], "constraint-violation");
    assert_eq!(idle.hear().await, Heard::Frame(json!({"type": "complete", "id": "1"})));
    older
        .say(json!({"id": "1", "type": "start", "payload": {"query": "mutation { insert_things_one(object: {id: 1}) { id } }"}}))
        .await;
    let Heard::Frame(refused) = older.hear().await else { panic!("no answer") };
    assert_eq!(refused["payload"]["errors"][0]["message"], "in words");
    assert_eq!(older.hear().await, Heard::Frame(json!({"type": "complete", "id": "1"})));

    SIGNED_OUT.store(true, Ordering::SeqCst);
    assert_eq!(idle.hear().await, forbidden);
    assert!(matches!(older.hear().await, Heard::Closed(4400, reason) if reason.contains("the session has ended")));
    let mut late = Client::connect(&rig, Some("graphql-transport-ws"), &[]).await;
    late.say(init(bearer)).await;
    assert_eq!(late.hear().await, forbidden);
}

#[tokio::test]
async fn a_second_connection_init_closes_the_newer_protocol_only() {
    let rig = rig().await;
    let mut client = Client::admin(&rig).await;
    client.say(init(json!({"authorization": format!("Bearer {}", token("bob"))}))).await;
    assert_eq!(
        client.hear().await,
        Heard::Closed(4429, r#"{"server_error_msg":"4429: Too many initialisation requests"}"#.to_owned())
    );
    let mut client = Client::connect(&rig, Some("graphql-ws"), &[]).await;
    for _ in 0..2 {
        client.say(init(json!({"x-hasura-admin-secret": SECRET}))).await;
        assert_eq!(client.hear().await, Heard::Frame(json!({"type": "connection_ack"})));
    }
}

#[tokio::test]
async fn the_products_own_client_shows_its_token_once() {
    let rig = rig().await;
    // Behind the service as well, which passes the socket on as it is.
    let service = crate::support::Service::with_backend(|_| {}, |_| Backend::external(&rig.url("/")).unwrap()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(northstack::http::serve(listener, service.router(), CancellationToken::new(), Duration::from_secs(1)));
    for endpoint in [rig.url("/"), behind] {
        for credentials in [Credentials::Bearer(token("ada").as_str().into()), Credentials::AdminSecret(SECRET.into())]
        {
            let client = hasura::Client::new(&endpoint.parse().unwrap(), &credentials).unwrap();
            let request = Request::new("subscription { things(order_by: {id: asc}, limit: 1) { id } }", json!({}));
            let stream = client.subscribe::<Value>(&request).await.unwrap();
            let first = std::pin::pin!(stream).next().await.unwrap().unwrap();
            assert_eq!(first, json!({"things": [{"id": 1}]}), "{endpoint} {credentials:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_keeps_rows_whose_cursor_values_are_equal() {
    let mut metadata = empty_metadata();
    let limited = json!({"columns": ["id", "at"], "filter": {"id": {"_lt": 100}}, "limit": 2});
    metadata["sources"][0]["tables"] =
        json!([{"table": "marks", "select_permissions": [{"role": "user", "permission": limited}]}]);
    let rig = Rig::start(Setup {
        sql: "create table marks (id int primary key, at timestamptz, word text);
            insert into marks select n, '2024-01-01T00:00:00Z'::timestamptz + (n / 4) * interval '1 second', 'w' || n / 4
            from generate_series(1, 11) n; insert into marks values (12, null, null), (100, '2024-01-01T00:00:00Z', 'w0')",
        metadata: Some(metadata),
        ..Setup::default()
    })
    .await;
    let batches = async |role: &str, arguments: &str, count: usize| {
        let headers =
            [("x-hasura-admin-secret".to_owned(), SECRET.to_owned()), ("x-hasura-role".to_owned(), role.to_owned())];
        let mut client = Client::connect(&rig, Some("graphql-transport-ws"), &headers).await;
        client.say(json!({"type": "connection_init"})).await;
        assert_eq!(client.hear().await, Heard::Frame(json!({"type": "connection_ack"})));
        client.subscribe("1", &format!("subscription {{ marks_stream({arguments}) {{ id }} }}")).await;
        let mut all = Vec::new();
        for _ in 0..count {
            let data = client.data().await;
            let mut ids: Vec<i64> =
                data["marks_stream"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
            ids.sort_unstable();
            all.push(ids);
        }
        assert_eq!(client.hear_within(Duration::from_millis(300)).await, Heard::Nothing, "{arguments}");
        all
    };
    let at = "cursor: {initial_value: {at: \"2023-01-01T00:00:00Z\"}}, where: {id: {_lt: 100}}";
    let ties = vec![vec![1, 2, 3], vec![4, 5, 6, 7], vec![8, 9, 10, 11]];
    assert_eq!(batches("admin", &format!("batch_size: 1, {at}"), 3).await, ties);
    assert_eq!(
        batches("admin", &format!("batch_size: 4, {at}"), 2).await,
        [vec![1, 2, 3, 4, 5, 6, 7], vec![8, 9, 10, 11]]
    );
    assert_eq!(batches("admin", &format!("batch_size: 100, {at}"), 1).await, [(1..=11).collect::<Vec<i64>>()]);
    // The role's limit is a batch's, not what is left of one.
    assert_eq!(batches("user", &format!("batch_size: 50, {at}"), 3).await, ties);
    let down = "batch_size: 2, cursor: {initial_value: {at: \"2030-01-01T00:00:00Z\"}, ordering: DESC}, where: {id: {_lt: 100}}";
    assert_eq!(batches("admin", down, 3).await, [vec![8, 9, 10, 11], vec![4, 5, 6, 7], vec![1, 2, 3]]);
    let word = "batch_size: 1, cursor: {initial_value: {word: \"\"}}";
    assert_eq!(batches("admin", word, 3).await, [vec![1, 2, 3, 100], vec![4, 5, 6, 7], vec![8, 9, 10, 11]]);
}
