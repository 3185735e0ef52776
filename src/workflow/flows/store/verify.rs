//! The last step: a visitor who comes by the store's address finds the shop, by its name, with something to buy.

use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;

use super::super::super::flow::{Progress, StepContext};
use super::install::{PRODUCTS, wp};
use super::page::shows;
use super::wp::Wp;
use super::{Needs, Shop, names};
use crate::domain::{Error, Result};
use crate::vendors::kubernetes::{Answer, Client, Published};

const NO_POD: &str = "woocommerce: no running pod";

pub(super) async fn storefront(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let wp = wp!(needs, context);
    let shop = wp.shop();
    let poll = shop.needs.poll;
    let wait = |detail: String| Ok(Progress::Wait { detail, poll });
    let ask = |path| visit(shop.kubernetes(), shop.namespace(), &shop.input.url, path);
    let front = ask("/").await?;
    if let Some(trouble) = trouble(&front) {
        return wait(format!("the storefront {trouble}"));
    }
    if !shows(&front.body, &shop.input.name) {
        return wait("the storefront does not show the shop's name yet".to_owned());
    }
    let [(_, product, _), ..] = PRODUCTS;
    if !shows(&front.body, product) {
        let listing = ask("/shop/").await?;
        if let Some(trouble) = trouble(&listing) {
            return wait(format!("the shop's page {trouble}"));
        }
        if !shows(&listing.body, product) {
            return wait(format!("the storefront does not show {product} yet"));
        }
    }
    let listed = wp
        .json(&["wc", "product", "list", "--status=publish", "--fields=sku,regular_price", "--format=json", "--user=1"])
        .await?;
    match missing(&listed) {
        Some(sku) => wait(format!("the shop does not list {sku} yet")),
        None => Ok(Progress::Done(json!({ "url": shop.input.url, "products": PRODUCTS.len() }))),
    }
}

/// Asks a store's site for a path, as a visitor does who comes by its address.
///
/// # Errors
/// `internal` for an address that is none; otherwise as the cluster's.
pub async fn visit(kubernetes: &Client, store: &str, url: &str, path: &str) -> Result<Answer> {
    let address = Url::parse(url).map_err(|source| Error::internal("read a store's address", source))?;
    let site = Published { namespace: store, service: names::WOOCOMMERCE_SERVICE, port: 80, address: &address };
    Ok(kubernetes.visit(&site, path).await?)
}

/// What is wrong with a site's answer, for people; nothing when it is a page.
pub fn trouble(answer: &Answer) -> Option<String> {
    match (answer.status, answer.location.as_deref()) {
        (200..=299, _) => None,
        (300..=399, Some(location)) => Some(format!("answers with status {} and leads to {location}", answer.status)),
        (status, _) => Some(format!("answers with status {status}")),
    }
}

/// The first sample product that the shop does not list at its price.
fn missing(listed: &Value) -> Option<&'static str> {
    let lists = |sku: &str, price: &str| {
        listed.as_array().into_iter().flatten().any(|product| {
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
    fn a_page_is_a_storefront_and_a_redirect_that_leads_away_is_not() {
        let answer = |status, location: Option<&str>| Answer {
            status,
            location: location.map(str::to_owned),
            body: String::new(),
        };
        assert_eq!(trouble(&answer(200, None)), None);
        let away = trouble(&answer(301, Some("http://127.0.0.1/"))).unwrap_or_default();
        assert_eq!(away, "answers with status 301 and leads to http://127.0.0.1/");
        assert_eq!(trouble(&answer(503, None)).as_deref(), Some("answers with status 503"));
    }

    #[test]
    fn all_three_products_must_be_listed_at_their_price() {
        let mut listed = json!([
            { "sku": "NS-HEADPHONES", "regular_price": "99.99" },
            { "sku": "NS-SPEAKER", "regular_price": "49.99" },
        ]);
        assert_eq!(missing(&listed), Some("NS-CABLE"));
        let cable = json!({ "sku": "NS-CABLE", "regular_price": "9.99" });
        listed.as_array_mut().expect("a list").push(cable);
        assert_eq!(missing(&listed), None);
        assert_eq!(missing(&json!({})), Some("NS-HEADPHONES"));
    }
}
