//! Connections to one server or to a cluster, behind one type.

use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster_async::ClusterConnection;
use redis::{
    Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisConnectionInfo, RedisFuture, Value,
};

use super::{Error, Result};
use crate::config;

/// A connection that carries many commands at once and is made anew when it is lost.
#[derive(Clone)]
pub(super) enum Connection {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Connection::Single(connection) => connection.req_packed_command(cmd),
            Connection::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Connection::Single(connection) => connection.req_packed_commands(cmd, offset, count),
            Connection::Cluster(connection) => connection.req_packed_commands(cmd, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Connection::Single(connection) => connection.get_db(),
            Connection::Cluster(connection) => connection.get_db(),
        }
    }
}

/// A client of the first server.
pub(super) fn client(config: &config::Cache) -> Result<redis::Client> {
    let first = infos(config)?.into_iter().next().ok_or(Error::Closed)?;
    redis::Client::open(first).map_err(Error::Configuration)
}

/// One more connection.
pub(super) async fn open(config: &config::Cache, client: &redis::Client) -> Result<Connection> {
    if config.cluster {
        let mut builder = redis::cluster::ClusterClient::builder(infos(config)?)
            .connection_timeout(config.connect_timeout)
            .response_timeout(config.response_timeout)
            .retries(2);
        if let Some(password) = &config.password {
            builder = builder.password(password.expose());
        }
        if let Some(username) = &config.username {
            builder = builder.username(username);
        }
        let cluster = builder.build().map_err(Error::Configuration)?;
        return Ok(Connection::Cluster(cluster.get_async_connection().await?));
    }
    let settings = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(config.connect_timeout))
        .set_response_timeout(Some(config.response_timeout))
        .set_number_of_retries(1)
        .set_min_delay(Duration::from_millis(20))
        .set_max_delay(Duration::from_millis(200));
    let manager = ConnectionManager::new_lazy_with_config(client.clone(), settings).map_err(Error::Configuration)?;
    Ok(Connection::Single(manager))
}

fn infos(config: &config::Cache) -> Result<Vec<ConnectionInfo>> {
    let mut settings = RedisConnectionInfo::default().set_db(i64::from(config.database));
    if let Some(username) = &config.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &config.password {
        settings = settings.set_password(password.expose());
    }
    let addresses = config.addresses.iter().filter_map(|address| config::split_host_port(address, 6379));
    addresses
        .map(|(host, port)| {
            let address = match config.tls {
                true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
                false => ConnectionAddr::Tcp(host, port),
            };
            let info = address.into_connection_info().map_err(Error::Configuration)?;
            Ok(info.set_redis_settings(settings.clone()))
        })
        .collect()
}
