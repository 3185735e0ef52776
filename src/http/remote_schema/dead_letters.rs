//! `deadLetters` and `redriveDeadLetter`, for administrators.

use std::sync::Arc;

use async_graphql::{Context, Json, Object, Result, SimpleObject};
use serde_json::Value;
use time::OffsetDateTime;

use super::graphql_error;
use crate::app::{App, DeadLetter};
use crate::domain::{Actor, Error};

/// An event that no handler could handle.
#[derive(SimpleObject, Debug)]
#[graphql(name = "DeadLetter")]
pub struct Letter {
    /// Its place among the dead letters, by which it is driven again; a text, because it may pass 2³¹.
    place: String,
    /// The stream that it comes from.
    stream: String,
    /// Its place there; a text, because it may pass 2³¹.
    stream_sequence: String,
    /// Where it was published.
    subject: String,
    /// The handler that gave up.
    consumer: String,
    /// How often it was delivered.
    deliveries: i32,
    /// Code of the last failure.
    error_code: String,
    /// The last failure, in words.
    error_message: String,
    /// When the handler gave up.
    failed_at: OffsetDateTime,
    /// The event; a text when it was no JSON.
    event: Json<Value>,
}

impl From<(u64, DeadLetter)> for Letter {
    fn from((place, letter): (u64, DeadLetter)) -> Self {
        let event = serde_json::from_str(letter.event.get()).unwrap_or(Value::Null);
        Self {
            place: place.to_string(),
            stream: letter.stream,
            stream_sequence: letter.stream_sequence.to_string(),
            subject: letter.subject,
            consumer: letter.consumer,
            deliveries: i32::try_from(letter.deliveries).unwrap_or(i32::MAX),
            error_code: letter.error_code,
            error_message: letter.error_message,
            failed_at: letter.failed_at,
            event: Json(event),
        }
    }
}

#[derive(Default)]
pub struct DeadLettersQuery;

#[Object]
impl DeadLettersQuery {
    /// Events that no handler could handle, the oldest first. For administrators.
    async fn dead_letters(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most this many, 1 to 1000", default = 100)] limit: i32,
    ) -> Result<Vec<Letter>> {
        let (app, actor) = (context.data::<Arc<App>>()?, context.data::<Actor>()?);
        let letters = app.dead_letters(actor, usize::try_from(limit).unwrap_or(0)).await.map_err(graphql_error)?;
        Ok(letters.into_iter().map(Into::into).collect())
    }
}

#[derive(Default)]
pub struct DeadLettersMutation;

#[Object]
impl DeadLettersMutation {
    /// Lets the handler that gave up an event try it again. For administrators.
    async fn redrive_dead_letter(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The letter's place, as `deadLetters` gives it")] place: String,
    ) -> Result<bool> {
        let (app, actor) = (context.data::<Arc<App>>()?, context.data::<Actor>()?);
        let place = place.parse().map_err(|_| graphql_error(Error::invalid("place", "must be a whole number")))?;
        app.redrive(actor, place).await.map_err(graphql_error)?;
        Ok(true)
    }
}
