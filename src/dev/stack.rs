//! The systems that the platform needs, each started privately unless the configuration names a real one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::servers::{Durability, Nats, Postgres, Redis, missing_programs, require_free};
use super::{Cluster, Progress, State};
use crate::auth::SigningKey;
use crate::config::{Loader, Purpose};
use crate::domain::{Code, Error, Result};
use crate::sim::kubernetes::{Simulator, SimulatorOptions, SimulatorTiming, StartError};

const DATABASE: &str = "northstack";

/// How the local platform is to be run.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// Port of the portal.
    pub portal_port: u16,
    /// Port on which the simulated cluster's ingress answers for the stores.
    pub store_port: u16,
    /// How long the simulated cluster takes for what it does.
    pub timing: SimulatorTiming,
}

/// The running private systems. They end with this process, however it ends.
pub struct Stack {
    postgres: Option<Postgres>,
    redis: Option<Redis>,
    nats: Option<Nats>,
    kubernetes: Option<Simulator>,
}

impl Stack {
    /// Starts what the configuration does not name, and adds to the configuration where it is.
    ///
    /// # Errors
    /// `unavailable` when a program is missing or does not start, `conflict` when a port is in use.
    pub async fn start(
        mut loader: Loader,
        state: &mut State,
        options: &StackOptions,
        progress: &Progress,
    ) -> Result<(Self, Loader)> {
        let given = loader.load(Purpose::Tool).map_err(Error::from)?;
        let named = |path: &str| given.origins.contains_key(path);
        require_free(given.config.server.port, "the API", "NORTHSTACK_SERVER__PORT")?;
        require_free(options.portal_port, "the portal", "--portal-port")?;

        let mut stack = Self { postgres: None, redis: None, nats: None, kubernetes: None };
        let wants_servers = !(named("database.hosts") && named("cache.addresses") && named("nats.servers"));
        if wants_servers
            && let missing = missing_programs()
            && !missing.is_empty()
        {
            let packages = missing.join(" ");
            return Err(Error::new(
                Code::Unavailable,
                format!(
                    "these Debian packages are missing: {packages}; install them with `apt-get install {packages}`"
                ),
            ));
        }
        if !named("database.hosts") {
            let password = state.secret("database")?;
            let postgres = progress
                .phase("PostgreSQL", async {
                    let server = Postgres::start(&state.path("postgres"), &password, Durability::Durable).await?;
                    server.create_database(DATABASE).await?;
                    Ok(server)
                })
                .await?;
            loader = loader
                .set("database.hosts", vec![format!("127.0.0.1:{}", postgres.port())])
                .set("database.database", DATABASE)
                .set("database.user", postgres.user())
                .set("database.password", password.expose().as_str())
                .set("database.ssl_mode", "disable");
            stack.postgres = Some(postgres);
        }
        if !named("cache.addresses") {
            let password = state.secret("cache")?;
            let redis = progress.phase("Redis", Redis::start(&state.path("redis"), &password)).await?;
            loader = loader
                .set("cache.addresses", vec![format!("127.0.0.1:{}", redis.port())])
                .set("cache.password", password.expose().as_str());
            stack.redis = Some(redis);
        }
        if !named("nats.servers") {
            let token = state.secret("nats")?;
            let nats = progress.phase("NATS with JetStream", Nats::start(&state.path("nats"), &token)).await?;
            loader = loader
                .set("nats.servers", vec![nats.url()])
                .set("nats.token", nats.token().expose().as_str())
                .set("nats.replicas", 1);
            stack.nats = Some(nats);
        }
        if !named("kubernetes.kubeconfig") && !named("kubernetes.context") {
            require_free(options.store_port, "the stores", "--store-port")?;
            let simulator = progress
                .phase("Simulated Kubernetes", stack_kubernetes(state, options, given.config.server.host))
                .await?;
            loader = loader.set("kubernetes.kubeconfig", write_kubeconfig(state, &simulator)?);
            if !named("stores.public_port") {
                loader = loader.set("stores.public_port", options.store_port);
            }
            if !named("applications.public_port") {
                loader = loader.set("applications.public_port", options.store_port);
            }
            stack.kubernetes = Some(simulator);
        }
        if !named("applications.local_registries") {
            loader = loader.set("applications.local_registries", true);
        }
        let loader = local_defaults(loader, state, options, &named, given.config.server.port)?;
        Ok((stack, loader))
    }

