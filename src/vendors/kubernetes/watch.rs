//! Watches: what happens to the objects of a kind, told by their metadata alone.

use std::fmt::Debug;

use futures::{Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::Api;
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use serde::de::DeserializeOwned;

use super::Client;

/// What a watch tells of the objects of a kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Sight {
    /// All objects are listed anew, at the beginning and whenever the watch has lost its place.
    Begun,
    /// One of them.
    Listed(Box<ObjectMeta>),
    /// Those were all: what was there before and was not listed is gone.
    Complete,
    /// An object was made, or is not as it was.
    Changed(Box<ObjectMeta>),
    /// An object was removed, or does not carry the labels any more.
    Gone(Box<ObjectMeta>),
}

impl Client {
    /// Follows the objects of all namespaces that carry the labels (`GET ...?watch=true&labelSelector=`), for ever: a
    /// watch that is cut is taken up where it was, and one whose place is gone (410) lists again. Pauses between tries
    /// grow up to half a minute.
    pub fn watch<K>(&self, labels: &str) -> impl Stream<Item = Sight> + Send + use<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned + Clone + Debug,
        K: Send + Sync + 'static,
    {
        let api: Api<PartialObjectMeta<K>> = Api::all(self.inner.clone());
        let told = watcher(api, watcher::Config::default().labels(labels)).default_backoff();
        told.filter_map(async |told| {
            let kind = K::kind(&());
            match told {
                Ok(event) => Some(sight(event)),
                Err(error) => {
                    metrics::counter!("northstack_watch_interruptions_total", "kind" => kind.clone()).increment(1);
                    tracing::info!(%kind, error = &error as &dyn std::error::Error, "watch_interrupted");
                    None
                }
            }
        })
    }
}

fn sight<K>(event: watcher::Event<PartialObjectMeta<K>>) -> Sight {
    let metadata = |object: PartialObjectMeta<K>| Box::new(object.metadata);
    match event {
        watcher::Event::Init => Sight::Begun,
        watcher::Event::InitApply(object) => Sight::Listed(metadata(object)),
        watcher::Event::InitDone => Sight::Complete,
        watcher::Event::Apply(object) => Sight::Changed(metadata(object)),
        watcher::Event::Delete(object) => Sight::Gone(metadata(object)),
    }
}
