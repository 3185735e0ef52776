//! Events as they come: those of the caller's teams after a place in the log, none left out and none twice.

use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub use crate::db::events::Written;

use super::App;
use crate::db::Db;
use crate::db::events::{self, Part};
use crate::domain::{Actor, Code, Error, Result, subject};

/// How often the log is looked at, for all who follow it in this process together.
const LOOK: Duration = Duration::from_millis(250);
/// Events read at once.
const PAGE: usize = 200;

/// What is followed.
#[derive(Debug, Clone)]
pub struct Follow {
    /// A subject, with `*` for any one word and `>` for the rest, such as `deployment.*.<id>`.
    pub subject: String,
    /// The place of the last event that is known; without it, only what comes from now on.
    pub after: Option<i64>,
}

/// The place of the newest event, as it was a moment ago: asked for once for all who follow.
#[derive(Debug, Default)]
pub struct Newest(Mutex<Option<(Instant, i64)>>);

impl Newest {
    async fn get(&self, db: &Db) -> Result<i64> {
        let mut known = self.0.lock().await;
        match *known {
            Some((at, newest)) if at.elapsed() < LOOK => Ok(newest),
            _ => {
                let newest = events::newest(db.pool()).await?;
                *known = Some((Instant::now(), newest));
                Ok(newest)
            }
        }
    }
}

impl App {
    /// The events that a caller may see, as they come: of their teams, and of the audit trail of the teams that they
    /// administer, as their memberships are by then. It ends with an error when the database cannot be read; whoever
    /// follows goes on after the last event that they have.
    ///
    /// # Errors
    /// `unauthenticated` for nobody; `invalid-input` for a subject that is none, or a place that no event has yet.
    pub async fn follow_events(
        self: &Arc<Self>,
        actor: &Actor,
        follow: &Follow,
    ) -> Result<impl Stream<Item = Result<Written>> + Send + use<>> {
        let user = match actor {
            Actor::Admin(_) | Actor::System => None,
            Actor::User(user) => Some(*user),
            Actor::Anonymous => return Err(Error::new(Code::Unauthenticated, "sign in to see events")),
        };
        let pattern = subject::pattern("subject", &follow.subject)?;
        let newest = events::newest(self.db.pool()).await?;
        let mut after = follow.after.unwrap_or(newest);
        if !(0..=newest).contains(&after) {
            let message = format!("must be the number of an event, from 0 to {newest}, the newest");
            return Err(Error::invalid("last-event-id", message));
        }
        let app = Arc::clone(self);
        Ok(async_stream::try_stream! {
            loop {
                let until = app.newest_event.get(&app.db).await?;
                while after < until {
                    let part = Part { after, until, subject: &pattern, limit: PAGE as i64 };
                    let page = events::seen_by(app.db.pool(), user, part).await?;
                    let whole = page.len() < PAGE;
                    for event in page {
                        after = event.sequence;
                        yield event;
                    }
                    if whole {
                        after = until;
                    }
                }
                tokio::time::sleep(LOOK).await;
            }
        })
    }
}
