//! The shop: products, cart, checkout. The cart lives in a cookie; an order in the site's database.

use std::collections::BTreeMap;

use axum::http::Method;

use super::html::{escape, page};
use super::{Page, Visit, yes};
use crate::kubernetes::clock;
use crate::kubernetes::wp::{Order, OrderLine, Product, Site};

const CART: &str = "simulated_cart";

/// Products by id and how many of each.
type Cart = BTreeMap<u64, u64>;

fn cart(site: &Site, visit: &Visit) -> Cart {
    let text = visit.cookie(CART).unwrap_or_default();
    text.split('.')
        .filter_map(|entry| {
            let (id, count) = entry.split_once('x')?;
            let id: u64 = id.parse().ok()?;
            let known = site.products.iter().any(|product| product.id == id);
            known.then_some((id, count.parse::<u64>().ok()?.min(999)))
        })
        .collect()
}

fn cookie(cart: &Cart) -> String {
    let entries: Vec<String> = cart.iter().map(|(id, count)| format!("{id}x{count}")).collect();
    format!("{CART}={}; Path=/; HttpOnly; SameSite=Lax", entries.join("."))
}

/// An amount in hundredths.
fn cents(price: &str) -> u64 {
    price.parse::<f64>().map_or(0, |amount| (amount * 100.0).round().max(0.0) as u64)
}

fn decimal(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn money(site: &Site, cents: u64) -> String {
    let sign = match site.option("woocommerce_currency") {
        "EUR" => "&euro;",
        "GBP" => "&pound;",
        _ => "&#36;",
    };
    format!("<span class=\"woocommerce-Price-amount amount\">{sign}{}</span>", decimal(cents))
}

/// Serves the visitor's side of the site.
pub(super) fn serve(site: &mut Site, visit: &Visit, base: &str, path: &str) -> Page {
    if !site.is_active("woocommerce") {
        return blog(site, base, path);
    }
    if yes(site.options.get("woocommerce_coming_soon")) {
        let body = "<h1>Great things are on the horizon</h1><p>Something big is brewing! Our store is in the works and \
                    will be launching soon!</p>";
        return Page::html(200, page(site, base, "Coming soon", body, 0));
    }
    let mut basket = cart(site, visit);
    let fields = visit.fields();
    if let Some(id) = fields.get("add-to-cart").and_then(|id| id.parse::<u64>().ok()) {
        if site.products.iter().any(|product| product.id == id && product.status == "publish") {
            *basket.entry(id).or_default() += 1;
        }
        return Page::redirect(format!("{base}/cart/")).with_cookie(cookie(&basket));
    }
    let items = basket.values().sum();
    // Without permalinks a page is reached by its number alone.
    if !path.is_empty() && site.option("permalink_structure").is_empty() {
        return other(site, base, "/", items);
    }
    match path {
        "" if !site.pages.iter().any(|page| page.slug == "shop" && site.is_front(page)) => blog(site, base, path),
        "" | "/shop" => Page::html(200, page(site, base, "", &listing(site, base), items)),
        "/cart" => {
            if let Some(id) = fields.get("remove_item").and_then(|id| id.parse::<u64>().ok()) {
                basket.remove(&id);
                return Page::redirect(format!("{base}/cart/")).with_cookie(cookie(&basket));
            }
            Page::html(200, page(site, base, "Cart", &basket_page(site, base, &basket), items))
        }
        "/checkout" if visit.method == Method::POST => order(site, base, &basket, &fields),
        "/checkout" => Page::html(200, page(site, base, "Checkout", &checkout(site, base, &basket, ""), items)),
        "/my-account" => {
            let body = format!("<h1>My account</h1><p><a href=\"{base}/wp-login.php\">Log in</a></p>");
            Page::html(200, page(site, base, "My account", &body, items))
        }
        _ => {
            if let Some(id) = path.strip_prefix("/checkout/order-received/") {
                return received(site, base, id);
            }
            let slug = path.strip_prefix("/product/").unwrap_or_default();
            match site.product(slug) {
                Some(product) => {
                    let body = product_page(site, base, product);
                    Page::html(200, page(site, base, &product.name, &body, items))
                }
                None => other(site, base, path, items),
            }
        }
    }
}

fn blog(site: &Site, base: &str, path: &str) -> Page {
    match path {
        "" => {
            let body = "<h1>Blog</h1><article><h2>Hello world!</h2><p>Welcome to WordPress. This is your first \
                        post.</p></article>";
            Page::html(200, page(site, base, "", body, 0))
        }
        _ => other(site, base, path, 0),
    }
}

fn other(site: &Site, base: &str, path: &str, items: u64) -> Page {
    let slug = path.trim_matches('/');
    match site.pages.iter().find(|known| known.slug == slug) {
        Some(found) => {
            let body = format!("<h1>{}</h1>", escape(&found.title));
            Page::html(200, page(site, base, &found.title, &body, items))
        }
        None => {
            let body = "<h1>Oops! That page can&rsquo;t be found.</h1>";
            Page::html(404, page(site, base, "Page not found", body, items))
        }
    }
}

fn listing(site: &Site, base: &str) -> String {
    let mut products = String::new();
    for product in site.products.iter().filter(|product| product.status == "publish") {
        let (name, slug) = (escape(&product.name), escape(&product.slug));
        products.push_str(&format!(
            "<li class=\"product\"><div class=\"tile\" aria-hidden=\"true\"></div><h2><a \
             href=\"{base}/product/{slug}/\">{name}</a></h2><p class=\"price\">{}</p><a class=\"button\" \
             href=\"{base}/?add-to-cart={}\" aria-label=\"Add {name} to your cart\">Add to cart</a></li>",
            money(site, cents(&product.regular_price)),
            product.id
        ));
    }
    if products.is_empty() {
        return "<h1>Shop</h1><p class=\"woocommerce-info\">No products were found matching your selection.</p>"
            .to_owned();
    }
    format!("<h1>Shop</h1><ul class=\"products\">{products}</ul>")
}

fn product_page(site: &Site, base: &str, product: &Product) -> String {
    format!(
        "<div class=\"tile\" aria-hidden=\"true\"></div><h1 class=\"product_title\">{}</h1><p class=\"price\">{}</p>\
         <p>{}</p><p><a class=\"button\" href=\"{base}/?add-to-cart={}\">Add to cart</a></p><p>SKU: {}</p>",
        escape(&product.name),
        money(site, cents(&product.regular_price)),
        escape(&product.description),
        product.id,
        escape(&product.sku)
    )
}

fn lines(site: &Site, basket: &Cart) -> Vec<OrderLine> {
    basket
        .iter()
        .filter_map(|(id, count)| {
            let product = site.products.iter().find(|product| product.id == *id)?;
            Some(OrderLine {
                product: *id,
                name: product.name.clone(),
                quantity: *count,
                price: product.regular_price.clone(),
            })
        })
        .collect()
}

fn total(lines: &[OrderLine]) -> u64 {
    lines.iter().map(|line| cents(&line.price) * line.quantity).sum()
}

fn line_table(site: &Site, base: &str, lines: &[OrderLine], removable: bool) -> String {
    let mut rows = String::new();
    for line in lines {
        let remove = if removable {
            format!(
                "<td><a href=\"{base}/cart/?remove_item={}\" aria-label=\"Remove {} from cart\">&times;</a></td>",
                line.product,
                escape(&line.name)
            )
        } else {
            String::new()
        };
        rows.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td>{remove}</tr>",
            escape(&line.name),
            line.quantity,
            money(site, cents(&line.price) * line.quantity)
        ));
    }
    let spare = if removable { "<th></th>" } else { "" };
    format!(
        "<table><thead><tr><th>Product</th><th>Quantity</th><th>Subtotal</th>{spare}</tr></thead><tbody>{rows}</tbody>\
         </table><p class=\"price\">Total: {}</p>",
        money(site, total(lines))
    )
}

