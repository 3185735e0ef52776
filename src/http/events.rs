//! Event-trigger webhooks: what Hasura tells of a row change goes to the event bus, and nothing else is done.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{AppState, Body, RestResult};
use crate::app::events::RowChange;

/// `POST /events/{trigger}`: 2xx once the bus has the event; otherwise Hasura delivers it again.
pub async fn deliver(State(state): State<AppState>, Body(change): Body<RowChange>) -> RestResult<Json<Value>> {
    state.app.publish_row_change(&change).await?;
    Ok(Json(json!({ "published": true })))
}
