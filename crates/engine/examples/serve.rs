//! The engine alone over any database, to be measured beside its peers by a load generator of its own.
//!
//! `DATABASE_URL=postgres://… METADATA=<directory> LISTEN=127.0.0.1:9102 cargo run --release -p northstack-engine --example serve`
//!
//! `ADMIN_SECRET` (default `s`) and `POOL` (connections, default 16) may be given too.

use std::error::Error;

use northstack_engine::server::Server;
use northstack_engine::{EngineOptions, MetadataSource};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::net::TcpListener;

fn variable(name: &str, default: Option<&str>) -> Result<String, String> {
    let given = std::env::var(name).ok().or(default.map(str::to_owned));
    given.ok_or_else(|| format!("set {name}; see the head of crates/engine/examples/serve.rs"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --all-targets` runs every bench once: without a database there is nothing to serve.
    if std::env::var_os("DATABASE_URL").is_none() {
        println!("skipped: DATABASE_URL is not set");
        return Ok(());
    }
    let database: PgConnectOptions = variable("DATABASE_URL", None)?.parse()?;
    let connections = variable("POOL", Some("16"))?.parse()?;
    let pool = PgPoolOptions::new().max_connections(connections);
    let pool = pool.connect_with(database.options([("jit", "off")])).await?;
    let mut options = EngineOptions::new(pool, MetadataSource::Directory(variable("METADATA", None)?.into()));
    options.admin_secret = Some(variable("ADMIN_SECRET", Some("s"))?.into());
    let server = Server::start(&options).await?;
    let listener = TcpListener::bind(variable("LISTEN", Some("127.0.0.1:9102"))?).await?;
    println!("the engine answers at http://{}/v1/graphql", listener.local_addr()?);
    axum::serve(listener, server.router()).await?;
    Ok(())
}
