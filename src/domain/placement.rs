//! Where a database server runs, and which places are preferred.

use super::{Error, Result};

/// Where a server runs: cloud, region and zone, as YugabyteDB's `yb_servers()` names them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Placement {
    /// The provider, such as `aws`.
    pub cloud: String,
    /// The region, such as `eu-west-1`.
    pub region: String,
    /// The zone, such as `eu-west-1a`; `*` in a key stands for all zones of the region.
    pub zone: String,
}

impl Placement {
    /// Reads a topology key, `cloud.region.zone[:priority]`; the priority is 1 (first) to 10, 1 if absent.
    /// The form is that of YugabyteDB's smart drivers.
    pub fn parse_key(text: &str) -> Result<(Self, u8)> {
        let wrong = || {
            Error::invalid(
                "topologyKeys",
                "each must be `cloud.region.zone` or `cloud.region.*`, with `:1` to `:10` after it for its priority",
            )
        };
        let (place, priority) = match text.trim().split_once(':') {
            Some((place, priority)) => (place, priority.parse::<u8>().map_err(|_| wrong())?),
            None => (text.trim(), 1),
        };
        let parts: Vec<&str> = place.split('.').collect();
        let [cloud, region, zone] = parts.as_slice() else { return Err(wrong()) };
        if [cloud, region, zone].iter().any(|part| part.is_empty()) || !(1..=10).contains(&priority) {
            return Err(wrong());
        }
        let place = Self { cloud: (*cloud).to_owned(), region: (*region).to_owned(), zone: (*zone).to_owned() };
        Ok((place, priority))
    }

    /// Whether a server in `place` is meant by this key.
    pub fn covers(&self, place: &Placement) -> bool {
        self.cloud == place.cloud && self.region == place.region && (self.zone == "*" || self.zone == place.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_and_without_priority() {
        let (key, priority) = Placement::parse_key("aws.eu-west-1.eu-west-1a:2").unwrap();
        assert_eq!((key.cloud.as_str(), key.region.as_str(), key.zone.as_str()), ("aws", "eu-west-1", "eu-west-1a"));
        assert_eq!(priority, 2);
        let (region, first) = Placement::parse_key("aws.eu-west-1.*").unwrap();
        assert_eq!(first, 1);
        assert!(region.covers(&key) && !key.covers(&region));
        for wrong in ["", "aws", "aws.eu", "aws.eu.a:0", "aws.eu.a:11", "aws.eu.a:x", "aws..a", "a.b.c.d"] {
            assert!(Placement::parse_key(wrong).is_err(), "{wrong}");
        }
    }
}
