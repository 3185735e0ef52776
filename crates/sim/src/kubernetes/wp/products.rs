//! `wp wc product`.

use serde_json::{Value, json};

use super::cli::{Answer, Call};
use super::print::table;
use super::shop;
use super::site::{Product, Site, slug};
use super::users::privileged;
use crate::kubernetes::exec::Output;

const HINT: &str = "Make sure to include the --user flag with an account that has permissions for this action.";
const COLUMNS: &[&str] = &["id", "name", "slug", "type", "status", "sku", "price", "regular_price"];

/// The refusal of a call without a user who may do it.
pub(super) fn denied(verb: &str) -> String {
    let text = match verb {
        "list" => "Sorry, you cannot list resources.",
        "get" => "Sorry, you cannot view this resource.",
        "delete" => "Sorry, you are not allowed to delete this resource.",
        "update" => "Sorry, you are not allowed to edit this resource.",
        _ => "Sorry, you are not allowed to create resources.",
    };
    format!("{text} {{\"status\":401}}\n{HINT}")
}

/// `wp wc product <action>`.
pub(super) fn product(call: &mut Call, action: &str) -> Answer {
    if !privileged(call)? {
        return Err(denied(action));
    }
    if !shop::set_up(call.tables()?) {
        // The roles that may are made when WooCommerce is set up.
        let what = if action == "list" { "you cannot list" } else { "you are not allowed to create" };
        return Err(format!("Sorry, {what} resources. {{\"status\":403}}"));
    }
    match action {
        "create" => create(call),
        "list" => list(call),
        "get" => {
            let id = call.need(3, "wc product get <id> [--format=<format>]")?;
            let args = call.args.clone();
            let found = find(call.tables()?, &id)?.clone();
            if args.value("format") == Some("json") {
                return Ok(Output::ok(row(&found).to_string()));
            }
            table(&args, &[row(&found)], COLUMNS, "id")
        }
        "update" => update(call),
        "delete" => {
            let id = call.need(3, "wc product delete <id> [--force=<force>]")?;
            let porcelain = call.args.has("porcelain");
            let site = call.tables()?;
            let found = find(site, &id)?.id;
            site.products.retain(|product| product.id != found);
            let text = format!("Success: Deleted product {found}.");
            Ok(Output::ok(if porcelain { found.to_string() } else { text }))
        }
        _ => Err(format!(
            "'{action}' is not a registered subcommand of 'wc product'. See 'wp help wc product' for available \
             subcommands."
        )),
    }
}

fn find<'a>(site: &'a mut Site, id: &str) -> Result<&'a mut Product, String> {
    site.products
        .iter_mut()
        .find(|product| product.id.to_string() == id)
        .ok_or_else(|| "Invalid ID. {\"status\":404}".to_owned())
}

fn row(product: &Product) -> Value {
    json!({
        "id": product.id, "name": product.name, "slug": product.slug, "type": product.kind,
        "status": product.status, "sku": product.sku, "price": product.regular_price,
        "regular_price": product.regular_price, "description": product.description,
        "short_description": product.short_description,
    })
}

fn price(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.parse::<f64>().is_ok_and(|amount| amount >= 0.0 && amount.is_finite());
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!("Invalid parameter(s): regular_price ({text}) {{\"status\":400}}"))
    }
}

fn unique(site: &Site, sku: &str, except: u64) -> Result<(), String> {
    match site.products.iter().find(|product| product.sku == sku && product.id != except) {
        Some(other) if !sku.is_empty() => Err(format!(
            "Invalid or duplicated SKU. {{\"status\":400,\"resource_id\":{},\"unique_sku\":\"{sku}-1\"}}",
            other.id
        )),
        _ => Ok(()),
    }
}

fn create(call: &mut Call) -> Answer {
    let args = call.args.clone();
    let value = |name: &str, default: &str| args.value(name).unwrap_or(default).to_owned();
    let name = value("name", "Product");
    let kind = value("type", "simple");
    if !matches!(kind.as_str(), "simple" | "grouped" | "external" | "variable") {
        return Err(format!("Invalid parameter(s): type {{\"status\":400,\"params\":{{\"type\":\"{kind}\"}}}}"));
    }
    let status = value("status", "publish");
    if !matches!(status.as_str(), "draft" | "pending" | "private" | "publish" | "future") {
        return Err(format!("Invalid parameter(s): status {{\"status\":400,\"params\":{{\"status\":\"{status}\"}}}}"));
    }
    let regular_price = match args.value("regular_price") {
        Some(text) => price(text)?,
        None => String::new(),
    };
    let sku = value("sku", "");
    let site = call.tables()?;
    unique(site, &sku, 0)?;
    let id = site.next_id();
    let base = slug(args.value("slug").unwrap_or(&name));
    let mut path = base.clone();
    let mut number = 2;
    while site.products.iter().any(|product| product.slug == path) {
        path = format!("{base}-{number}");
        number += 1;
    }
    site.products.push(Product {
        id,
        name,
        slug: path,
        sku,
        regular_price,
        kind,
        status,
        description: value("description", ""),
        short_description: value("short_description", ""),
    });
    Ok(Output::ok(if args.has("porcelain") { id.to_string() } else { format!("Success: Created product {id}.") }))
}

fn update(call: &mut Call) -> Answer {
    let id = call.need(3, "wc product update <id> [--name=<name>] [--regular_price=<price>]")?;
    let args = call.args.clone();
    let site = call.tables()?;
    let own = find(site, &id)?.id;
    if let Some(sku) = args.value("sku") {
        unique(site, sku, own)?;
    }
    let product = find(site, &id)?;
    for (name, value) in args.values() {
        match name {
            "name" => product.name = value.to_owned(),
            "sku" => product.sku = value.to_owned(),
            "regular_price" => product.regular_price = price(value)?,
            "status" => product.status = value.to_owned(),
            "description" => product.description = value.to_owned(),
            "short_description" => product.short_description = value.to_owned(),
            _ => {}
        }
    }
    Ok(Output::ok(format!("Success: Updated product {own}.")))
}

fn list(call: &mut Call) -> Answer {
    let args = call.args.clone();
    let site = call.tables()?;
    let wanted = |product: &&Product| {
        args.value("sku").is_none_or(|sku| sku.split(',').any(|sku| sku == product.sku))
            && args.value("status").is_none_or(|status| status == "any" || status == product.status)
            && args.value("slug").is_none_or(|slug| slug == product.slug)
            && args.value("search").is_none_or(|text| product.name.to_lowercase().contains(&text.to_lowercase()))
    };
    // Ten a page, the newest first, as the REST API lists.
    let page_size = args.value("per_page").and_then(|text| text.parse().ok()).unwrap_or(10);
    let rows: Vec<Value> = site.products.iter().rev().filter(wanted).take(page_size).map(row).collect();
    table(&args, &rows, COLUMNS, "id")
}
