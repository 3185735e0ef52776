//! The frame of a page, and escaping.

use crate::kubernetes::wp::Site;

/// Text with the characters that mean something in HTML replaced.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#039;"),
            _ => out.push(c),
        }
    }
    out
}

/// A title as WordPress sets it (`wptexturize`): it is kept with its entities, and shown with a typographer's quotes and
/// dashes.
pub(super) fn texturized(text: &str) -> String {
    text.replace("&#039;", "&#8217;")
        .replace("&quot;", "&#8221;")
        .replace("---", "&#8212;")
        .replace("--", "&#8211;")
        .replace("...", "&#8230;")
}

const STYLE: &str = "body{margin:0;font:16px/1.5 system-ui,sans-serif;color:#43454b;background:#fff}\
    header,main,footer{max-width:66rem;margin:0 auto;padding:1rem 1.5rem}\
    header{display:flex;flex-wrap:wrap;gap:1rem;align-items:baseline;border-bottom:1px solid #e6e6e6}\
    header .title{font-size:1.6rem;font-weight:700;color:#333;text-decoration:none;margin-right:auto}\
    nav a{margin-left:1rem}a{color:#7f54b3}\
    ul.products{list-style:none;padding:0;display:grid;gap:1.5rem;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr))}\
    li.product{border:1px solid #e6e6e6;border-radius:.4rem;padding:1rem}\
    li.product h2{font-size:1.1rem;margin:.5rem 0}.price{color:#333;font-weight:600}\
    .tile{height:9rem;border-radius:.3rem;background:linear-gradient(135deg,#ede7f6,#d1c4e9)}\
    .button,button{display:inline-block;background:#333;color:#fff;border:0;border-radius:.2rem;padding:.6rem 1rem;\
    text-decoration:none;font:inherit;cursor:pointer}\
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.5rem;border-bottom:1px solid #e6e6e6}\
    label{display:block;margin:.6rem 0}input,textarea{font:inherit;padding:.4rem;width:100%;max-width:26rem;box-sizing:border-box}\
    .notice{background:#f0f6fc;border-left:4px solid #2271b1;padding:.6rem 1rem}\
    footer{color:#777;font-size:.9rem;border-top:1px solid #e6e6e6;margin-top:2rem}";

/// A page without a site's frame.
pub(super) fn plain(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\"><head><meta charset=\"UTF-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main>{body}</main></body></html>\n"
    )
}

/// A page in the frame of the shop.
pub(super) fn page(site: &Site, base: &str, title: &str, body: &str, items: u64) -> String {
    let name = texturized(site.option("blogname"));
    let theme = escape(site.option("stylesheet"));
    let title = if title.is_empty() { name.clone() } else { format!("{} &#8211; {name}", escape(title)) };
    let mut links = String::new();
    for page in
        site.pages.iter().filter(|page| matches!(page.slug.as_str(), "shop" | "cart" | "checkout" | "my-account"))
    {
        let count = if page.slug == "cart" && items > 0 { format!(" ({items})") } else { String::new() };
        links.push_str(&format!("<a href=\"{base}/{}/\">{}{count}</a>", page.slug, escape(&page.title)));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\"><head><meta charset=\"UTF-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><meta name=\"generator\" content=\"WooCommerce {version}\">\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body class=\"theme-{theme} woocommerce\"><header><a class=\"title\" href=\"{base}/\">{name}</a>\
         <nav aria-label=\"Main\">{links}</nav></header><main>{body}</main>\
         <footer>&copy; {name} &middot; Built with {theme_name} &amp; WooCommerce</footer></body></html>\n",
        version = escape(site.option("woocommerce_version")),
        theme_name = if theme == "storefront" { "Storefront" } else { theme.as_str() },
    )
}
