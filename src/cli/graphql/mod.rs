//! The operations of the user commands, checked against `schema.graphql` when the program is built.

// GraphQL's names of scalars and tables are lower-case.
#![allow(non_camel_case_types, clippy::enum_variant_names, clippy::upper_case_acronyms)]

use graphql_client::GraphQLQuery;
use serde::Serialize;
use uuid::Uuid as uuid;

/// A point in time as PostgreSQL writes it, such as `2026-11-21T10:00:00.123456+00:00`.
type timestamptz = String;
/// A place in the order of events.
type bigint = i64;
/// Any JSON.
type jsonb = serde_json::Value;

macro_rules! operations {
    ($file:tt: $($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(GraphQLQuery)]
        #[graphql(
            schema_path = "schema.graphql",
            query_path = $file,
            response_derives = "Debug, Clone, PartialEq, Serialize",
            variables_derives = "Debug"
        )]
        pub struct $name;
    )+};
}

mod apps;
mod deployments;
mod secret;

pub use apps::*;
pub use deployments::*;
pub use secret::*;

operations! { "src/cli/graphql/login.graphql":
    /// Signs in.
    Login,
    /// Exchanges a refresh token.
    RefreshToken,
}

operations! { "src/cli/graphql/stores.graphql":
    /// The newest stores.
    Stores,
    /// The stores with a name or store id.
    StoresNamed,
    /// One store.
    StoreById,
    /// What happened to a store.
    StoreEvents,
    /// Starts the provisioning of a store.
    CreateStore,
    /// Starts the removal of a store.
    DeleteStore,
    /// Resumes a failed store.
    RetryStore,
}

operations! { "src/cli/graphql/events.graphql":
    /// The newest events.
    Events,
    /// The newest event's place.
    NewestEvent,
    /// The events after a place, live.
    FollowEvents,
}

operations! { "src/cli/graphql/operations.graphql":
    /// The newest operations.
    Operations,
    /// One operation.
    OperationById,
    /// One operation, live.
    WatchOperation,
    /// Asks for the end of an operation.
    CancelOperation,
    /// Goes on with a failed operation.
    RetryOperation,
}

/// A store, as every command shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Store {
    /// Primary key.
    pub id: uuid,
    /// Public id, which is also the namespace.
    pub store_id: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// `provisioning`, `ready`, `failed` or `deleting`.
    pub status: String,
    /// The storefront.
    pub url: String,
    /// The administration, once there is one.
    pub admin_url: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: timestamptz,
    /// When it became ready.
    pub ready_at: Option<timestamptz>,
}

macro_rules! store_from {
    ($($module:ident),+) => {$(
        impl From<$module::StoreFields> for Store {
            fn from(row: $module::StoreFields) -> Self {
                let $module::StoreFields {
                    id, store_id, name, type_: kind, status, url, admin_url, error, created_at, ready_at,
                } = row;
                Self { id, store_id, name, kind, status, url, admin_url, error, created_at, ready_at }
            }
        }
    )+};
}

store_from!(stores, stores_named, store_by_id, create_store, delete_store, retry_store);

/// An operation with its steps, as every command shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operation {
    /// Primary key.
    pub id: uuid,
    /// What is being done, such as `store.create`.
    pub kind: String,
    /// `queued`, `running`, `waiting`, `succeeded`, `failed` or `cancelled`.
    pub status: String,
    /// What it is done to, such as `store`.
    pub subject_type: String,
    /// The subject's primary key.
    pub subject_id: uuid,
    /// Why it failed, as a code.
    pub error_code: Option<String>,
    /// Why it failed, in words.
    pub error_message: Option<String>,
    /// What it waits for, when that takes unusually long.
    pub stuck_reason: Option<String>,
    /// When it was asked for.
    pub created_at: timestamptz,
    /// When it ended.
    pub finished_at: Option<timestamptz>,
    /// The store that is its subject, until it is deleted.
    pub store: Option<OperationStore>,
    /// The application that is its subject.
    pub application: Option<OperationApplication>,
    /// The steps in their order, all from the start.
    pub steps: Vec<Step>,
}

/// The store of an operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperationStore {
    /// Public id.
    pub store_id: String,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: String,
    /// The storefront.
    pub url: String,
    /// The administration, once there is one.
    pub admin_url: Option<String>,
}

/// The application of an operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperationApplication {
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: String,
    /// Its address.
    pub url: Option<String>,
}

/// A step of an operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Its place, from 0.
    pub ordinal: i64,
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// `pending`, `running`, `waiting`, `succeeded`, `failed`, `skipped`, `undoing`, `undone` or `undo_failed`.
    pub status: String,
    /// How often it was begun.
    pub attempt: i64,
    /// What it is doing or why it failed.
    pub detail: Option<String>,
    /// When it began.
    pub started_at: Option<timestamptz>,
    /// When it ended.
    pub finished_at: Option<timestamptz>,
}

macro_rules! operation_from {
    ($($module:ident),+) => {$(
        impl From<$module::OperationFields> for Operation {
            fn from(row: $module::OperationFields) -> Self {
                let $module::OperationFields {
                    id, kind, status, subject_type, subject_id, error_code, error_message, stuck_reason, created_at,
                    finished_at, store, application, steps,
                } = row;
                let store = store.map(|row| {
                    let $module::OperationFieldsStore { store_id, name, status, url, admin_url } = row;
                    OperationStore { store_id, name, status, url, admin_url }
                });
                let application = application.map(|row| {
                    let $module::OperationFieldsApplication { name, status, url } = row;
                    OperationApplication { name, status, url }
                });
                let steps = steps.into_iter().map(|row| {
                    let $module::OperationFieldsSteps {
                        ordinal, name, title, status, attempt, detail, started_at, finished_at,
                    } = row;
                    Step { ordinal, name, title, status, attempt, detail, started_at, finished_at }
                });
                let steps = steps.collect();
                Self {
                    id, kind, status, subject_type, subject_id, error_code, error_message, stuck_reason, created_at,
                    finished_at, store, application, steps,
                }
            }
        }
    )+};
}

operation_from!(operations, operation_by_id, watch_operation);
