//! The HTTP listener.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// The HTTP listener of the API and of the portal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address to listen on; `0.0.0.0` for every interface.
    #[schemars(with = "String")]
    pub host: IpAddr,
    /// Port of the API.
    pub port: u16,
    /// Port of the portal, which is served with the API under one origin; 0 turns it off.
    pub portal_port: u16,
    /// Whether the API explorer is served at `/explorer`; on by default in `northstack dev` alone.
    pub explorer: bool,
    /// The address under which browsers reach the portal; used for links and redirects.
    pub public_url: Option<url::Url>,
    /// Longest time that a request other than a stream may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("x-live" = true))]
    pub request_timeout: Duration,
    /// Longest time that open requests get to finish after a stop signal.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub shutdown_timeout: Duration,
    /// Largest request body, in bytes.
    pub body_limit: usize,
    /// Origins of browsers that may call the API, such as `https://portal.example.com`, or `http://localhost:*` for every port; `*` for all.
    #[schemars(extend("x-live" = true))]
    pub cors_origins: Vec<String>,
    /// Addresses and networks of the reverse proxies in front, such as `10.0.0.0/8`. From them alone `X-Forwarded-For` is
    /// believed: the client is its right-most entry that is no proxy. Empty: the header is ignored.
    pub trusted_proxies: Vec<String>,
    /// Names under which clients may ask for the service, beside `localhost`, IP addresses and the host of `public_url`;
    /// others are refused (DNS rebinding). Empty: only those on a loopback address, and every name on another one.
    #[schemars(extend("x-live" = true))]
    pub hosts: Vec<String>,
    /// Port of `/metrics` on the same address, for Prometheus and not for the public; 0 turns it off.
    pub metrics_port: u16,
    /// Event streams that one user may hold open at a time.
    #[schemars(extend("x-live" = true))]
    pub streams_per_user: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8080,
            portal_port: 3001,
            explorer: false,
            public_url: None,
            request_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(30),
            body_limit: 1024 * 1024,
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            hosts: Vec::new(),
            metrics_port: 0,
            streams_per_user: 20,
        }
    }
}

/// The end of an entry that stands for every port of its host.
const ANY_PORT: &str = ":*";

impl Server {
    /// Whether pages of an origin may call the API because a list entry names it; one entry, `*`, names all.
    pub fn lists_origin(&self, origin: &str) -> bool {
        self.cors_origins.iter().any(|entry| match entry.strip_suffix(ANY_PORT) {
            Some(host) => {
                origin.get(..host.len()).is_some_and(|start| start.eq_ignore_ascii_case(host)) && {
                    let rest = &origin[host.len()..];
                    rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
                }
            }
            None => entry == "*" || entry.eq_ignore_ascii_case(origin),
        })
    }

    /// Whether every origin is listed.
    pub fn lists_every_origin(&self) -> bool {
        self.cors_origins.iter().any(|entry| entry == "*")
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.positive("server.request_timeout", self.request_timeout);
        problems.positive("server.shutdown_timeout", self.shutdown_timeout);
        problems.range("server.body_limit", self.body_limit, 1024..=256 * 1024 * 1024);
        if self.port != 0 && self.port == self.portal_port {
            problems.add("server.portal_port", "must differ from server.port");
        }
        if self.metrics_port != 0 && [self.port, self.portal_port].contains(&self.metrics_port) {
            problems.add("server.metrics_port", "must differ from server.port and server.portal_port");
        }
        problems.range("server.streams_per_user", self.streams_per_user, 1..=10_000);
        for host in &self.hosts {
            let name_only = url::Host::parse(host).is_ok_and(|parsed| parsed.to_string().eq_ignore_ascii_case(host));
            if !name_only {
                problems.add(
                    "server.hosts",
                    "each must be a host name without scheme and port, such as `northstack.example.com`",
                );
            }
        }
        for proxy in self.trusted_proxies.iter().filter(|proxy| network(proxy).is_none()) {
            problems.add(
                "server.trusted_proxies",
                format!("{proxy:?} must be an address or a network such as `10.0.0.0/8`"),
            );
        }
        for origin in &self.cors_origins {
            let one = origin.strip_suffix(ANY_PORT).unwrap_or(origin);
            let origin_only = url::Url::parse(one).is_ok_and(|url| url.origin().ascii_serialization() == one);
            if origin != "*" && !origin_only {
                problems.add(
                    "server.cors_origins",
                    "each must be `*` or scheme, host and port alone, such as `https://portal.example.com`",
                );
            }
        }
    }

