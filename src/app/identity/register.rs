//! A new user, with a team of their own and a first project in it.

use uuid::Uuid;

use super::Session;
use crate::app::{App, Caller};
use crate::auth::check_password;
use crate::db::{Audit, projects, teams, users};
use crate::domain::{Actor, Code, Email, Error, Redacted, Result, TeamRole};

/// What somebody who registers gives.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// E-mail address, with which they will sign in.
    pub email: String,
    /// 10 to 128 characters, and not easy to guess.
    pub password: Redacted,
    /// As it will be shown, 1 to 200 characters.
    pub name: String,
}

const MAX_NAME_LENGTH: usize = 200;
/// The project that a new team begins with, so that its first application has a place.
const FIRST_PROJECT: &str = "default";

impl App {
    /// Makes the user and a team with a project, of which they are the owner, and signs them in.
    pub async fn register(&self, caller: &Caller, new: NewUser) -> Result<Session> {
        let config = self.config.get();
        if !config.auth.registration {
            return Err(Error::new(Code::Forbidden, "registration is closed; ask an administrator for an account"));
        }
        let email = Email::parse(&new.email)?;
        let name = check_name(&new.name)?;
        let local = email.as_str().split('@').next().unwrap_or_default();
        check_password(&new.password, &[email.as_str(), local, name])?;
        self.login_limits.register(caller).await?;
        // Also for an address that is registered already: only the transaction finds that out.
        let hash = self.passwords.hash(new.password).await?;

        let id = Uuid::new_v4();
        let audit = Audit { actor: Actor::User(id), correlation_id: Some(caller.correlation_id.clone()) };
        let (team_name, slug) = own_team(name, id);
        let (email, hash, team_name, slug) = (&email, &hash, &team_name, &slug);
        self.db
            .transaction(&audit, async |mut tx| {
                users::insert(&mut tx, id, email, name, hash).await?;
                let team = teams::insert(&mut tx, id, team_name, slug, config.stores.limit).await?;
                teams::add_member(&mut tx, team, id, TeamRole::Owner).await?;
                projects::insert(&mut tx, team, FIRST_PROJECT).await?;
                users::touch_login(&mut tx, id).await
            })
            .await?;
        tracing::info!(user = %id, "user_registered");
        self.begin_session(id).await
    }
}

fn check_name(name: &str) -> Result<&str> {
    let name = name.trim();
    if (1..=MAX_NAME_LENGTH).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        Ok(name)
    } else {
        Err(Error::invalid("name", format!("must have 1 to {MAX_NAME_LENGTH} characters, on one line")))
    }
}

/// Name and slug of a user's own team; the slug ends in part of the user's id, which makes it unique.
fn own_team(name: &str, id: Uuid) -> (String, String) {
    let shown: String = name.chars().take(80).collect();
    let mut slug = String::new();
    for c in name.to_lowercase().chars().take(40) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let id = id.simple().to_string();
    let suffix = id.get(..10).unwrap_or(&id);
    let slug = slug.trim_end_matches('-');
    let slug = if slug.is_empty() { format!("team-{suffix}") } else { format!("{slug}-{suffix}") };
    (format!("{shown}'s team"), slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_is_named_after_its_owner() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(own_team("Ada Lovelace", id), ("Ada Lovelace's team".into(), "ada-lovelace-0123456789".into()));
        assert_eq!(own_team("李 ", id).1, "team-0123456789");
        let (name, slug) = own_team(&"é-x".repeat(60), id);
        assert!(name.chars().count() <= 100 && slug.len() <= 63, "{slug}");
    }

    #[test]
    fn names_are_one_line() {
        assert_eq!(check_name("  Ada ").unwrap(), "Ada");
        for wrong in ["", "   ", "a\nb", "a\0b", &"a".repeat(201)] {
            assert_eq!(check_name(wrong).unwrap_err().field(), Some("name"));
        }
    }
}
