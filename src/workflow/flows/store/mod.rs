//! WooCommerce stores: `store.create` and `store.delete`.
//!
//! A store is a namespace of its own. Its steps apply objects by server-side apply and run WP-CLI in a sidecar; each
//! looks at the world first, so that doing it again finds its own effect. Passwords live in the namespace's Secrets
//! only: they are in no journal, argument, log line or error.

mod cluster;
mod install;
mod manifests;
pub mod names;
mod network;
mod observe;
mod page;
mod remove;
mod verify;
mod wait;
mod wp;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::flow::{Flow, Limits, Step, StepContext};
use crate::config;
use crate::domain::{Redacted, Result, StoreId};
use crate::vendors::kubernetes::Client;

pub use manifests::ADMIN_PATH;
pub use verify::{trouble, visit};

/// The kind of the operation that makes a store.
pub const CREATE: &str = "store.create";
/// The kind of the operation that removes one.
pub const DELETE: &str = "store.delete";
/// The subject type of both.
pub const SUBJECT: &str = "store";

/// What the steps of a store need.
#[derive(Debug, Clone)]
pub struct Needs {
    pub kubernetes: Client,
    /// Images, sizes, addresses and limits.
    pub settings: config::Stores,
    /// How often something that is waited for is looked at.
    pub poll: Duration,
}

/// The input of both flows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The store's public id, which is its namespace.
    pub store_id: StoreId,
    /// The store's name, as its owner typed it.
    pub name: String,
    /// The address under which customers reach it.
    pub url: String,
}

/// One step's view: the operation's input and what the flow needs.
struct Shop {
    needs: Arc<Needs>,
    input: Input,
}

impl Shop {
    fn new(needs: Arc<Needs>, context: &StepContext) -> Result<Self> {
        Ok(Self { needs, input: context.input()? })
    }

    fn namespace(&self) -> &str {
        self.input.store_id.as_str()
    }

    fn kubernetes(&self) -> &Client {
        &self.needs.kubernetes
    }

    fn settings(&self) -> &config::Stores {
        &self.needs.settings
    }
}

/// `store.create`, version 1.
pub fn create(needs: &Arc<Needs>) -> Flow {
    let settings = &needs.settings;
    // A command may download a plugin; a step has a few commands.
    let commands = Limits { timeout: settings.command_timeout * 2, attempts: 5, ..Limits::default() };
    let steps = vec![
        Step::new("namespace", "Create the namespace", needs, cluster::namespace).undo(needs, remove::namespace_gone),
        Step::new("quota", "Set the resource quota", needs, cluster::quota),
        Step::new("secrets", "Generate the credentials", needs, cluster::secrets),
        Step::new("volumes", "Claim the volumes", needs, cluster::volumes),
        Step::new("mysql", "Deploy MySQL", needs, cluster::mysql),
        Step::new("mysql-ready", "Wait for MySQL", needs, wait::mysql).deadline(settings.mysql_ready_timeout),
        Step::new("wordpress", "Deploy WordPress", needs, cluster::wordpress),
        Step::new("wordpress-ready", "Wait for WordPress", needs, wait::wordpress)
            .deadline(settings.wordpress_ready_timeout),
        Step::new("core", "Install WordPress", needs, install::core).limits(commands),
        Step::new("woocommerce", "Install WooCommerce", needs, install::woocommerce).limits(commands),
        Step::new("theme", "Install the Storefront theme", needs, install::theme).limits(commands),
        Step::new("settings", "Configure the shop", needs, install::settings).limits(commands),
        Step::new("payments", "Enable cash on delivery", needs, install::payments).limits(commands),
        Step::new("products", "Create the sample products", needs, install::products).limits(commands),
        Step::new("ingress", "Publish the address", needs, cluster::ingress),
        Step::new("verify", "Check the storefront", needs, verify::storefront)
            .limits(commands)
            .deadline(Duration::from_secs(5 * 60)),
    ];
    Flow::new(CREATE, 1, steps).observed_by(observe::creation())
}

/// `store.delete`, version 1.
pub fn delete(needs: &Arc<Needs>) -> Flow {
    let settings = &needs.settings;
    let steps = vec![
        Step::new("stop", "Stop what is still running", needs, remove::others_stopped)
            .deadline(settings.delete_timeout),
        Step::new("namespace", "Delete the namespace", needs, remove::namespace),
        Step::new("gone", "Wait until all of it is gone", needs, remove::namespace_gone)
            .deadline(settings.delete_timeout),
    ];
    Flow::new(DELETE, 1, steps).not_cancellable().observed_by(observe::deletion())
}

/// The address of a store under the configured domain.
pub fn url(settings: &config::Stores, id: &StoreId) -> String {
    let port = settings.public_port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}.{}{port}", settings.scheme, id, settings.base_domain)
}

/// What a new store's Secrets hold, from the operating system's secure source.
fn password() -> Redacted {
    const LENGTH: usize = 24;
    const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let mut rng = rand::rng();
    let characters = (0..LENGTH).filter_map(|_| rand::seq::IndexedRandom::choose(ALPHABET, &mut rng));
    Redacted::new(characters.map(|byte| char::from(*byte)).collect())
}
