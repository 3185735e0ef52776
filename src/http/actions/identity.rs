//! register, login, refreshToken, logout, me.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Action, NoInput};
use crate::app::identity::{Login, Me, NewUser, Session};
use crate::domain::{Code, Error, Redacted};
use crate::http::{ActionError, ActionResult, AppState, cookie};

/// Arguments of `register`; also the body of `POST /api/v1/auth/register`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterInput {
    email: String,
    password: Redacted,
    name: String,
}

impl From<RegisterInput> for NewUser {
    fn from(input: RegisterInput) -> Self {
        Self { email: input.email, password: input.password, name: input.name }
    }
}

/// Arguments of `login`; also the body of `POST /api/v1/auth/login`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginInput {
    email: String,
    password: Redacted,
}

impl LoginInput {
    pub(in crate::http) fn with(self, device: Option<Redacted>) -> Login {
        Login { email: self.email, password: self.password, device }
    }
}

/// Arguments of `refreshToken` and `logout`: without a token, the cookie's is meant.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefreshInput {
    refresh_token: Option<Redacted>,
}

/// A refresh token, and where the request had it.
pub(in crate::http) struct Shown {
    pub(in crate::http) token: Redacted,
    pub(in crate::http) by_cookie: bool,
}

impl RefreshInput {
    /// The argument, else the cookie.
    pub(in crate::http) fn shown(self, state: &AppState, headers: &HeaderMap) -> Option<Shown> {
        let given = self.refresh_token.map(|token| Shown { token, by_cookie: false });
        given.or_else(|| Some(Shown { token: cookie::refresh_token(state, headers)?, by_cookie: true }))
    }
}

/// The GraphQL type `Session`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionOutput {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: u64,
    user_id: Uuid,
}

impl SessionOutput {
    /// Without the refresh token for a client that keeps it in a cookie.
    pub(in crate::http) fn new(session: &Session, by_cookie: bool) -> Self {
        Self {
            access_token: session.access_token.expose().clone(),
            refresh_token: (!by_cookie).then(|| session.refresh_token.expose().clone()),
            expires_in: session.expires_in,
            user_id: session.user_id,
        }
    }
}

/// The GraphQL type `LogoutResult`.
#[derive(Debug, Serialize)]
pub struct LogoutOutput {
    pub(in crate::http) success: bool,
}

/// The GraphQL type `Me`.
#[derive(Debug, Serialize)]
pub struct MeOutput {
    id: Uuid,
    email: String,
    name: String,
    role: String,
}

impl From<Me> for MeOutput {
    fn from(me: Me) -> Self {
        Self { id: me.id, email: me.email, name: me.name, role: me.role }
    }
}

/// The error for neither an argument nor a cookie.
pub(in crate::http) fn no_token() -> Error {
    Error::new(Code::Unauthenticated, "there is no session to continue; sign in")
}

/// Makes a user with a team of their own and signs them in.
pub async fn register(State(state): State<AppState>, call: Action<RegisterInput>) -> Result<Response, ActionError> {
    let session = state.app.register(&call.caller, call.input.into()).await?;
    Ok(answer(&state, &session, cookie::by_a_page(&call.headers)))
}

/// Signs somebody in.
pub async fn login(State(state): State<AppState>, call: Action<LoginInput>) -> Result<Response, ActionError> {
    let login = call.input.with(cookie::device(&state, &call.headers));
    let session = state.app.login(&call.caller, login).await?;
    Ok(answer(&state, &session, cookie::by_a_page(&call.headers)))
}

/// Gives new tokens for a refresh token.
pub async fn refresh_token(State(state): State<AppState>, call: Action<RefreshInput>) -> Result<Response, ActionError> {
    let Shown { token, by_cookie } = call.input.shown(&state, &call.headers).ok_or_else(no_token)?;
    let session = state.app.refresh(&call.caller, &token).await?;
    Ok(answer(&state, &session, by_cookie))
}

/// Ends a session.
pub async fn logout(State(state): State<AppState>, call: Action<RefreshInput>) -> Result<Response, ActionError> {
    if let Some(shown) = call.input.shown(&state, &call.headers) {
        state.app.logout(&call.caller, &shown.token).await?;
    }
    Ok((cookie::remove(&state), Json(LogoutOutput { success: true })).into_response())
}

/// Who the caller is.
pub async fn me(State(state): State<AppState>, call: Action<NoInput>) -> ActionResult<MeOutput> {
    Ok(Json(state.app.me(&call.caller).await?.into()))
}

fn answer(state: &AppState, session: &Session, by_cookie: bool) -> Response {
    (cookie::keep(state, session), Json(SessionOutput::new(session, by_cookie))).into_response()
}
