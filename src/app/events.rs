//! Row changes that become events, and events of the past.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;
use uuid::Uuid;

pub use crate::bus::Recorded;
pub use crate::bus::events::Trigger as RowChange;

use super::App;
use crate::bus::{Replay, streams};
use crate::db::{events, teams};
use crate::domain::{Actor, Code, Error, Result, TeamRole, subject};

/// Most events in one answer.
pub const MAX_HISTORY: usize = 1000;

/// For a user, this many times the wanted events are read to find those that they may see.
const READ_AHEAD: usize = 5;

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
        let mut replay = Replay {
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
                replay.limit = history.limit.saturating_mul(READ_AHEAD);
                let mut found = self.bus.get_history(&replay).await?;
                self.keep_visible(*user, &mut found).await?;
                found.truncate(history.limit);
                Ok(found)
            }
        }
    }

    async fn keep_visible(&self, user: Uuid, found: &mut Vec<Recorded>) -> Result<()> {
        let memberships = teams::memberships(self.db.pool(), user).await?;
        let administered: HashSet<Uuid> =
            memberships.iter().filter(|one| one.role >= TeamRole::Admin).map(|one| one.team_id).collect();
        let all: HashSet<Uuid> = memberships.iter().map(|one| one.team_id).collect();
        let ids: Vec<Uuid> = found.iter().map(|recorded| recorded.event.id).collect();
        let team_of: HashMap<Uuid, Uuid> = events::teams_of(self.db.pool(), &ids).await?;
        found.retain(|recorded| {
            let own = if recorded.stream == streams::AUDIT { &administered } else { &all };
            team_of.get(&recorded.event.id).is_some_and(|team| own.contains(team))
        });
        Ok(())
    }
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
