//! `eventHistory`

use std::sync::Arc;

use async_graphql::{Context, Json, Object, Result, SimpleObject};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::graphql_error;
use crate::app::App;
use crate::app::events::{History, Recorded};
use crate::domain::{Actor, Error};

/// Something that has happened, as the event bus keeps it.
#[derive(SimpleObject, Debug)]
pub struct HistoricEvent {
    /// The event's id: the same however often it was delivered.
    id: Uuid,
    /// What happened, such as `store.ready`.
    #[graphql(name = "type")]
    kind: String,
    /// Who says so.
    source: String,
    /// Where it was published, such as `store.ready.<id>`.
    subject: String,
    /// When it happened.
    timestamp: OffsetDateTime,
    /// What is known about it.
    data: Json<Map<String, Value>>,
    /// Ties together everything that one request has caused.
    correlation_id: String,
    /// The user who acted, if one did.
    user_id: Option<Uuid>,
    /// The stream that keeps it.
    stream: String,
    /// Its place in the stream; a text, because it may pass 2³¹.
    sequence: String,
}

impl From<Recorded> for HistoricEvent {
    fn from(recorded: Recorded) -> Self {
        let event = recorded.event;
        Self {
            id: event.id,
            kind: event.kind,
            source: event.source,
            subject: event.subject,
            timestamp: event.timestamp,
            data: Json(event.data),
            correlation_id: event.metadata.correlation_id,
            user_id: event.metadata.user_id,
            stream: recorded.stream,
            sequence: recorded.sequence.to_string(),
        }
    }
}

#[derive(Default)]
pub struct EventsQuery;

#[Object]
impl EventsQuery {
    /// Events of the past by subject, the oldest first. A user sees those of their own teams.
    async fn event_history(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "`*` stands for one word and `>` for the rest, such as `store.*.<id>` or `deployment.>`")]
        subject: String,
        #[graphql(desc = "From when on; from the beginning without it")] since: Option<OffsetDateTime>,
        #[graphql(desc = "Until when; until now without it")] until: Option<OffsetDateTime>,
        #[graphql(desc = "At most this many, 1 to 1000", default = 100)] limit: i32,
    ) -> Result<Vec<HistoricEvent>> {
        let limit =
            usize::try_from(limit).map_err(|_| graphql_error(Error::invalid("limit", "must be from 1 to 1000")))?;
        let history = History { subject, since, until, limit };
        let (app, actor) = (context.data::<Arc<App>>()?, context.data::<Actor>()?);
        let found = app.event_history(actor, &history).await.map_err(graphql_error)?;
        Ok(found.into_iter().map(Into::into).collect())
    }
}
