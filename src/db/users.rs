//! Queries of `users`.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::{Code, Email, Error, Redacted, Result};

/// A user who is not deleted.
#[derive(Debug, Clone)]
pub struct User {
    /// The user's id.
    pub id: Uuid,
    /// In lower case.
    pub email: String,
    /// As shown.
    pub name: String,
    /// `user` or `admin`: the role on the platform, not in a team.
    pub platform_role: String,
}

impl User {
    /// Whether the user administers the platform.
    pub fn is_admin(&self) -> bool {
        self.platform_role == "admin"
    }
}

/// Inserts a user; [`Code::AlreadyExists`] when the address is taken.
pub async fn insert(
    conn: &mut PgConnection,
    id: Uuid,
    email: &Email,
    name: &str,
    password_hash: &Redacted,
) -> Result<()> {
    let inserted = sqlx::query!(
        "insert into users (id, email, name, password_hash) values ($1, $2, $3, $4)
         on conflict (email) where deleted_at is null do nothing",
        id,
        email.as_str(),
        name,
        password_hash.expose()
    )
    .execute(conn)
    .await
    .map_err(while_doing("inserting a user"))?;
    if inserted.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::new(Code::AlreadyExists, "somebody is registered with that e-mail address already"))
    }
}

pub async fn find(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<User>> {
    sqlx::query_as!(User, "select id, email, name, platform_role from users where id = $1 and deleted_at is null", id)
        .fetch_optional(executor)
        .await
        .map_err(while_doing("reading a user"))
}

/// The user with that address, and the Argon2id PHC string of their password; none for somebody who signs in elsewhere.
pub async fn find_for_login(executor: impl PgExecutor<'_>, email: &Email) -> Result<Option<(User, Option<Redacted>)>> {
    let row = sqlx::query!(
        "select id, email, name, platform_role, password_hash from users where email = $1 and deleted_at is null",
        email.as_str()
    )
    .fetch_optional(executor)
    .await
    .map_err(while_doing("reading a user by e-mail address"))?;
    Ok(row.map(|row| {
        let user = User { id: row.id, email: row.email, name: row.name, platform_role: row.platform_role };
        (user, row.password_hash.map(Redacted::new))
    }))
}

/// Notes that the user has just signed in.
pub async fn touch_login(conn: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("update users set last_login_at = now() where id = $1", id)
        .execute(conn)
        .await
        .map_err(while_doing("noting a login"))?;
    Ok(())
}

/// Makes somebody an administrator of the platform, or takes that away. `false` when there is no such user.
pub async fn set_admin(conn: &mut PgConnection, email: &Email, admin: bool) -> Result<bool> {
    let role = if admin { "admin" } else { "user" };
    let updated = sqlx::query!(
        "update users set platform_role = $2 where email = $1 and deleted_at is null",
        email.as_str(),
        role
    )
    .execute(conn)
    .await
    .map_err(while_doing("changing a platform role"))?;
    Ok(updated.rows_affected() == 1)
}
