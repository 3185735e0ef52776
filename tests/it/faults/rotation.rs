//! Keys and secrets that are changed while people work (F20), by the steps of `docs/operations.md`: not one request fails,
//! nobody is signed out, and what was retired is worth nothing afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use northstack::auth::{SigningKey, Tokens};
use northstack::config;
use northstack::domain::Redacted;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::Fleet;

/// Life of an access token.
const LIFE: Duration = Duration::from_secs(4);
/// After so many rounds a person gets a new token, however good the old one still is.
const ROUNDS: usize = 3;
/// So many requests are answered while processes of both kinds are there: several rounds of everybody.
const ENOUGH: usize = 60;

/// One key of each kind.
struct Keys {
    signing: SigningKey,
    action: &'static str,
    admin: &'static str,
}

impl Keys {
    /// The settings of a process that works with these keys.
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("NORTHSTACK_AUTH__SIGNING_KEY", self.signing.pem().unwrap().expose().clone()),
            ("NORTHSTACK_ACTIONS__SECRET", self.action.to_owned()),
            ("NORTHSTACK_HASURA__ADMIN_SECRET", self.admin.to_owned()),
            ("NORTHSTACK_AUTH__ACCESS_TOKEN_TTL", format!("{}s", LIFE.as_secs())),
        ]
    }

    /// The same, and the other keys are taken beside them.
    fn settings_beside(&self, other: &Self) -> Vec<(&'static str, String)> {
        let mut settings = self.settings();
        settings.extend([
            ("NORTHSTACK_AUTH__PREVIOUS_SIGNING_KEYS", other.signing.public_pem().unwrap()),
            ("NORTHSTACK_ACTIONS__PREVIOUS_SECRET", other.action.to_owned()),
            ("NORTHSTACK_HASURA__PREVIOUS_ADMIN_SECRET", other.admin.to_owned()),
        ]);
        settings
    }

    /// A token of this key that is good for long.
    fn token(&self, user: Uuid) -> Redacted {
        let auth = config::Auth { signing_key: Some(self.signing.pem().unwrap()), ..config::Auth::default() };
        let tokens = Tokens::new(&auth).unwrap();
        tokens.issue(user, "ada@example.com", false, Vec::new(), None, Duration::from_secs(3600)).unwrap().token
    }
}

/// The service as its clients see it.
#[derive(Clone)]
struct Site {
    url: String,
    http: reqwest::Client,
}

impl Site {
    async fn ask(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let mut request = self.http.post(format!("{}{path}", self.url)).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {status} {text}")))
    }

    async fn graphql(&self, headers: &[(&str, &str)], query: &str) -> Value {
        self.ask("/v1/graphql", headers, &json!({ "query": query })).await.1
    }

    async fn by_token(&self, token: &Redacted, query: &str) -> Value {
        self.graphql(&[("authorization", &format!("Bearer {}", token.expose()))], query).await
    }

    async fn me(&self, token: &Redacted) -> (u16, Value) {
        let answer =
            self.http.get(format!("{}/api/v1/auth/me", self.url)).bearer_auth(token.expose()).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// An action as a Hasura beside the service calls it.
    async fn act(&self, secret: &str, user: Uuid) -> (u16, Value) {
        let session = json!({ "x-hasura-role": "user", "x-hasura-user-id": user });
        let body =
            json!({ "action": { "name": "me" }, "input": {}, "session_variables": session, "request_query": "" });
        self.ask("/actions/me", &[("x-northstack-action-secret", secret)], &body).await
    }

    async fn published(&self) -> Vec<String> {
        let answer = self.http.get(format!("{}/.well-known/jwks.json", self.url)).send().await.unwrap();
        let keys: Value = answer.json().await.unwrap();
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    async fn register(&self, name: &str) -> Person {
        let query = format!(
            "mutation {{ register(email: \"{name}@example.com\", password: \"correct horse battery\", name: \"{name}\")
               {{ accessToken refreshToken expiresIn userId }} }}"
        );
        let answer = self.graphql(&[], &query).await;
        Person::of(&answer["data"]["register"])
    }
}

/// Somebody who is signed in.
struct Person {
    id: Uuid,
    access: Redacted,
    refresh: String,
    until: tokio::time::Instant,
}

impl Person {
    fn of(session: &Value) -> Self {
        let text = |name: &str| session[name].as_str().unwrap_or_else(|| panic!("no session: {session}"));
        let life = Duration::from_secs(session["expiresIn"].as_u64().unwrap());
        let until = tokio::time::Instant::now() + life / 2;
        Self {
            id: text("userId").parse().unwrap(),
            access: text("accessToken").into(),
            refresh: text("refreshToken").to_owned(),
            until,
        }
    }

    /// Works for as long as it is asked to, and stays signed in as the portal does.
    async fn work(mut self, site: Site, load: Arc<Load>) {
        for round in 1.. {
            if !load.goes_on() {
                break;
            }
            if round % ROUNDS == 0 || tokio::time::Instant::now() >= self.until {
                let query = format!(
                    "mutation {{ refreshToken(refreshToken: \"{}\") {{ accessToken refreshToken expiresIn userId }} }}",
                    self.refresh
                );
                self = Self::of(&site.graphql(&[], &query).await["data"]["refreshToken"]);
            }
            // A row by the engine, an action by the engine and its webhook, and a route of the service itself.
            let answer = site.by_token(&self.access, "{ teams { name } me { id } }").await;
            assert_eq!(answer["data"]["me"]["id"], json!(self.id), "{answer}");
            assert_eq!(answer["data"]["teams"].as_array().unwrap().len(), 1, "{answer}");
            let (status, answer) = site.me(&self.access).await;
            assert_eq!(status, 200, "{answer}");
            load.counted(2);
        }
    }
}

