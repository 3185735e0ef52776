//! The cache against a real Redis.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use northstack::cache::{Cache, Error};
use northstack::domain;
use serde::{Deserialize, Serialize};

use super::cache_settings;

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Value {
    name: String,
    count: u32,
}

fn value(count: u32) -> Value {
    Value { name: "one".into(), count }
}

async fn cache() -> Cache {
    Cache::connect(&cache_settings()).await.unwrap()
}

/// A cache whose server does not exist.
async fn lost() -> Cache {
    let mut settings = cache_settings();
    settings.addresses = vec!["127.0.0.1:1".into()];
    settings.connect_timeout = Duration::from_millis(200);
    settings.response_timeout = Duration::from_millis(200);
    Cache::connect(&settings).await.unwrap()
}

#[tokio::test]
async fn values_are_kept_taken_once_and_deleted() {
    let cache = cache().await;
    assert_eq!(cache.get::<Value>("a").await.unwrap(), None);
    cache.set("a", &value(1), MINUTE).await.unwrap();
    assert_eq!(cache.get("a").await.unwrap(), Some(value(1)));
    assert!(!cache.set_new("a", &value(2), MINUTE).await.unwrap());
    assert!(matches!(cache.get::<u32>("a").await, Err(Error::Decode(_))));
    let takers = futures::future::join_all((0..5).map(|_| cache.take::<Value>("a"))).await;
    assert_eq!(takers.into_iter().filter(|taken| matches!(taken, Ok(Some(_)))).count(), 1);
    cache.set("b", &1, MINUTE).await.unwrap();
    cache.set("c", &1, MINUTE).await.unwrap();
    assert_eq!(cache.delete(&["b", "c", "d"]).await.unwrap(), 2);
    cache.health().await.unwrap();
}

