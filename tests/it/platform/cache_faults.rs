//! F8, I9: the cache killed, standing still, emptied, full, read-only or poisoned changes no answer, and is used again
//! afterwards.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use northstack::cache::{Cache, Error};
use northstack::config;
use northstack::dev::servers::Redis;
use northstack::domain::{self, Redacted};
use serde::{Deserialize, Serialize};

const MINUTE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "integration-test";

/// What the database says; the cache may only repeat it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Truth {
    name: String,
    revision: u32,
}

fn truth() -> Truth {
    Truth { name: "shop".into(), revision: 17 }
}

/// A server of its own, which a test may harm, and a cache over it.
struct Town {
    server: Option<Redis>,
    directory: tempfile::TempDir,
    cache: Cache,
    loads: AtomicU32,
}

impl Town {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Redis::start(directory.path(), &Redacted::from(PASSWORD)).await.unwrap();
        let cache = Cache::connect(&settings(server.port())).await.unwrap();
        Self { server: Some(server), directory, cache, loads: AtomicU32::new(0) }
    }

    fn signal(&mut self, signal: Signal) {
        let id = self.server.as_mut().unwrap().process().id().unwrap();
        kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
    }

    async fn ask(&self, key: &str) -> Truth {
        let load = || async {
            self.loads.fetch_add(1, Ordering::SeqCst);
            Ok(truth())
        };
        self.cache.get_or_set(key, MINUTE, load).await.expect("a fault of the cache is no fault of the answer")
    }

    /// Ten readers at once, on keys that are there and keys that are not: all get the truth.
    async fn same_answers(&self, case: &str) {
        let began = Instant::now();
        let keys = (0..10).map(|number| if number % 2 == 0 { "kept".to_owned() } else { format!("{case}-{number}") });
        let keys: Vec<String> = keys.collect();
        for answer in futures::future::join_all(keys.iter().map(|key| self.ask(key))).await {
            assert_eq!(answer, truth(), "{case}");
        }
        println!("{case}: ten answers in {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(5), "{case}: {:?}", began.elapsed());
    }

    async fn command(&self, words: &[&str]) {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        self.cache.run::<redis::Value>(&command).await.unwrap();
    }

    /// The cache is used again: of two readers of a new key, one makes the value.
    async fn used_again(&self, case: &str) {
        let key = format!("again-{case}");
        let began = Instant::now();
        loop {
            let before = self.loads.load(Ordering::SeqCst);
            self.ask(&key).await;
            self.ask(&key).await;
            if self.loads.load(Ordering::SeqCst) - before < 2 {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{case}: the cache is not used again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn settings(port: u16) -> config::Cache {
    config::Cache {
        addresses: vec![format!("127.0.0.1:{port}")],
        password: Some(Redacted::from(PASSWORD)),
        key_prefix: "f8:".into(),
        connect_timeout: Duration::from_millis(500),
        response_timeout: Duration::from_millis(300),
        ..config::Cache::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_or_stands_still_changes_no_answer() {
    let mut town = Town::new().await;
    assert_eq!(town.ask("kept").await, truth());
    town.same_answers("whole").await;

    town.signal(Signal::SIGSTOP);
    town.same_answers("standing still").await;
    let limited = town.cache.rate_limiter("x").check("me", 1, MINUTE).await.unwrap_err();
    assert!(limited.lost(), "the limiter leaves the decision to its caller: {limited}");
    // It is known by now: nobody waits for it any more.
    let began = Instant::now();
    for round in 0..20 {
        assert_eq!(town.ask(&format!("quick-{round}")).await, truth());
    }
    assert!(began.elapsed() < Duration::from_millis(900), "twenty answers in turn took {:?}", began.elapsed());
    town.signal(Signal::SIGCONT);
    town.used_again("stood still").await;

    let port = town.server.as_ref().unwrap().port();
    town.signal(Signal::SIGKILL);
    town.same_answers("killed").await;
    assert!(town.cache.health().await.unwrap_err().lost());
    // Another server comes up in its place, with nothing in it.
    drop(town.server.take());
    std::fs::remove_dir_all(town.directory.path().join("appendonlydir")).ok();
    let mut successor = std::process::Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", "", "--dir"])
        .arg(town.directory.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    town.used_again("killed").await;
    successor.kill().unwrap();
    successor.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_a_full_and_a_read_only_server_change_no_answer() {
    let town = Town::new().await;
    town.ask("kept").await;
    town.command(&["FLUSHALL"]).await;
    town.same_answers("emptied").await;

    town.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    town.same_answers("full").await;
    let refused = town.cache.set("more", &truth(), MINUTE).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
    town.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    town.used_again("full").await;

    // A replica refuses every write.
    town.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
    town.same_answers("read-only").await;
    town.command(&["REPLICAOF", "NO", "ONE"]).await;
    town.used_again("read-only").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poisoned_values_change_no_answer_and_are_replaced() {
    let town = Town::new().await;
    town.ask("kept").await;
    let key = town.cache.key("kept");
    let deep = "[".repeat(100_000);
    for (case, words) in [
        ("garbage", vec!["SET", &key, "\u{0}\u{1}not json"]),
        ("empty", vec!["SET", &key, ""]),
        ("cut short", vec!["SET", &key, "{\"name\":\"sh"]),
        ("nested without end", vec!["SET", &key, &deep]),
        ("another form", vec!["SET", &key, "{\"title\":\"shop\"}"]),
        ("a number", vec!["SET", &key, "7"]),
        ("a null", vec!["SET", &key, "null"]),
    ] {
        town.command(&words).await;
        town.same_answers(case).await;
        assert_eq!(town.cache.get("kept").await.unwrap(), Some(truth()), "{case}: replaced");
    }
    for kind in [["LPUSH", "x"], ["SADD", "x"]] {
        town.command(&["DEL", &key]).await;
        town.command(&[kind[0], &key, kind[1]]).await;
        town.same_answers(kind[0]).await;
        assert_eq!(town.cache.get("kept").await.unwrap(), Some(truth()), "{}: replaced", kind[0]);
    }
    // Locks and limits over keys of the wrong kind say so, and nothing panics.
    town.command(&["LPUSH", &town.cache.key("limit:x:me"), "x"]).await;
    assert!(town.cache.rate_limiter("x").check("me", 1, MINUTE).await.is_err());
    town.command(&["LPUSH", &town.cache.key("{lock:x}:held"), "x"]).await;
    assert!(matches!(town.cache.lock("x", MINUTE).try_acquire().await, Err(Error::Locked)));
    town.command(&["SET", &town.cache.key("one"), "garbage"]).await;
    let error: domain::Error = town.cache.get::<Truth>("one").await.unwrap_err().into();
    assert!(!error.message().contains("garbage"), "{}", error.message());
}
