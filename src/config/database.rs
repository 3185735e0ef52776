//! The SQL database: YugabyteDB YSQL or PostgreSQL.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::Redacted;

/// How a connection to the database is encrypted, in libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted when the server offers it.
    #[default]
    Prefer,
    /// Always encrypted; the certificate is checked only when a root certificate is given.
    Require,
    /// Encrypted, and the certificate is signed by a known authority.
    VerifyCa,
    /// Encrypted, and the certificate is signed by a known authority for this host name.
    VerifyFull,
}

/// The SQL database: YugabyteDB YSQL (production) or PostgreSQL 15.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// Servers, as `host` or `host:port`. With YugabyteDB any one is enough: the others are discovered.
    pub hosts: Vec<String>,
    /// Port of hosts that name none (YSQL 5433, PostgreSQL 5432).
    pub port: u16,
    /// Name of the database.
    pub database: String,
    /// User to connect as.
    pub user: String,
    /// Password of the user.
    pub password: Option<Redacted>,
    /// Encryption of the connections.
    pub ssl_mode: SslMode,
    /// PEM file with the authorities that may have signed the server's certificate.
    pub ssl_root_cert: Option<PathBuf>,
    /// Most connections of this process; the embedded engine takes as many again for the statements of requests.
    pub max_connections: u32,
    /// Connections kept open, and opened at start.
    pub min_connections: u32,
    /// Age at which a connection is replaced.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub max_connection_lifetime: Duration,
    /// Time after which an unused connection above the minimum is closed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub idle_timeout: Duration,
    /// Longest wait for a free connection.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub acquire_timeout: Duration,
    /// How long the start keeps trying to reach the database.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// Longest time that one statement may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub statement_timeout: Duration,
    /// Longest time for which a transaction may be open without a statement at work; the database ends the connection then.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub idle_in_transaction_timeout: Duration,
    /// Prepared statements kept per connection.
    pub statement_cache: usize,
    /// Whether new connections are spread over all servers; otherwise the first that answers is used.
    pub load_balance: bool,
    /// Preferred placements as `cloud.region.zone[:priority]`, such as `aws.eu-west-1.*:1`; 1 is preferred most.
    pub topology_keys: Vec<String>,
    /// Whether servers outside the preferred placements are refused even when all of those are down.
    pub topology_keys_only: bool,
    /// How often the list of servers is read anew (YugabyteDB) and lost servers are tried again.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub topology_refresh: Duration,
    /// Whether reads that tolerate old data may be answered by a follower (YugabyteDB).
    pub follower_reads: bool,
    /// How old the data of a follower read may be; at least 1 s.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub follower_staleness: Duration,
    /// How often a transaction is tried when it conflicts with another.
    pub transaction_attempts: usize,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            hosts: vec!["127.0.0.1".to_owned()],
            port: 5433,
            database: "northstack".to_owned(),
            user: "northstack".to_owned(),
            password: None,
            ssl_mode: SslMode::Prefer,
            ssl_root_cert: None,
            max_connections: 20,
            min_connections: 2,
            max_connection_lifetime: Duration::from_secs(30 * 60),
            idle_timeout: Duration::from_secs(10 * 60),
            acquire_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_secs(30),
            idle_in_transaction_timeout: Duration::from_secs(30),
            statement_cache: 256,
            load_balance: true,
            topology_keys: Vec::new(),
            topology_keys_only: false,
            topology_refresh: Duration::from_secs(60),
            follower_reads: false,
            follower_staleness: Duration::from_secs(30),
            transaction_attempts: 10,
        }
    }
}

impl Database {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.hosts.is_empty() {
            problems.add("database.hosts", "must name at least one server");
        }
        for host in &self.hosts {
            if split_host_port(host, self.port).is_none() {
                problems.add("database.hosts", "each must be `host` or `host:port`");
            }
        }
        for key in &self.topology_keys {
            if let Err(reason) = crate::domain::Placement::parse_key(key) {
                problems.add("database.topology_keys", reason.message());
            }
        }
        problems.not_empty("database.database", &self.database);
        problems.not_empty("database.user", &self.user);
        problems.range("database.max_connections", self.max_connections, 1..=10_000);
        problems.range("database.min_connections", self.min_connections, 0..=self.max_connections);
        problems.range("database.transaction_attempts", self.transaction_attempts, 1..=100);
        problems.range("database.statement_cache", self.statement_cache, 0..=10_000);
        for (field, value) in [
            ("database.max_connection_lifetime", self.max_connection_lifetime),
            ("database.idle_timeout", self.idle_timeout),
            ("database.acquire_timeout", self.acquire_timeout),
            ("database.connect_timeout", self.connect_timeout),
            ("database.statement_timeout", self.statement_timeout),
            ("database.idle_in_transaction_timeout", self.idle_in_transaction_timeout),
            ("database.topology_refresh", self.topology_refresh),
        ] {
            problems.positive(field, value);
        }
        if self.follower_staleness <= Duration::from_secs(1) {
            problems.add("database.follower_staleness", "must be longer than 1s (twice the clock skew)");
        }
    }
}

/// Splits `host[:port]` or `[v6]:port`; nothing if it is neither.
pub fn split_host_port(text: &str, default_port: u16) -> Option<(String, u16)> {
    let text = text.trim();
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        (host, after.strip_prefix(':'))
    } else if text.matches(':').count() > 1 {
        (text, None)
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        None => default_port,
    };
    let valid = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/' || c == '@');
    valid.then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_ports() {
        assert_eq!(split_host_port("db", 5433), Some(("db".into(), 5433)));
        assert_eq!(split_host_port("db:5432", 5433), Some(("db".into(), 5432)));
        assert_eq!(split_host_port("[::1]:5432", 5433), Some(("::1".into(), 5432)));
        assert_eq!(split_host_port("::1", 5433), Some(("::1".into(), 5433)));
        for wrong in ["", ":5432", "db:", "db:x", "db:0", "u@db", "a b"] {
            assert_eq!(split_host_port(wrong, 5433), None, "{wrong}");
        }
    }
}
