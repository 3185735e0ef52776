//! Build events: their progress shows in the deployments that wait for them.

use serde_json::json;
use uuid::Uuid;

use super::changed;
use crate::app::App;
use crate::bus::Event;
use crate::db::{Audit, event_effects};
use crate::domain::{Code, Result};
use crate::workflow;

pub(super) async fn handle(app: &App, event: &Event) -> Result<()> {
    let Some(id) = changed(event, "builds", "id") else { return Ok(()) };
    let Some(build) = event_effects::build(app.db.pool(), id).await? else { return Ok(()) };
    let ended = matches!(build.status.as_str(), "succeeded" | "failed" | "cancelled");
    let audit = Audit::system(Some(event.metadata.correlation_id.clone()));
    let said = &json!({ "status": build.status, "image": build.image, "error": build.error });
    let kinds = app
        .db
        .transaction(&audit, async |mut tx| {
            let mut kinds = Vec::new();
            for operation in event_effects::show_build(&mut tx, id, &build.status).await? {
                if !ended {
                    continue;
                }
                match workflow::signal(&mut tx, operation, &signal(id), said, None).await {
                    Ok((_, kind)) => kinds.push(kind),
                    // It was cancelled meanwhile.
                    Err(error) if error.code() == Code::IllegalTransition => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(kinds)
        })
        .await?;
    if let Some(provisioning) = &app.provisioning {
        kinds.iter().for_each(|kind| provisioning.nudge.send(kind));
    }
    Ok(())
}

/// The signal that tells an operation of the end of a build that it waits for: `status`, `image`, `error`.
pub fn signal(build: Uuid) -> String {
    format!("build:{build}")
}
