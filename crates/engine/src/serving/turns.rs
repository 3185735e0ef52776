//! Turns: how many operations of one user run at a time, so that nobody takes every connection of the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rates::caller;
use crate::auth::Identity;
use crate::error::{ErrorCode, GraphqlError, Result};

/// After so many turns, callers of whom nothing runs or waits are forgotten.
const FORGET_AFTER: usize = 10_000;

/// How many operations of one caller run at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnLimits {
    /// Operations that run.
    pub running: usize,
    /// Operations that wait for their turn.
    pub waiting: usize,
    /// How long one waits at most.
    pub patience: Duration,
}

/// The callers of whom something runs or waits.
pub struct Turns {
    limits: Option<TurnLimits>,
    callers: DashMap<String, Arc<Caller>>,
    taken: AtomicUsize,
}

struct Caller {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A turn, which ends when it is dropped.
pub struct Turn {
    _running: Option<OwnedSemaphorePermit>,
    // Keeps the caller from being forgotten.
    _caller: Option<Arc<Caller>>,
}

/// A place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    /// Turns under limits; without them everybody's is at once.
    pub fn new(limits: Option<TurnLimits>) -> Self {
        Self { limits, callers: DashMap::new(), taken: AtomicUsize::new(0) }
    }

    /// Waits for a turn of who asks. Whoever shows the admin secret answers for themselves.
    ///
    /// # Errors
    /// [`ErrorCode::ExceededRateLimit`]: too many wait already, or this one waited too long.
    pub async fn take(&self, identity: &Identity, address: Option<&str>) -> Result<Turn> {
        let Some(limits) = self.limits.filter(|_| !identity.session.is_admin() && !identity.by_admin_secret) else {
            return Ok(Turn { _running: None, _caller: None });
        };
        if self.taken.fetch_add(1, Ordering::Relaxed) % FORGET_AFTER == FORGET_AFTER - 1 {
            self.callers.retain(|_, caller| Arc::strong_count(caller) > 1);
        }
        let caller = self.caller(caller(&identity.session, address), limits);
        let turn = |running, caller| Ok(Turn { _running: Some(running), _caller: Some(caller) });
        if let Ok(running) = caller.running.clone().try_acquire_owned() {
            return turn(running, caller);
        }
        let waits = caller.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Waiting(&caller.waiting);
        if waits >= limits.waiting {
            return Err(refused(limits));
        }
        let running = tokio::time::timeout(limits.patience, caller.running.clone().acquire_owned()).await;
        drop(place);
        match running {
            Ok(Ok(running)) => turn(running, caller.clone()),
            _ => Err(refused(limits)),
        }
    }

    fn caller(&self, key: String, limits: TurnLimits) -> Arc<Caller> {
        let new = || {
            let (running, waiting) = (Arc::new(Semaphore::new(limits.running)), AtomicUsize::new(0));
            Arc::new(Caller { running, waiting })
        };
        self.callers.entry(key).or_insert_with(new).clone()
    }
}

fn refused(limits: TurnLimits) -> GraphqlError {
    let TurnLimits { running, waiting, patience } = limits;
    let message = format!(
        "too many of your operations at a time: {running} run and {waiting} wait, each for {} s at most; try again when \
         some have ended",
        patience.as_secs_f64()
    );
    GraphqlError::new(ErrorCode::ExceededRateLimit, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;

    fn of(user: &str) -> Identity {
        let session = Session::new("user", [("x-hasura-user-id", user)]);
        Identity { session, expires_at: None, by_admin_secret: false }
    }

    #[tokio::test(start_paused = true)]
    async fn one_user_waits_and_is_refused_in_the_end_and_others_do_not_notice() {
        let limits = TurnLimits { running: 2, waiting: 1, patience: Duration::from_secs(5) };
        let turns = Arc::new(Turns::new(Some(limits)));
        let take = |user: &'static str| {
            let turns = turns.clone();
            async move { turns.take(&of(user), None).await }
        };
        let (first, second) = (take("a").await.unwrap(), take("a").await.unwrap());
        let third = tokio::spawn(take("a"));
        tokio::task::yield_now().await;
        let error = take("a").await.err().unwrap();
        assert_eq!((error.code.as_str(), error.http_status()), ("rate-limit-exceeded", 429));
        assert!(
            take("b").await.is_ok() && turns.take(&Identity { by_admin_secret: true, ..of("a") }, None).await.is_ok()
        );
        drop(first);
        let third = third.await.unwrap().unwrap();
        let begun = tokio::time::Instant::now();
        assert!(take("a").await.is_err());
        assert!(begun.elapsed() >= limits.patience);
        drop((second, third));
        assert!(take("a").await.is_ok());
    }
}
