//! The demo team and user of the local platform.

use crate::app::identity::NewUser;
use crate::app::{App, Caller};
use crate::domain::{Actor, Code, Redacted, Result};

/// The demo user's e-mail address.
pub const DEMO_EMAIL: &str = "demo@northstack.local";
/// The demo user's password: only `northstack dev` makes this user.
pub const DEMO_PASSWORD: &str = "northstack-demo";

/// Registers the demo user with a team, unless an earlier run did.
pub async fn seed(app: &App) -> Result<()> {
    let caller = Caller { actor: Actor::System, correlation_id: "northstack-dev-seed".to_owned(), address: None };
    let user =
        NewUser { email: DEMO_EMAIL.to_owned(), password: Redacted::from(DEMO_PASSWORD), name: "Demo".to_owned() };
    match app.register(&caller, user).await {
        Err(error) if error.code() != Code::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
