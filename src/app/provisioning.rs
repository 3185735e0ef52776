//! What the use cases need to start flows: the flows, the wake-up, and the cluster that they work on.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, Live};
use crate::domain::Result;
use crate::vendors::kubernetes::{Client, Source};
use crate::workflow::flows::{application, store};
use crate::workflow::{Nudge, Registry};

/// How often something that a flow waits for is looked at.
const POLL: Duration = Duration::from_secs(1);

/// The flows of this process, and the cluster that they work on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Provisioning {
    /// Every flow that this process knows.
    pub flows: Registry,
    /// Wakes the runners.
    pub nudge: Nudge,
    pub kubernetes: Client,
    /// What configuration says about stores.
    pub settings: Arc<config::Stores>,
    /// What configuration says about applications.
    pub applications: Arc<config::Applications>,
    /// The configuration in force, for the keys that open secrets.
    pub config: Live,
}

impl Provisioning {
    /// The flows over the cluster that configuration names.
    ///
    /// # Errors
    /// `invalid-input` when there is no usable kubeconfig.
    pub async fn connect(live: &Live) -> Result<Self> {
        let config = live.get();
        let source =
            Source::File { path: config.kubernetes.kubeconfig.clone(), context: config.kubernetes.context.clone() };
        let kubernetes = Client::connect(source, config.kubernetes.request_timeout).await?;
        Ok(Self::new(kubernetes, live, POLL))
    }

    /// The flows over a cluster; what is waited for is looked at every `poll`.
    pub fn new(kubernetes: Client, live: &Live, poll: Duration) -> Self {
        let config = live.get();
        let (stores, applications) = (config.stores.clone(), config.applications.clone());
        let needs = Arc::new(store::Needs { kubernetes: kubernetes.clone(), settings: stores.clone(), poll });
        let mut flows = vec![store::create(&needs), store::delete(&needs)];
        let (kubernetes_too, settings) = (kubernetes.clone(), applications.clone());
        let needs = application::Needs { kubernetes: kubernetes_too, settings, poll, config: live.clone() };
        flows.extend(application::flows(&Arc::new(needs)));
        Self {
            flows: Registry::new(flows),
            nudge: Nudge::default(),
            kubernetes,
            settings: Arc::new(stores),
            applications: Arc::new(applications),
            config: live.clone(),
        }
    }
}
