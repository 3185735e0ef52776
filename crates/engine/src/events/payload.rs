//! A captured event and what its webhook receives, as Hasura writes it.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::kriti::SessionVariables;
use crate::metadata::QualifiedName;

/// A captured event as it waits in `hdb_catalog.event_log`.
pub(super) struct Event {
    pub id: String,
    pub table: QualifiedName,
    /// `{op, data, session_variables, trace_context}`, as text.
    pub payload: Box<RawValue>,
    /// Tries before this one.
    pub tries: i32,
    /// JSON string of a timestamp without zone.
    pub created_at: Box<RawValue>,
}

/// The body that the webhook receives.
#[derive(Serialize)]
pub(super) struct Delivery<'e> {
    created_at: &'e RawValue,
    delivery_info: DeliveryInfo,
    event: &'e RawValue,
    id: &'e str,
    table: &'e QualifiedName,
    trigger: Named<'e>,
}

#[derive(Serialize)]
struct DeliveryInfo {
    current_retry: i32,
    max_retries: u32,
}

#[derive(Serialize)]
struct Named<'e> {
    name: &'e str,
}

impl<'e> Delivery<'e> {
    pub fn new(event: &'e Event, trigger: &'e str, max_retries: u32) -> Self {
        Self {
            created_at: &event.created_at,
            delivery_info: DeliveryInfo { current_retry: event.tries, max_retries },
            event: &event.payload,
            id: &event.id,
            table: &event.table,
            trigger: Named { name: trigger },
        }
    }
}

impl Event {
    /// The session variables of who made the change.
    pub fn session(&self) -> Option<SessionVariables> {
        #[derive(serde::Deserialize)]
        struct Payload {
            session_variables: Option<SessionVariables>,
        }
        serde_json::from_str::<Payload>(self.payload.get()).ok()?.session_variables
    }
}
