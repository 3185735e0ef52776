//! What an installation may set: one small struct a concern, layered, checked once, and reloaded while running.
//!
//! Later layers win: defaults, the configuration file (YAML or JSON, named by `NORTHSTACK_CONFIG` or
//! `--config`), then environment variables `NORTHSTACK_<SECTION>__<FIELD>`. Unknown keys are refused.
//! The structs are the one definition: the environment reader, `.env.example`,
//! `config/config.example.yaml` and `northstack config show` are derived from them.

mod actions;
mod applications;
mod argocd;
mod auth;
mod cache;
mod coolify;
mod database;
mod durations;
mod engine;
mod fields;
mod hasura;
mod kubernetes;
mod layers;
mod live;
mod nats;
mod observability;
mod problems;
mod rancher;
mod rate_limits;
mod reload;
mod secrets;
mod server;
mod show;
mod stores;
mod worker;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use actions::Actions;
pub use applications::Applications;
pub use argocd::Argocd;
pub use auth::Auth;
pub use cache::Cache;
pub use coolify::Coolify;
pub use database::{Database, SslMode, split_host_port};
pub use engine::Engine;
pub use fields::{Field, Kind, fields, schema};
pub use hasura::{Hasura, HasuraMode};
pub use kubernetes::Kubernetes;
pub use layers::{Loaded, Loader, Purpose};
pub use live::Live;
pub use nats::Nats;
pub use observability::{LogFormat, Observability};
pub use problems::{Problem, Problems};
pub use rancher::Rancher;
pub use rate_limits::RateLimits;
pub use reload::{Reloaded, Reloader};
pub use secrets::Secrets;
pub use server::Server;
pub use show::{Shown, example_env, example_yaml, show};
pub use stores::Stores;
pub use worker::Worker;

/// Everything that an installation may set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP listener of the API and of the portal.
    pub server: Server,
    /// The SQL database: YugabyteDB YSQL (production) or PostgreSQL 15.
    pub database: Database,
    /// The cache: DragonflyDB (production) or Redis 7. It may be lost at any time without loss of data.
    pub cache: Cache,
    /// The event bus: NATS with JetStream.
    pub nats: Nats,
    /// The GraphQL engine: embedded, or a Hasura v2 server. Both read the same metadata directory.
    pub hasura: Hasura,
    /// The embedded GraphQL engine (`hasura.mode` `embedded`).
    pub engine: Engine,
    /// Identity: access tokens, refresh tokens and passwords.
    pub auth: Auth,
    /// The door between the GraphQL engine and this service's actions and event webhooks.
    pub actions: Actions,
    /// The keys that seal the secrets of teams and applications. Without one, there are none.
    pub secrets: Secrets,
    /// The Kubernetes cluster on which applications and stores run.
    pub kubernetes: Kubernetes,
    /// Applications that teams deploy: under which address, and how long a rollout may take.
    pub applications: Applications,
    /// WooCommerce stores: how many, from which images, under which address.
    pub stores: Stores,
    /// Coolify, which builds applications; off without an address.
    pub coolify: Coolify,
    /// Rancher, which makes and watches clusters; off without an address.
    pub rancher: Rancher,
    /// Argo CD, which deploys from Git; off without an address.
    pub argocd: Argocd,
    /// The worker that runs operations.
    pub worker: Worker,
    /// How many requests a caller may make within a sliding window.
    pub rate_limits: RateLimits,
    /// Logs, metrics and traces.
    pub observability: Observability,
}

impl Config {
    /// Reads the file named by `NORTHSTACK_CONFIG` (if set) and the environment, and checks the whole
    /// for a running service: a missing secret is an error that names its variable.
    pub fn load() -> crate::domain::Result<Self> {
        Ok(Loader::from_process().load(Purpose::Service)?.config)
    }

    /// Checks every value; each problem names its field and says what is right.
    fn check(&self, problems: &mut Problems) {
        self.server.check(problems);
        self.database.check(problems);
        self.cache.check(problems);
        self.nats.check(problems);
        self.hasura.check(problems);
        self.engine.check(problems);
        self.auth.check(problems);
        self.actions.check(problems);
        self.secrets.check(problems);
        self.kubernetes.check(problems);
        self.applications.check(problems);
        self.stores.check(problems);
        self.coolify.check(problems);
        self.rancher.check(problems);
        self.argocd.check(problems);
        self.worker.check(problems);
        self.rate_limits.check(problems);
        self.observability.check(problems);
    }
}
