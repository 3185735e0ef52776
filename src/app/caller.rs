//! Who asks, and under which correlation id.

use std::net::IpAddr;

use crate::domain::{Actor, Code, Error, Result};
use uuid::Uuid;

/// One request's caller, as a face has established it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who acts.
    pub actor: Actor,
    /// The id that every row, event, log line and span of the request carries.
    pub correlation_id: String,
    /// Where the request came from, if that is known.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// The person who asks, or an error that says to sign in.
    pub fn require_user(&self) -> Result<Uuid> {
        self.actor.user_id().ok_or_else(|| Error::new(Code::Unauthenticated, "sign in to do that"))
    }
}
