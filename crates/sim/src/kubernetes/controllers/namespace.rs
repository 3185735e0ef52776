//! Namespaces: what a new one gets, and how one ends.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::World;
use crate::kubernetes::clock;
use crate::kubernetes::json::{at, list, set, text};
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::registry::{self, DeleteOptions, Writer};
use crate::kubernetes::status::ApiResult;
use crate::kubernetes::storage::Key;

const CA_NOTE: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints \
    such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of \
    Kubernetes clusters.";

impl World<'_> {
    /// Creates an object in this namespace as the controller manager.
    pub(super) fn create(&mut self, kind: KindId, object: Value) -> ApiResult<std::sync::Arc<Value>> {
        registry::create(self.state, kind, self.namespace, object, &Writer::controller(kind))
    }

    /// Deletes an object in the background.
    pub(super) fn delete(&mut self, key: &Key) {
        let options = DeleteOptions { propagation: Some(registry::Propagation::Background), ..Default::default() };
        let result = registry::delete(self.state, key, &options);
        self.report(key, result);
    }
}

/// Equips a live namespace and empties a terminating one.
pub(super) fn reconcile(world: &mut World<'_>) {
    let key = Key::new(kinds::NAMESPACES, "", world.namespace);
    let Some(namespace) = world.state.get(&key).cloned() else { return };
    if at(&namespace, "/metadata/deletionTimestamp").is_null() {
        equip(world);
        return;
    }
    let uid = text(&namespace, "/metadata/uid").to_owned();
    if !world.due(&uid, "drain", world.cluster.timing.namespace_drain) {
        return;
    }
    let content: Vec<Key> = world.state.contents(world.namespace).map(|(key, _)| key.clone()).collect();
    for item in &content {
        world.delete(item);
    }
    let conditions = conditions(world, &namespace);
    let empty = world.state.contents(world.namespace).next().is_none();
    let mut next = (*namespace).clone();
    set(&mut next, &["status", "conditions"], conditions);
    if empty {
        set(&mut next, &["spec", "finalizers"], json!([]));
        world.state.put(key.clone(), next);
        world.state.delete(&key);
        world.restart(&uid, "drain");
    } else {
        world.put(&key, next);
    }
}

fn equip(world: &mut World<'_>) {
    if world.state.find(kinds::SERVICEACCOUNTS, world.namespace, "default").is_none() {
        // Real service accounts of controllers carry no ownership.
        let made = world.create(kinds::SERVICEACCOUNTS, json!({"metadata": {"name": "default"}}));
        let key = Key::new(kinds::SERVICEACCOUNTS, world.namespace, "default");
        world.report(&key, made);
    }
    if world.state.find(kinds::CONFIGMAPS, world.namespace, "kube-root-ca.crt").is_none() {
        let map = json!({
            "metadata": {"name": "kube-root-ca.crt", "annotations": {"kubernetes.io/description": CA_NOTE}},
            "data": {"ca.crt": "-----BEGIN CERTIFICATE-----\nc2ltdWxhdGVk\n-----END CERTIFICATE-----\n"},
        });
        let made = world.create(kinds::CONFIGMAPS, map);
        let key = Key::new(kinds::CONFIGMAPS, world.namespace, "kube-root-ca.crt");
        world.report(&key, made);
    }
}

fn conditions(world: &World<'_>, namespace: &Value) -> Value {
    let mut remaining: BTreeMap<String, usize> = BTreeMap::new();
    let mut finalizers: BTreeMap<String, usize> = BTreeMap::new();
    for (key, object) in world.state.contents(world.namespace) {
        *remaining.entry(format!("{}.{}", key.kind.plural, key.kind.group)).or_default() += 1;
        for name in list(object, "/metadata/finalizers").iter().filter_map(Value::as_str) {
            *finalizers.entry(name.to_owned()).or_default() += 1;
        }
    }
    let counts = |map: &BTreeMap<String, usize>, word: &str| {
        let parts: Vec<String> =
            map.iter().map(|(name, count)| format!("{name} {word} {count} resource instances")).collect();
        parts.join(", ")
    };
    let content = if remaining.is_empty() {
        ("False", "ContentRemoved", "All content successfully removed".to_owned())
    } else {
        let message = format!("Some resources are remaining: {}", counts(&remaining, "has"));
        ("True", "SomeResourcesRemain", message)
    };
    let held = if finalizers.is_empty() {
        ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned())
    } else {
        let what = counts(&finalizers, "in");
        let message = format!("Some content in the namespace has finalizers remaining: {what}");
        ("True", "SomeFinalizersRemain", message)
    };
    let all = [
        (
            "NamespaceDeletionDiscoveryFailure",
            ("False", "ResourcesDiscovered", "All resources successfully discovered".to_owned()),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            ("False", "ParsedGroupVersions", "All legacy kube types successfully parsed".to_owned()),
        ),
        (
            "NamespaceDeletionContentFailure",
            ("False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization".to_owned()),
        ),
        ("NamespaceContentRemaining", content),
        ("NamespaceFinalizersRemaining", held),
    ];
    let old = list(namespace, "/status/conditions");
    let now = clock::now();
    all.into_iter()
        .map(|(kind, (status, reason, message))| {
            let before = old.iter().find(|condition| text(condition, "/type") == kind);
            let since = before
                .filter(|condition| text(condition, "/status") == status)
                .map_or(now.as_str(), |condition| text(condition, "/lastTransitionTime"));
            json!({
                "type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message,
            })
        })
        .collect()
}
