//! One process of the service: which parts it runs, and how the rooms are wired together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::graphql_engine::{self, GraphqlEngine};
use super::telemetry;
use crate::app::{App, Provisioning, background, handlers};
use crate::bus::{Bus, bridge, report};
use crate::cache::Cache;
use crate::config::{Config, Live, Loader, Purpose, Reloader};
use crate::db::{Db, migrate};
use crate::domain::{Code, Error, Result};
use crate::http::{self, AppState, Settings};
use crate::workflow::{self, Faults, Runner};

/// The parts of the service that a process runs.
#[derive(Debug, Clone, Copy)]
pub struct Roles {
    /// Answers requests.
    pub api: bool,
    /// Runs operations and background tasks.
    pub worker: bool,
}

impl Roles {
    /// Everything in one process.
    #[cfg(feature = "dev")]
    pub const ALL: Self = Self { api: true, worker: true };
}

/// Whether `NORTHSTACK_FAILPOINT` may abort the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failpoints {
    /// It may: the process is for development and tests.
    #[cfg(feature = "dev")]
    Obeyed,
    /// The process does not start with it.
    Refused,
}

/// A running process of the service.
pub struct Service {
    roles: Roles,
    config: Arc<Config>,
    app: Arc<App>,
    provisioning: Provisioning,
    stop: CancellationToken,
    tasks: JoinSet<Result<()>>,
    engine: Option<GraphqlEngine>,
    /// Listened for from the moment that something answers requests.
    signals: Option<Signals>,
    faults: Faults,
    team_concurrency: Arc<AtomicUsize>,
    /// Follows the configuration file for as long as it lives.
    _reloader: Reloader,
}

impl Service {
    /// Checks what the roles need, connects to everything and migrates the database. Nothing works or listens yet: see [`Service::start`].
    ///
    /// # Errors
    /// What is wrong with the configuration, or which system does not answer.
    pub async fn connect(loader: Loader, roles: Roles, failpoints: Failpoints) -> Result<Self> {
        if failpoints == Failpoints::Refused {
            Faults::refused()?;
        }
        let loaded = loader.load(Purpose::Service)?;
        let (reloader, live) = Reloader::start(loader, loaded)?;
        let config = live.get();
        if roles.api {
            graphql_engine::check(&config)?;
        }
        // The one TLS provider; another part may have installed the same already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let db = Db::connect(&config.database).await?;
        migrate::up(&db).await?;
        let cache = Cache::connect(&config.cache).await?;
        let bus = Bus::connect(&config.nats).await?;
        let provisioning = Provisioning::connect(&live).await?;
        let faults = match failpoints {
            #[cfg(feature = "dev")]
            Failpoints::Obeyed => Faults::from_environment(&provisioning.flows)?,
            Failpoints::Refused => Faults::none(),
        };
        let app = App::new(live.clone(), db, cache, bus)?.with_provisioning(provisioning.clone());
        let team_concurrency = Arc::new(AtomicUsize::new(config.worker.team_concurrency));
        let mut service = Self {
            roles,
            config,
            app: Arc::new(app),
            provisioning,
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
            engine: None,
            signals: None,
            faults,
            team_concurrency,
            _reloader: reloader,
        };
        service.follow_configuration(live);
        service.pass_nudges_on();
        Ok(service)
    }

    /// Starts the parts of its roles.
    ///
    /// # Errors
    /// Which port is taken, or what is wrong with the metadata.
    pub async fn start(mut self) -> Result<Self> {
        let roles = self.roles;
        if roles.worker {
            self.work().await?;
        }
        if roles.api {
            self.listen().await?;
        }
        Ok(self)
    }

    /// The configuration that it was started with.
    #[cfg(feature = "dev")]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The use cases.
    #[cfg(feature = "dev")]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Runs until SIGINT or SIGTERM, or until a part fails; then lets open requests and steps come to an end.
    pub async fn run(mut self) -> Result<()> {
        let mut signals = match self.signals.take() {
            Some(signals) => signals,
            None => Signals::listen()?,
        };
        let outcome = tokio::select! {
            () = signals.next() => Ok(()),
            Some(ended) = self.tasks.join_next() => flatten(ended),
        };
        self.stop.cancel();
        let drained = tokio::time::timeout(self.config.server.shutdown_timeout, async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Err(error) = flatten(ended) {
                    tracing::error!(error = error.chain(), "part_failed");
                }
            }
        });
        if drained.await.is_err() {
            tracing::warn!("stopped_with_work_open");
        }
        if let Some(engine) = &self.engine {
            engine.stop().await;
        }
        self.app.cache.close();
        self.app.db.close().await;
        outcome
    }
}

