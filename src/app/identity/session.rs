//! Sessions: begun by a login, prolonged by a refresh token, ended by logging out.

use serde_json::json;
use uuid::Uuid;

use crate::app::{App, Caller};
use crate::auth::{Claims, Device, RefreshTokens, Shown, TeamClaim};
use crate::db::users::{self, User};
use crate::db::{self, Audit, teams};
use crate::domain::{Actor, Code, Email, Error, Redacted, Result};

/// What somebody who signs in gives.
#[derive(Debug, Clone)]
pub struct Login {
    /// E-mail address.
    pub email: String,
    /// Password.
    pub password: Redacted,
    /// The device cookie that the client showed.
    pub device: Option<Redacted>,
}

/// A session's tokens.
#[derive(Debug, Clone)]
pub struct Session {
    /// For the `Authorization` header of every request.
    pub access_token: Redacted,
    /// For the next session, once.
    pub refresh_token: Redacted,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// Whose session it is.
    pub user_id: Uuid,
    /// The device cookie for the client, of a session that begins.
    pub device: Option<Redacted>,
}

/// Memberships that a token shows, the oldest first: whatever carries it in a header has limits, of 8 kB some. What a
/// person may do is read from the database, never from here.
const MOST_TEAMS: usize = 20;

impl App {
    /// Signs somebody in. Whether the address or the password was wrong shows neither in the answer nor in its time.
    pub async fn login(&self, caller: &Caller, login: Login) -> Result<Session> {
        let wrong = || Error::new(Code::InvalidCredentials, "e-mail address or password is wrong");
        let email = Email::parse(&login.email)?;
        let device = self.known_device(&email, login.device.as_ref()).await?;
        let attempt = self.login_limits.begin(caller, &email, device).await?;
        let found = users::find_for_login(self.db.pool(), &email).await?;
        let (user, hash) = found.map_or((None, None), |(user, hash)| (Some(user), hash));
        let known = user.as_ref().map(|user| user.id);
        let right = self.passwords.verify(login.password, hash).await?;
        let Some(user) = user.filter(|_| right) else {
            metrics::counter!("northstack_logins_total", "result" => "refused").increment(1);
            tracing::warn!(address = caller.address.map(tracing::field::display), "login_refused");
            // Of nobody as of somebody, so that the time taken tells nothing.
            self.note_refused(caller, known).await?;
            return Err(wrong());
        };
        attempt.uncount().await;
        let audit = audit(caller, user.id);
        self.db.transaction(&audit, async |mut tx| users::touch_login(&mut tx, user.id).await).await?;
        metrics::counter!("northstack_logins_total", "result" => "accepted").increment(1);
        self.begin_session(user.id).await
    }

    /// The device of a cookie, if the cookie was given to a client that signed in to the very account.
    async fn known_device(&self, email: &Email, cookie: Option<&Redacted>) -> Result<Option<Device>> {
        let Some(device) = cookie.and_then(|cookie| self.devices.read(cookie)) else { return Ok(None) };
        let user = users::find(self.db.pool(), device.user).await?;
        Ok(user.filter(|user| user.email == email.as_str()).map(|_| device))
    }

    /// Gives new tokens for a refresh token, which is used up by it. A token that was used before ends its session,
    /// unless that was a moment ago ([`crate::config::Auth::refresh_reuse_grace`]): then it gives the same once more.
    pub async fn refresh(&self, caller: &Caller, token: &Redacted) -> Result<Session> {
        let ended = || Error::new(Code::InvalidToken, "the session has ended; sign in again");
        let user = match self.refresh_tokens.look(token).await? {
            Shown::Live(user) => user,
            Shown::Reused(user) => {
                tracing::warn!(%user, address = caller.address.map(tracing::field::display), "refresh_token_reused");
                self.note(caller, user, "refresh-token-reused").await?;
                return Err(ended());
            }
            Shown::Gone => return Err(ended()),
        };
        let Some(user) = users::find(self.db.pool(), user).await? else {
            self.refresh_tokens.revoke(token).await?;
            return Err(ended());
        };
        // The token is used up last: a failure before leaves the session as it was.
        let (access_token, expires_in) = self.access_token(&user, RefreshTokens::session(token)).await?;
        let refresh_token = self.refresh_tokens.rotate(token).await?.ok_or_else(ended)?;
        Ok(Session { access_token, refresh_token, expires_in, user_id: user.id, device: None })
    }

    /// Ends the session of the token. To end one that has ended already is no error.
    pub async fn logout(&self, caller: &Caller, token: &Redacted) -> Result<()> {
        if let Some(user) = self.refresh_tokens.revoke(token).await? {
            self.note(caller, user, "logout").await?;
        }
        Ok(())
    }

    pub(super) async fn begin_session(&self, user: Uuid) -> Result<Session> {
        let found = users::find(self.db.pool(), user).await?;
        let user = found.ok_or_else(|| Error::not_found("user"))?;
        let (refresh_token, session) = self.refresh_tokens.begin(user.id).await?;
        let (access_token, expires_in) = self.access_token(&user, Some(session)).await?;
        let device = Some(self.devices.issue(user.id));
        Ok(Session { access_token, refresh_token, expires_in, user_id: user.id, device })
    }

    /// Whether the session that an access token is of has not ended by signing out. Without the cache there is no saying,
    /// and the token is good until it expires.
    pub async fn session_is_open(&self, claims: &Claims) -> bool {
        let Some(session) = &claims.sid else { return true };
        self.refresh_tokens.lives(session).await.unwrap_or_else(|error| {
            tracing::warn!(cause = error.chain(), "session_not_checked");
            true
        })
    }

    async fn access_token(&self, user: &User, session: Option<String>) -> Result<(Redacted, u64)> {
        let memberships = teams::memberships(self.db.pool(), user.id).await?;
        let teams = memberships
            .iter()
            .take(MOST_TEAMS)
            .map(|membership| TeamClaim { id: membership.team_id, role: <&str>::from(membership.role).to_owned() })
            .collect();
        let lifetime = self.config.get().auth.access_token_ttl;
        let issued = self.tokens.issue(user.id, &user.email, user.is_admin(), teams, session, lifetime)?;
        Ok((issued.token, issued.expires_in))
    }

    /// Writes to the audit log that somebody did not get in. Who that was nobody knows; as whom, where there is such a
    /// user. What was typed is not kept: it may be a password in the wrong field.
    async fn note_refused(&self, caller: &Caller, user: Option<Uuid>) -> Result<()> {
        let by = Audit { actor: Actor::Anonymous, correlation_id: Some(caller.correlation_id.clone()) };
        let details = &json!({ "address": caller.address });
        let user = user.unwrap_or_default();
        self.db
            .transaction(&by, async |mut tx| {
                db::audit::append(&mut tx, None, "login-refused", "users", user, details).await
            })
            .await
    }

    /// Writes to the audit log what was done with a user's session.
    async fn note(&self, caller: &Caller, user: Uuid, action: &str) -> Result<()> {
        let details = &json!({ "address": caller.address });
        self.db
            .transaction(&audit(caller, user), async |mut tx| {
                db::audit::append(&mut tx, None, action, "users", user, details).await
            })
            .await
    }
}

fn audit(caller: &Caller, user: Uuid) -> Audit {
    Audit { actor: Actor::User(user), correlation_id: Some(caller.correlation_id.clone()) }
}
