//! Starting and stopping a simulator.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt;
use kube::config::{AuthInfo, Cluster as ClusterEntry, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use super::error::StartError;
use super::options::SimulatorOptions;
use super::storage::State;
use super::{api, controllers, storefront};

/// The name of the cluster, user and context in the kubeconfig.
const NAME: &str = "northstack-simulator";

/// A running simulated cluster. Dropping it stops it too, without waiting.
pub struct Simulator {
    cluster: Arc<Cluster>,
    address: SocketAddr,
    ingress: Option<SocketAddr>,
    token: String,
    tasks: Vec<JoinHandle<()>>,
}

impl Simulator {
    /// Opens (or creates) the cluster's state, binds the listeners and starts the controllers.
    ///
    /// Fails when a port is taken or the state directory cannot be read or written.
    pub async fn start(options: SimulatorOptions) -> Result<Self, StartError> {
        let listener = bind("listen", options.listen).await?;
        let address = local(&listener)?;
        let ingress = match options.ingress_listen {
            Some(wanted) => Some(bind("ingress_listen", wanted).await?),
            None => None,
        };
        let ingress_address = ingress.as_ref().map(local).transpose()?;
        let mut state = State::open(options.state_dir.as_deref()).map_err(StartError::State)?;
        controllers::seed(&mut state);
        let token = state.token().to_owned();
        let cluster = Arc::new(Cluster::new(state, &options));
        let mut tasks = vec![
            tokio::spawn(controllers::run(cluster.clone())),
            serve(cluster.clone(), listener, api::router(cluster.clone())),
        ];
        if let Some(listener) = ingress {
            tasks.push(serve(cluster.clone(), listener, storefront::router(cluster.clone())));
        }
        Ok(Self { cluster, address, ingress: ingress_address, token, tasks })
    }

    /// The address of the API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the ingress controller, if it listens.
    pub fn ingress_address(&self) -> Option<SocketAddr> {
        self.ingress
    }

    /// The URL of the API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The administrator's bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A kubeconfig that reaches the cluster as its administrator.
    pub fn kubeconfig(&self) -> Kubeconfig {
        Kubeconfig {
            clusters: vec![NamedCluster {
                name: NAME.to_owned(),
                cluster: Some(ClusterEntry { server: Some(self.url()), ..ClusterEntry::default() }),
                ..NamedCluster::default()
            }],
            auth_infos: vec![NamedAuthInfo {
                name: NAME.to_owned(),
                auth_info: Some(AuthInfo { token: Some(self.token.clone().into()), ..AuthInfo::default() }),
                ..NamedAuthInfo::default()
            }],
            contexts: vec![NamedContext {
                name: NAME.to_owned(),
                context: Some(Context { cluster: NAME.to_owned(), user: Some(NAME.to_owned()), ..Context::default() }),
                ..NamedContext::default()
            }],
            current_context: Some(NAME.to_owned()),
            ..Kubeconfig::default()
        }
    }

    /// Ends watches, finishes running requests and stops.
    pub async fn shutdown(mut self) {
        self.cluster.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has said so in the log.
            let _ = task.await;
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.cluster.stop.cancel();
    }
}

async fn bind(option: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { option, address, source })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(StartError::Address)
}

fn serve(cluster: Arc<Cluster>, listener: TcpListener, router: Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        let stop = cluster.stop.clone();
        // A command's outputs and its end are short frames, one after the other: none waits for the last to be acknowledged.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(cause = %error, "nodelay_refused");
            }
        });
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "simulated cluster: the listener failed");
        }
    })
}
