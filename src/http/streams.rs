//! How many event streams each user holds open in this process.

use std::sync::Arc;

use dashmap::DashMap;
use uuid::Uuid;

use crate::domain::{Code, Error, Result};

/// The open streams of all users; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams(Arc<DashMap<Uuid, usize>>);

/// One open stream; dropped with it.
#[derive(Debug)]
pub(super) struct Open {
    streams: Streams,
    user: Uuid,
}

impl Streams {
    /// One more stream of `user`.
    ///
    /// # Errors
    /// `rate-limited` where they hold `most` already.
    pub(super) fn open(&self, user: Uuid, most: usize) -> Result<Open> {
        let mut held = self.0.entry(user).or_default();
        if *held >= most {
            let message = format!("you have {most} event streams open, as many as one user may; close one first");
            return Err(Error::new(Code::RateLimited, message));
        }
        *held += 1;
        Ok(Open { streams: self.clone(), user })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(mut held) = self.streams.0.get_mut(&self.user) {
            *held -= 1;
        }
        self.streams.0.remove_if(&self.user, |_, held| *held == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_stream_makes_room_and_leaves_nothing_behind() {
        let streams = Streams::default();
        let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
        let held = [streams.open(ada, 2).unwrap(), streams.open(ada, 2).unwrap()];
        assert_eq!(streams.open(ada, 2).unwrap_err().code(), Code::RateLimited);
        assert!(streams.open(bob, 2).is_ok(), "another user has streams of their own");
        drop(held);
        assert!(streams.0.is_empty());
        assert!(streams.open(ada, 2).is_ok());
    }
}
