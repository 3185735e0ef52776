//! Where a request came from, seen past our own proxies and past the engine's calls back to us.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;
use uuid::Uuid;

use crate::http::{AppState, cookie, router};

/// Set by the edge for what lies behind it; a client's own is replaced. An action that forwards client headers brings
/// it back, and with the action secret beside it, it is believed.
pub const CLIENT_ADDRESS_HEADER: HeaderName = HeaderName::from_static("x-northstack-client-ip");

/// Set by the edge for the engine, with the user from whose known device a request comes; a client's own is taken away.
pub const CLIENT_DEVICE_HEADER: HeaderName = HeaderName::from_static("x-northstack-client-device");

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address, if known.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub Option<IpAddr>);

/// Whose account has been signed in to from the client before. It is nobody's credential.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownDevice(pub Uuid);

pub(super) async fn resolve(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    notice_a_proxy(&state, request.headers());
    let address = address(&state, &request);
    match address.map(|address| HeaderValue::from_str(&address.to_string())) {
        Some(Ok(value)) => request.headers_mut().insert(CLIENT_ADDRESS_HEADER, value),
        _ => request.headers_mut().remove(CLIENT_ADDRESS_HEADER),
    };
    request.extensions_mut().insert(ClientAddress(address));
    request.headers_mut().remove(CLIENT_DEVICE_HEADER);
    let device = cookie::device(&state, request.headers()).and_then(|cookie| state.app.devices.read(&cookie));
    if let Some(device) = device {
        if let Ok(user) = HeaderValue::from_str(&device.user.to_string()) {
            request.headers_mut().insert(CLIENT_DEVICE_HEADER, user);
        }
        request.extensions_mut().insert(KnownDevice(device.user));
    }
    next.run(request).await
}

/// Says once that all clients seem to share a proxy's address, and so its limits; `/health/ready` says so from then on.
fn notice_a_proxy(state: &AppState, headers: &HeaderMap) {
    let forwarded = headers.contains_key(FORWARDED_FOR) || headers.contains_key(FORWARDED);
    if forwarded && state.settings.trusted_proxies.is_empty() && !state.proxy_ignored.swap(true, Ordering::Relaxed) {
        tracing::warn!(setting = "server.trusted_proxies", "forwarded_for_ignored");
    }
}

fn address(state: &AppState, request: &Request) -> Option<IpAddr> {
    let headers = request.headers();
    let told = router::has_action_secret(state, headers)
        .then(|| headers.get(CLIENT_ADDRESS_HEADER)?.to_str().ok()?.parse().ok())
        .flatten()
        .map(|address: IpAddr| address.to_canonical());
    told.or_else(|| {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>()?.0.ip();
        Some(client(peer.to_canonical(), headers, &state.settings.trusted_proxies))
    })
}

/// The nearest address that is no proxy of ours: the peer, or the right-most such entry of `X-Forwarded-For`, where each
/// proxy adds whom it was asked by. What stands left of that entry, its client may have written itself.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let trusted = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    let entries: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().flat_map(|value| value.to_str().unwrap_or_default().split(',')).collect();
    let mut nearest = peer;
    for entry in entries.iter().rev() {
        if !trusted(&nearest) {
            break;
        }
        // A proxy that does not tell whom it was asked by stands for all of its clients.
        let Some(address) = entry_address(entry.trim()) else { break };
        nearest = address;
    }
    nearest
}

/// An address, some proxies write it with its port.
fn entry_address(entry: &str) -> Option<IpAddr> {
    let address = entry.parse::<IpAddr>().or_else(|_| entry.parse::<SocketAddr>().map(|socket| socket.ip()));
    let address = address.or_else(|_| entry.trim_start_matches('[').trim_end_matches(']').parse());
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&'static str], proxies: &[&str]) -> String {
        let headers = forwarded.iter().map(|value| (FORWARDED_FOR, HeaderValue::from_static(value))).collect();
        let proxies: Vec<IpNet> = proxies.iter().map(|network| network.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn the_right_most_address_that_is_no_proxy_is_the_client() {
        let chain = &["6.6.6.6, 1.2.3.4", "10.0.0.1"];
        assert_eq!(seen("10.0.0.2", chain, &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(seen("10.0.0.2", chain, &["10.0.0.2/32"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.2", chain, &["0.0.0.0/0"]), "6.6.6.6");
    }

    #[test]
    fn who_is_no_proxy_is_not_believed() {
        assert_eq!(seen("1.2.3.4", &["6.6.6.6"], &[]), "1.2.3.4");
        assert_eq!(seen("1.2.3.4", &["6.6.6.6"], &["10.0.0.0/8", "fd00::/8"]), "1.2.3.4");
        assert_eq!(seen("10.0.0.2", &[], &["10.0.0.0/8"]), "10.0.0.2");
    }

    #[test]
    fn entries_are_read_in_the_forms_that_proxies_write() {
        for (entry, address) in [
            ("1.2.3.4:5678", "1.2.3.4"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("6.6.6.6, unknown", "10.0.0.2"),
            ("6.6.6.6, ", "10.0.0.2"),
        ] {
            assert_eq!(seen("10.0.0.2", &[entry], &["10.0.0.0/8"]), address, "{entry}");
        }
        assert_eq!(seen("10.0.0.2", &["6.6.6.6, ::ffff:10.0.0.3"], &["10.0.0.0/8"]), "6.6.6.6");
    }
}
