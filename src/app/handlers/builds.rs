//! Build events: their progress shows in the deployments that wait for them, and what was built is deployed where the
//! application's settings say `autoDeploy`.

use serde_json::json;
use uuid::Uuid;

use super::changed;
use crate::app::deployments::NewDeployment;
use crate::app::{App, Caller};
use crate::bus::Event;
use crate::db::event_effects::Build;
use crate::db::{Audit, event_effects};
use crate::domain::{Actor, Code, Result};
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
    deploy(app, id, &build, event).await
}

/// The signal that tells an operation of the end of a build that it waits for: `status`, `image`, `error`.
pub fn signal(build: Uuid) -> String {
    format!("build:{build}")
}

/// Deploys what was built, where the application wants that. A build whose deployment was asked for already is left at
/// that; one that may not be deployed now is too, and the log says why.
async fn deploy(app: &App, id: Uuid, build: &Build, event: &Event) -> Result<()> {
    if build.status != "succeeded" || !build.auto_deploy || event_effects::is_deployed(app.db.pool(), id).await? {
        return Ok(());
    }
    let correlation_id = event.metadata.correlation_id.clone();
    let caller = Caller { actor: Actor::System, correlation_id, address: None };
    let new =
        NewDeployment { image: build.image.clone(), commit: build.commit.clone(), strategy: None, build: Some(id) };
    match app.deploy_application(&caller, build.application, &new, None).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.code(), Code::IllegalTransition | Code::NotFound | Code::InvalidInput) => {
            tracing::warn!(build = %id, error = %error.chain(), "build_not_deployed");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
