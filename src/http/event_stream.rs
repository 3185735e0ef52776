//! `GET /api/v1/events/stream`: events as they come, as server-sent events (WHATWG HTML, 9.2). The id of each is its place
//! in the log; a client that comes again with `Last-Event-ID` goes on after it.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{AppState, RestError, SignedIn, session};
use crate::app::Caller;
use crate::app::feed::{Follow, Written};
use crate::domain::{Error, Result};

/// The header with which a client comes again.
const LAST_EVENT_ID: &str = "last-event-id";
/// How often an idle stream shows that it is alive.
const ALIVE: Duration = Duration::from_secs(15);
/// How long a client is to wait before it comes again.
const RETRY: Duration = Duration::from_secs(1);

/// What is wanted, in the query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The subjects: `*` stands for one word and `>` for the rest, such as `deployment.*.<id>`.
    #[serde(default = "all")]
    subject: String,
    /// The same as the header, for clients that cannot set it.
    #[serde(rename = "lastEventId")]
    last_event_id: Option<String>,
}

fn all() -> String {
    ">".to_owned()
}

/// An event, as a client reads it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    id: Uuid,
    sequence: i64,
    #[serde(rename = "type")]
    kind: String,
    source: String,
    stream: String,
    subject: String,
    entity_id: Option<String>,
    data: Value,
    correlation_id: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
}

impl From<Written> for Told {
    fn from(event: Written) -> Self {
        Self {
            id: event.id,
            sequence: event.sequence,
            kind: event.kind,
            source: event.source,
            stream: event.stream,
            subject: event.subject,
            entity_id: event.entity_id,
            data: event.data,
            correlation_id: event.correlation_id,
            timestamp: event.occurred_at,
        }
    }
}

/// Tells of events until the client goes, its access token expires, its session ends or the service stops.
pub async fn follow(
    State(state): State<AppState>,
    caller: Caller,
    axum::Extension(signed_in): axum::Extension<SignedIn>,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, RestError> {
    let Query(wanted) = wanted.map_err(|rejection| Error::invalid("query", rejection.body_text()))?;
    let after = after(&headers, &wanted)?;
    let most = state.settings.live.get().server.streams_per_user;
    let open = caller.actor.user_id().map(|user| state.streams.open(user, most)).transpose()?;
    let events = state.app.follow_events(&caller.actor, &Follow { subject: wanted.subject, after }).await?;
    let lines = events.map(|event| event.and_then(line)).scan((), |(), line| {
        // The client comes again, and goes on after the last one that it has.
        std::future::ready(line.inspect_err(|error| tracing::warn!(error = %error.chain(), "event_stream_ended")).ok())
    });
    let begun = futures::stream::once(async { Event::default().retry(RETRY).comment("the stream begins") });
    let ended = async move {
        let _open = open;
        let left = signed_in.until.duration_since(SystemTime::now()).unwrap_or_default();
        let ends = async {
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = session::ended(&state.app, &headers) => {}
            }
        };
        state.closing.run_until_cancelled(ends).await;
    };
    Ok(Sse::new(begun.chain(lines).take_until(ended).map(Ok)).keep_alive(KeepAlive::new().interval(ALIVE)))
}

fn line(event: Written) -> Result<Event> {
    let id = event.sequence.to_string();
    let told = Event::default().id(id).json_data(Told::from(event));
    told.map_err(|source| Error::internal("writing an event", source))
}

/// The place after which the client goes on.
fn after(headers: &HeaderMap, wanted: &Wanted) -> Result<Option<i64>> {
    let header = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or_default());
    let Some(given) = header.or(wanted.last_event_id.as_deref()) else { return Ok(None) };
    let number = given.parse().map_err(|_| Error::invalid(LAST_EVENT_ID, "must be the id of an event, a number"))?;
    Ok(Some(number))
}