impl Service {
    /// What is logged and how much one team may run follow the configuration; the use cases and the faces look at it
    /// themselves.
    fn follow_configuration(&mut self, live: Live) {
        let (mut changes, limit, stop) = (live.clone(), Arc::clone(&self.team_concurrency), self.stop.clone());
        self.tasks.spawn(async move {
            while let Some(config) = stop.run_until_cancelled(changes.changed()).await {
                limit.store(config.worker.team_concurrency, Ordering::Relaxed);
            }
            Ok(())
        });
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            telemetry::follow(live, stop).await;
            Ok(())
        });
    }

    /// Nudges of this process wake the workers of others, and theirs wake ours.
    fn pass_nudges_on(&mut self) {
        let (bus, nudge, stop) = (self.app.bus.clone(), self.provisioning.nudge.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let mut outgoing = nudge.outgoing();
            let mut arriving = std::pin::pin!(bus.work_nudges());
            loop {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    Some(_) = arriving.next() => nudge.arrived(),
                    sent = outgoing.recv() => {
                        // A lost nudge costs a poll interval: the table is the truth.
                        if let Ok(kind) = sent && let Err(error) = bus.nudge(&kind).await {
                            tracing::debug!(error = error.chain(), "nudge_not_sent");
                        }
                    }
                }
            }
        });
    }

    /// Starts the runner of operations, the reconcilers, and the bridge from events to rows.
    async fn work(&mut self) -> Result<()> {
        let config = &self.config;
        let options = workflow::Options {
            concurrency: config.worker.concurrency,
            team_concurrency: Arc::clone(&self.team_concurrency),
            lease: config.worker.lease,
            heartbeat: config.worker.lease / 3,
            poll: config.worker.poll,
            grace: config.server.shutdown_timeout / 2,
            faults: self.faults.clone(),
            ..workflow::Options::default()
        };
        let Provisioning { flows, nudge, .. } = &self.provisioning;
        let runner = Runner::new(self.app.db.pool().clone(), flows.clone(), nudge.clone(), options);
        runner.check_versions().await?;
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            runner.run(stop).await;
            Ok(())
        });
        let (app, settings, stop) = (Arc::clone(&self.app), config.worker.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            background::run(app, settings, stop).await;
            Ok(())
        });
        let (db, bus, stop) = (self.app.db.clone(), self.app.bus.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            bridge::run(db, bus, stop).await;
            Ok(())
        });
        let (app, stop) = (Arc::clone(&self.app), self.stop.clone());
        self.tasks.spawn(async move {
            handlers::run(app, stop).await;
            Ok(())
        });
        Ok(())
    }

    /// Starts the listeners of the API and of the portal.
    async fn listen(&mut self) -> Result<()> {
        let server = &self.config.server;
        let engine = graphql_engine::start(&self.config, &self.app).await?;
        let state = AppState::new(Arc::clone(&self.app), Settings::from(&self.app.config), engine.backend())
            .with_metrics(http::install_recorder()?)
            .closing_with(self.stop.clone());
        let (bus, stop) = (self.app.bus.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            report::run(bus, stop).await;
            Ok(())
        });
        let mut listeners = vec![(server.port, http::router(state.clone()))];
        if server.metrics_port != 0 {
            listeners.push((server.metrics_port, http::internal(state.clone())));
        }
        if server.portal_port != 0 {
            listeners.push((server.portal_port, http::portal(state)));
        }
        // Who is told to end while this is still starting answers what it was asked, and ends then.
        self.signals = Some(Signals::listen()?);
        for (port, router) in listeners {
            let address = SocketAddr::new(server.host, port);
            let listener = TcpListener::bind(address).await.map_err(|error| {
                Error::new(Code::Conflict, format!("cannot listen on {address}: {error}")).caused_by(error)
            })?;
            self.tasks.spawn(http::serve(listener, router, self.stop.clone(), server.shutdown_timeout));
        }
        // The engine asks this process for its remote schema, which answers only now.
        engine.reload().await?;
        self.engine = Some(engine);
        Ok(())
    }
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let to = |kind| signal(kind).map_err(|error| Error::internal("listening for signals", error));
        Ok(Self { interrupt: to(SignalKind::interrupt())?, terminate: to(SignalKind::terminate())? })
    }

    /// Resolves when one has come.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn flatten(ended: Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    ended.unwrap_or_else(|error| Err(Error::internal("running a part of the service", error)))
}
