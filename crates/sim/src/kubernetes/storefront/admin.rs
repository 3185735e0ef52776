//! `/wp-login.php` and `/wp-admin/`.

use axum::http::Method;
use sha2::{Digest, Sha256};

use super::html::{escape, plain, texturized};
use super::{Page, Visit};
use crate::kubernetes::wp::{OpenSite, Site};

const COOKIE: &str = "wordpress_logged_in_simulated";

/// The value of a login cookie: it ends with the password.
fn token(login: &str, password: &str) -> String {
    hex::encode(Sha256::digest(format!("{login}\u{0}{password}")))
}

fn logged_in(site: &Site, visit: &Visit) -> Option<String> {
    let cookie = visit.cookie(COOKIE)?;
    let (login, given) = cookie.split_once('|')?;
    let user = site.users.iter().find(|user| user.login == login)?;
    (token(&user.login, &user.password) == given).then(|| user.login.clone())
}

/// The login form, and the login.
pub(super) fn login(site: &Site, visit: &Visit, base: &str) -> Page {
    let fields = visit.fields();
    if fields.get("action").is_some_and(|action| action == "logout") {
        let gone = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly");
        return Page::redirect(format!("{base}/wp-login.php?loggedout=true")).with_cookie(gone);
    }
    let mut notice = String::new();
    if visit.method == Method::POST {
        let get = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let (name, password) = (get("log"), get("pwd"));
        let user = site.users.iter().find(|user| user.login == name || user.email == name);
        match user {
            Some(user) if user.password == password && !password.is_empty() => {
                let value = format!(
                    "{COOKIE}={}|{}; Path=/; HttpOnly; SameSite=Lax",
                    user.login,
                    token(&user.login, &user.password)
                );
                return Page::redirect(format!("{base}/wp-admin/")).with_cookie(value);
            }
            Some(_) => {
                let shown = escape(name);
                notice = format!("The password you entered for the username <strong>{shown}</strong> is incorrect.");
            }
            None => {
                let shown = escape(name);
                notice = format!("The username <strong>{shown}</strong> is not registered on this site.");
            }
        }
    }
    let notice = if notice.is_empty() {
        String::new()
    } else {
        format!("<p class=\"notice\" role=\"alert\"><strong>Error:</strong> {notice}</p>")
    };
    let body = format!(
        "<h1>{}</h1>{notice}<form name=\"loginform\" method=\"post\" action=\"{base}/wp-login.php\">\
         <label>Username or Email Address <input name=\"log\" id=\"user_login\" autocomplete=\"username\"></label>\
         <label>Password <input name=\"pwd\" id=\"user_pass\" type=\"password\" autocomplete=\"current-password\"></label>\
         <button type=\"submit\" id=\"wp-submit\">Log In</button></form><p><a href=\"{base}/\">&larr; Go to {}</a></p>",
        texturized(site.option("blogname")),
        texturized(site.option("blogname"))
    );
    let title = format!("Log In &lsaquo; {} &#8212; WordPress", texturized(site.option("blogname")));
    Page::html(200, plain(&title, &body))
}

/// The dashboard: what the site has, and its orders.
pub(super) fn dashboard(files: &OpenSite, site: &Site, visit: &Visit, base: &str) -> Page {
    let Some(user) = logged_in(site, visit) else {
        return Page::redirect(format!("{base}/wp-login.php?redirect_to=%2Fwp-admin%2F&reauth=1"));
    };
    let mut orders = String::new();
    for order in site.orders.iter().rev() {
        let items: Vec<String> =
            order.lines.iter().map(|line| format!("{} &times; {}", escape(&line.name), line.quantity)).collect();
        orders.push_str(&format!(
            "<tr><td>#{} {}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            order.id,
            escape(&order.name),
            escape(&order.created),
            escape(&order.status),
            items.join(", "),
            escape(&order.total)
        ));
    }
    let mut products = String::new();
    for product in &site.products {
        products.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&product.name),
            escape(&product.sku),
            escape(&product.regular_price),
            escape(&product.status)
        ));
    }
    let plugins: Vec<String> = files.files.plugins.iter().map(|(slug, version)| format!("{slug} {version}")).collect();
    let body = format!(
        "<p style=\"text-align:right\">Howdy, {} &middot; <a href=\"{base}/\">Visit Store</a> &middot; <a \
         href=\"{base}/wp-login.php?action=logout\">Log Out</a></p><h1>Dashboard</h1>\
         <p>WordPress {} running {} theme. Plugins: {}.</p>\
         <h2>Orders</h2><table><thead><tr><th>Order</th><th>Date</th><th>Status</th><th>Items</th><th>Total</th></tr>\
         </thead><tbody>{orders}</tbody></table>\
         <h2>Products</h2><table><thead><tr><th>Name</th><th>SKU</th><th>Price</th><th>Status</th></tr></thead>\
         <tbody>{products}</tbody></table>",
        escape(&user),
        escape(&files.files.version),
        escape(site.option("stylesheet")),
        escape(&plugins.join(", "))
    );
    let title = format!("Dashboard &lsaquo; {} &#8212; WordPress", texturized(site.option("blogname")));
    Page::html(200, plain(&title, &body))
}
