//! Which servers there are, where they run, and which one the next connection goes to.
//!
//! The rules are those of YugabyteDB's smart drivers: placements by priority, lost servers left out and
//! tried again later, other placements only when all preferred ones are down.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use futures::future::join_all;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;

use super::connect::Rotation;
use crate::config;
use crate::domain::Placement;

/// How often each server is asked whether it lives.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How long a server may take to answer that.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether a server takes part in writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// Takes reads and writes.
    Primary,
    /// A read replica.
    Replica,
}

/// One database server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Where it runs, if the database says so.
    pub placement: Option<Placement>,
    /// Whether it takes part in writes.
    pub kind: NodeKind,
    /// Whether it answered when last asked.
    pub up: bool,
}

impl Node {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, placement: None, kind: NodeKind::Primary, up: true }
    }

    fn is(&self, other: &Node) -> bool {
        self.host == other.host && self.port == other.port
    }
}

/// The known servers and the preference among them.
pub(super) struct Topology {
    nodes: RwLock<Vec<Node>>,
    keys: Vec<(Placement, u8)>,
    keys_only: bool,
    balance: bool,
    turn: AtomicUsize,
}

impl Topology {
    pub(super) fn new(nodes: Vec<Node>, config: &config::Database) -> Self {
        let mut keys: Vec<_> = config.topology_keys.iter().filter_map(|key| Placement::parse_key(key).ok()).collect();
        keys.sort_by_key(|(_, priority)| *priority);
        Self {
            nodes: RwLock::new(nodes),
            keys,
            keys_only: config.topology_keys_only,
            balance: config.load_balance,
            turn: AtomicUsize::new(0),
        }
    }

    /// The servers as last seen.
    pub(super) fn nodes(&self) -> Vec<Node> {
        self.nodes.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn update(&self, change: impl FnOnce(&mut Vec<Node>)) {
        change(&mut self.nodes.write().unwrap_or_else(|poisoned| poisoned.into_inner()));
    }

    /// The server for the next connection; none when no eligible one is up.
    pub(super) fn next(&self, replicas_welcome: bool) -> Option<Node> {
        let nodes = self.nodes();
        let eligible: Vec<&Node> =
            nodes.iter().filter(|node| node.up && (replicas_welcome || node.kind == NodeKind::Primary)).collect();
        let tier = self.tier(&eligible);
        // A reader prefers replicas, so that the primaries keep their capacity for writes.
        let replicas: Vec<&Node> = tier.iter().copied().filter(|node| node.kind == NodeKind::Replica).collect();
        let choice = if replicas_welcome && !replicas.is_empty() { replicas } else { tier };
        let turn = if self.balance { self.turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
        choice.get(turn.checked_rem(choice.len())?).map(|node| (*node).clone())
    }

    /// The live servers of the best priority.
    fn tier<'n>(&self, eligible: &[&'n Node]) -> Vec<&'n Node> {
        let priority = |node: &Node| {
            let place = node.placement.as_ref()?;
            self.keys.iter().find(|(key, _)| key.covers(place)).map(|(_, priority)| *priority)
        };
        match eligible.iter().filter_map(|node| priority(node)).min() {
            Some(best) => eligible.iter().copied().filter(|node| priority(node) == Some(best)).collect(),
            None if self.keys.is_empty() || !self.keys_only => eligible.to_vec(),
            None => Vec::new(),
        }
    }
}

/// Whether the server is a YugabyteDB.
pub(super) async fn is_yugabyte(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("select to_regproc('yb_servers') is not null").fetch_one(connection).await
}

/// The servers of a YugabyteDB cluster.
pub(super) async fn discover(connection: &mut PgConnection) -> sqlx::Result<Vec<Node>> {
    type Row = (String, i64, String, String, String, String);
    let rows: Vec<Row> = sqlx::query_as(
        "select host::text, port::bigint, node_type::text, cloud::text, region::text, zone::text from yb_servers()",
    )
    .fetch_all(connection)
    .await?;
    let node = |(host, port, kind, cloud, region, zone): Row| {
        Some(Node {
            host,
            port: u16::try_from(port).ok()?,
            placement: Some(Placement { cloud, region, zone }),
            kind: if kind == "read_replica" { NodeKind::Replica } else { NodeKind::Primary },
            up: true,
        })
    };
    Ok(rows.into_iter().filter_map(node).collect())
}

/// Follows the servers' state until `stop`: asks each whether it lives, and moves the pools' next
/// connection away from lost ones. A single plain server needs none of that: the pool itself tries again.
pub(super) fn follow(
    topology: &Arc<Topology>,
    rotations: Vec<Arc<Rotation>>,
    config: &config::Database,
    stop: CancellationToken,
) {
    let nodes = topology.nodes();
    if nodes.len() < 2 && nodes.iter().all(|node| node.placement.is_none()) {
        return;
    }
    let Some(first) = rotations.first() else { return };
    let mut watch = Watch {
        topology: Arc::clone(topology),
        base: first.base().clone(),
        probes: Vec::new(),
        refresh: config.topology_refresh,
        refreshed: Instant::now(),
    };
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let mut ticks = tokio::time::interval(PROBE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if watch.look().await {
                rotations.iter().for_each(|rotation| rotation.turn());
            }
        }
    }));
}

struct Watch {
    topology: Arc<Topology>,
    base: PgConnectOptions,
    probes: Vec<(Node, Option<PgConnection>)>,
    refresh: Duration,
    refreshed: Instant,
}

