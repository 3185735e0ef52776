//! Attempts that were refused, in the audit trail of the team whose secret it was.

use serde_json::Value;
use uuid::Uuid;

use super::stores::audit_of;
use super::{App, Caller};
use crate::db::audit;
use crate::domain::{Code, Error, Result};

impl App {
    /// Records that somebody wanted to see what they may not. What failed for another reason is no attempt.
    pub(super) async fn refused(
        &self,
        caller: &Caller,
        team: Uuid,
        (action, resource, id): (&str, &str, Uuid),
        details: &Value,
        why: &Error,
    ) -> Result<()> {
        if !matches!(why.code(), Code::Forbidden | Code::NotFound) {
            return Ok(());
        }
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                audit::append(&mut tx, team, action, resource, id, details).await
            })
            .await
    }
}
