//! Application events: a row that somebody marked as deleted is no way round the removal of what there is of it.

use serde_json::Value;

use super::changed;
use crate::app::{App, Caller};
use crate::bus::Event;
use crate::domain::{Actor, Result};

pub(super) async fn handle(app: &App, event: &Event) -> Result<()> {
    let Some(application) = changed(event, "applications", "id") else { return Ok(()) };
    let marked = event.data.get("row").and_then(|row| row.get("deleted_at")).is_some_and(|at| !Value::is_null(at));
    if !marked {
        return Ok(());
    }
    let correlation_id = event.metadata.correlation_id.clone();
    let caller = Caller { actor: Actor::System, correlation_id, address: None };
    app.remove_marked(&caller, application).await
}
