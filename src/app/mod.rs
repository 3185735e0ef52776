//! Use cases, one file a resource, called by every face: authorise, then write or start a flow.

pub mod applications;
pub mod audit;
pub mod background;
mod caller;
mod creation_limits;
mod dead_letters;
pub mod deployments;
pub mod events;
pub mod feed;
pub mod handlers;
mod health;
pub mod identity;
mod operations;
pub mod previews;
mod promotion;
mod provisioning;
mod refused;
mod removal;
mod requests;
pub mod runtime;
pub mod secrets;
pub mod stores;
mod teams;
pub mod variables;

pub use caller::Caller;
pub use creation_limits::CreationLimits;
pub use dead_letters::DeadLetter;
pub use health::Check;
pub use provisioning::Provisioning;

use crate::auth::{Devices, Passwords, RefreshTokens, Tokens};
use crate::bus::Bus;
use crate::cache::Cache;
use crate::config::Live;
use crate::db::Db;
use crate::domain::Result;

/// What the use cases work with. One for a process, made by the composition root; every face shares it.
pub struct App {
    pub db: Db,
    pub cache: Cache,
    pub bus: Bus,
    /// Issues and verifies access tokens.
    pub tokens: Tokens,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Keeps refresh tokens.
    pub refresh_tokens: RefreshTokens,
    /// Makes and reads device cookies.
    pub devices: Devices,
    /// Counts attempts to sign in.
    pub login_limits: identity::LoginLimits,
    /// Counts creations of stores.
    pub creation_limits: CreationLimits,
    /// How far the log of events goes.
    pub newest_event: feed::Newest,
    /// What configuration says now.
    pub config: Live,
    /// The flows and the cluster that they work on, where one is configured.
    pub provisioning: Option<Provisioning>,
}

impl App {
    /// The use cases over connections that are open already. `auth.signing_key` must be set.
    pub fn new(live: Live, db: Db, cache: Cache, bus: Bus) -> Result<Self> {
        let config = live.get();
        Ok(Self {
            db,
            tokens: Tokens::new(&config.auth)?,
            passwords: Passwords::new()?,
            refresh_tokens: RefreshTokens::new(cache.clone(), live.clone()),
            devices: Devices::new(&config.auth)?,
            login_limits: identity::LoginLimits::new(&cache, live.clone()),
            creation_limits: CreationLimits::new(&cache, live.clone()),
            newest_event: feed::Newest::default(),
            config: live,
            cache,
            provisioning: None,
            bus,
        })
    }

    /// The same use cases with flows and a cluster for them.
    pub fn with_provisioning(self, provisioning: Provisioning) -> Self {
        Self { provisioning: Some(provisioning), ..self }
    }
}
