//! The engine behind its routes: real sockets, a real database, a webhook service.

mod actions;
mod answers;
mod batches;
mod bounds;
mod conformance;
mod console;
mod digits;
mod events;
mod hostile;
mod joins;
mod kept;
mod live;
mod migrations;
mod permitted;
mod recorded;
mod recorded_remote;
mod refused;
mod rest;
mod schedules;
mod service;
mod settings;
mod sockets;
mod transforms;

use std::collections::HashMap;
use std::sync::Arc;

use northstack::engine::metadata::Metadata;
use northstack::engine::schedule::ScheduleOptions;
use northstack::engine::server::Server;
use northstack::engine::{EngineOptions, MetadataSource};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::empty_database;

/// The admin secret of every engine here.
pub const SECRET: &str = "secret";

/// An engine that serves on a port of its own.
pub struct Rig {
    pub server: Arc<Server>,
    pub pool: PgPool,
    pub address: std::net::SocketAddr,
    pub http: reqwest::Client,
}

/// What an engine here is started with.
#[derive(Default)]
pub struct Setup<'a> {
    pub sql: &'a str,
    pub metadata: Option<Value>,
    pub env: Vec<(&'static str, String)>,
    pub unauthorized_role: Option<&'static str>,
    pub jwt_secret: Option<Value>,
    pub stringify: bool,
    pub adjust: Option<fn(&mut EngineOptions)>,
    pub schedules: Option<ScheduleOptions>,
}

/// Metadata of one empty source.
pub fn empty_metadata() -> Value {
    json!({"version": 3, "sources": [{
        "name": "default", "kind": "postgres", "tables": [],
        "configuration": {"connection_info": {"database_url": {"from_env": "DATABASE_URL"}}},
    }]})
}

impl Rig {
    /// Waits until no captured event is under way.
    async fn events_settle(&self) {
        let wait = async {
            loop {
                let open: i64 =
                    sqlx::query_scalar("select count(*) from hdb_catalog.event_log where not delivered and not error")
                        .fetch_one(&self.pool)
                        .await
                        .unwrap();
                if open == 0 {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), wait).await.expect("events settle in time");
    }

    /// Starts an engine over a new database.
    pub async fn start(setup: Setup<'_>) -> Self {
        let pool = PgPool::connect_with(empty_database().await).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(setup.sql.to_owned())).execute(&pool).await.unwrap();
        Self::over(pool, setup).await
    }

    /// Starts an engine over a database that is there.
    pub async fn over(pool: PgPool, setup: Setup<'_>) -> Self {
        let metadata = Metadata::from_document(&setup.metadata.unwrap_or_else(empty_metadata)).unwrap();
        let mut options = EngineOptions::new(pool.clone(), MetadataSource::Document(Box::new(metadata)));
        options.admin_secret = Some(SECRET.to_owned().into());
        options.env = setup.env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<HashMap<_, _>>();
        options.unauthorized_role = setup.unauthorized_role.map(str::to_owned);
        options.jwt_secret = setup.jwt_secret;
        options.stringify_numeric_types = setup.stringify;
        if let Some(schedules) = setup.schedules {
            options.schedules = schedules;
        }
        if let Some(adjust) = setup.adjust {
            adjust(&mut options);
        }
        Self::serve(pool, Server::start(&options).await.unwrap()).await
    }

    /// Serves an engine that was started.
    pub async fn serve(pool: PgPool, server: Server) -> Self {
        let server = Arc::new(server);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = server.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { server, pool, address, http: reqwest::Client::new() }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Status and JSON body of a request with these headers.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<String>) -> (u16, Value) {
        let mut request = self.http.request(method.parse().unwrap(), self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_else(|_| text.into()))
    }

    /// A metadata command of the admin, which must succeed.
    pub async fn command(&self, command: Value) -> Value {
        let (status, answer) =
            self.send("POST", "/v1/metadata", &[("x-hasura-admin-secret", SECRET)], Some(command.to_string())).await;
        assert_eq!(status, 200, "{command}: {answer}");
        answer
    }

    /// Answers to a GraphQL body of someone.
    pub async fn ask(&self, headers: &[(&str, &str)], body: &Value) -> Value {
        self.send("POST", "/v1/graphql", headers, Some(body.to_string())).await.1
    }

    /// A GraphQL request of the admin.
    pub async fn admin(&self, query: &str) -> Value {
        let body = json!({"query": query}).to_string();
        self.send("POST", "/v1/graphql", &[("x-hasura-admin-secret", SECRET)], Some(body)).await.1
    }
}
