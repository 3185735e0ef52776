//! Watches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::path::Target;
use super::query::Query;
use super::read::revision;
use super::respond::{Form, Respond, partial, with};
use super::selectors::Selectors;
use super::table;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::json::at;
use crate::kubernetes::kinds::KindId;
use crate::kubernetes::status::{ApiError, ApiResult, Cause};
use crate::kubernetes::storage::Change;

/// How often an idle watch that allows bookmarks gets one.
const BOOKMARKS: Duration = Duration::from_secs(60);
/// The time limit of a watch that sets none: a real server draws it between 30 and 60 minutes.
const LONGEST: Duration = Duration::from_secs(1800);

/// One open watch.
struct Watch {
    cluster: Arc<Cluster>,
    kind: KindId,
    namespace: String,
    selectors: Selectors,
    form: Form,
    bookmarks: bool,
    cursor: u64,
    waiting: VecDeque<Bytes>,
}

/// Opens a watch.
pub(super) fn serve(cluster: &Arc<Cluster>, target: &Target, query: &Query, respond: &Respond) -> ApiResult<Response> {
    respond.acceptable()?;
    let initial = query.flag("sendInitialEvents");
    let matching = query.get("resourceVersionMatch");
    let mut causes = Vec::new();
    if initial && matching != "NotOlderThan" {
        let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        causes.push(if matching.is_empty() {
            Cause::forbidden("resourceVersionMatch", detail)
        } else {
            Cause::unsupported("resourceVersionMatch", &json!(matching), &["NotOlderThan"])
        });
    } else if !query.has("sendInitialEvents") && !matching.is_empty() {
        let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        causes.push(Cause::forbidden("resourceVersionMatch", detail));
    }
    if query.has("continue") {
        let detail = "resourceVersionMatch is forbidden when continue is provided";
        causes.push(Cause::forbidden("resourceVersionMatch", detail));
    }
    if !causes.is_empty() {
        return Err(ApiError::invalid_of("meta.k8s.io", "ListOptions", "", causes));
    }
    let from = revision(query.get("resourceVersion")).map_err(ApiError::unknown)?;
    let limit = query.number("timeoutSeconds")?.filter(|seconds| *seconds > 0);
    let limit = limit.and_then(|seconds| u64::try_from(seconds).ok()).map_or(LONGEST, Duration::from_secs);
    let mut watch = Watch {
        cluster: cluster.clone(),
        kind: target.kind,
        namespace: target.namespace.clone(),
        selectors: Selectors::read(target, query)?,
        form: respond.form,
        bookmarks: query.flag("allowWatchBookmarks"),
        cursor: 0,
        waiting: VecDeque::new(),
    };
    let ended = watch.begin(from, initial);
    let body = Body::from_stream(watch.stream(limit, ended));
    Ok(with(200, "application/json", body))
}

impl Watch {
    /// Places the cursor and queues the first frames; true when the watch ends with them.
    fn begin(&mut self, from: Option<u64>, initial: bool) -> bool {
        let cluster = self.cluster.clone();
        cluster.read(|state| {
            let current = state.revision();
            let everything = initial || matches!(from, None | Some(0));
            if everything {
                let namespace = self.namespace.clone();
                for (_, object) in state.list(self.kind, &namespace) {
                    if self.selectors.matches(object) {
                        self.queue("ADDED", object);
                    }
                }
                self.cursor = current;
                if initial {
                    let mut mark = self.bookmark(current);
                    if let Some(metadata) = mark.get_mut("metadata").and_then(Value::as_object_mut) {
                        metadata.insert("annotations".to_owned(), json!({"k8s.io/initial-events-end": "true"}));
                    }
                    self.queue("BOOKMARK", &mark);
                }
                return false;
            }
            self.cursor = from.unwrap_or(current);
            if self.cursor < state.floor() {
                let error = ApiError::expired(format!("too old resource version: {} ({})", self.cursor, state.floor()));
                self.waiting.push_back(line("ERROR", &error.body()));
                return true;
            }
            false
        })
    }

    fn stream(
        mut self,
        limit: Duration,
        ended: bool,
    ) -> impl futures::Stream<Item = Result<Bytes, std::convert::Infallible>> {
        async_stream::stream! {
            let end = Instant::now() + limit;
            let mut news = self.cluster.revisions();
            let mut mark = Instant::now() + BOOKMARKS;
            loop {
                news.mark_unchanged();
                let goes_on = !ended && self.collect();
                while let Some(frame) = self.waiting.pop_front() {
                    yield Ok(frame);
                }
                if !goes_on {
                    break;
                }
                let stop = self.cluster.stop.clone();
                tokio::select! {
                    changed = news.changed() => if changed.is_err() { break },
                    () = tokio::time::sleep_until(mark), if self.bookmarks => {
                        let now = self.cluster.read(crate::kubernetes::storage::State::revision);
                        let bookmark = self.bookmark(now.max(self.cursor));
                        self.queue("BOOKMARK", &bookmark);
                        mark = Instant::now() + BOOKMARKS;
                    }
                    () = tokio::time::sleep_until(end) => break,
                    () = stop.cancelled() => break,
                }
            }
            // A watch with bookmarks that reaches its time limit ends with one.
            if self.bookmarks && !ended && Instant::now() >= end {
                let bookmark = self.bookmark(self.cursor);
                yield Ok(line("BOOKMARK", &bookmark));
            }
        }
    }

    /// Queues what happened since the cursor; false when that is no longer known.
    fn collect(&mut self) -> bool {
        let cluster = self.cluster.clone();
        cluster.read(|state| {
            if self.cursor < state.floor() {
                let error = ApiError::expired(format!("too old resource version: {} ({})", self.cursor, state.floor()));
                self.waiting.push_back(line("ERROR", &error.body()));
                return false;
            }
            for change in state.since(self.cursor) {
                self.cursor = self.cursor.max(change.revision);
                let concerned = change.key.kind == self.kind
                    && (self.namespace.is_empty() || change.key.namespace == self.namespace);
                if concerned {
                    self.tell(change);
                }
            }
            true
        })
    }

    fn tell(&mut self, change: &Change) {
        let before = change.previous.as_ref().is_some_and(|previous| self.selectors.matches(previous));
        let after = !change.deleted && self.selectors.matches(&change.object);
        match (before, after) {
            (false, true) => self.queue("ADDED", &change.object),
            (true, true) => self.queue("MODIFIED", &change.object),
            (true, false) if change.deleted => self.queue("DELETED", &change.object),
            (true, false) => {
                // The object left the selection: its last selected state, with the revision of the change.
                let mut gone = change.previous.as_deref().cloned().unwrap_or_default();
                let version = at(&change.object, "/metadata/resourceVersion").clone();
                crate::kubernetes::json::set(&mut gone, &["metadata", "resourceVersion"], version);
                self.queue("DELETED", &gone);
            }
            (false, false) => {}
        }
    }

    fn queue(&mut self, what: &str, object: &Value) {
        let frame = match self.form {
            Form::Metadata if what != "BOOKMARK" => line(what, &partial(object)),
            Form::Table if what != "BOOKMARK" => {
                line(what, &table::of(self.kind, &[object], at(object, "/metadata/resourceVersion")))
            }
            _ => line(what, object),
        };
        self.waiting.push_back(frame);
    }

    fn bookmark(&self, revision: u64) -> Value {
        json!({
            "kind": self.kind.kind, "apiVersion": self.kind.api_version(),
            "metadata": {"resourceVersion": revision.to_string()},
        })
    }
}

fn line(what: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{{\"type\":\"{what}\",\"object\":{object}}}\n"))
}
