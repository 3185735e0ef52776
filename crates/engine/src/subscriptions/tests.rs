//! The hub with a fetcher that counts instead of asking a database.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

use super::feed::{Change, ChangeFeed, Coverage};
use super::{Asked, Fetch, Fetched, Hub, HubOptions, Plan, Subscriber};
use crate::error::{GraphqlError, Result};
use crate::metadata::QualifiedName;
use crate::outbound::caller::Pending;

/// Answers with a number that tests set; member 13 fails when told to.
#[derive(Default)]
struct Numbers {
    value: AtomicI64,
    statements: AtomicUsize,
    unlucky: AtomicBool,
    /// Whether member 13 is left out and the others answered backwards, beside an answer that nobody asked for.
    shuffled: AtomicBool,
    /// Rows of a stream; its members are cursors.
    rows: Option<Mutex<Vec<i64>>>,
}

impl Fetch for Numbers {
    type Member = i64;

    fn fetch<'a>(&'a self, asked: Vec<Asked<i64>>) -> Pending<'a, Result<Vec<Fetched<i64>>>> {
        Box::pin(async move {
            self.statements.fetch_add(1, Ordering::SeqCst);
            if self.unlucky.load(Ordering::SeqCst) && asked.iter().any(|one| one.member == 13) {
                return Err(GraphqlError::unexpected("division by zero"));
            }
            let mut answers: Vec<Fetched<i64>> = asked
                .into_iter()
                .map(|Asked { key, member }| match &self.rows {
                    None => Fetched {
                        key,
                        answer: format!("{member}:{}", self.value.load(Ordering::SeqCst)).into(),
                        moved: None,
                    },
                    Some(rows) => {
                        let rows = rows.lock().unwrap();
                        let next: Vec<i64> = rows.iter().copied().filter(|row| *row > member).take(2).collect();
                        let moved = next.last().copied();
                        Fetched { key, answer: format!("{next:?}").into(), moved }
                    }
                })
                .collect();
            if self.shuffled.load(Ordering::SeqCst) {
                answers.retain(|fetched| &*fetched.key != "13");
                answers.push(Fetched { key: "99".into(), answer: "nobody's".into(), moved: None });
                answers.reverse();
            }
            Ok(answers)
        })
    }

    fn is_stream(&self) -> bool {
        self.rows.is_some()
    }
}

struct Channel(mpsc::UnboundedSender<String>);

impl Subscriber<i64> for Channel {
    fn answer(&self, answer: &Arc<str>, _: Option<&i64>) {
        let _ = self.0.send(answer.to_string());
    }

    fn refused(&self, error: &GraphqlError) {
        let _ = self.0.send(format!("refused: {error}"));
    }
}

fn table(name: &str) -> QualifiedName {
    QualifiedName::new("public", name)
}

struct Rig {
    hub: Hub<Numbers>,
    feed: ChangeFeed,
    numbers: Arc<Numbers>,
}

impl Rig {
    fn new(numbers: Numbers, poll: Duration) -> Self {
        let feed = ChangeFeed::default();
        let hub = Hub::new(feed.clone(), HubOptions { safety_poll: poll, poll });
        hub.set_coverage(Coverage::default());
        Self { hub, feed, numbers: Arc::new(numbers) }
    }

    fn subscribe(&self, member: i64) -> (super::Subscription, mpsc::UnboundedReceiver<String>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let plan = Plan {
            cohort: "c".into(),
            key: member.to_string(),
            relations: Some(vec![table("t")]),
            fetch: self.numbers.clone(),
            member,
        };
        (self.hub.subscribe(plan, Arc::new(Channel(sender))), receiver)
    }
}

/// Waits until the condition holds; panics after five seconds.
async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), wait).await.expect("the condition holds in time");
}

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn changes_of_its_tables_wake_a_cohort_and_equal_answers_are_not_sent() {
    let rig = Rig::new(Numbers::default(), LONG);
    let (_first, mut answers) = rig.subscribe(1);
    assert_eq!(answers.recv().await.unwrap(), "1:0");
    rig.feed.tables_changed([table("other")]);
    rig.feed.tables_changed([table("t")]);
    until(|| rig.numbers.statements.load(Ordering::SeqCst) == 2).await;
    assert!(answers.try_recv().is_err(), "nothing has changed");
    rig.numbers.value.store(5, Ordering::SeqCst);
    rig.feed.send(Change::Everything);
    assert_eq!(answers.recv().await.unwrap(), "1:5");
}

