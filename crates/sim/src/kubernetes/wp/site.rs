//! What lies on the disks of a store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The contents of one disk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Volume {
    pub(crate) files: Option<Files>,
    pub(crate) database: Option<Database>,
}

/// WordPress's files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Files {
    /// The version of the core files.
    pub(crate) version: String,
    /// Installed plugins and their versions.
    pub(crate) plugins: BTreeMap<String, String>,
    /// Installed themes and their versions.
    pub(crate) themes: BTreeMap<String, String>,
    /// Files that somebody's code wrote, by their path in the site.
    #[serde(default)]
    pub(crate) written: BTreeMap<String, String>,
}

/// A MySQL server's data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Database {
    pub(crate) root_password: String,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) password: String,
    /// Sites by their table prefix.
    pub(crate) sites: BTreeMap<String, Site>,
    /// Whether the image still prepares it, by a server that answers on its socket alone.
    #[serde(default)]
    pub(crate) temporary: bool,
}

/// An installed site.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Site {
    pub(crate) options: BTreeMap<String, Value>,
    pub(crate) users: Vec<User>,
    pub(crate) pages: Vec<Page>,
    pub(crate) products: Vec<Product>,
    pub(crate) orders: Vec<Order>,
    pub(crate) last_id: u64,
}

/// A user of a site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) login: String,
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) role: String,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) slug: String,
}

/// A product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) slug: String,
    pub(crate) sku: String,
    pub(crate) regular_price: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) description: String,
    pub(crate) short_description: String,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrderLine {
    pub(crate) product: u64,
    pub(crate) name: String,
    pub(crate) quantity: u64,
    pub(crate) price: String,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) created: String,
    pub(crate) status: String,
    pub(crate) payment: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) address: String,
    pub(crate) lines: Vec<OrderLine>,
    pub(crate) total: String,
}

impl Site {
    /// The next id of a post, page, product or order.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// An option's text; empty when absent.
    pub(crate) fn option(&self, name: &str) -> &str {
        self.options.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether a plugin is active.
    pub(crate) fn is_active(&self, plugin: &str) -> bool {
        self.active().any(|active| active == plugin)
    }

    /// The slugs of active plugins.
    pub(crate) fn active(&self) -> impl Iterator<Item = &str> {
        let list = self.options.get("active_plugins").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(|file| file.split('/').next().unwrap_or(file))
    }

    /// Activates or deactivates a plugin.
    pub(crate) fn set_active(&mut self, plugin: &str, active: bool) {
        let mut files: Vec<String> =
            self.active().filter(|known| *known != plugin).map(|slug| format!("{slug}/{slug}.php")).collect();
        if active {
            files.push(format!("{plugin}/{plugin}.php"));
        }
        self.options.insert("active_plugins".to_owned(), json!(files));
    }

    /// Whether a page is the site's front page; without one the front shows the newest posts.
    pub(crate) fn is_front(&self, page: &Page) -> bool {
        self.option("show_on_front") == "page" && self.option("page_on_front") == page.id.to_string()
    }

    /// A published product by its slug.
    pub(crate) fn product(&self, slug: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.slug == slug && product.status == "publish")
    }

    /// Whether cash on delivery is offered.
    pub(crate) fn cash_on_delivery(&self) -> bool {
        self.options.get("woocommerce_cod_settings").and_then(|all| all.get("enabled")) == Some(&json!("yes"))
    }
}

/// A title as a path: lower case, words joined by hyphens.
pub(crate) fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}
