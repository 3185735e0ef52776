//! Configuration, database, cache and bus against real servers.

mod audit;
mod bus;
mod cache;
mod cache_cluster;
mod cache_faults;
mod handlers;
mod leases;
mod migrations;
mod proxy;
mod topology;
mod transactions;

pub use bus::{eventually, private};
pub use proxy::Proxy;

use northstack::config;
use northstack::db::Db;
use northstack::domain::Redacted;
use sqlx::postgres::PgConnectOptions;

use crate::support;

/// Settings that reach the database that `options` name.
pub fn settings(options: &PgConnectOptions) -> config::Database {
    config::Database {
        hosts: vec![options.get_host().to_owned()],
        port: options.get_port(),
        database: options.get_database().unwrap().to_owned(),
        user: options.get_username().to_owned(),
        password: Some(Redacted::from("integration-test")),
        max_connections: 10,
        ..config::Database::default()
    }
}

/// A database of its own with all migrations applied.
pub async fn database() -> Db {
    Db::connect(&settings(&support::database().await)).await.unwrap()
}

/// The run's cache, under keys of its own.
pub fn cache_settings() -> config::Cache {
    let prefix = format!("{}:", uuid::Uuid::new_v4().simple());
    config::Cache {
        addresses: vec![format!("127.0.0.1:{}", support::servers().redis.port())],
        password: Some(Redacted::from("integration-test")),
        key_prefix: prefix,
        ..config::Cache::default()
    }
}
