//! `/api/stores` and `/api/metrics`: stores over plain REST. `{id}` is the store's public id, such as `store-a1b2c3d4`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::actions::stores::CreateInput;
use super::{AppState, Body, RestResult};
use crate::app::Caller;
use crate::app::stores::{NewStore, StoreRecord};
use crate::domain::{Error, StoreStatus};

/// A store, as the list shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreOutput {
    id: Uuid,
    store_id: String,
    team_id: Uuid,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    status: StoreStatus,
    url: String,
    admin_url: Option<String>,
    error: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<StoreRecord> for StoreOutput {
    fn from(store: StoreRecord) -> Self {
        Self {
            id: store.id,
            store_id: store.store_id,
            team_id: store.team_id,
            name: store.name,
            kind: store.kind,
            status: store.status,
            url: store.url,
            admin_url: store.admin_url,
            error: store.error,
            created_at: store.created_at,
            updated_at: store.updated_at,
        }
    }
}

/// A store with the newest lines of its event log.
#[derive(Debug, Serialize)]
pub struct StoreWithEvents {
    #[serde(flatten)]
    store: StoreOutput,
    events: Vec<EventOutput>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EventOutput {
    event_type: String,
    message: String,
    severity: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// What a new store is answered with.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    store_id: String,
    name: String,
    status: StoreStatus,
    url: String,
}

/// What a deletion is answered with.
#[derive(Debug, Serialize)]
pub struct Message {
    message: &'static str,
}

/// How many stores there are.
#[derive(Debug, Serialize)]
pub struct Metrics {
    total: i64,
    active: i64,
    provisioning: i64,
    failed: i64,
}

/// `GET /api/stores`: all that are not deleted, newest first.
pub async fn list(State(state): State<AppState>, caller: Caller) -> RestResult<Json<Vec<StoreOutput>>> {
    let stores = state.app.list_stores(&caller).await?;
    Ok(Json(stores.into_iter().map(StoreOutput::from).collect()))
}

/// `POST /api/stores`: 202; the work goes on. The key for "the same request again" is the header `Idempotency-Key` or
/// the field `idempotencyKey`.
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Body(mut input): Body<CreateInput>,
) -> RestResult<(StatusCode, Json<Accepted>)> {
    if let Some(key) = idempotency_key(&headers)? {
        input.idempotency_key = Some(key);
    }
    let made = state.app.create_store(&caller, &NewStore::from(input)).await?;
    let store = state.app.store(&caller, made.store).await?;
    let accepted = Accepted { store_id: store.store_id, name: store.name, status: store.status, url: store.url };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// `GET /api/stores/{id}`
pub async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> RestResult<Json<StoreWithEvents>> {
    let store = state.app.store_by_public_id(&caller, &id).await?;
    let events = state.app.store_events(&caller, store.id).await?.into_iter().map(|event| EventOutput {
        event_type: event.kind,
        message: event.message,
        severity: event.severity,
        created_at: event.created_at,
    });
    Ok(Json(StoreWithEvents { events: events.collect(), store: store.into() }))
}

/// `DELETE /api/stores/{id}`
pub async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> RestResult<Json<Message>> {
    let store = state.app.store_by_public_id(&caller, &id).await?;
    state.app.delete_store(&caller, store.id, idempotency_key(&headers)?.as_deref()).await?;
    Ok(Json(Message { message: "Deletion started" }))
}

/// `GET /api/metrics`
pub async fn metrics(State(state): State<AppState>, caller: Caller) -> RestResult<Json<Metrics>> {
    let counts = state.app.count_stores(&caller).await?;
    let (total, active, provisioning, failed) = (counts.total, counts.active, counts.provisioning, counts.failed);
    Ok(Json(Metrics { total, active, provisioning, failed }))
}

fn idempotency_key(headers: &HeaderMap) -> RestResult<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().map_err(|_| Error::invalid("Idempotency-Key", "an idempotency key is plain text"))?;
    Ok(Some(text.to_owned()))
}
