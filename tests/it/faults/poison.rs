//! Messages that no handler can take among ten thousand that any can (F23): the good ones go through, the others lie
//! with the dead letters, with the reason, until they are driven again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use northstack::bus::{Bus, Delivery, Event, Subject, Subscription};
use northstack::domain::{Code, Error};
use serde_json::{Map, json};
use tokio_util::sync::CancellationToken;

use crate::platform::{eventually, private};

const EVENTS: u64 = 10_000;
/// What fails always, in a way that might pass and in one that cannot, and what never ends its handler well.
const POISON: [u64; 3] = [100, 5_000, 9_000];
const PATIENCE: Duration = Duration::from_secs(60);

async fn publish(bus: &Bus) {
    let send = async |number: u64| {
        let subject = Subject::new("store", &["ready"], &format!("s-{}", number % 50));
        let mut data = Map::new();
        data.insert("number".to_owned(), json!(number));
        bus.publish_async(&subject, &Event::now(&subject, data, "a-request")).await
    };
    let sent = stream::iter(0..EVENTS).then(send).map_ok(|sent| sent.confirmed()).try_buffered(256);
    let kept: Vec<_> = sent.try_collect().await.unwrap();
    assert_eq!(kept.len() as u64, EVENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_put_aside_and_all_else_goes_through() {
    let private = private().await;
    let bus = Bus::connect(&private.config).await.unwrap();
    publish(&bus).await;
    let (cured, stop) = (AtomicBool::new(false), CancellationToken::new());
    let handled: Mutex<Vec<u64>> = Mutex::default();
    let tried: Mutex<Vec<u64>> = Mutex::default();
    let handle = async |delivery: Delivery| {
        let number = delivery.event.data["number"].as_u64().unwrap();
        let poison = POISON.contains(&number) && !cured.load(Ordering::SeqCst);
        if poison {
            tried.lock().unwrap().push(number);
        }
        match number {
            100 if poison => Err(Error::unavailable("asking the store", "it never answers")),
            5_000 if poison => Err(Error::invalid("number", "is not understood")),
            9_000 if poison => Err(Error::internal("counting", "it is out of range")),
            _ => {
                handled.lock().unwrap().push(number);
                Ok(())
            }
        }
    };
    let judge = async {
        let begun = Instant::now();
        while (handled.lock().unwrap().len() as u64) < EVENTS - POISON.len() as u64 {
            assert!(begun.elapsed() < PATIENCE, "{} were handled", handled.lock().unwrap().len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("the good ones of {EVENTS} were handled in {:?}", begun.elapsed());
        let letters = eventually("the others are put aside", async || {
            Some(bus.dead_letters(10).await.unwrap()).filter(|letters| letters.len() == POISON.len())
        })
        .await;
        let mut good = handled.lock().unwrap().clone();
        good.sort_unstable();
        let expected: Vec<u64> = (0..EVENTS).filter(|number| !POISON.contains(number)).collect();
        assert_eq!(good, expected, "each once");
        let of = |number: u64| {
            let has = |letter: &northstack::bus::DeadLetter| {
                serde_json::from_str::<Event>(letter.event.get()).unwrap().data["number"] == json!(number)
            };
            let (_, letter) = letters.iter().find(|(_, letter)| has(letter)).unwrap();
            (letter.error_code.clone(), letter.error_message.clone(), letter.deliveries)
        };
        let most = private.config.max_deliver;
        assert_eq!(of(100).0, Code::Unavailable.as_str());
        assert_eq!(of(100).2, most, "as often as an event is handed out");
        assert_eq!(of(5_000), (Code::InvalidInput.as_str().to_owned(), "is not understood".to_owned(), 1));
        assert_eq!((of(9_000).0.as_str(), of(9_000).2), (Code::Internal.as_str(), most));
        let tries = |number: u64| tried.lock().unwrap().iter().filter(|tried| **tried == number).count();
        assert_eq!(POISON.map(tries), [most, 1, most]);

        cured.store(true, Ordering::SeqCst);
        for (place, _) in &letters {
            bus.redrive(*place).await.unwrap();
        }
        eventually("they are handled when they can be", async || {
            (handled.lock().unwrap().len() as u64 == EVENTS).then_some(())
        })
        .await;
        let mut last = handled.lock().unwrap()[EVENTS as usize - POISON.len()..].to_vec();
        last.sort_unstable();
        assert_eq!(last, POISON);
        assert!(bus.dead_letters(10).await.unwrap().is_empty());
        stop.cancel();
    };
    let subscription = Subscription { name: "shop".into(), filter: "store.>".into(), concurrency: 8 };
    let (consumed, ()) = tokio::join!(bus.subscribe(subscription, handle, stop.clone()), judge);
    consumed.unwrap();
}
