//! The one address of each page: WordPress sends a visitor there who asks under another
//! (`redirect_canonical` in `wp-includes/canonical.php`).

use axum::http::Method;
use url::Url;

use super::Visit;
use crate::kubernetes::wp::{Page, Site};

/// Where a visitor is sent, who asks for a page otherwise than the site's address says. As in WordPress, another host is
/// let pass unless it differs by `www.` alone, but another port is not.
pub(super) fn redirect(site: &Site, visit: &Visit) -> Option<String> {
    if !matches!(visit.method, Method::GET | Method::HEAD) || visit.host.is_empty() {
        return None;
    }
    let home = Url::parse(site.option("home")).ok()?;
    let (host, port) = match visit.host.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (visit.host.as_str(), None),
    };
    let own = home.host_str().unwrap_or_default();
    let twins = |a: &str, b: &str| a.strip_prefix("www.") == Some(b);
    let right_host = if twins(own, host) || twins(host, own) { own } else { host };
    // `Url` knows no port that is the scheme's own; an address that names it all the same is not canonical either.
    let right_port = home.port().map(|port| port.to_string());
    let path = page_path(site, &visit.path);
    if right_host == host && right_port.as_deref() == port && path == visit.path {
        return None;
    }
    let port = right_port.map(|port| format!(":{port}")).unwrap_or_default();
    let query = if visit.query.is_empty() { String::new() } else { format!("?{}", visit.query) };
    Some(format!("{}://{right_host}{port}{path}{query}", visit.scheme()))
}

/// The path of the page that is asked for: with the last slash that the permalinks have, and that of the front page by
/// no other.
fn page_path(site: &Site, path: &str) -> String {
    let slug = path.trim_matches('/');
    // The list of products stays where it is, also where it is the front page: it is no page, but an archive.
    let archive = |page: &Page| site.option("woocommerce_shop_page_id") == page.id.to_string();
    if site.pages.iter().any(|page| page.slug == slug && site.is_front(page) && !archive(page)) {
        return "/".to_owned();
    }
    let page = site.pages.iter().any(|page| page.slug == slug)
        || slug.strip_prefix("product/").is_some_and(|slug| site.product(slug).is_some());
    if page && site.option("permalink_structure").ends_with('/') { format!("/{slug}/") } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn site(home: &str) -> Site {
        let mut site = Site::default();
        site.options.insert("home".to_owned(), json!(home));
        site.options.insert("permalink_structure".to_owned(), json!("/%postname%/"));
        for (id, slug) in [(1, "shop"), (2, "cart")] {
            site.pages.push(Page { id, title: slug.to_owned(), slug: slug.to_owned() });
        }
        site
    }

    fn sent(site: &Site, host: &str, path: &str) -> Option<String> {
        let visit = Visit {
            method: Method::GET,
            host: host.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            prefix: String::new(),
            proxied: false,
        };
        redirect(site, &visit)
    }

    #[test]
    fn another_port_is_sent_home_and_another_host_is_not() {
        let plain = site("http://shop.test");
        assert_eq!(sent(&plain, "shop.test", "/"), None);
        // As a real one was seen to answer a request that came through the API server.
        assert_eq!(sent(&plain, "127.0.0.1:6443", "/").as_deref(), Some("http://127.0.0.1/"));
        assert_eq!(sent(&plain, "shop.test:80", "/").as_deref(), Some("http://shop.test/"));
        assert_eq!(sent(&plain, "www.shop.test", "/").as_deref(), Some("http://shop.test/"));
        assert_eq!(sent(&plain, "other.test", "/"), None);
        let with_port = site("http://shop.test:8081");
        assert_eq!(sent(&with_port, "shop.test:8081", "/"), None);
        assert_eq!(sent(&with_port, "shop.test", "/").as_deref(), Some("http://shop.test:8081/"));
    }

    #[test]
    fn a_page_has_one_path() {
        let mut site = site("http://shop.test");
        assert_eq!(sent(&site, "shop.test", "/cart").as_deref(), Some("http://shop.test/cart/"));
        assert_eq!(sent(&site, "shop.test", "/cart/"), None);
        assert_eq!(sent(&site, "shop.test", "/nothing"), None);
        site.options.insert("show_on_front".to_owned(), json!("page"));
        site.options.insert("page_on_front".to_owned(), json!("1"));
        assert_eq!(sent(&site, "shop.test", "/shop/").as_deref(), Some("http://shop.test/"));
        // As a real one was seen to answer, whose list of products is its front page.
        site.options.insert("woocommerce_shop_page_id".to_owned(), json!("1"));
        assert_eq!(sent(&site, "shop.test", "/shop/"), None);
        assert_eq!(sent(&site, "shop.test", "/shop").as_deref(), Some("http://shop.test/shop/"));
        site.options.remove("woocommerce_shop_page_id");
    }
}
