//! Row changes that become events, and events of the past.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

pub use crate::bus::Recorded;
pub use crate::bus::events::Trigger as RowChange;

use super::App;
use crate::bus::{Event, Replay, streams, told};
use crate::db::events::{self, Past, Span};
use crate::db::teams;
use crate::domain::{Actor, Code, Error, Result, TeamRole, subject};

/// Most events in one answer.
pub const MAX_HISTORY: usize = 1000;

/// Events of a stream that are read at once to find those of a user.
const PAGE: usize = 1_000;
/// The most such pages of a stream for one question.
const MOST_PAGES: usize = 20;

/// Which events of the past are wanted.
#[derive(Debug, Clone)]
pub struct History {
    /// A subject, with `*` for any one token and `>` for the rest, such as `store.*.<id>`.
    pub subject: String,
    /// From when on.
    pub since: Option<OffsetDateTime>,
    /// Until when.
    pub until: Option<OffsetDateTime>,
    /// At most this many, 1 to [`MAX_HISTORY`].
    pub limit: usize,
}

impl App {
    /// Publishes a row change. Publishing the same delivery again changes nothing.
    pub async fn publish_row_change(&self, change: &RowChange) -> Result<()> {
        let published = self.bus.publish_trigger(change).await?;
        tracing::debug!(stream = published.stream, sequence = published.sequence, "row_change_published");
        Ok(())
    }

    /// Events of the past, the oldest first. A user sees those of their teams, and of the audit trail those of teams
    /// that they administer.
    pub async fn event_history(&self, actor: &Actor, history: &History) -> Result<Vec<Recorded>> {
        check(history)?;
        let replay = Replay {
            subject: history.subject.clone(),
            since: history.since,
            from_sequence: None,
            until: history.until,
            limit: history.limit,
        };
        match actor {
            Actor::Admin(_) | Actor::System => self.bus.get_history(&replay).await,
            Actor::Anonymous => Err(Error::new(Code::Unauthenticated, "sign in to see events")),
            Actor::User(user) => {
                if let Some(found) = self.own_history(*user, &replay).await? {
                    return Ok(found);
                }
                // Too many events of others lie between. The log of events knows whose each is.
                let subject = subject::pattern("subject", &history.subject)?;
                let limit = i64::try_from(history.limit).unwrap_or(i64::MAX);
                let span = Span { since: history.since, until: history.until, subject: &subject, limit };
                events::past(self.db.pool(), *user, span).await?.into_iter().map(recorded).collect()
            }
        }
    }
}

impl App {
    /// The kept events of a user's teams, read page by page until there are as many as are wanted: those of others take
    /// no room in the answer. `None` when that would be more pages than are read for one question.
    async fn own_history(&self, user: Uuid, replay: &Replay) -> Result<Option<Vec<Recorded>>> {
        let memberships = teams::memberships(self.db.pool(), user).await?;
        let administered: HashSet<Uuid> =
            memberships.iter().filter(|one| one.role >= TeamRole::Admin).map(|one| one.team_id).collect();
        let all: HashSet<Uuid> = memberships.iter().map(|one| one.team_id).collect();
        let mut found = Vec::new();
        for mut pages in self.bus.pages(replay)? {
            let (mut own, mut read) = (Vec::new(), 0);
            while let Some(mut page) = self.bus.next_page(&mut pages, PAGE).await? {
                read += 1;
                let ids: Vec<Uuid> = page.iter().map(|recorded| recorded.event.id).collect();
                let team_of: HashMap<Uuid, Uuid> = events::teams_of(self.db.pool(), &ids).await?;
                page.retain(|recorded| {
                    let mine = if recorded.stream == streams::AUDIT { &administered } else { &all };
                    team_of.get(&recorded.event.id).is_some_and(|team| mine.contains(team))
                });
                own.extend(page);
                if own.len() >= replay.limit {
                    break;
                }
                if read >= MOST_PAGES {
                    return Ok(None);
                }
            }
            found.extend(own);
        }
        found.sort_by(|a, b| a.recorded_at.cmp(&b.recorded_at).then(a.sequence.cmp(&b.sequence)));
        found.truncate(replay.limit);
        found.iter_mut().for_each(|recorded| told::show(&mut recorded.event.data));
        Ok(Some(found))
    }
}

fn recorded(past: Past) -> Result<Recorded> {
    let Past { event: written, stream_sequence, metadata } = past;
    let unreadable = |source| Error::internal("read an event's metadata", source);
    let data = match written.data {
        Value::Object(data) => data,
        _ => serde_json::Map::new(),
    };
    let event = Event {
        id: written.id,
        kind: written.kind,
        source: written.source,
        subject: written.subject,
        timestamp: written.occurred_at,
        data,
        metadata: serde_json::from_value(metadata).map_err(unreadable)?,
    };
    let sequence = u64::try_from(stream_sequence).unwrap_or_default();
    Ok(Recorded { event, stream: written.stream, sequence, recorded_at: written.occurred_at })
}

fn check(history: &History) -> Result<()> {
    subject::pattern("subject", &history.subject)?;
    if !(1..=MAX_HISTORY).contains(&history.limit) {
        return Err(Error::invalid("limit", format!("must be from 1 to {MAX_HISTORY}")));
    }
    if let (Some(since), Some(until)) = (history.since, history.until)
        && since > until
    {
        return Err(Error::invalid("until", "must not be before `since`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_needs_a_sound_subject_and_limit() {
        let check = |subject: &str, limit| {
            let history = History { subject: subject.into(), since: None, until: None, limit };
            super::check(&history).err().and_then(|error| error.field().map(str::to_owned))
        };
        for sound in [">", "store.>", "store.*.4f0e", "deployment.started.app-123"] {
            assert_eq!(check(sound, 1), None, "{sound}");
        }
        for wrong in ["", ".", "store.", "store.>.x", "a b", "$JS.API", "store.x\r\nPUB y", "a*"] {
            assert_eq!(check(wrong, 1).as_deref(), Some("subject"), "{wrong}");
        }
        assert_eq!(check(">", 0).as_deref(), Some("limit"));
        assert_eq!(check(">", 1001).as_deref(), Some("limit"));
    }
}