fn basket_page(site: &Site, base: &str, basket: &Cart) -> String {
    let lines = lines(site, basket);
    if lines.is_empty() {
        return format!(
            "<h1>Cart</h1><p>Your cart is currently empty.</p><a class=\"button\" href=\"{base}/shop/\">Return to shop</a>"
        );
    }
    format!(
        "<h1>Cart</h1>{}<a class=\"button\" href=\"{base}/checkout/\">Proceed to checkout</a>",
        line_table(site, base, &lines, true)
    )
}

fn checkout(site: &Site, base: &str, basket: &Cart, complaint: &str) -> String {
    let lines = lines(site, basket);
    if lines.is_empty() {
        return format!(
            "<h1>Checkout</h1><p>Your cart is currently empty.</p><a href=\"{base}/shop/\">Return to shop</a>"
        );
    }
    let payment = if site.cash_on_delivery() {
        "<label><input type=\"radio\" name=\"payment_method\" value=\"cod\" checked style=\"width:auto\"> Cash on \
         delivery</label>"
    } else {
        "<p class=\"notice\">Sorry, it seems that there are no available payment methods.</p>"
    };
    let notice = if complaint.is_empty() {
        String::new()
    } else {
        format!("<p class=\"notice\" role=\"alert\">{complaint}</p>")
    };
    format!(
        "<h1>Checkout</h1>{notice}<form method=\"post\" action=\"{base}/checkout/\">\
         <label>Name <input name=\"billing_name\" required autocomplete=\"name\"></label>\
         <label>Email <input name=\"billing_email\" type=\"email\" required autocomplete=\"email\"></label>\
         <label>Address <textarea name=\"billing_address\" required autocomplete=\"street-address\"></textarea></label>\
         <h2>Your order</h2>{}{payment}<button type=\"submit\">Place order</button></form>",
        line_table(site, base, &lines, false)
    )
}

fn order(site: &mut Site, base: &str, basket: &Cart, fields: &BTreeMap<String, String>) -> Page {
    let field = |name: &str| fields.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
    let (name, email, address) = (field("billing_name"), field("billing_email"), field("billing_address"));
    let complaint = if basket.is_empty() {
        "Your cart is currently empty."
    } else if name.is_empty() || address.is_empty() || !email.contains('@') {
        "Name, a valid email address and an address are required."
    } else if !site.cash_on_delivery() || field("payment_method") != "cod" {
        "Invalid payment method."
    } else {
        ""
    };
    if !complaint.is_empty() {
        let items = basket.values().sum();
        return Page::html(200, page(site, base, "Checkout", &checkout(site, base, basket, complaint), items));
    }
    let lines = lines(site, basket);
    let id = site.next_id();
    site.orders.push(Order {
        id,
        created: clock::now(),
        status: "processing".to_owned(),
        payment: "cod".to_owned(),
        name,
        email,
        address,
        total: decimal(total(&lines)),
        lines,
    });
    Page::redirect(format!("{base}/checkout/order-received/{id}/")).with_cookie(cookie(&Cart::new()))
}

fn received(site: &Site, base: &str, id: &str) -> Page {
    let Some(order) = site.orders.iter().find(|order| order.id.to_string() == id) else {
        return other(site, base, "/checkout/order-received", 0);
    };
    let body = format!(
        "<h1>Order received</h1><p>Thank you. Your order has been received.</p><p>Order number: <strong>{}</strong></p>\
         {}<p>Payment method: Cash on delivery</p>",
        order.id,
        line_table(site, base, &order.lines, false)
    );
    Page::html(200, page(site, base, "Order received", &body, 0))
}