    /// Where applications run.
    pub fn cluster(&self) -> Cluster {
        if self.kubernetes.is_some() { Cluster::Simulated } else { Cluster::Named }
    }

    /// Resolves when one of the private systems ends by itself, with what to tell the person.
    pub async fn failed(&mut self) -> Error {
        let postgres = watched(self.postgres.as_mut().map(Postgres::process));
        let redis = watched(self.redis.as_mut().map(Redis::process));
        let nats = watched(self.nats.as_mut().map(Nats::process));
        tokio::select! {
            error = postgres => error,
            error = redis => error,
            error = nats => error,
        }
    }

    /// Stops everything that was started, the database last.
    pub async fn stop(self) {
        if let Some(simulator) = self.kubernetes {
            simulator.shutdown().await;
        }
        if let Some(nats) = self.nats {
            nats.stop().await;
        }
        if let Some(redis) = self.redis {
            redis.stop().await;
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await;
        }
    }
}

async fn watched(process: Option<&mut super::servers::Process>) -> Error {
    match process {
        Some(process) => match process.wait().await {
            Ok(status) => process.failure(&format!("ended with {status}")),
            Err(error) => error,
        },
        None => std::future::pending().await,
    }
}

async fn stack_kubernetes(state: &State, options: &StackOptions, host: IpAddr) -> Result<Simulator> {
    let options = SimulatorOptions {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        ingress_listen: Some(SocketAddr::from((host, options.store_port))),
        state_dir: Some(state.path("kubernetes")),
        timing: options.timing,
        ..SimulatorOptions::default()
    };
    Simulator::start(options).await.map_err(|error| match error {
        StartError::Listen { .. } => Error::new(Code::Unavailable, error.to_string()).caused_by(error),
        StartError::Address(_) | StartError::State(_) => Error::internal("starting the simulated cluster", error),
    })
}

/// The kubeconfig of the simulated cluster, in a file as of any other.
fn write_kubeconfig(state: &State, simulator: &Simulator) -> Result<String> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = state.path("kubeconfig");
    let text = serde_norway::to_string(&simulator.kubeconfig())
        .map_err(|error| Error::internal("writing the simulated cluster's kubeconfig", error))?;
    std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Error::internal("writing the simulated cluster's kubeconfig", error))?;
    Ok(path.display().to_string())
}

/// What has no default outside this command: secrets made on first start, and what suits a laptop.
fn local_defaults(
    mut loader: Loader,
    state: &mut State,
    options: &StackOptions,
    named: &impl Fn(&str) -> bool,
    port: u16,
) -> Result<Loader> {
    let default = |loader: Loader, path: &str, value: serde_json::Value| {
        if named(path) { loader } else { loader.set(path, value) }
    };
    for path in ["hasura.admin_secret", "actions.secret"] {
        let secret = state.secret(path)?;
        loader = default(loader, path, secret.expose().as_str().into());
    }
    let key = hex::decode(state.secret("secrets.keys")?.expose())
        .map_err(|error| Error::internal("reading the key of the local platform's secrets", error))?;
    loader = default(loader, "secrets.keys", format!("dev:{}", STANDARD.encode(key)).into());
    let key = state.path("signing-key.pem");
    SigningKey::from_file_or_new(&key)?;
    let key = read(&key)?;
    loader = default(loader, "auth.signing_key", key.into());
    loader = default(loader, "auth.cookie_secure", false.into());
    loader = default(loader, "server.explorer", true.into());
    // A page that somebody is writing is served on a port of its own.
    let pages = ["http://localhost:*", "http://127.0.0.1:*"];
    loader = default(loader, "server.cors_origins", pages.to_vec().into());
    loader = default(loader, "server.portal_port", options.portal_port.into());
    loader = default(loader, "hasura.service_url", format!("http://127.0.0.1:{port}").into());
    // A killed platform goes on where it was within two seconds of its next start.
    loader = default(loader, "worker.lease", "2s".into());
    // The demo reads as its brief does.
    loader = default(loader, "stores.admin_password", "Admin@123".into());
    Ok(loader)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| Error::internal("reading the local signing key", error))
}
