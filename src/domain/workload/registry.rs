//! Where the registry of an image is: on the internet, or inside of the network of whoever pulls.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Domains that answer every name below them with the address that the name spells, by four numbers, in hex, or as IPv6.
const SPELLED: [&str; 6] = ["nip.io", "sslip.io", "xip.io", "traefik.me", "backname.io", "plex.direct"];
/// Domains whose names lead to the very machine that asks, or to wherever the asker likes.
const LOOPBACK: [&str; 9] = [
    "lvh.me",
    "localtest.me",
    "vcap.me",
    "fuf.me",
    "lacolhost.com",
    "localhost.direct",
    "local.gd",
    "rbndr.us",
    "1u.ms",
];

/// Whether a registry's host is an address, a name of a local network, or a name under which public DNS is known to
/// answer with an address that is not public.
///
/// Any name of the internet can lead to a private address: this refuses those that anybody may use without a domain of
/// their own. What a cluster's nodes may reach is for the cluster's network to say.
pub(super) fn is_local(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    if !host.contains('.') || !super::settings::is_public(&host) || LOOPBACK.iter().any(|it| below(&host, it).is_some())
    {
        return true;
    }
    SPELLED.iter().find_map(|domain| below(&host, domain)).is_some_and(|name| {
        let addresses = spelled(name);
        addresses.is_empty() || !addresses.into_iter().all(is_public)
    })
}

/// What stands before the domain in a name that is the domain's or below it.
fn below<'h>(host: &'h str, domain: &str) -> Option<&'h str> {
    let before = host.strip_suffix(domain)?;
    (before.is_empty() || before.ends_with('.')).then(|| before.trim_end_matches('.'))
}

/// Every address that a name may be read as; the services differ in which of several they take.
fn spelled(name: &str) -> Vec<IpAddr> {
    let words: Vec<&str> = name.split(['.', '-']).collect();
    let number =
        |word: &str| -> Option<u8> { word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())? };
    let quads = words.windows(4).filter_map(|four| match four {
        [a, b, c, d] => Some(Ipv4Addr::new(number(a)?, number(b)?, number(c)?, number(d)?)),
        _ => None,
    });
    let hex = words.iter().filter(|word| word.len() == 8).filter_map(|word| u32::from_str_radix(word, 16).ok());
    // The longest reading of a label: what is cut off the front of an address may be one as well.
    let tails = name.split('.').filter_map(|label| {
        let mut begins = std::iter::once(0).chain(label.match_indices('-').map(|(place, _)| place + 1));
        begins.find_map(|place| label.get(place..)?.replace('-', ":").parse::<Ipv6Addr>().ok())
    });
    quads.chain(hex.map(Ipv4Addr::from_bits)).map(IpAddr::V4).chain(tails.map(IpAddr::V6)).collect()
}

/// Whether an address is one of the internet, by IANA's registries of special-purpose addresses (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_documentation()
                || matches!((a, b, c), (0, ..) | (100, 64..128, _) | (192, 0, 0) | (198, 18..20, _) | (224.., ..)))
        }
        // 2000::/3 alone is given out; in it Teredo, documentation and 6to4, which lead to other addresses.
        IpAddr::V6(address) => {
            let [a, b, ..] = address.segments();
            a & 0xe000 == 0x2000 && a != 0x2002 && !(a == 0x2001 && (b < 0x200 || b == 0xdb8))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_spell_a_private_address_are_local() {
        for host in [
            "localhost",
            "registry",
            "10.0.0.1",
            "registry.internal",
            "127.0.0.1.nip.io",
            "app.10.0.0.1.nip.io",
            "10-0-0-1.sslip.io",
            "app-192-168-1-7.sslip.io",
            "7f000001.nip.io",
            "app-0A000001.NIP.io",
            "169.254.169.254.nip.io",
            "100.64.0.1.nip.io",
            "0--1.sslip.io",
            "fd00--7.sslip.io",
            "0--ffff-10-0-0-1.sslip.io",
            "0--ffff-a00-1.sslip.io",
            "93.184.216.34.10.0.0.1.nip.io",
            "10.0.0.1.93.184.216.34.nip.io",
            "127-0-0-1.0123456789abcdef.plex.direct",
            "nothing.nip.io",
            "traefik.me",
            "anything.lvh.me",
            "localtest.me",
            "7f000001.c0a80001.rbndr.us",
        ] {
            assert!(is_local(host), "{host}");
        }
    }

    #[test]
    fn names_of_the_internet_are_not() {
        for host in [
            "ghcr.io",
            "registry.example.com",
            "10-0-0-1.example.com",
            "93.184.216.34.nip.io",
            "app-93-184-216-34.sslip.io",
            "5db8d822.nip.io",
            "2a01-4f8-c17-b8f--2.sslip.io",
            "unip.io",
            "nip.io.example.com",
            "mylvh.me",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