impl Watch {
    /// Asks every server; whether anything changed.
    async fn look(&mut self) -> bool {
        let before = self.topology.nodes();
        let mut known = std::mem::take(&mut self.probes);
        for node in &before {
            let connection = known.iter_mut().find(|(other, _)| other.is(node)).and_then(|(_, kept)| kept.take());
            self.probes.push((node.clone(), connection));
        }
        let base = &self.base;
        let seen = join_all(self.probes.iter_mut().map(|(node, connection)| async move {
            let state = timeout(PROBE_TIMEOUT, probe(base, node, connection)).await;
            if !matches!(state, Ok(Ok(_))) {
                *connection = None;
            }
            let mut node = node.clone();
            node.up = matches!(state, Ok(Ok(_)));
            if let Ok(Ok(replica)) = state
                && node.placement.is_none()
            {
                node.kind = if replica { NodeKind::Replica } else { NodeKind::Primary };
            }
            node
        }))
        .await;
        let mut after = seen;
        if self.refreshed.elapsed() >= self.refresh {
            self.refreshed = Instant::now();
            if let Some(found) = self.rediscover().await {
                for node in found {
                    if !after.iter().any(|known| known.is(&node)) {
                        after.push(node);
                    }
                }
            }
        }
        for node in &after {
            match before.iter().find(|old| old.is(node)) {
                Some(old) if old.up && !node.up => {
                    tracing::warn!(host = node.host, port = node.port, "database_server_lost");
                }
                Some(old) if !old.up && node.up => {
                    tracing::info!(host = node.host, port = node.port, "database_server_back");
                }
                None => tracing::info!(host = node.host, port = node.port, "database_server_found"),
                Some(_) => {}
            }
        }
        let changed = before != after;
        self.topology.update(|nodes| *nodes = after);
        changed
    }

    async fn rediscover(&mut self) -> Option<Vec<Node>> {
        let connection = self.probes.iter_mut().find_map(|(_, connection)| connection.as_mut())?;
        match timeout(PROBE_TIMEOUT, async {
            if is_yugabyte(connection).await? { discover(connection).await } else { Ok(Vec::new()) }
        })
        .await
        {
            Ok(Ok(nodes)) => Some(nodes),
            Ok(Err(error)) => {
                tracing::debug!(%error, "database_servers_not_listed");
                None
            }
            Err(_) => None,
        }
    }
}

/// Asks one server whether it lives; `true` when it is a standby that refuses writes.
async fn probe(base: &PgConnectOptions, node: &Node, kept: &mut Option<PgConnection>) -> sqlx::Result<bool> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => base.clone().host(&node.host).port(node.port).connect().await?,
    };
    connection.ping().await?;
    let standby = sqlx::query_scalar("select pg_is_in_recovery()").fetch_one(&mut connection).await?;
    *kept = Some(connection);
    Ok(standby)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, region: &str, zone: &str) -> Node {
        let placement = Placement { cloud: "aws".into(), region: region.into(), zone: zone.into() };
        Node { placement: Some(placement), ..Node::new(host, 5433) }
    }

    fn topology(keys: &[&str], only: bool, balance: bool) -> Topology {
        let config = config::Database {
            topology_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            topology_keys_only: only,
            load_balance: balance,
            ..config::Database::default()
        };
        Topology::new(vec![node("a", "eu", "1"), node("b", "eu", "2"), node("c", "us", "1")], &config)
    }

    fn hosts(topology: &Topology, count: usize) -> Vec<String> {
        (0..count).filter_map(|_| topology.next(false)).map(|node| node.host).collect()
    }

    fn lose(topology: &Topology, host: &str) {
        topology.update(|nodes| nodes.iter_mut().filter(|node| node.host == host).for_each(|node| node.up = false));
    }

    #[test]
    fn connections_take_turns_over_all_servers_or_stay_with_the_first() {
        assert_eq!(hosts(&topology(&[], false, true), 6), ["a", "b", "c", "a", "b", "c"]);
        assert_eq!(hosts(&topology(&[], false, false), 3), ["a", "a", "a"]);
    }

    #[test]
    fn the_best_live_placement_is_used_and_others_only_when_it_is_down() {
        let topology = topology(&["aws.eu.*:1", "aws.us.1:2"], true, true);
        assert_eq!(hosts(&topology, 3), ["a", "b", "a"]);
        lose(&topology, "a");
        assert_eq!(hosts(&topology, 2), ["b", "b"]);
        lose(&topology, "b");
        assert_eq!(hosts(&topology, 2), ["c", "c"]);
    }

    #[test]
    fn servers_outside_the_keys_are_a_last_resort_or_refused() {
        let open = topology(&["aws.us.1"], false, true);
        lose(&open, "c");
        assert_eq!(hosts(&open, 2).len(), 2);
        let closed = topology(&["aws.us.1"], true, true);
        lose(&closed, "c");
        assert_eq!(closed.next(false), None);
    }

    #[test]
    fn readers_prefer_replicas_and_writers_never_get_one() {
        let topology = topology(&[], false, true);
        topology.update(|nodes| nodes[1].kind = NodeKind::Replica);
        assert_eq!(topology.next(true).unwrap().host, "b");
        assert!(!hosts(&topology, 9).contains(&"b".to_owned()));
    }
}
