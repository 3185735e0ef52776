//! The operations that run on one socket.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use serde_json::Value;
use tokio::task::AbortHandle;

use super::outbox::{Outbox, Outgoing};
use super::protocol::Protocol;
use crate::auth::Identity;
use crate::error::{GraphqlError, Result};
use crate::http::{graphql, request};
use crate::request::Request;
use crate::serving::Surface;
use crate::serving::core::{Outcome, SubscriptionPlan};
use crate::serving::live::LiveMember;
use crate::serving::results::ResultMember;
use crate::subscriptions::{Fetch, Subscriber, Subscription};

/// The operations that run on one socket, by the client's id.
pub(super) struct Operations {
    surface: Arc<Surface>,
    outbox: Arc<Outbox>,
    protocol: Protocol,
    running: Mutex<HashMap<String, Running>>,
    next: AtomicU64,
}

struct Running {
    /// Tells an operation from a later one of the same id.
    token: u64,
    task: Option<AbortHandle>,
    live: Option<Live>,
}

/// A subscription that runs, with what is needed to plan it again.
struct Live {
    // Ends the subscription when it is dropped.
    _subscription: Subscription,
    sink: Arc<Sink>,
    request: Arc<Request>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        if let Some(live) = &self.live {
            live.sink.close();
        }
    }
}

/// Who asks, with the headers of handshake and `connection_init`.
#[derive(Clone)]
pub(super) struct Caller {
    pub identity: Arc<Identity>,
    pub headers: Arc<HeaderMap>,
}

impl Operations {
    pub fn new(surface: Arc<Surface>, outbox: Arc<Outbox>, protocol: Protocol) -> Arc<Self> {
        let (running, next) = (Mutex::default(), AtomicU64::new(1));
        Arc::new(Self { surface, outbox, protocol, running, next })
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many run.
    pub fn count(&self) -> usize {
        self.running().len()
    }

    /// Whether one of that id runs.
    pub fn contains(&self, id: &str) -> bool {
        self.running().contains_key(id)
    }

    /// Starts an operation.
    pub fn start(self: &Arc<Self>, caller: Caller, id: String, payload: Value) {
        // What is planned again because the metadata has changed does not count again.
        let allowed = self.surface.limits.rates.admit(&caller.identity, &caller.headers);
        let request = allowed.and_then(|()| request::one(payload, "$").map(Arc::new));
        self.spawn(caller, id, request, None);
    }

    /// Runs an operation; a stream that was left goes on where it stands.
    fn spawn(
        self: &Arc<Self>,
        caller: Caller,
        id: String,
        request: Result<Arc<Request>>,
        left: Option<Arc<LiveMember>>,
    ) {
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        // The entry stands before the task runs, so that the task finds it.
        self.running().insert(id.clone(), Running { token, task: None, live: None });
        let operations = self.clone();
        let key = id.clone();
        let task = tokio::spawn(async move { operations.run(caller, id, token, request, left).await });
        if let Some(running) = self.running().get_mut(&key)
            && running.token == token
            && running.live.is_none()
        {
            running.task = Some(task.abort_handle());
        }
    }

    async fn run(
        self: Arc<Self>,
        caller: Caller,
        id: String,
        token: u64,
        request: Result<Arc<Request>>,
        left: Option<Arc<LiveMember>>,
    ) {
        let outcome = async {
            let request = request?;
            let headers = caller.headers.clone();
            self.surface.admit(&headers).await?;
            match graphql::run(&self.surface, &caller.identity, headers, &request).await? {
                Outcome::Answer(answer) => Ok(Some(Ok(answer))),
                Outcome::Failed(error) => Ok(Some(Err(error))),
                Outcome::Subscription(plan) => {
                    let sink = |is_stream| Arc::new(Sink::new(&self, &id, token, is_stream));
                    let (sink, subscription) = match plan {
                        SubscriptionPlan::Live(mut plan) => {
                            if let Some(left) = &left {
                                plan.member = plan.fetch.resume(left, plan.member)?;
                            }
                            let sink = sink(plan.fetch.is_stream());
                            (sink.clone(), self.surface.live.queries.subscribe(plan, sink))
                        }
                        SubscriptionPlan::Result(plan) => {
                            let sink = sink(false);
                            (sink.clone(), self.surface.live.results.subscribe(plan, sink))
                        }
                    };
                    let live = Live { _subscription: subscription, sink, request };
                    // Stopped meanwhile: dropping what was started ends it.
                    if let Some(running) = self.running().get_mut(&id)
                        && running.token == token
                    {
                        running.task = None;
                        running.live = Some(live);
                    }
                    Ok(None)
                }
            }
        };
        match outcome.await {
            Ok(None) => {}
            Ok(Some(Err(error))) => {
                let mut errors = error.to_graphql_list(self.surface.shows_internals(Some(&caller.identity.session)));
                self.surface.in_words(&mut errors);
                self.finish(&id, token, Some(self.protocol.failure(&id, &errors)));
            }
            Ok(Some(Ok(answer))) => {
                let frame = self.protocol.next(&id, &String::from_utf8_lossy(&answer.body));
                self.finish(&id, token, Some(frame));
            }
            Err(error) => self.refuse(&caller.identity, &id, token, &error),
        }
    }

    fn refuse(&self, identity: &Identity, id: &str, token: u64, error: &GraphqlError) {
        let mut errors = [error.to_graphql(self.surface.shows_internals(Some(&identity.session)))];
        self.surface.in_words(&mut errors);
        self.finish(id, token, Some(self.protocol.error(id, &errors)));
    }

    /// Ends an operation: nothing if it was stopped meanwhile.
    fn finish(&self, id: &str, token: u64, last: Option<axum::extract::ws::Utf8Bytes>) {
        let mut running = self.running();
        if running.get(id).is_none_or(|running| running.token != token) {
            return;
        }
        let mut ended = running.remove(id);
        drop(running);
        if let Some(ended) = &mut ended {
            // The task that calls this must not end itself before the frames are queued.
            ended.task = None;
        }
        drop(ended);
        self.outbox.forget(id);
        if let Some(last) = last {
            self.outbox.push(Outgoing::Frame(last));
        }
        self.outbox.push(Outgoing::Frame(self.protocol.complete(id)));
    }

    /// Stops an operation on the client's wish; an unknown id is no fault.
    pub fn stop(&self, id: &str) {
        let stopped = self.running().remove(id);
        drop(stopped);
        self.outbox.forget(id);
    }

    /// Stops everything.
    pub fn stop_all(&self) {
        let all = std::mem::take(&mut *self.running());
        drop(all);
    }

    /// Plans live queries and streams again, under the metadata that is in force now. Streams keep their place.
    pub fn replan(self: &Arc<Self>, caller: &Caller) {
        let live: Vec<(String, Arc<Request>, Arc<Sink>)> = self
            .running()
            .iter()
            .filter_map(|(id, running)| {
                running.live.as_ref().map(|live| (id.clone(), live.request.clone(), live.sink.clone()))
            })
            .collect();
        for (id, request, sink) in live {
            let old = self.running().remove(&id);
            drop(old);
            // Closed by now: what it has sent and where it stands do not change any more.
            let left = sink.left();
            self.spawn(caller.clone(), id, Ok(request), left);
        }
    }
}

/// Turns results into frames of one subscription.
struct Sink {
    operations: std::sync::Weak<Operations>,
    outbox: Arc<Outbox>,
    protocol: Protocol,
    id: String,
    token: u64,
    is_stream: bool,
    state: Mutex<SinkState>,
}

struct SinkState {
    open: bool,
    /// Of a stream: where it stands after what was sent.
    at: Option<Arc<LiveMember>>,
}

impl Sink {
    fn new(operations: &Arc<Operations>, id: &str, token: u64, is_stream: bool) -> Self {
        Self {
            operations: Arc::downgrade(operations),
            outbox: operations.outbox.clone(),
            protocol: operations.protocol,
            id: id.to_owned(),
            token,
            is_stream,
            state: Mutex::new(SinkState { open: true, at: None }),
        }
    }

