//! The refresh token's cookie: out of reach of scripts and never sent by another site's pages (RFC 6265bis).

use axum::http::{HeaderMap, HeaderValue, header};

use super::AppState;
use crate::domain::Redacted;

const NAME: &str = "northstack_refresh";
/// Over HTTPS: a browser takes this prefix only from this very host, so that an application on a sibling domain cannot
/// plant a session of its own (RFC 6265bis, 4.1.3.2).
const SECURE_NAME: &str = "__Host-northstack_refresh";

fn name(state: &AppState) -> &'static str {
    if state.settings.secure { SECURE_NAME } else { NAME }
}

/// The refresh token of the request's cookie.
pub(super) fn refresh_token(state: &AppState, headers: &HeaderMap) -> Option<Redacted> {
    find(name(state), headers)
}

fn find(wanted: &str, headers: &HeaderMap) -> Option<Redacted> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == wanted && !value.is_empty())
        .map(|(_, value)| value.into())
}

/// `Set-Cookie` that keeps the token as long as it is good.
pub(super) fn keep(state: &AppState, token: &Redacted) -> [(header::HeaderName, HeaderValue); 1] {
    set(state, token.expose(), state.app.refresh_tokens.lifetime().as_secs())
}

/// `Set-Cookie` that removes the token.
pub(super) fn remove(state: &AppState) -> [(header::HeaderName, HeaderValue); 1] {
    set(state, "", 0)
}

fn set(state: &AppState, value: &str, max_age: u64) -> [(header::HeaderName, HeaderValue); 1] {
    let secure = if state.settings.secure { "; Secure" } else { "" };
    let name = name(state);
    let cookie = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
    // Tokens are base64url: always a sound header.
    let mut value = HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    [(header::SET_COOKIE, value)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let find = |cookie: &'static str| {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookie))]);
            find(NAME, &headers).map(|token| token.expose().clone())
        };
        assert_eq!(find("a=b; northstack_refresh=nsr_x; c=d").as_deref(), Some("nsr_x"));
        assert_eq!(find("northstack_refresh=").as_deref(), None);
        assert_eq!(find("__Host-northstack_refresh=nsr_x").as_deref(), None);
        assert_eq!(find("xnorthstack_refresh=nsr_x").as_deref(), None);
    }
}
