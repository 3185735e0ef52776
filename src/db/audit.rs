//! Audit records of acts that change no row, such as a reveal. Row changes are recorded by triggers.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// Appends a record of an act to the audit chain of a team (or, without one, to the platform's), by the actor of the transaction ([`super::Audit::apply`]).
pub async fn append(
    db: &mut PgConnection,
    team: impl Into<Option<Uuid>>,
    action: &str,
    resource_type: &str,
    resource: Uuid,
    details: &Value,
) -> Result<()> {
    sqlx::query!(
        "select northstack_audit_append($1, $2, $3, $4, null, null, $5)",
        team.into(),
        action,
        resource_type,
        resource,
        details
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("append an audit record"))
    .map(drop)
}
