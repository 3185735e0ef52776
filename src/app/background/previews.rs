//! Preview environments whose time is over, or whose application is deleted: their removal is asked for, as a person would.

use crate::app::{App, Caller};
use crate::db::previews;
use crate::domain::{Actor, Code, Result};

/// One pass; answers how many removals it asked for.
///
/// # Errors
/// `unavailable` when the database is.
pub async fn expire(app: &App) -> Result<usize> {
    if app.provisioning.is_none() {
        return Ok(0);
    }
    let caller = Caller { actor: Actor::System, correlation_id: "preview-expiry".to_owned(), address: None };
    let mut asked = 0;
    for preview in previews::expired(app.db.pool()).await? {
        match app.delete_preview(&caller, preview, None).await {
            Ok(_) => asked += 1,
            // Somebody else was quicker.
            Err(error) if matches!(error.code(), Code::NotFound | Code::IllegalTransition) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(asked)
}
