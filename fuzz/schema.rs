//! A fixed schema with a bit of everything, planned against without a database.

use std::sync::OnceLock;

use northstack::engine::catalog::Catalog;
use northstack::engine::metadata::{Metadata, QualifiedName};
use northstack::engine::schema::EnumValues;
use northstack::engine::{Limits, Session, State};

const METADATA: &str = include_str!("schema/metadata.json");
const CATALOG: &str = include_str!("schema/catalog.json");

/// The roles that are tried: one with most rights, one with few, one of both, the one without bounds, and one that only
/// inserts, and that for backends alone.
pub const ROLES: [&str; 5] = ["user", "guest", "both", "admin", "maker"];

/// What the database holds.
pub fn catalog() -> Catalog {
    Catalog::from_json(CATALOG).unwrap()
}

/// The rows of the enum table.
pub fn enums() -> EnumValues {
    let kinds = [("book", Some("Bound paper")), ("essay", Some("Short")), ("note", None)];
    let kinds = kinds.map(|(value, comment)| (value.to_owned(), comment.map(str::to_owned)));
    EnumValues::from([(QualifiedName { schema: "public".into(), name: "kinds".into() }, kinds.to_vec())])
}

/// What requests are planned against. No plan is kept, so that each input is planned.
pub fn state() -> &'static State {
    static STATE: OnceLock<State> = OnceLock::new();
    STATE.get_or_init(|| {
        let metadata = Metadata::from_document(&serde_json::from_str(METADATA).unwrap()).unwrap();
        let limits = Limits { cached_plans: 1, ..Limits::default() };
        let state = State::detached(metadata, catalog(), &enums(), limits);
        assert!(state.inconsistencies.is_empty(), "{:?}", state.inconsistencies);
        state
    })
}

/// Who asks, by a number.
pub fn session(number: u8) -> Session {
    let role = ROLES[usize::from(number) % ROLES.len()];
    let variables = [("x-hasura-tenant", "10000000-0000-4000-8000-000000000001"), ("x-hasura-allowed-ids", "{1,2}")];
    Session::new(role, variables).with_backend_permissions(number % 10 >= 5)
}
