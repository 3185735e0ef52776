//! The service over HTTP, on real servers, asked without a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use northstack::app::{App, Provisioning};
use northstack::auth::SigningKey;
use northstack::bus::Bus;
use northstack::cache::Cache;
use northstack::config::{Config, Live};
use northstack::db::Db;
use northstack::http::{AppState, Backend, Settings};
use northstack::vendors::kubernetes::Client;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{database, servers};
use crate::platform::{cache_settings, settings};

pub const ACTION_SECRET: &str = "action-secret-of-the-tests";

/// A service with a database of its own; its cache keys have a prefix of their own.
pub struct Service {
    pub app: Arc<App>,
    pub config: Config,
    live: tokio::sync::watch::Sender<Arc<Config>>,
    state: AppState,
    router: Router,
}

/// What the service answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// The value of a cookie that the answer sets.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let set = self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        let mut found = set.filter_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('=')?.split(';').next());
        found.next().map(str::to_owned)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The error code, by either face.
    pub fn code(&self) -> String {
        let body = self.json();
        let code = body.pointer("/extensions/code").or_else(|| body.pointer("/error/code"));
        code.and_then(Value::as_str).unwrap_or_else(|| panic!("no error: {} {}", self.status, self.text)).to_owned()
    }
}

impl Service {
    /// A service with the default configuration.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A service whose configuration is changed by `change`.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_backend(change, |_| Backend::Embedded(Router::new())).await
    }

    pub async fn with_backend(change: impl FnOnce(&mut Config), backend: impl FnOnce(&App) -> Backend) -> Self {
        Self::assemble(change, |app, _| app, backend).await
    }

    /// A service whose stores live in a cluster; what is waited for is looked at very often.
    pub async fn provisioned(kubernetes: Client, change: impl FnOnce(&mut Config)) -> Self {
        let provision = |app: App, live: &Live| {
            app.with_provisioning(Provisioning::new(kubernetes, live, Duration::from_millis(10)))
        };
        Self::assemble(change, provision, |_| Backend::Embedded(Router::new())).await
    }

    async fn assemble(
        change: impl FnOnce(&mut Config),
        provision: impl FnOnce(App, &Live) -> App,
        backend: impl FnOnce(&App) -> Backend,
    ) -> Self {
        let options = database().await;
        let mut config = Config { database: settings(&options), cache: cache_settings(), ..Config::default() };
        config.nats.servers = vec![servers().nats.url()];
        config.nats.token = Some(servers().nats.token().clone());
        config.auth.signing_key = Some(SigningKey::generate().pem().unwrap());
        config.auth.cookie_secure = false;
        config.rate_limits.registrations = 10_000;
        config.actions.secret = Some(ACTION_SECRET.into());
        change(&mut config);
        let (sender, live) = Live::changing(config.clone());

        let db = Db::connect(&config.database).await.unwrap();
        let cache = Cache::connect(&config.cache).await.unwrap();
        let bus = Bus::connect(&config.nats).await.unwrap();
        let app = Arc::new(provision(App::new(live.clone(), db, cache, bus).unwrap(), &live));
        let backend = backend(&app);
        let state = AppState::new(Arc::clone(&app), Settings::from(&live), backend);
        let router = northstack::http::router(state.clone());
        Self { app, config, live: sender, state, router }
    }

    /// Changes the configuration in force, as a changed file does.
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        self.live.send_modify(|config| change(Arc::make_mut(config)));
    }

    pub fn router(&self) -> Router {
        self.router.clone()
    }

    pub fn state(&self) -> AppState {
        self.state.clone()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        Self::answer(self.router(), request).await
    }

    /// As if a proxy on this machine had asked.
    pub async fn answer(router: Router, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000))));
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// A request with a JSON body.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.send(request(Method::POST, path, headers, body.to_string())).await
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(request(Method::GET, path, headers, String::new())).await
    }

    /// Calls an action as Hasura does, under `session`.
    pub async fn action(&self, name: &str, input: Value, session: Value) -> Answer {
        self.action_with(name, input, session, &[]).await
    }

    pub async fn action_with(&self, name: &str, input: Value, session: Value, headers: &[(&str, &str)]) -> Answer {
        let body = json!({
            "action": { "name": name },
            "input": input,
            "session_variables": session,
            "request_query": "mutation { x }",
        });
        let headers = [&[("x-northstack-action-secret", ACTION_SECRET)], headers].concat();
        self.post(&format!("/actions/{name}"), &headers, &body).await
    }

    /// Registers a user and gives the session.
    pub async fn register(&self, email: &str) -> Value {
        let body = json!({ "email": email, "password": "correct horse battery", "name": "Ada Lovelace" });
        let answer = self.post("/api/v1/auth/register", &[], &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()["data"].clone()
    }
}

pub fn request(method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body)).unwrap()
}
