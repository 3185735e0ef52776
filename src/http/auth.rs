//! `/api/v1/auth/...`: identity over REST, by the same use cases as the actions.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::actions::identity::{
    LoginInput, LogoutOutput, MeOutput, RefreshInput, RegisterInput, SessionOutput, Shown, no_token,
};
use super::envelope::Envelope;
use super::{AppState, Body, RestResult, cookie, extract, parse_json};
use crate::app::Caller;
use crate::app::identity::Session;

/// `POST /api/v1/auth/register`
pub async fn register(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Body(input): Body<RegisterInput>,
) -> RestResult<Response> {
    let session = state.app.register(&caller, input.into()).await?;
    Ok((StatusCode::CREATED, answer(&state, &session, cookie::by_a_page(&headers))).into_response())
}

/// `POST /api/v1/auth/login`
pub async fn login(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Body(input): Body<LoginInput>,
) -> RestResult<Response> {
    let session = state.app.login(&caller, input.with(cookie::device(&state, &headers))).await?;
    Ok(answer(&state, &session, cookie::by_a_page(&headers)))
}

/// `POST /api/v1/auth/refresh`
pub async fn refresh(State(state): State<AppState>, caller: Caller, request: Request) -> RestResult<Response> {
    let Shown { token, by_cookie } = token(&state, request).await?.ok_or_else(no_token)?;
    let session = state.app.refresh(&caller, &token).await?;
    Ok(answer(&state, &session, by_cookie))
}

/// `POST /api/v1/auth/logout`
pub async fn logout(State(state): State<AppState>, caller: Caller, request: Request) -> RestResult<Response> {
    if let Some(shown) = token(&state, request).await? {
        state.app.logout(&caller, &shown.token).await?;
    }
    Ok((cookie::remove(&state), Envelope::new(LogoutOutput { success: true })).into_response())
}

/// `GET /api/v1/auth/me`
pub async fn me(State(state): State<AppState>, caller: Caller) -> RestResult<Envelope<MeOutput>> {
    Ok(Envelope::new(state.app.me(&caller).await?.into()))
}

/// The token of the body, if there is a body, else the cookie's.
async fn token(state: &AppState, request: Request) -> RestResult<Option<Shown>> {
    let headers = request.headers().clone();
    let body = extract::read(request, state).await?;
    let input: RefreshInput = if body.is_empty() {
        RefreshInput::default()
    } else {
        extract::require_json(&headers)?;
        parse_json(&body)?
    };
    Ok(input.shown(state, &headers))
}

fn answer(state: &AppState, session: &Session, by_cookie: bool) -> Response {
    (cookie::keep(state, session), Envelope::new(SessionOutput::new(session, by_cookie))).into_response()
}
