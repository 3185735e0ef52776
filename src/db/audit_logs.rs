//! Entries of the audit log that no row change causes.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// Appends an entry under the transaction's actor: `action` was done to the resource.
pub async fn append(
    conn: &mut PgConnection,
    team: Option<Uuid>,
    action: &str,
    resource: (&str, Uuid),
    details: &Value,
) -> Result<()> {
    sqlx::query!(
        "select northstack_audit_append($1, $2, $3, $4, null, null, $5)",
        team,
        action,
        resource.0,
        resource.1,
        details
    )
    .fetch_one(conn)
    .await
    .map_err(while_doing("writing to the audit log"))?;
    Ok(())
}
