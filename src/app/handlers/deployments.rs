//! Deployment events: the cached state follows the table, and who listens is told.

use std::time::Duration;

use uuid::Uuid;

use super::changed;
use crate::app::App;
use crate::bus::Event;
use crate::db::event_effects::{self, DeploymentState};
use crate::domain::Result;

/// How long a state is believed without an event: what a lost event costs.
const BELIEVED: Duration = Duration::from_secs(30);

fn key(application: Uuid) -> String {
    format!("deployment:{application}")
}

/// The channel on which the state of an application's deployments is told.
fn channel(application: Uuid) -> String {
    format!("deployments:{application}")
}

pub(super) async fn handle(app: &App, event: &Event) -> Result<()> {
    let Some(application) = changed(event, "deployments", "application_id") else { return Ok(()) };
    let state = event_effects::deployment_state(app.db.pool(), application).await?;
    // The cache may be lost: it then believes what it had for no longer than BELIEVED.
    let kept = app.cache.set(&key(application), &state, BELIEVED).await;
    let told = app.cache.publish(&channel(application), &state).await;
    for error in [kept.err(), told.err()].into_iter().flatten() {
        tracing::debug!(%error, %application, "deployment_not_cached");
    }
    Ok(())
}

pub(super) async fn state(app: &App, application: Uuid) -> Result<Option<DeploymentState>> {
    let load = || event_effects::deployment_state(app.db.pool(), application);
    app.cache.get_or_set(&key(application), BELIEVED, load).await
}
