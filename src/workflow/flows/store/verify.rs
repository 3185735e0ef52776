//! The last step: the storefront answers, and the shop lists its products.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::super::flow::{Progress, StepContext};
use super::install::{PRODUCTS, wp};
use super::wp::Wp;
use super::{Needs, Shop, names};
use crate::domain::Result;
use crate::vendors::kubernetes::Answer;

const NO_POD: &str = "woocommerce: no running pod";

pub(super) async fn storefront(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let wp = wp!(needs, context);
    let shop = wp.shop();
    let poll = shop.needs.poll;
    let wait = |detail: String| Ok(Progress::Wait { detail, poll });
    let answer = shop.kubernetes().service_get(shop.namespace(), names::WOOCOMMERCE_SERVICE, 80, "/").await?;
    if !serves(&answer, &shop.input.url) {
        return wait(format!("the storefront answers with status {}", answer.status));
    }
    let listed = wp
        .ok(&["wc", "product", "list", "--status=publish", "--fields=sku,regular_price", "--format=json", "--user=1"])
        .await?;
    match missing(&listed) {
        Some(sku) => wait(format!("the shop does not list {sku} yet")),
        None => Ok(Progress::Done(json!({ "url": shop.input.url, "products": PRODUCTS.len() }))),
    }
}

/// Whether a storefront answered: a page, or WordPress's redirect to the address under which the site is published, for
/// the probe asks under another host name.
pub fn serves(answer: &Answer, url: &str) -> bool {
    match answer.status {
        200 => true,
        301 | 302 => answer.location.as_deref().is_some_and(|location| location.starts_with(url)),
        _ => false,
    }
}

/// The first sample product that the shop does not list at its price.
fn missing(listed: &str) -> Option<&'static str> {
    let listed: Vec<Value> = serde_json::from_str(listed).unwrap_or_default();
    let lists = |sku: &str, price: &str| {
        listed.iter().any(|product| {
            product.get("sku").and_then(Value::as_str) == Some(sku)
                && product.get("regular_price").and_then(Value::as_str) == Some(price)
        })
    };
    PRODUCTS.iter().find(|(sku, _, price)| !lists(sku, price)).map(|(sku, _, _)| *sku)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_home_is_a_storefront_and_one_elsewhere_is_not() {
        let answer = |status, location: Option<&str>| Answer {
            status,
            location: location.map(str::to_owned),
            body: String::new(),
        };
        let url = "http://store-abcdefgh.127.0.0.1.nip.io";
        assert!(serves(&answer(200, None), url));
        assert!(serves(&answer(301, Some("http://store-abcdefgh.127.0.0.1.nip.io/")), url));
        assert!(!serves(&answer(302, Some("/wp-admin/install.php")), url));
        assert!(!serves(&answer(503, None), url));
    }

    #[test]
    fn all_three_products_must_be_listed_at_their_price() {
        let two = r#"[{"sku":"NS-HEADPHONES","regular_price":"99.99"},{"sku":"NS-SPEAKER","regular_price":"49.99"}]"#;
        assert_eq!(missing(two), Some("NS-CABLE"));
        let all = two.replace(']', r#",{"sku":"NS-CABLE","regular_price":"9.99"}]"#);
        assert_eq!(missing(&all), None);
        assert_eq!(missing("not json"), Some("NS-HEADPHONES"));
    }
}
