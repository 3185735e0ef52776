//! Where a request came from, seen past our own proxies and past the engine's calls back to us.

use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::{AppState, router};

/// Set by the edge for what lies behind it; a client's own is replaced. An action that forwards client headers brings
/// it back, and with the action secret beside it, it is believed.
pub const CLIENT_ADDRESS_HEADER: HeaderName = HeaderName::from_static("x-northstack-client-ip");

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address, if known.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub Option<IpAddr>);

pub(super) async fn resolve(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    warn_of_a_proxy(&state, &request);
    let address = address(&state, &request);
    match address.map(|address| HeaderValue::from_str(&address.to_string())) {
        Some(Ok(value)) => request.headers_mut().insert(CLIENT_ADDRESS_HEADER, value),
        _ => request.headers_mut().remove(CLIENT_ADDRESS_HEADER),
    };
    request.extensions_mut().insert(ClientAddress(address));
    next.run(request).await
}

/// Says once that all clients share their proxy's address, and so its limits: whoever fails to sign in often enough then
/// locks everybody out.
fn warn_of_a_proxy(state: &AppState, request: &Request) {
    static ONCE: Once = Once::new();
    if state.settings.trusted_proxies == 0 && request.headers().contains_key(FORWARDED_FOR) {
        ONCE.call_once(|| tracing::warn!(setting = "server.trust_forwarded_for", "forwarded_for_ignored"));
    }
}

fn address(state: &AppState, request: &Request) -> Option<IpAddr> {
    let headers = request.headers();
    let told = router::has_action_secret(state, headers)
        .then(|| headers.get(CLIENT_ADDRESS_HEADER)?.to_str().ok()?.parse().ok())
        .flatten();
    told.or_else(|| forwarded(headers, state.settings.trusted_proxies))
        .or_else(|| Some(request.extensions().get::<ConnectInfo<SocketAddr>>()?.0.ip()))
        .map(|address| address.to_canonical())
}

/// The entry of `X-Forwarded-For` that the outermost of `proxies` trusted proxies wrote: that many from the right.
fn forwarded(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let chain: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    chain.get(chain.len().checked_sub(proxies.max(1))?).filter(|_| proxies > 0)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_as_many_proxies_are_believed_as_there_are() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("6.6.6.6, 1.2.3.4"));
        headers.append("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
        let seen = |proxies| forwarded(&headers, proxies).map(|ip| ip.to_string());
        assert_eq!(seen(0), None);
        assert_eq!(seen(1).as_deref(), Some("10.0.0.1"));
        assert_eq!(seen(2).as_deref(), Some("1.2.3.4"));
        assert_eq!(seen(4), None);
    }
}
