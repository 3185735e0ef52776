//! Events as they come: those of the caller's teams after a place in the log, none left out and none twice.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

pub use crate::db::events::Written;

use super::App;
use crate::bus::Bus;
use crate::db::Db;
use crate::db::events::{self, Part};
use crate::domain::{Actor, Code, Error, Result, subject};

/// How often the log is looked at while nobody tells that something was written to it.
const LOOK: Duration = Duration::from_secs(1);
/// Least time between two looks: events come in crowds.
const GATHER: Duration = Duration::from_millis(10);
/// Events read at once.
const PAGE: usize = 200;

#[derive(Debug, Clone)]
pub struct Follow {
    /// A subject, with `*` for any one word and `>` for the rest, such as `deployment.*.<id>`.
    pub subject: String,
    /// The place of the last event that is known; without it, only what comes from now on.
    pub after: Option<i64>,
}

/// The place of the newest event: looked for once for all who follow in this process, and not at all while nobody does.
#[derive(Debug, Default)]
pub struct Newest(Mutex<Option<Lookout>>);

/// Looks for as long as it is kept.
#[derive(Debug)]
struct Lookout {
    newest: watch::Receiver<i64>,
    _looking: AbortOnDropHandle<()>,
}

impl Newest {
    fn follow(&self, db: &Db, bus: &Bus) -> watch::Receiver<i64> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lookout = kept.get_or_insert_with(|| {
            let (told, newest) = watch::channel(0);
            let looking = tokio::spawn(look(db.clone(), bus.clone(), told));
            Lookout { newest, _looking: AbortOnDropHandle::new(looking) }
        });
        lookout.newest.clone()
    }
}

/// Looks whenever the bridge says that it has written, and now and then.
async fn look(db: Db, bus: Bus, told: watch::Sender<i64>) {
    let mut written = pin!(bus.written().ready_chunks(1_000));
    loop {
        // One is kept here for those who come.
        if told.receiver_count() > 1 {
            match events::newest(db.pool()).await {
                Ok(newest) => drop(told.send_if_modified(|known| std::mem::replace(known, newest) != newest)),
                Err(error) => tracing::warn!(error = %error.chain(), "newest_event_not_found"),
            }
            tokio::time::sleep(GATHER).await;
        }
        // Either way it is time to look; the words never end.
        let _ = tokio::time::timeout(LOOK, written.next()).await;
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
        // Before the log is asked: nothing falls between.
        let mut grown = self.newest_event.follow(&self.db, &self.bus);
        let newest = events::newest(self.db.pool()).await?;
        let mut after = follow.after.unwrap_or(newest);
        if !(0..=newest).contains(&after) {
            // How many events there are is nobody's business: they are those of all teams.
            let message = "is the number of no event: give that of the last one that you have, or none";
            return Err(Error::invalid("last-event-id", message));
        }
        let app = Arc::clone(self);
        Ok(async_stream::try_stream! {
            let mut until = newest;
            loop {
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
                if grown.changed().await.is_err() {
                    break;
                }
                until = *grown.borrow_and_update();
            }
        })
    }
}