    /// The networks of `trusted_proxies`.
    pub fn proxy_networks(&self) -> Vec<IpNet> {
        self.trusted_proxies.iter().filter_map(|proxy| network(proxy)).collect()
    }

    /// Whether the service answers under `host`, the name in a request's `Host` header without its port.
    ///
    /// A page of another site can have its own name lead to this machine (DNS rebinding), and then asks as if it were ours;
    /// no name in public DNS leads to `localhost`, and an address is nobody's to rebind.
    pub fn answers_to(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let named = |name: &str| name.eq_ignore_ascii_case(&host);
        let any = self.hosts.is_empty() && !self.host.is_loopback();
        let public = || self.public_url.as_ref().and_then(url::Url::host_str).is_some_and(named);
        any || address
            || host == "localhost"
            || host.ends_with(".localhost")
            || public()
            || self.hosts.iter().any(|listed| named(listed))
    }
}

/// A network, or an address as the network of itself alone.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_addresses_or_networks() {
        let named = |list: &[&str]| {
            let trusted_proxies = list.iter().map(|&proxy| proxy.to_owned()).collect();
            let server = Server { trusted_proxies, ..Server::default() };
            let mut problems = Problems::default();
            server.check(&mut problems);
            (server.proxy_networks().len(), problems.0.len())
        };
        assert_eq!(named(&["10.0.0.0/8", "192.0.2.7", "fd00::/8", "::1"]), (4, 0));
        assert_eq!(named(&["10.0.0.0/33", "proxy.example", "", "true"]), (0, 4));
    }

    #[test]
    fn a_loopback_listener_answers_to_local_and_listed_names_alone() {
        let public_url = url::Url::parse("https://portal.example.com").ok();
        let server = Server { public_url, hosts: vec!["api.example.com".into()], ..Server::default() };
        for host in [
            "localhost",
            "LOCALHOST.",
            "shop.localhost",
            "127.0.0.1",
            "[::1]",
            "10.1.2.3",
            "Portal.Example.com",
            "api.example.com",
        ] {
            assert!(server.answers_to(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "xapi.example.com", ""] {
            assert!(!server.answers_to(host), "{host}");
        }
    }

    #[test]
    fn a_public_listener_answers_to_any_name_until_names_are_listed() {
        let mut server = Server { host: [0, 0, 0, 0].into(), ..Server::default() };
        assert!(server.answers_to("anything.example"));
        server.hosts.push("api.example.com".into());
        assert!(!server.answers_to("anything.example"));
    }

    #[test]
    fn a_listed_host_admits_each_of_its_ports_and_nobody_elses() {
        let cors_origins = vec!["http://localhost:*".to_owned(), "https://portal.example.com".to_owned()];
        let server = Server { cors_origins, ..Server::default() };
        for origin in ["http://localhost:5173", "http://localhost", "https://portal.example.com"] {
            assert!(server.lists_origin(origin), "{origin}");
        }
        for origin in [
            "http://localhost:5173.evil.example",
            "http://localhost.evil.example",
            "https://localhost:5173",
            "null",
            "*",
        ] {
            assert!(!server.lists_origin(origin), "{origin}");
        }
        let mut problems = Problems::default();
        server.check(&mut problems);
        assert!(problems.0.is_empty(), "{:?}", problems.0);
    }
}
