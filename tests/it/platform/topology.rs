//! Several database servers: discovery, preference, failover. Proxies stand for the servers.

use std::time::Duration;

use northstack::config;
use northstack::db::{Db, NodeKind};

use super::proxy::Proxy;
use super::settings;
use crate::support;

async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never happened: {what}");
}

#[tokio::test]
async fn connections_move_to_the_server_that_lives() {
    let base = settings(&support::database().await);
    let (one, two) = (Proxy::start(base.port).await, Proxy::start(base.port).await);
    let hosts = vec![format!("127.0.0.1:{}", one.port), format!("127.0.0.1:{}", two.port)];
    let db = Db::connect(&config::Database { hosts, min_connections: 4, ..base }).await.unwrap();
    assert!(one.accepted() >= 2 && two.accepted() >= 2, "spread: {} and {}", one.accepted(), two.accepted());

    one.cut();
    eventually("the loss is seen", async || !db.cluster()[0].up).await;
    for _ in 0..10 {
        db.health().await.expect("the other server answers");
    }
    two.cut();
    one.restore();
    eventually("the first server takes over", async || db.health().await.is_ok()).await;
}

#[tokio::test]
async fn the_servers_of_a_cluster_are_found_and_preferred_by_place() {
    let base = settings(&support::database().await);
    let (near, far) = (Proxy::start(base.port).await, Proxy::start(base.port).await);
    // What YugabyteDB has built in.
    let plain = Db::connect(&base).await.unwrap();
    let function = format!(
        "create function yb_servers() returns table (host text, port bigint, num_connections bigint, node_type text,
           cloud text, region text, zone text, public_ip text, uuid text) language sql as $$
           values ('127.0.0.1', {}::bigint, 0::bigint, 'primary', 'aws', 'eu-west-1', 'a', '', ''),
                  ('127.0.0.1', {}::bigint, 0::bigint, 'primary', 'aws', 'us-east-1', 'b', '', '') $$",
        near.port, far.port
    );
    sqlx::query(sqlx::AssertSqlSafe(function)).execute(plain.pool()).await.unwrap();
    let topology_keys = vec!["aws.eu-west-1.*:1".to_owned(), "aws.us-east-1.b:2".to_owned()];
    let config = config::Database { topology_keys, min_connections: 3, ..base };
    let db = Db::connect(&config).await.unwrap();
    let cluster = db.cluster();
    assert_eq!(cluster.len(), 2, "{cluster:?}");
    assert_eq!(cluster[0].placement.as_ref().unwrap().region, "eu-west-1");
    assert_eq!(cluster[0].kind, NodeKind::Primary);
    assert!(near.accepted() >= 3, "the near one got {}", near.accepted());
    assert!(far.accepted() <= 1, "beside the watch, the far one got {}", far.accepted());

    near.cut();
    eventually("the far server takes over", async || db.health().await.is_ok() && !db.cluster()[0].up).await;
}

#[tokio::test]
async fn a_start_waits_for_the_database_and_gives_up_in_words() {
    let base = settings(&support::database().await);
    let proxy = Proxy::start(base.port).await;
    proxy.cut();
    let hosts = vec![format!("127.0.0.1:{}", proxy.port)];
    let config = config::Database { hosts, connect_timeout: Duration::from_secs(20), ..base };
    let (db, ()) = tokio::join!(Db::connect(&config), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.restore();
    });
    db.expect("it came in time").health().await.unwrap();

    let nowhere = config::Database {
        hosts: vec!["127.0.0.1:1".into()],
        connect_timeout: Duration::from_millis(300),
        ..config.clone()
    };
    let refused = Db::connect(&nowhere).await.unwrap_err();
    assert_eq!(refused.code(), northstack::domain::Code::Unavailable);
    let wrong = config::Database { database: "absent".into(), ..config };
    assert_eq!(Db::connect(&wrong).await.unwrap_err().code(), northstack::domain::Code::InvalidInput);
}

/// Many requests share few connections; nobody is turned away while they wait within the time limit.
#[tokio::test]
async fn a_thousand_requests_at_once_share_the_pool() {
    let db = super::database().await;
    let requests = (0..1_000).map(|_| db.health());
    let answers = futures::future::join_all(requests).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1_000);
    let statistics = db.statistics();
    assert!(statistics.open <= statistics.limit, "{statistics:?}");
}
