//! What WooCommerce adds to a site: its options and pages, `wp wc tool`, `wp wc payment_gateway`, orders.

use serde_json::{Value, json};

use super::cli::{Answer, Call};
use super::print::table;
use super::products::denied;
use super::site::{Order, Page, Site};
use super::users::privileged;
use crate::kubernetes::exec::Output;

const PAGES: &[(&str, &str)] =
    &[("Shop", "shop"), ("Cart", "cart"), ("Checkout", "checkout"), ("My account", "my-account")];

/// What activation leaves in the options.
pub(super) fn activated(site: &mut Site, version: &str) {
    let defaults = [
        ("woocommerce_version", json!(version)),
        ("woocommerce_currency", json!("USD")),
        ("woocommerce_default_country", json!("US:CA")),
        ("woocommerce_store_address", json!("")),
        // New stores hide behind a "coming soon" page until they are told not to.
        ("woocommerce_coming_soon", json!("yes")),
        ("woocommerce_onboarding_profile", json!({})),
    ];
    for (name, value) in defaults {
        site.options.entry(name.to_owned()).or_insert(value);
    }
    install_pages(site);
}

/// The lock of whoever sets WooCommerce up. It lasts ten minutes, whatever has become of who holds it.
const LOCK: &str = "_transient_wc_installing";

/// WooCommerce as it is left when it is killed while it sets itself up at its activation.
pub(super) fn begun(site: &mut Site) {
    site.set_active("woocommerce", false);
    site.options.retain(|name, _| !name.starts_with("woocommerce_"));
    site.pages.retain(|page| !PAGES.iter().any(|(_, slug)| page.slug == *slug));
    site.options.insert(LOCK.to_owned(), json!("yes"));
}

/// What WooCommerce does at each request: sets itself up where that was not done, unless somebody is about to.
pub(super) fn booted(site: &mut Site, version: Option<&String>) {
    if let Some(version) = version
        && site.is_active("woocommerce")
        && !set_up(site)
        && !site.options.contains_key(LOCK)
    {
        activated(site, version);
    }
}

/// Whether WooCommerce has its tables and roles.
pub(super) fn set_up(site: &Site) -> bool {
    site.options.contains_key("woocommerce_version")
}

/// `wp transient delete <key>`.
pub(super) fn transient(call: &mut Call, action: &str) -> Answer {
    if action != "delete" {
        return Err(format!(
            "'{action}' is not a registered subcommand of 'transient'. See 'wp help transient' for available subcommands."
        ));
    }
    let key = call.need(2, "transient delete [<key>] [--network] [--all] [--expired]")?;
    if call.tables()?.options.remove(&format!("_transient_{key}")).is_some() {
        return Ok(Output::ok("Success: Transient deleted."));
    }
    let mut output = Output::silent(0);
    output.stderr = "Warning: Transient was not deleted; however, the transient does not appear to exist.\n".to_owned();
    Ok(output)
}

fn install_pages(site: &mut Site) {
    for (title, slug) in PAGES {
        let existing = site.pages.iter().find(|page| page.slug == *slug).map(|page| page.id);
        let id = existing.unwrap_or_else(|| {
            let id = site.next_id();
            site.pages.push(Page { id, title: (*title).to_owned(), slug: (*slug).to_owned() });
            id
        });
        let option = format!("woocommerce_{}_page_id", slug.replace("my-account", "myaccount"));
        site.options.insert(option, json!(id.to_string()));
    }
}

/// `wp wc <command>` but for products.
pub(super) fn command(call: &mut Call, rest: &[&str]) -> Answer {
    match rest {
        ["tool", action @ ("list" | "run")] => {
            if !privileged(call)? {
                return Err(denied(if *action == "list" { "list" } else { "update" }));
            }
            if !set_up(call.tables()?) {
                return Err("Sorry, you cannot update resource. {\"status\":403}".to_owned());
            }
            tool(call, action)
        }
        ["payment_gateway", action @ ("list" | "get" | "update")] => {
            if !privileged(call)? {
                return Err(denied(action));
            }
            gateway(call, action)
        }
        ["shop_order", action @ ("list" | "get" | "delete")] => {
            if !privileged(call)? {
                return Err(denied(action));
            }
            orders(call, action)
        }
        ["update", ..] => Ok(Output::ok("Success: No updates required. Database version is current.")),
        _ => Err(format!(
            "'{}' is not a registered subcommand of 'wc'. See 'wp help wc' for available subcommands.",
            rest.first().copied().unwrap_or_default()
        )),
    }
}