    /// Nothing more goes out from now on.
    fn close(&self) {
        self.state().open = false;
    }

    fn left(&self) -> Option<Arc<LiveMember>> {
        self.state().at.clone()
    }

    fn state(&self) -> MutexGuard<'_, SinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    fn next(&self, answer: &Arc<str>, moved: Option<&Arc<LiveMember>>) {
        let mut state = self.state();
        if state.open {
            state.at = moved.cloned().or(state.at.take());
            self.outbox.set_latest(&self.id, self.protocol.next(&self.id, answer));
        }
    }

    fn refuse(&self, error: &GraphqlError) {
        if let Some(operations) = self.operations.upgrade() {
            let errors = [error.to_graphql(false)];
            operations.finish(&self.id, self.token, Some(self.protocol.error(&self.id, &errors)));
        }
    }
}

impl Subscriber<Arc<LiveMember>> for Sink {
    fn answer(&self, answer: &Arc<str>, moved: Option<&Arc<LiveMember>>) {
        self.next(answer, moved);
    }

    fn refused(&self, error: &GraphqlError) {
        self.refuse(error);
    }

    fn is_ready(&self) -> bool {
        !self.is_stream || !self.outbox.is_waiting(&self.id)
    }
}

impl Subscriber<Arc<ResultMember>> for Sink {
    fn answer(&self, answer: &Arc<str>, _: Option<&Arc<ResultMember>>) {
        self.next(answer, None);
    }

    fn refused(&self, error: &GraphqlError) {
        self.refuse(error);
    }
}
