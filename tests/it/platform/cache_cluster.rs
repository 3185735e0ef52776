//! The cache over a cluster: one server that has all slots, so that what spans slots shows.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::StreamExt;
use northstack::cache::{Cache, Error};
use northstack::config;

const MINUTE: Duration = Duration::from_secs(60);

/// A cluster of one.
struct Cluster {
    server: Child,
    _directory: tempfile::TempDir,
    port: u16,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

impl Cluster {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // The cluster's own port is 10000 above: it has to be free too.
        let port = loop {
            let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            if port < 55_000 && std::net::TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
                break port;
            }
        };
        let server = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--cluster-enabled",
                "yes",
                "--save",
                "",
                "--dir",
            ])
            .arg(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let cluster = Self { server, _directory: directory, port };
        let client = redis::Client::open(("127.0.0.1", port)).unwrap();
        let mut given = false;
        for _ in 0..400 {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
                if !given {
                    let mut give = redis::cmd("CLUSTER");
                    give.arg("ADDSLOTSRANGE").arg(0).arg(16_383);
                    given = give.query_async::<()>(&mut connection).await.is_ok();
                }
                let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(&mut connection).await.unwrap();
                if info.contains("cluster_state:ok") {
                    return cluster;
                }
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the cluster did not come up");
    }

    async fn cache(&self) -> Cache {
        let settings = config::Cache {
            addresses: vec![format!("127.0.0.1:{}", self.port)],
            cluster: true,
            ..config::Cache::default()
        };
        Cache::connect(&settings).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_in_a_cluster_across_slots() {
    let cluster = Cluster::start().await;
    let cache = cluster.cache().await;
    cache.health().await.unwrap();
    let keys: Vec<String> = (0..20).map(|number| format!("key-{number}")).collect();
    for key in &keys {
        cache.set(key, &key, MINUTE).await.unwrap();
        assert_eq!(cache.get::<String>(key).await.unwrap().as_ref(), Some(key));
    }
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert_eq!(cache.delete(&names).await.unwrap(), 20, "keys of many slots in one call");
    assert_eq!(cache.get_or_set("made", MINUTE, || async { Ok(7) }).await.unwrap(), 7);
    assert_eq!(cache.get::<i32>("made").await.unwrap(), Some(7));

    let limiter = cache.rate_limiter("cluster");
    assert!(limiter.check("me", 1, MINUTE).await.unwrap().allowed);
    assert!(!limiter.check("me", 1, MINUTE).await.unwrap().allowed);
    let lock = cache.lock("cluster", MINUTE);
    let held = lock.try_acquire().await.unwrap();
    assert!(matches!(lock.try_acquire().await, Err(Error::Locked)));
    held.release().await.unwrap();
    assert!(cache.set_new("one", &1, MINUTE).await.unwrap());
    assert_eq!(cache.take("one").await.unwrap(), Some(1));
    let mut pipeline = redis::pipe();
    for number in 0..5 {
        pipeline.cmd("SET").arg(cache.key(&format!("{{p}}{number}"))).arg(number).ignore();
    }
    for number in 0..5 {
        pipeline.cmd("GET").arg(cache.key(&format!("{{p}}{number}")));
    }
    assert_eq!(cache.pipeline::<Vec<u32>>(&pipeline).await.unwrap(), [0, 1, 2, 3, 4]);

    let mut news = Box::pin(cache.subscribe(&["news"]).await.unwrap());
    cache.publish("news", &9).await.unwrap();
    let message = tokio::time::timeout(Duration::from_secs(5), news.next()).await.unwrap().unwrap();
    assert_eq!(message.decode::<u32>().unwrap(), 9);
}
