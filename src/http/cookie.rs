//! The cookies of the refresh token and of the device: out of reach of scripts and never sent by another site's pages
//! (RFC 6265bis).

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::AppendHeaders;

use super::AppState;
use crate::app::identity::Session;
use crate::auth::Devices;
use crate::domain::Redacted;

/// `Set-Cookie` headers.
pub(super) type Cookies = AppendHeaders<Vec<(HeaderName, HeaderValue)>>;

/// A cookie's name over HTTP and over HTTPS. With the prefix a browser takes it only from this very host, so that an
/// application on a sibling domain cannot plant one of its own (RFC 6265bis, 4.1.3.2).
#[derive(Clone, Copy)]
struct Name {
    plain: &'static str,
    secure: &'static str,
}

const REFRESH: Name = Name { plain: "northstack_refresh", secure: "__Host-northstack_refresh" };
const DEVICE: Name = Name { plain: "northstack_device", secure: "__Host-northstack_device" };

impl Name {
    fn under(self, state: &AppState) -> &'static str {
        if state.settings.secure { self.secure } else { self.plain }
    }
}

/// The refresh token of the request's cookie.
pub(super) fn refresh_token(state: &AppState, headers: &HeaderMap) -> Option<Redacted> {
    find(REFRESH.under(state), headers)
}

/// The device that the request's cookie names.
pub(super) fn device(state: &AppState, headers: &HeaderMap) -> Option<Redacted> {
    find(DEVICE.under(state), headers)
}

/// Whether a browser's page asks, which its cookies keep signed in: a refresh token in an answer that its scripts can
/// read could be taken away by one that was injected. Browsers name the page's origin; engines hand it on renamed.
pub(super) fn by_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("x-forwarded-origin")
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

/// Keeps the refresh token as long as it is good, and the device where the session begins.
pub(super) fn keep(state: &AppState, session: &Session) -> Cookies {
    let token = set(state, REFRESH, session.refresh_token.expose(), state.app.refresh_tokens.lifetime().as_secs());
    let device = session.device.as_ref().map(|it| set(state, DEVICE, it.expose(), Devices::lifetime().as_secs()));
    AppendHeaders([Some(token), device].into_iter().flatten().collect())
}

/// Removes the refresh token; the device stays known.
pub(super) fn remove(state: &AppState) -> Cookies {
    AppendHeaders(vec![set(state, REFRESH, "", 0)])
}

fn set(state: &AppState, name: Name, value: &str, max_age: u64) -> (HeaderName, HeaderValue) {
    let secure = if state.settings.secure { "; Secure" } else { "" };
    let name = name.under(state);
    let cookie = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
    // Tokens are base64url: always a sound header.
    let mut value = HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    (header::SET_COOKIE, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let find = |cookie: &'static str| {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookie))]);
            find(REFRESH.plain, &headers).map(|token| token.expose().clone())
        };
        assert_eq!(find("a=b; northstack_refresh=nsr_x; c=d").as_deref(), Some("nsr_x"));
        assert_eq!(find("northstack_refresh=").as_deref(), None);
        assert_eq!(find("__Host-northstack_refresh=nsr_x").as_deref(), None);
        assert_eq!(find("xnorthstack_refresh=nsr_x").as_deref(), None);
    }
}
