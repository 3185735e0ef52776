//! register, login, refreshToken, logout, me.

use axum::Json;
use axum::extract::State;
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

impl From<LoginInput> for Login {
    fn from(input: LoginInput) -> Self {
        Self { email: input.email, password: input.password }
    }
}

/// Arguments of `refreshToken` and `logout`: without a token, the cookie's is meant.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefreshInput {
    pub(in crate::http) refresh_token: Option<Redacted>,
}

/// The GraphQL type `Session`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionOutput {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
    user_id: Uuid,
}

impl From<&Session> for SessionOutput {
    fn from(session: &Session) -> Self {
        Self {
            access_token: session.access_token.expose().clone(),
            refresh_token: session.refresh_token.expose().clone(),
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
    Ok(answer(&state, &session))
}

/// Signs somebody in.
pub async fn login(State(state): State<AppState>, call: Action<LoginInput>) -> Result<Response, ActionError> {
    let session = state.app.login(&call.caller, call.input.into()).await?;
    Ok(answer(&state, &session))
}

/// Gives new tokens for a refresh token.
pub async fn refresh_token(State(state): State<AppState>, call: Action<RefreshInput>) -> Result<Response, ActionError> {
    let token =
        call.input.refresh_token.or_else(|| cookie::refresh_token(&state, &call.headers)).ok_or_else(no_token)?;
    let session = state.app.refresh(&call.caller, &token).await?;
    Ok(answer(&state, &session))
}

/// Ends a session.
pub async fn logout(State(state): State<AppState>, call: Action<RefreshInput>) -> Result<Response, ActionError> {
    if let Some(token) = call.input.refresh_token.or_else(|| cookie::refresh_token(&state, &call.headers)) {
        state.app.logout(&call.caller, &token).await?;
    }
    Ok((cookie::remove(&state), Json(LogoutOutput { success: true })).into_response())
}

/// Who the caller is.
pub async fn me(State(state): State<AppState>, call: Action<NoInput>) -> ActionResult<MeOutput> {
    Ok(Json(state.app.me(&call.caller).await?.into()))
}

fn answer(state: &AppState, session: &Session) -> Response {
    (cookie::keep(state, &session.refresh_token), Json(SessionOutput::from(session))).into_response()
}
