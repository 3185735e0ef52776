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
mod operation;
mod secret;
mod team;

pub use apps::*;
pub use deployments::*;
pub use operation::*;
pub use secret::*;
pub use team::*;

operations! { "src/cli/graphql/login.graphql":
    /// Signs in.
    Login,
    /// Exchanges a refresh token.
    RefreshToken,
    /// Ends a session.
    Logout,
    /// The caller and their teams.
    WhoAmI,
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
    /// Shows the login of a store's administration.
    RevealStoreCredentials,
}

operations! { "src/cli/graphql/events.graphql":
    /// The newest events.
    Events,
    /// The newest event's place.
    NewestEvent,
    /// The events after a place, live.
    FollowEvents,
    /// What the subjects of events are called.
    EventNames,
}

/// A store, as every command shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Store {
    /// Primary key.
    pub id: uuid,
    /// Public id, which is also the namespace.
    pub store_id: String,
    pub name: String,
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
