//! WooCommerce stores.

use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::domain::Redacted;

/// WooCommerce stores: how many, from which images, under which address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stores {
    /// Active stores that a new team may have.
    #[schemars(extend("x-live" = true))]
    pub limit: u32,
    /// Domain under which each store gets its host name, `<store id>.<base domain>`.
    pub base_domain: String,
    /// Scheme of store addresses: `http` or `https`.
    pub scheme: String,
    /// Port in store addresses, where it is not the scheme's own.
    pub public_port: Option<u16>,
    /// Ingress class; without it the cluster's default.
    pub ingress_class: Option<String>,
    /// Networks that a store's pods cannot reach, though they may reach the Internet: those of the cluster, of the machines
    /// around it, and the address at which clouds give machines their secrets. (Where the cluster's network knows
    /// NetworkPolicies.)
    pub closed_networks: Vec<String>,
    /// Storage class of the volumes; without it the cluster's default.
    pub storage_class: Option<String>,
    /// Image of WordPress.
    pub wordpress_image: String,
    /// Image of MySQL.
    pub mysql_image: String,
    /// Image with WP-CLI.
    pub wp_cli_image: String,
    /// Version of WooCommerce to install.
    pub woocommerce_version: String,
    /// Name of the administrator of each store.
    pub admin_user: String,
    /// Password of the administrator of every store; without it each store gets one of its own.
    pub admin_password: Option<Redacted>,
    /// E-mail address of the administrator of each store.
    pub admin_email: String,
    /// Size of the database volume.
    pub mysql_storage: String,
    /// Size of the WordPress volume.
    pub wordpress_storage: String,
    /// Longest wait for MySQL to become ready.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub mysql_ready_timeout: Duration,
    /// Longest wait for WordPress to become ready.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub wordpress_ready_timeout: Duration,
    /// Longest time for one WP-CLI command.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub command_timeout: Duration,
    /// Longest wait for a namespace to disappear.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub delete_timeout: Duration,
}

impl Default for Stores {
    fn default() -> Self {
        Self {
            limit: 10,
            base_domain: "127.0.0.1.nip.io".to_owned(),
            scheme: "http".to_owned(),
            public_port: None,
            ingress_class: None,
            closed_networks: [
                "10.0.0.0/8",
                "100.64.0.0/10",
                "127.0.0.0/8",
                "169.254.0.0/16",
                "172.16.0.0/12",
                "192.168.0.0/16",
                "fc00::/7",
                "fe80::/10",
            ]
            .map(str::to_owned)
            .to_vec(),
            storage_class: None,
            wordpress_image: "wordpress:6.9-apache".to_owned(),
            mysql_image: "mysql:8.0".to_owned(),
            wp_cli_image: "wordpress:cli".to_owned(),
            woocommerce_version: "10.4.2".to_owned(),
            admin_user: "admin".to_owned(),
            admin_password: None,
            admin_email: "admin@example.com".to_owned(),
            mysql_storage: "5Gi".to_owned(),
            wordpress_storage: "10Gi".to_owned(),
            mysql_ready_timeout: Duration::from_secs(300),
            wordpress_ready_timeout: Duration::from_secs(360),
            command_timeout: Duration::from_secs(5 * 60),
            delete_timeout: Duration::from_secs(10 * 60),
        }
    }
}

impl Stores {
    pub(super) fn check(&self, problems: &mut Problems) {
        if !matches!(self.scheme.as_str(), "http" | "https") {
            problems.add("stores.scheme", "must be `http` or `https`");
        }
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if !self.base_domain.split('.').all(label) {
            problems.add("stores.base_domain", "must be a host name in lower case, such as `stores.example.com`");
        }
        for network in &self.closed_networks {
            let parts = network.split_once('/').map(|(address, bits)| (address.parse::<IpAddr>(), bits.parse::<u8>()));
            let fits = match parts {
                // All of them would be no exception: Kubernetes refuses that.
                Some((Ok(IpAddr::V4(_)), Ok(bits))) => (1..=32).contains(&bits),
                Some((Ok(IpAddr::V6(_)), Ok(bits))) => (1..=128).contains(&bits),
                _ => false,
            };
            if !fits {
                problems.add("stores.closed_networks", format!("{network:?}: must be a network such as `10.0.0.0/8`"));
            }
        }
        for (field, value) in [
            ("stores.wordpress_image", &self.wordpress_image),
            ("stores.mysql_image", &self.mysql_image),
            ("stores.wp_cli_image", &self.wp_cli_image),
            ("stores.woocommerce_version", &self.woocommerce_version),
            ("stores.admin_user", &self.admin_user),
        ] {
            problems.not_empty(field, value);
        }
        // It is a word of a command, and so is the address.
        for (key, value) in [("stores.admin_user", &self.admin_user), ("stores.admin_email", &self.admin_email)] {
            if value.starts_with('-') {
                problems.add(key, "must not begin with `-`");
            }
        }
        if !self.admin_email.contains('@') {
            problems.add("stores.admin_email", "must be an e-mail address");
        }
        for (field, value) in
            [("stores.mysql_storage", &self.mysql_storage), ("stores.wordpress_storage", &self.wordpress_storage)]
        {
            let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let unit = &value[digits.len()..];
            if digits.parse::<u64>().is_err() || !matches!(unit, "Mi" | "Gi" | "Ti") {
                problems.add(field, "must be a quantity such as `5Gi`");
            }
        }
        problems.secret("stores.admin_password", self.admin_password.as_ref(), 8);
        problems.positive("stores.mysql_ready_timeout", self.mysql_ready_timeout);
        problems.positive("stores.wordpress_ready_timeout", self.wordpress_ready_timeout);
        problems.positive("stores.command_timeout", self.command_timeout);
        problems.positive("stores.delete_timeout", self.delete_timeout);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_word_of_a_command_is_no_option() {
        let settings =
            Stores { admin_user: "--exec=x".to_owned(), admin_email: "-a@b".to_owned(), ..Stores::default() };
        let mut problems = Problems::default();
        settings.check(&mut problems);
        let told = format!("{problems:?}");
        assert!(told.contains("stores.admin_user") && told.contains("stores.admin_email"), "{told}");
    }
}
