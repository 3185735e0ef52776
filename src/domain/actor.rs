//! Who is acting.

use uuid::Uuid;

/// Whoever asks for something: a signed-in user, an administrator, nobody in particular, or the platform itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in user (Hasura role `user`).
    User(Uuid),
    /// An administrator (Hasura role `admin`); with the id when a person stands behind it.
    Admin(Option<Uuid>),
    /// Somebody who has not signed in (Hasura role `anonymous`).
    Anonymous,
    /// A background task of the platform.
    System,
}

impl Actor {
    /// The acting user's id, if a person stands behind the request.
    pub fn user_id(&self) -> Option<Uuid> {
        match self {
            Actor::User(id) | Actor::Admin(Some(id)) => Some(*id),
            Actor::Admin(None) | Actor::Anonymous | Actor::System => None,
        }
    }

    /// The Hasura role under which the actor's writes are audited.
    pub fn role(&self) -> &'static str {
        match self {
            Actor::User(_) => "user",
            Actor::Admin(_) => "admin",
            Actor::Anonymous => "anonymous",
            Actor::System => "system",
        }
    }
}

/// A member's role in a team, weakest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::EnumIter, strum::IntoStaticStr, strum::EnumString,
)]
#[strum(serialize_all = "snake_case")]
pub enum TeamRole {
    /// Reads.
    Viewer,
    /// Reads, deploys and creates.
    Developer,
    /// All of that, and manages members.
    Admin,
    /// All of that, and may delete the team.
    Owner,
}
