//! What can be installed, and which WordPress it needs. The floors follow the `Requires at least` headers: WooCommerce
//! supports the last two majors of WordPress, so each newer release asks for more.

/// The WordPress that an image without a version in its tag carries.
const CURRENT_WORDPRESS: &str = "7.0";
/// The newest WooCommerce.
const CURRENT_WOOCOMMERCE: &str = "10.4.2";

/// Something to install.
pub(super) struct Package {
    pub(super) slug: &'static str,
    pub(super) title: &'static str,
    current: &'static str,
}

const PLUGINS: &[Package] = &[
    Package { slug: "woocommerce", title: "WooCommerce", current: CURRENT_WOOCOMMERCE },
    Package { slug: "akismet", title: "Akismet Anti-spam: Spam Protection", current: "5.5" },
    Package { slug: "hello-dolly", title: "Hello Dolly", current: "1.7.2" },
    Package { slug: "wordpress-importer", title: "WordPress Importer", current: "0.9.5" },
    Package { slug: "redis-cache", title: "Redis Object Cache", current: "2.7.0" },
];

const THEMES: &[Package] = &[
    Package { slug: "storefront", title: "Storefront", current: "4.6.2" },
    Package { slug: "twentytwentyfive", title: "Twenty Twenty-Five", current: "1.4" },
    Package { slug: "twentytwentyfour", title: "Twenty Twenty-Four", current: "1.3" },
    Package { slug: "astra", title: "Astra", current: "4.11.13" },
];

pub(super) fn plugin(slug: &str) -> Option<&'static Package> {
    PLUGINS.iter().find(|package| package.slug == slug)
}

pub(super) fn theme(slug: &str) -> Option<&'static Package> {
    THEMES.iter().find(|package| package.slug == slug)
}

impl Package {
    /// The version that is installed when none is asked for, or the one asked for if it can exist.
    pub(super) fn version(&self, wanted: Option<&str>) -> Option<String> {
        let Some(wanted) = wanted else { return Some(self.current.to_owned()) };
        let shaped = !wanted.is_empty() && wanted.split('.').all(|part| part.parse::<u32>().is_ok());
        (shaped && !newer(wanted, self.current)).then(|| wanted.to_owned())
    }

    /// The oldest WordPress with which a version works.
    pub(super) fn needs(&self, version: &str) -> &'static str {
        if self.slug != "woocommerce" {
            return "4.0";
        }
        match parts(version) {
            [10, minor, ..] if minor >= 4 => "6.7",
            [10, ..] => "6.6",
            [9, minor, ..] if minor >= 7 => "6.6",
            [9, minor, ..] if minor >= 2 => "6.5",
            [9, ..] => "6.4",
            [8, minor, ..] if minor >= 6 => "6.3",
            _ => "5.9",
        }
    }
}

/// The WordPress version that an image carries.
pub(super) fn wordpress(image: &str) -> String {
    let tag = image.rsplit('/').next().and_then(|last| last.split_once(':')).map_or("", |(_, tag)| tag);
    let number = tag.split('-').next().unwrap_or_default();
    if number.starts_with(|c: char| c.is_ascii_digit()) {
        let own = if number.contains('.') { number.to_owned() } else { format!("{number}.0") };
        return own;
    }
    CURRENT_WORDPRESS.to_owned()
}

fn parts(version: &str) -> [u32; 3] {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)]
}

/// Whether version `a` is newer than `b`.
pub(super) fn newer(a: &str, b: &str) -> bool {
    parts(a) > parts(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_woocommerce_refuses_an_old_wordpress() {
        let woocommerce = plugin("woocommerce").unwrap();
        let newest = woocommerce.version(None).unwrap();
        assert!(newer(woocommerce.needs(&newest), "6.4"));
        assert!(!newer(woocommerce.needs("9.1.4"), "6.4"));
        assert_eq!(woocommerce.version(Some("99.0")), None);
    }

    #[test]
    fn the_version_comes_from_the_tag() {
        assert_eq!(wordpress("wordpress:6.4-apache"), "6.4");
        assert_eq!(wordpress("docker.io/library/wordpress:6.8.3-php8.3-apache"), "6.8.3");
        assert_eq!(wordpress("wordpress:apache"), CURRENT_WORDPRESS);
    }
}