fn tool(call: &mut Call, action: &str) -> Answer {
    let tools = [
        ("install_pages", "Create default WooCommerce pages"),
        ("clear_transients", "WooCommerce transients"),
        ("recount_terms", "Term counts"),
    ];
    if action == "list" {
        let rows: Vec<Value> = tools.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
        return table(&call.args.clone(), &rows, &["id", "name"], "id");
    }
    let id = call.need(3, "wc tool run <id>")?;
    if !tools.iter().any(|(known, _)| *known == id) {
        return Err("Invalid tool ID. {\"status\":404}".to_owned());
    }
    if id == "install_pages" {
        install_pages(call.tables()?);
    }
    Ok(Output::ok(format!("Success: Updated system_status_tool {id}.")))
}

fn gateway(call: &mut Call, action: &str) -> Answer {
    let args = call.args.clone();
    let known = [("bacs", "Direct bank transfer"), ("cheque", "Check payments"), ("cod", "Cash on delivery")];
    let enabled = |site: &Site, id: &str| {
        site.options.get(&format!("woocommerce_{id}_settings")).and_then(|all| all.get("enabled"))
            == Some(&json!("yes"))
    };
    if action == "list" {
        let site = call.tables()?;
        let rows: Vec<Value> =
            known.iter().map(|(id, title)| json!({"id": id, "title": title, "enabled": enabled(site, id)})).collect();
        return table(&args, &rows, &["id", "title", "enabled"], "id");
    }
    let id = call.need(3, "wc payment_gateway update <id> [--enabled=<enabled>]")?;
    let Some((_, title)) = known.iter().find(|(name, _)| *name == id) else {
        return Err("Resource does not exist. {\"status\":404}".to_owned());
    };
    let site = call.tables()?;
    if action == "get" {
        let row = json!({"id": id, "title": title, "enabled": enabled(site, &id)});
        return table(&args, &[row], &["id", "title", "enabled"], "id");
    }
    if let Some(flag) = args.value("enabled") {
        let settings = site
            .options
            .entry(format!("woocommerce_{id}_settings"))
            .or_insert_with(|| json!({"enabled": "no", "title": title}));
        if let Some(map) = settings.as_object_mut() {
            map.insert("enabled".to_owned(), json!(if matches!(flag, "true" | "1" | "yes") { "yes" } else { "no" }));
        }
    }
    Ok(Output::ok(format!("Success: Updated payment_gateway {id}.")))
}

fn order_row(order: &Order) -> Value {
    json!({
        "id": order.id, "status": order.status, "total": order.total, "payment_method": order.payment,
        "date_created": order.created, "billing_name": order.name, "billing_email": order.email,
    })
}

fn orders(call: &mut Call, action: &str) -> Answer {
    let args = call.args.clone();
    let columns = ["id", "status", "total", "payment_method", "date_created"];
    let id = call.args.word(3).map(str::to_owned);
    let site = call.tables()?;
    if action == "list" {
        let rows: Vec<Value> = site.orders.iter().rev().map(order_row).collect();
        return table(&args, &rows, &columns, "id");
    }
    let found = site.orders.iter().find(|order| Some(order.id.to_string()) == id).cloned();
    let found = found.ok_or_else(|| "Invalid ID. {\"status\":404}".to_owned())?;
    if action == "delete" {
        site.orders.retain(|order| order.id != found.id);
        return Ok(Output::ok(format!("Success: Deleted shop_order {}.", found.id)));
    }
    table(&args, &[order_row(&found)], &columns, "id")
}