#[tokio::test]
async fn a_value_that_many_want_is_made_once() {
    let settings = cache_settings();
    // Two handles stand for two processes: they share nothing but the server.
    let caches = [Cache::connect(&settings).await.unwrap(), Cache::connect(&settings).await.unwrap()];
    let made = AtomicUsize::new(0);
    let wanted = (0..40).map(|n| {
        let (cache, made) = (&caches[n % 2], &made);
        async move {
            let load = || async {
                made.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok(value(7))
            };
            cache.get_or_set("popular", MINUTE, load).await
        }
    });
    for result in futures::future::join_all(wanted).await {
        assert_eq!(result.unwrap(), value(7));
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_failure_to_make_a_value_is_not_kept() {
    let cache = cache().await;
    let failed: domain::Result<u32> =
        cache.get_or_set("x", MINUTE, || async { Err(domain::Error::not_found("thing")) }).await;
    assert_eq!(failed.unwrap_err().code(), domain::Code::NotFound);
    assert_eq!(cache.get_or_set("x", MINUTE, || async { Ok(3_u32) }).await.unwrap(), 3);
}

#[tokio::test]
async fn without_its_server_values_are_made_each_time_and_everything_else_says_so() {
    let cache = lost().await;
    assert_eq!(cache.get_or_set("x", MINUTE, || async { Ok(3_u32) }).await.unwrap(), 3);
    assert!(cache.health().await.unwrap_err().lost());
    let limited = cache.rate_limiter("login").check("me", 1, MINUTE).await.unwrap_err();
    assert!(limited.lost(), "{limited}");
    assert_eq!(domain::Error::from(limited).code(), domain::Code::Unavailable);
}

#[tokio::test]
async fn the_window_slides_and_refusals_are_not_counted() {
    let cache = cache().await;
    let limiter = cache.rate_limiter("api");
    let window = Duration::from_millis(400);
    let remaining = [2, 1, 0];
    for left in remaining {
        let decision = limiter.check("me", 3, window).await.unwrap();
        assert!(decision.allowed && decision.remaining == left, "{decision:?}");
    }
    let refused = limiter.check("me", 3, window).await.unwrap();
    assert!(!refused.allowed && refused.reset_after <= window && !refused.reset_after.is_zero(), "{refused:?}");
    assert!(limiter.check("another", 3, window).await.unwrap().allowed);
    tokio::time::sleep(refused.reset_after).await;
    assert!(limiter.check("me", 3, window).await.unwrap().allowed, "the oldest request has left the window");
}

#[tokio::test]
async fn at_most_the_limit_passes_when_many_come_at_once() {
    let limiter = cache().await.rate_limiter("burst");
    let asked = futures::future::join_all((0..50).map(|_| limiter.check("me", 10, MINUTE))).await;
    assert_eq!(asked.into_iter().filter(|decision| decision.as_ref().unwrap().allowed).count(), 10);
}

#[tokio::test]
async fn a_lock_has_one_holder_and_its_token_grows() {
    let cache = cache().await;
    let lock = cache.lock("job", Duration::from_millis(300));
    let first = lock.try_acquire().await.unwrap();
    assert!(matches!(lock.try_acquire().await, Err(Error::Locked)));
    first.extend().await.unwrap();
    let token = first.token();
    first.release().await.unwrap();
    let second = lock.try_acquire().await.unwrap();
    assert!(second.token() > token);
    // Its time passes unnoticed: another gets the lock with a larger token, and the former holder is refused.
    let third = lock.acquire(Duration::from_secs(5)).await.unwrap();
    assert!(third.token() > second.token());
    assert!(matches!(second.extend().await, Err(Error::Locked)));
    second.release().await.unwrap();
    third.extend().await.expect("a former holder's release does not touch the lock");
    drop(third);
    lock.acquire(Duration::from_secs(5)).await.expect("dropping a guard gives the lock back");
}

#[tokio::test]
async fn messages_reach_all_who_listen() {
    let cache = cache().await;
    let mut one = Box::pin(cache.subscribe(&["news", "other"]).await.unwrap());
    let mut two = Box::pin(cache.subscribe(&["news"]).await.unwrap());
    assert_eq!(cache.publish("news", &value(9)).await.unwrap(), 2);
    for stream in [&mut one, &mut two] {
        let message = tokio::time::timeout(Duration::from_secs(5), stream.next()).await.unwrap().unwrap();
        assert_eq!(message.channel, "news");
        assert_eq!(message.decode::<Value>().unwrap(), value(9));
    }
}

#[tokio::test]
async fn a_pipeline_is_one_round_trip() {
    let cache = cache().await;
    let mut pipeline = redis::pipe();
    pipeline.cmd("INCR").arg(cache.key("n")).cmd("INCR").arg(cache.key("n"));
    assert_eq!(cache.pipeline::<(u32, u32)>(&pipeline).await.unwrap(), (1, 2));
}

/// Printed for the record: what an operation on a server beside us costs.
#[tokio::test]
async fn operations_on_a_local_server_are_fast() {
    let cache = cache().await;
    cache.set("k", &value(1), MINUTE).await.unwrap();
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..500 {
        let started = std::time::Instant::now();
        cache.get::<Value>("k").await.unwrap();
        times.push(started.elapsed());
    }
    times.sort();
    println!("cache get: median {:?}, 99th percentile {:?}", times[250], times[495]);
    assert!(times[250] < Duration::from_millis(20), "median {:?}", times[250]);
}

#[tokio::test]
async fn a_closed_cache_refuses_and_values_are_made_each_time() {
    let cache = cache().await;
    cache.set("a", &1, MINUTE).await.unwrap();
    let mut news = Box::pin(cache.subscribe(&["news"]).await.unwrap());
    cache.close();
    assert!(matches!(cache.get::<u32>("a").await, Err(Error::Closed)));
    assert!(matches!(cache.health().await, Err(Error::Closed)));
    assert_eq!(cache.get_or_set("a", MINUTE, || async { Ok(2) }).await.unwrap(), 2);
    let ended = tokio::time::timeout(Duration::from_secs(5), news.next()).await.unwrap();
    assert_eq!(ended, None, "the subscription ends");
}
