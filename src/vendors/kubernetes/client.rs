//! Connecting, server-side apply, reads and deletes.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Namespace};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::NamespaceResourceScope;
use kube::{Config, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::strangers::{foreign, strangers, without};
use super::{FIELD_MANAGER, Object, happened, translate};
use crate::domain::{self, transaction};
use crate::vendors::{Error, Result};

/// Where the cluster's address and credentials come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A kubeconfig file (or `KUBECONFIG`, `~/.kube/config`, or the pod's own service account), and a context in it.
    File {
        /// The file; without it the usual places.
        path: Option<PathBuf>,
        /// The context; without it the current one.
        context: Option<String>,
    },
    /// A kubeconfig in memory.
    Inline(Box<Kubeconfig>),
}

/// A cluster, as the platform uses it. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: kube::Client,
    /// The longest time for one request, streams apart.
    pub(super) timeout: Duration,
}

impl Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("kubernetes::Client").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the cluster that `source` names. Nothing is asked of the cluster yet.
    ///
    /// # Errors
    /// `invalid-input` when there is no usable kubeconfig.
    pub async fn connect(source: Source, timeout: Duration) -> domain::Result<Self> {
        let unusable = |cause: Box<dyn std::error::Error + Send + Sync>| {
            domain::Error::invalid("kubernetes.kubeconfig", "there is no usable kubeconfig").caused_by(cause)
        };
        let mut config = match source {
            Source::Inline(kubeconfig) => Config::from_custom_kubeconfig(*kubeconfig, &KubeConfigOptions::default())
                .await
                .map_err(|e| unusable(e.into()))?,
            Source::File { path: None, context: None } => Config::infer().await.map_err(|e| unusable(e.into()))?,
            Source::File { path, context } => {
                let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
                match path {
                    Some(path) => {
                        let kubeconfig = Kubeconfig::read_from(path).map_err(|e| unusable(e.into()))?;
                        Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|e| unusable(e.into()))?
                    }
                    None => Config::from_kubeconfig(&options).await.map_err(|e| unusable(e.into()))?,
                }
            }
        };
        config.connect_timeout = Some(timeout.min(Duration::from_secs(10)));
        // Steps and passes try again themselves, and say why: a client that asks on by itself would answer with silence.
        config.default_retry = false;
        let inner = kube::Client::try_from(config).map_err(|e| unusable(e.into()))?;
        Ok(Self { inner, timeout })
    }

    /// A client of no cluster, for those who look at what would be done and do nothing: every request fails.
    ///
    /// # Errors
    /// `internal` when there is no HTTP stack.
    pub fn unconnected() -> domain::Result<Self> {
        let config = Config::new(http::Uri::from_static("http://unconnected.invalid"));
        let inner = kube::Client::try_from(config).map_err(|e| domain::Error::internal("making a client", e))?;
        Ok(Self { inner, timeout: Duration::from_secs(1) })
    }

    /// The server's version (`GET /version`), which is also how to find out whether it answers.
    pub async fn version(&self) -> Result<String> {
        self.within(self.inner.apiserver_version()).await.map(|info| info.git_version)
    }

    /// Makes an object as `desired` says (`PATCH .../{name}?fieldManager=northstack&force=true`, server-side apply), in
    /// a namespace. Applying the same twice changes nothing.
    pub async fn apply<K>(&self, namespace: &str, desired: &K) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug,
    {
        self.apply_to(Api::namespaced(self.inner.clone(), namespace), desired).await
    }

    /// Makes a namespace as `desired` says (`PATCH /api/v1/namespaces/{name}`).
    pub async fn apply_namespace(&self, desired: &Namespace) -> Result<Namespace> {
        self.apply_to(Api::all(self.inner.clone()), desired).await
    }

    /// The same for an object that is ours alone: what others have added to its content is taken out.
    pub async fn apply_alone<K: Object>(&self, namespace: &str, desired: &K) -> Result<K> {
        let applied = self.apply(namespace, desired).await?;
        let added = strangers(desired, &applied);
        if added.is_empty() {
            return Ok(applied);
        }
        let unreadable = |source| Error::unavailable("Kubernetes gave an object that could not be read", source);
        let mut object = serde_json::to_value(&applied).map_err(unreadable)?;
        without(&mut object, &added);
        let mut object: K = serde_json::from_value(object).map_err(unreadable)?;
        // Nor does that hand own what the server fills in again in its place (the field manager takes what it is given).
        object.meta_mut().managed_fields.iter_mut().for_each(|entries| entries.retain(|entry| !foreign(entry)));
        // Nothing is added by this: what is left stays whose it is. It is refused when somebody has written meanwhile.
        let api: Api<K> = Api::namespaced(self.inner.clone(), namespace);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let name = desired.meta().name.as_deref().unwrap_or_default();
        self.within(api.replace(name, &params, &object)).await
    }

    async fn apply_to<K>(&self, api: Api<K>, desired: &K) -> Result<K>
    where
        K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug,
    {
        let name = desired.meta().name.as_deref().unwrap_or_default();
        let params = PatchParams::apply(FIELD_MANAGER).force().validation_strict();
        self.within(api.patch(name, &params, &Patch::Apply(desired))).await
    }

    /// Makes an object unless there is one of that name (`POST`), and gives the one that is there. For objects that
    /// hold what was chosen once, such as generated passwords.
    pub async fn create_once<K>(&self, namespace: &str, desired: &K) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug,
    {
        let api: Api<K> = Api::namespaced(self.inner.clone(), namespace);
        let name = desired.meta().name.as_deref().unwrap_or_default();
        if let Some(existing) = self.within(api.get_opt(name)).await? {
            return Ok(existing);
        }
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match self.within(api.create(&params, desired)).await {
            Err(Error::Conflict(_)) => self.within(api.get(name)).await,
            other => other,
        }
    }

    /// Reads an object (`GET .../{name}`); `None` when there is none, or when the cluster does not serve the kind.
    pub async fn get<K>(&self, namespace: &str, name: &str) -> Result<Option<K>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned + Clone + Debug,
    {
        let api: Api<K> = Api::namespaced(self.inner.clone(), namespace);
        match self.within(api.get(name)).await {
            Err(Error::NotFound(_)) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Lists the objects of a namespace that carry the labels (`GET ...?labelSelector=`). There are none in a namespace that
    /// is not there, or of a kind that the cluster does not serve.
    pub async fn list<K>(&self, namespace: &str, labels: &str) -> Result<Vec<K>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned + Clone + Debug,
    {
        let api: Api<K> = Api::namespaced(self.inner.clone(), namespace);
        let params = ListParams::default().labels(labels);
        match self.within(api.list(&params)).await {
            Err(Error::NotFound(_)) => Ok(Vec::new()),
            other => other.map(|list| list.items),
        }
    }

    /// Reads a namespace (`GET /api/v1/namespaces/{name}`); `None` when there is none.
    pub async fn namespace(&self, name: &str) -> Result<Option<Namespace>> {
        let api: Api<Namespace> = Api::all(self.inner.clone());
        self.within(api.get_opt(name)).await
    }

    /// Lists the namespaces that carry the labels (`GET /api/v1/namespaces?labelSelector=`).
    pub async fn namespaces(&self, labels: &str) -> Result<Vec<Namespace>> {
        let api: Api<Namespace> = Api::all(self.inner.clone());
        let params = ListParams::default().labels(labels);
        self.within(api.list(&params)).await.map(|list| list.items)
    }

    /// Asks for the end of a namespace and all in it (`DELETE /api/v1/namespaces/{name}`). Fine when there is none, or
    /// when it is being deleted already.
    pub async fn delete_namespace(&self, name: &str) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.inner.clone());
        gone_is_fine(self.within(api.delete(name, &background())).await)
    }

    /// Asks for the end of an object (`DELETE .../{name}`). Fine when there is none.
    pub async fn delete<K>(&self, namespace: &str, name: &str) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned + Clone + Debug,
    {
        let api: Api<K> = Api::namespaced(self.inner.clone(), namespace);
        gone_is_fine(self.within(api.delete(name, &background())).await)
    }

    /// The warnings about an object (`GET /api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.name=`),
    /// newest last.
    pub async fn warnings(&self, namespace: &str, object: &str) -> Result<Vec<Event>> {
        let api: Api<Event> = Api::namespaced(self.inner.clone(), namespace);
        let params = ListParams::default().fields(&format!("involvedObject.name={object},type=Warning"));
        let mut events = self.within(api.list(&params)).await?.items;
        events.sort_by_cached_key(happened);
        Ok(events)
    }

    /// Awaits one request, no longer than the configured time.
    pub(super) async fn within<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T> {
        transaction::asks_outside("Kubernetes");
        match tokio::time::timeout(self.timeout, request).await {
            Ok(answer) => answer.map_err(translate),
            Err(elapsed) => Err(Error::unavailable(
                format!("Kubernetes gave no answer within {} s", self.timeout.as_secs()),
                elapsed,
            )),
        }
    }
}

fn background() -> DeleteParams {
    DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() }
}

fn gone_is_fine<T>(answer: Result<T>) -> Result<()> {
    match answer {
        // 409: the namespace is on its way out already.
        Ok(_) | Err(Error::NotFound(_) | Error::Conflict(_)) => Ok(()),
        Err(other) => Err(other),
    }
}
