//! Several processes of the service behind one address, of which one can be exchanged while the others answer.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use northstack::dev::servers::{Nats, free_port};
use northstack::domain::Redacted;

use super::{database, servers};

const PASSWORD: &str = "integration-test";
/// How long a process may take to answer, or to end, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Processes of `northstack serve` over one database, one cache and one bus.
pub struct Fleet {
    directory: tempfile::TempDir,
    balancer: Balancer,
    replicas: Vec<Replica>,
    environment: Vec<(&'static str, String)>,
    _nats: Nats,
}

struct Replica {
    port: u16,
    process: Child,
}

impl Drop for Replica {
    fn drop(&mut self) {
        // It has ended already where it was exchanged.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Fleet {
    /// Starts so many processes with these variables beside those of their servers.
    pub async fn start(replicas: usize, variables: &[(&'static str, String)]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let token = Redacted::from(PASSWORD);
        let nats = Nats::start(&directory.path().join("nats"), &token).await.unwrap();
        let balancer = Balancer::start().await;
        // Nothing answers there: what is tried needs no cluster.
        let kubeconfig = "{clusters: [{name: none, cluster: {server: 'http://127.0.0.1:9'}}], current-context: none,
            contexts: [{name: none, context: {cluster: none, user: none}}], users: [{name: none, user: {}}]}";
        std::fs::write(directory.path().join("kubeconfig"), kubeconfig).unwrap();
        let options = database().await;
        let environment = vec![
            ("NORTHSTACK_SERVER__PORTAL_PORT", "0".to_owned()),
            ("NORTHSTACK_DATABASE__HOSTS", format!("127.0.0.1:{}", options.get_port())),
            ("NORTHSTACK_DATABASE__DATABASE", options.get_database().unwrap().to_owned()),
            ("NORTHSTACK_DATABASE__USER", options.get_username().to_owned()),
            ("NORTHSTACK_DATABASE__PASSWORD", PASSWORD.to_owned()),
            ("NORTHSTACK_DATABASE__MAX_CONNECTIONS", "6".to_owned()),
            ("NORTHSTACK_CACHE__ADDRESSES", format!("127.0.0.1:{}", servers().redis.port())),
            ("NORTHSTACK_CACHE__PASSWORD", PASSWORD.to_owned()),
            ("NORTHSTACK_CACHE__KEY_PREFIX", format!("{}:", uuid::Uuid::new_v4().simple())),
            ("NORTHSTACK_NATS__SERVERS", nats.url()),
            ("NORTHSTACK_NATS__TOKEN", PASSWORD.to_owned()),
            ("NORTHSTACK_KUBERNETES__KUBECONFIG", directory.path().join("kubeconfig").display().to_string()),
            ("NORTHSTACK_HASURA__SERVICE_URL", balancer.url()),
            ("NORTHSTACK_RATE_LIMITS__ENABLED", "false".to_owned()),
        ];
        let mut fleet = Self { directory, balancer, replicas: Vec::new(), environment, _nats: nats };
        for _ in 0..replicas {
            let (replica, first) = (fleet.launch(variables), fleet.replicas.is_empty());
            let port = replica.port;
            fleet.replicas.push(replica);
            // The first asks itself for its remote schema, by the address of all.
            if first {
                fleet.balancer.add(port);
            }
            fleet.ready(fleet.replicas.len() - 1).await;
            if !first {
                fleet.balancer.add(port);
            }
        }
        fleet
    }

    /// The address of all.
    pub fn url(&self) -> String {
        self.balancer.url()
    }

    /// Exchanges every process for one with these variables, one after the other: no new request is led to it, those that
    /// it has are answered, it is told to end, and its successor is asked once it is ready. `between` passes while there are
    /// processes of both kinds, and after the last one.
    pub async fn roll(&mut self, variables: &[(&'static str, String)], between: impl AsyncFn()) {
        for place in 0..self.replicas.len() {
            self.balancer.remove(self.replicas[place].port).await;
            let process = &mut self.replicas[place].process;
            let id = nix::unistd::Pid::from_raw(i32::try_from(process.id()).unwrap());
            nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
            let begun = Instant::now();
            let status = loop {
                if let Some(status) = process.try_wait().unwrap() {
                    break status;
                }
                assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            assert!(status.success(), "it ended with {status}:\n{}", self.log());
            self.replicas[place] = self.launch(variables);
            self.ready(place).await;
            self.balancer.add(self.replicas[place].port);
            between().await;
        }
    }

    /// What the processes have logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn launch(&self, variables: &[(&'static str, String)]) -> Replica {
        let port = free_port().unwrap();
        let log = std::fs::File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_northstack"))
            .arg("serve")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("NORTHSTACK_SERVER__PORT", port.to_string())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Replica { port, process }
    }

    async fn ready(&mut self, place: usize) {
        let (http, begun) = (reqwest::Client::new(), Instant::now());
        let address = format!("http://127.0.0.1:{}/health/ready", self.replicas[place].port);
        while !http.get(&address).send().await.is_ok_and(|answer| answer.status().is_success()) {
            let ended = self.replicas[place].process.try_wait().unwrap();
            assert!(ended.is_none(), "it ended with {ended:?}:\n{}", self.log());
            assert!(begun.elapsed() < PATIENCE, "not ready within {PATIENCE:?}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Leads each request to one of the processes, in turn.
struct Balancer {
    address: std::net::SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    targets: Mutex<Vec<Arc<Target>>>,
    next: AtomicUsize,
    http: reqwest::Client,
}

struct Target {
    port: u16,
    /// The requests that it has, with their numbers.
    open: Mutex<BTreeMap<usize, String>>,
}

/// A request that is open, for as long as this is there.
struct Open {
    target: Arc<Target>,
    number: usize,
}

impl Open {
    fn new(target: &Arc<Target>, number: usize, what: String) -> Self {
        target.open.lock().unwrap().insert(number, what);
        Self { target: Arc::clone(target), number }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.target.open.lock().unwrap().remove(&self.number);
    }
}

impl Balancer {
    async fn start() -> Self {
        // A connection is used once: none is closed by its server between two requests.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let shared = Arc::new(Shared { targets: Mutex::default(), next: AtomicUsize::new(0), http });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn add(&self, port: u16) {
        self.shared.targets.lock().unwrap().push(Arc::new(Target { port, open: Mutex::default() }));
    }

    /// Leads no more requests there, and waits for those that are open.
    async fn remove(&self, port: u16) {
        let mut removed = Vec::new();
        self.shared.targets.lock().unwrap().retain(|target| {
            if target.port == port {
                removed.push(Arc::clone(target));
            }
            target.port != port
        });
        let begun = Instant::now();
        let open = || -> Vec<String> {
            removed
                .iter()
                .flat_map(|target| target.open.lock().unwrap().values().cloned().collect::<Vec<_>>())
                .collect()
        };
        while !open().is_empty() {
            assert!(begun.elapsed() < PATIENCE, "requests stay open: {:?}", open());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn pass(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    let open = {
        let targets = shared.targets.lock().unwrap();
        let Some(count) = std::num::NonZeroUsize::new(targets.len()) else {
            return (StatusCode::BAD_GATEWAY, "nobody is there").into_response();
        };
        let number = shared.next.fetch_add(1, Ordering::SeqCst);
        Open::new(&targets[number % count], number, format!("{method} {uri} {}", String::from_utf8_lossy(&body)))
    };
    headers.remove(header::HOST);
    let address = format!("http://127.0.0.1:{}{uri}", open.target.port);
    let answer = async {
        let answer = shared.http.request(method, address).headers(headers).body(body).send().await?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        for of_one_connection in [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH] {
            headers.remove(of_one_connection);
        }
        Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
    };
    let answer = answer.await;
    drop(open);
    answer
        .map_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response(), IntoResponse::into_response)
}
