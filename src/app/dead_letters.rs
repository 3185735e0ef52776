//! Dead letters, for administrators: what no handler could handle, and another try.

use super::App;
pub use crate::bus::DeadLetter;
use crate::domain::{Actor, Code, Error, Result};

/// Most dead letters in one answer.
const MOST: usize = 1_000;

impl App {
    /// The oldest dead letters, each with its place.
    ///
    /// # Errors
    /// `forbidden` for others than administrators, `invalid-input`, `unavailable`.
    pub async fn dead_letters(&self, actor: &Actor, limit: usize) -> Result<Vec<(u64, DeadLetter)>> {
        administrators(actor)?;
        if !(1..=MOST).contains(&limit) {
            return Err(Error::invalid("limit", format!("must be from 1 to {MOST}")));
        }
        self.bus.dead_letters(limit).await
    }

    /// Publishes the event of the dead letter at a place again, for the handler that gave up, and removes the letter.
    ///
    /// # Errors
    /// `forbidden` for others than administrators, `not-found`, `unavailable`.
    pub async fn redrive(&self, actor: &Actor, place: u64) -> Result<()> {
        administrators(actor)?;
        self.bus.redrive(place).await
    }
}

fn administrators(actor: &Actor) -> Result<()> {
    match actor {
        Actor::Admin(_) | Actor::System => Ok(()),
        Actor::User(_) | Actor::Anonymous => {
            Err(Error::new(Code::Forbidden, "only administrators may see and drive dead letters"))
        }
    }
}