/// What goes on while keys are changed.
#[derive(Default)]
struct Load {
    ends: AtomicBool,
    /// Whether callers of the webhooks and administrators use the new secrets.
    changed: AtomicBool,
    answered: AtomicUsize,
}

impl Load {
    fn goes_on(&self) -> bool {
        !self.ends.load(Ordering::SeqCst)
    }

    fn counted(&self, requests: usize) {
        self.answered.fetch_add(requests, Ordering::SeqCst);
    }

    /// Waits until so many more requests were answered; gives how many were in all.
    async fn more(&self, requests: usize) -> usize {
        let wanted = self.answered.load(Ordering::SeqCst) + requests;
        let enough = async {
            while self.answered.load(Ordering::SeqCst) < wanted {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), enough).await.expect("requests are answered");
        self.answered.load(Ordering::SeqCst)
    }
}

/// A Hasura and an administrator, who change over to the new secrets when they are told to.
async fn operate(site: Site, load: Arc<Load>, secrets: [(&'static str, &'static str); 2], user: Uuid) {
    while load.goes_on() {
        let (action, admin) = secrets[usize::from(load.changed.load(Ordering::SeqCst))];
        let (status, answer) = site.act(action, user).await;
        assert_eq!((status, &answer["id"]), (200, &json!(user)), "{answer}");
        let answer = site.graphql(&[("x-hasura-admin-secret", admin)], "{ users { id } }").await;
        assert!(answer["data"]["users"].as_array().is_some_and(|users| !users.is_empty()), "{answer}");
        load.counted(2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_changed_in_mid_load_and_not_one_request_fails() {
    let old =
        Keys { signing: SigningKey::generate(), action: "action-secret-of-before", admin: "admin-secret-of-before" };
    let new =
        Keys { signing: SigningKey::generate(), action: "action-secret-of-after", admin: "admin-secret-of-after" };
    let mut fleet = Fleet::start(2, &old.settings()).await;
    let site = Site { url: fleet.url(), http: reqwest::Client::new() };
    let (load, mut working) = (Arc::new(Load::default()), JoinSet::new());
    let mut user = Uuid::nil();
    for name in ["ada", "grace", "alan"] {
        let person = site.register(name).await;
        user = person.id;
        working.spawn(person.work(site.clone(), Arc::clone(&load)));
    }
    let secrets = [(old.action, old.admin), (new.action, new.admin)];
    working.spawn(operate(site.clone(), Arc::clone(&load), secrets, user));
    let (of_old, of_new) = (old.token(user), new.token(user));
    assert_eq!(site.published().await, [old.signing.id()]);
    assert_eq!(site.me(&of_new).await.0, 401, "nobody knows the new key");
    load.more(20).await;

    // 1. Every process takes the new ones beside the old ones.
    let mixed = async || {
        load.more(ENOUGH).await;
    };
    fleet.roll(&old.settings_beside(&new), mixed).await;
    assert_eq!(site.published().await, [old.signing.id(), new.signing.id()]);
    // 2. Every process works with the new ones and takes the old ones still; then those who call change over.
    fleet.roll(&new.settings_beside(&old), mixed).await;
    assert_eq!(site.published().await, [new.signing.id(), old.signing.id()]);
    for token in [&of_old, &of_new] {
        assert_eq!(site.me(token).await.0, 200);
        assert_eq!(site.by_token(token, "{ me { id } }").await["data"]["me"]["id"], json!(user));
    }
    load.changed.store(true, Ordering::SeqCst);
    // 3. Once the last token of the old key has ended, nothing takes the old ones any more.
    tokio::time::sleep(LIFE).await;
    fleet.roll(&new.settings(), mixed).await;
    let answered = load.more(0).await;
    load.ends.store(true, Ordering::SeqCst);
    while let Some(ended) = working.join_next().await {
        ended.unwrap_or_else(|error| panic!("a request failed: {error}\n{}", fleet.log()));
    }
    println!("{answered} requests were answered meanwhile");

    assert_eq!(site.published().await, [new.signing.id()]);
    let (status, answer) = site.me(&of_old).await;
    assert_eq!((status, &answer["error"]["code"]), (401, &json!("invalid-token")), "{answer}");
    let answer = site.by_token(&of_old, "{ me { id } }").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "invalid-jwt", "{answer}");
    assert_eq!(answer["errors"][0]["message"], "Could not verify JWT: JWSError JWSInvalidSignature");
    let (status, answer) = site.act(old.action, user).await;
    assert_eq!((status, &answer["extensions"]["code"]), (401, &json!("unauthenticated")), "{answer}");
    let answer = site.graphql(&[("x-hasura-admin-secret", old.admin)], "{ users { id } }").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "access-denied", "{answer}");
    for canary in [old.action, new.action, old.admin, new.admin, "PRIVATE KEY"] {
        assert!(!fleet.log().contains(canary), "{canary} is in the log");
    }
}
