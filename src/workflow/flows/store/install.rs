//! The steps that run WP-CLI. Each asks first, acts if needed, and asks again: what was not seen is not done.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::super::flow::{Progress, StepContext};
use super::wp::Wp;
use super::{Needs, Shop};
use crate::domain::{Code, Error, Result};

/// The sample products: SKU, name, price in US dollars.
pub(super) const PRODUCTS: [(&str, &str, &str); 3] = [
    ("NS-HEADPHONES", "Wireless Headphones", "99.99"),
    ("NS-SPEAKER", "Bluetooth Speaker", "49.99"),
    ("NS-CABLE", "USB-C Cable", "9.99"),
];

const NO_POD: &str = "woocommerce: no running pod";

/// The pod, or what to wait for.
macro_rules! wp {
    ($needs:ident, $context:ident) => {{
        let shop = Shop::new($needs, &$context)?;
        let poll = shop.needs.poll;
        match Wp::find(shop).await? {
            Some(wp) => wp,
            None => return Ok(Progress::Wait { detail: NO_POD.to_owned(), poll }),
        }
    }};
}
pub(super) use wp;

/// What a step did was not to be seen afterwards.
fn unseen(what: &str) -> Error {
    Error::new(Code::Unavailable, format!("{what} did not take effect"))
}

pub(super) async fn core(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let wp = wp!(needs, context);
    if !wp.holds(&["core", "is-installed"]).await? {
        context.report("creating the site and its administrator").await?;
        let input = &wp.shop().input;
        let user = wp.admin("username").await?;
        let url = format!("--url={}", input.url);
        // The shop gets its name later, by standard input: nothing that somebody typed is part of a command.
        let title = format!("--title={}", input.store_id);
        let admin = format!("--admin_user={}", user.expose());
        let email = format!("--admin_email={}", wp.shop().settings().admin_email);
        let arguments = ["core", "install", &url, &title, &admin, &email, "--skip-email", "--prompt=admin_password"];
        wp.ok_with_secret(&arguments, &wp.admin("password").await?).await?;
        if !wp.holds(&["core", "is-installed"]).await? {
            return Err(unseen("the installation of WordPress"));
        }
    }
    if !governed(&wp).await? {
        context.report("creating the site's administrator").await?;
        govern(&wp).await?;
        if !governed(&wp).await? {
            return Err(unseen("the creation of the site's administrator"));
        }
    }
    Ok(Progress::done())
}

/// Whether the site has an administrator. An installation that was broken off leaves a site that counts as installed, and
/// that nobody may do anything in.
async fn governed(wp: &Wp) -> Result<bool> {
    let count = wp.ok(&["user", "list", "--role=administrator", "--format=count"]).await?;
    Ok(count.lines().last().and_then(|count| count.trim().parse::<u64>().ok()).is_some_and(|count| count > 0))
}

async fn govern(wp: &Wp) -> Result<()> {
    let user = wp.admin("username").await?;
    if wp.holds(&["user", "get", user.expose(), "--field=ID"]).await? {
        return wp.ok(&["user", "set-role", user.expose(), "administrator"]).await.map(drop);
    }
    let email = &wp.shop().settings().admin_email;
    let arguments = ["user", "create", user.expose(), email, "--role=administrator", "--prompt=user_pass"];
    wp.ok_with_secret(&arguments, &wp.admin("password").await?).await
}

pub(super) async fn woocommerce(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let wp = wp!(needs, context);
    let version = wp.shop().settings().woocommerce_version.clone();
    if !wp.holds(&["plugin", "is-active", "woocommerce"]).await? {
        // A download that broke off leaves a plugin that looks installed: after a failed try it is fetched anew.
        if context.attempt() > 1 || !wp.holds(&["plugin", "is-installed", "woocommerce"]).await? {
            context.report(&format!("downloading WooCommerce {version}")).await?;
            wp.ok(&["plugin", "install", "woocommerce", &format!("--version={version}"), "--force"]).await?;
        }
        context.report("activating WooCommerce").await?;
        wp.ok(&["plugin", "activate", "woocommerce"]).await?;
        if !wp.holds(&["plugin", "is-active", "woocommerce"]).await? {
            return Err(unseen("the activation of WooCommerce"));
        }
    }
    if !set_up(&wp).await? {
        context.report("waiting until WooCommerce has set itself up").await?;
        settle(&wp).await?;
    }
    Ok(Progress::Done(json!({ "version": version })))
}