#[tokio::test]
async fn members_share_a_statement_and_equal_members_an_answer() {
    let rig = Rig::new(Numbers::default(), LONG);
    let mut running = Vec::new();
    for member in [1, 2, 3, 1] {
        running.push(rig.subscribe(member));
    }
    for ((_, answers), expected) in running.iter_mut().zip(["1:0", "2:0", "3:0", "1:0"]) {
        assert_eq!(answers.recv().await.unwrap(), expected);
    }
    let before = rig.numbers.statements.load(Ordering::SeqCst);
    rig.numbers.value.store(1, Ordering::SeqCst);
    rig.feed.tables_changed([table("t")]);
    for ((_, answers), expected) in running.iter_mut().zip(["1:1", "2:1", "3:1", "1:1"]) {
        assert_eq!(answers.recv().await.unwrap(), expected);
    }
    assert_eq!(rig.numbers.statements.load(Ordering::SeqCst), before + 1);
}

#[tokio::test]
async fn the_slow_poll_finds_what_no_hint_told() {
    let rig = Rig::new(Numbers::default(), Duration::from_millis(20));
    let (_first, mut answers) = rig.subscribe(1);
    assert_eq!(answers.recv().await.unwrap(), "1:0");
    rig.numbers.value.store(9, Ordering::SeqCst);
    assert_eq!(answers.recv().await.unwrap(), "1:9");
}

#[tokio::test]
async fn a_failing_member_is_told_and_does_not_disturb_the_others() {
    let rig = Rig::new(Numbers::default(), LONG);
    let (_lucky, mut lucky) = rig.subscribe(1);
    let (_unlucky, mut unlucky) = rig.subscribe(13);
    assert_eq!((lucky.recv().await.unwrap(), unlucky.recv().await.unwrap()), ("1:0".into(), "13:0".into()));
    rig.numbers.unlucky.store(true, Ordering::SeqCst);
    rig.numbers.value.store(1, Ordering::SeqCst);
    rig.feed.tables_changed([table("t")]);
    assert_eq!(lucky.recv().await.unwrap(), "1:1");
    let failure = unlucky.recv().await.unwrap();
    assert!(failure.contains(r#""data":null"#) && failure.contains("database query error"), "{failure}");
    rig.numbers.unlucky.store(false, Ordering::SeqCst);
    assert_eq!(unlucky.recv().await.unwrap(), "13:1", "it recovers by itself");
    rig.numbers.unlucky.store(true, Ordering::SeqCst);
    let (_late, mut late) = rig.subscribe(13);
    assert_eq!(late.recv().await.unwrap(), "refused: division by zero");
}

#[tokio::test]
async fn answers_find_their_members_by_key_and_a_member_without_one_is_told() {
    let rig = Rig::new(Numbers::default(), LONG);
    let mut running: Vec<_> = [1, 2, 13, 3].map(|member| (member, rig.subscribe(member))).into();
    for (member, (_, answers)) in &mut running {
        assert_eq!(answers.recv().await.unwrap(), format!("{member}:0"));
    }
    rig.numbers.shuffled.store(true, Ordering::SeqCst);
    rig.numbers.value.store(1, Ordering::SeqCst);
    rig.feed.tables_changed([table("t")]);
    for (member, (_, answers)) in &mut running {
        let answer = answers.recv().await.unwrap();
        match member {
            13 => assert!(answer.contains("database query error"), "{answer}"),
            _ => assert_eq!(answer, format!("{member}:1")),
        }
    }
    rig.numbers.shuffled.store(false, Ordering::SeqCst);
    let (_, answers) = &mut running[2].1;
    assert_eq!(answers.recv().await.unwrap(), "13:1", "it is asked for again");
}

#[tokio::test]
async fn streams_send_each_row_once_and_in_order() {
    let numbers = Numbers { rows: Some(Mutex::new(vec![1, 2, 3])), ..Numbers::default() };
    let rig = Rig::new(numbers, LONG);
    let (_one, mut one) = rig.subscribe(0);
    let (_two, mut two) = rig.subscribe(2);
    assert_eq!(one.recv().await.unwrap(), "[1, 2]");
    assert_eq!(one.recv().await.unwrap(), "[3]");
    assert_eq!(two.recv().await.unwrap(), "[3]");
    rig.numbers.rows.as_ref().unwrap().lock().unwrap().extend([4, 5]);
    rig.feed.tables_changed([table("t")]);
    assert_eq!((one.recv().await.unwrap(), two.recv().await.unwrap()), ("[4, 5]".into(), "[4, 5]".into()));
}

#[tokio::test]
async fn a_cohort_ends_with_its_last_subscription_and_can_start_again() {
    let rig = Rig::new(Numbers::default(), LONG);
    for _ in 0..3 {
        let (subscription, mut answers) = rig.subscribe(1);
        assert_eq!(answers.recv().await.unwrap(), "1:0");
        assert_eq!(rig.hub.cohorts(), 1);
        drop(subscription);
        until(|| rig.hub.cohorts() == 0).await;
    }
}