/// Whether WooCommerce has its tables and roles: it writes its version last.
async fn set_up(wp: &Wp) -> Result<bool> {
    wp.holds(&["option", "get", "woocommerce_version"]).await
}

/// Waits for whoever sets WooCommerce up. One that was broken off leaves a lock of ten minutes, for which WooCommerce is
/// active and can do nothing: it is taken away, and the next look sets WooCommerce up.
async fn settle(wp: &Wp) -> Result<()> {
    const LOOKS: u32 = 10;
    for _ in 0..LOOKS {
        tokio::time::sleep(wp.shop().needs.poll).await;
        if set_up(wp).await? {
            return Ok(());
        }
    }
    wp.ok(&["transient", "delete", "wc_installing"]).await?;
    if set_up(wp).await? { Ok(()) } else { Err(unseen("the setting up of WooCommerce")) }
}

pub(super) async fn theme(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let wp = wp!(needs, context);
    if context.attempt() > 1 || !wp.holds(&["theme", "is-installed", "storefront"]).await? {
        context.report("downloading the Storefront theme").await?;
        wp.ok(&["theme", "install", "storefront", "--force"]).await?;
    }
    wp.ok(&["theme", "activate", "storefront"]).await?;
    if wp.ok(&["option", "get", "stylesheet"]).await? != "storefront" {
        return Err(unseen("the activation of Storefront"));
    }
    Ok(Progress::done())
}

pub(super) async fn settings(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let wp = wp!(needs, context);
    context.report("giving the shop its name").await?;
    wp.set("blogname", &wp.shop().input.name).await?;
    for (doing, option, value) in [
        ("setting the country to US", "woocommerce_default_country", "US"),
        ("setting the currency to USD", "woocommerce_currency", "USD"),
        // Recent versions hide a new shop behind a "coming soon" page.
        ("opening the shop to visitors", "woocommerce_coming_soon", "no"),
    ] {
        context.report(doing).await?;
        wp.ok(&["option", "update", option, value]).await?;
    }
    wp.ok(&["option", "update", "woocommerce_onboarding_profile", r#"{"skipped":true}"#, "--format=json"]).await?;
    wp.ok(&["rewrite", "structure", "/%postname%/", "--hard"]).await?;
    context.report("creating the shop's pages").await?;
    wp.ok(&["wc", "tool", "run", "install_pages", "--user=1"]).await?;
    // The shop is what visitors come for: without this the front page is a blog.
    let page = wp.ok(&["option", "get", "woocommerce_shop_page_id"]).await?;
    if page.parse::<u64>().is_err() {
        return Err(unseen("the creation of the shop's pages"));
    }
    wp.ok(&["option", "update", "show_on_front", "page"]).await?;
    wp.ok(&["option", "update", "page_on_front", &page]).await?;
    if wp.ok(&["option", "get", "woocommerce_currency"]).await? != "USD" {
        return Err(unseen("the shop's currency"));
    }
    Ok(Progress::done())
}

pub(super) async fn payments(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let wp = wp!(needs, context);
    let cod = json!({
        "enabled": "yes",
        "title": "Cash on delivery",
        "description": "Pay with cash upon delivery.",
        "instructions": "Pay with cash upon delivery.",
    });
    wp.ok(&["option", "update", "woocommerce_cod_settings", &cod.to_string(), "--format=json"]).await?;
    let stored = wp.json(&["option", "get", "woocommerce_cod_settings", "--format=json"]).await?;
    if stored.get("enabled").and_then(Value::as_str) != Some("yes") {
        return Err(unseen("cash on delivery"));
    }
    Ok(Progress::done())
}

pub(super) async fn products(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let wp = wp!(needs, context);
    let mut ids = Vec::new();
    for (number, (sku, name, price)) in PRODUCTS.iter().enumerate() {
        context.report(&format!("{} of {}: {name}", number + 1, PRODUCTS.len())).await?;
        let by_sku = format!("--sku={sku}");
        let mut id = wp.ok(&["wc", "product", "list", &by_sku, "--format=ids", "--user=1"]).await?;
        if id.is_empty() {
            let (name, price) = (format!("--name={name}"), format!("--regular_price={price}"));
            let create = ["wc", "product", "create", &name, "--type=simple", &price, "--status=publish", &by_sku];
            let create = [&create[..], &["--user=1", "--porcelain"]].concat();
            id = wp.ok(&create).await?;
            if id.parse::<u64>().is_err() {
                return Err(unseen(&format!("the creation of {sku}")));
            }
        }
        ids.push(id);
    }
    Ok(Progress::Done(json!({ "products": ids })))
}
