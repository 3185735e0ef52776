//! Admission: what the default plugins of an API server add to or refuse in an object.

use serde_json::{Value, json};

use super::{limits, pod_security, quota};
use crate::kubernetes::clock;
use crate::kubernetes::json::{at, default, items_mut, list, object, set, text};
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::status::{ApiError, ApiResult};
use crate::kubernetes::storage::State;

const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Admits a new object; may change it.
pub(super) fn creation(state: &State, kind: KindId, namespace: &str, value: &mut Value) -> ApiResult<()> {
    match kind {
        kinds::PODS => {
            limits::apply(state, namespace, value)?;
            service_account(state, namespace, value)?;
            pod_extras(value)?;
            // Limits may have changed the class of service.
            let class = crate::kubernetes::defaults::qos_class(value);
            set(value, &["status", "qosClass"], class);
        }
        kinds::PVCS => claim(state, value),
        kinds::INGRESSES => {
            ingress_class(state, value);
            taken(state, namespace, value)?;
        }
        _ => {}
    }
    pod_security::check(state, kind, namespace, value)?;
    quota::check_creation(state, kind, namespace, value)
}

/// Admits a change of an object.
pub(super) fn change(state: &State, kind: KindId, live: &Value, value: &mut Value) -> ApiResult<()> {
    if kind == kinds::INGRESSES {
        taken(state, text(live, "/metadata/namespace"), value)?;
    }
    if kind == kinds::NAMESPACES {
        set(value, &["metadata", "labels", "kubernetes.io/metadata.name"], at(live, "/metadata/name").clone());
    }
    Ok(())
}

fn service_account(state: &State, namespace: &str, value: &mut Value) -> ApiResult<()> {
    let name = match text(value, "/spec/serviceAccountName") {
        "" => "default".to_owned(),
        name => name.to_owned(),
    };
    let Some(account) = state.find(kinds::SERVICEACCOUNTS, namespace, &name) else {
        let why = format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found");
        return Err(ApiError::forbidden(&kinds::PODS, text(value, "/metadata/name"), &why));
    };
    let mounted = at(value, "/spec/automountServiceAccountToken")
        .as_bool()
        .or_else(|| at(account, "/automountServiceAccountToken").as_bool())
        .unwrap_or(true);
    set(value, &["spec", "serviceAccountName"], name.as_str());
    set(value, &["spec", "serviceAccount"], name.as_str());
    if mounted {
        mount_token(value);
    }
    Ok(())
}

fn mount_token(value: &mut Value) {
    let volume = format!("kube-api-access-{}", clock::suffix());
    let mut used = false;
    let Some(spec) = value.get_mut("spec") else { return };
    for group in ["initContainers", "containers"] {
        for container in items_mut(spec, group) {
            if list(container, "/volumeMounts").iter().any(|mount| text(mount, "/mountPath") == TOKEN_PATH) {
                continue;
            }
            used = true;
            let mut mounts = list(container, "/volumeMounts").to_vec();
            mounts.push(json!({"name": volume, "readOnly": true, "mountPath": TOKEN_PATH}));
            set(container, &["volumeMounts"], mounts);
        }
    }
    if !used {
        return;
    }
    let mut volumes = list(spec, "/volumes").to_vec();
    volumes.push(json!({
        "name": volume,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [
                    {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
                ]}},
            ],
            "defaultMode": 420,
        },
    }));
    set(spec, &["volumes"], volumes);
}

fn pod_extras(value: &mut Value) -> ApiResult<()> {
    let class = text(value, "/spec/priorityClassName").to_owned();
    let priority = match class.as_str() {
        "" => 0,
        "system-cluster-critical" => 2_000_000_000,
        "system-node-critical" => 2_000_001_000,
        other => {
            let why = format!("no PriorityClass with name {other} was found");
            return Err(ApiError::forbidden(&kinds::PODS, text(value, "/metadata/name"), &why));
        }
    };
    let mut tolerations = list(value, "/spec/tolerations").to_vec();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let known = tolerations.iter().any(|toleration| {
            matches!(text(toleration, "/key"), found if found == key || found.is_empty())
                && matches!(text(toleration, "/effect"), "NoExecute" | "")
        });
        if !known {
            tolerations
                .push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
    let spec = object(value, &["spec"]);
    spec.insert("tolerations".to_owned(), Value::Array(tolerations));
    spec.insert("priority".to_owned(), json!(priority));
    default(spec, "preemptionPolicy", "PreemptLowerPriority");
    Ok(())
}

fn claim(state: &State, value: &mut Value) {
    set(value, &["metadata", "finalizers"], {
        let mut finalizers = list(value, "/metadata/finalizers").to_vec();
        if !finalizers.contains(&json!("kubernetes.io/pvc-protection")) {
            finalizers.push(json!("kubernetes.io/pvc-protection"));
        }
        finalizers
    });
    if at(value, "/spec/storageClassName").is_null()
        && let Some(class) = default_of(state, kinds::STORAGECLASSES, "storageclass.kubernetes.io/is-default-class")
    {
        set(value, &["spec", "storageClassName"], class);
    }
}

fn ingress_class(state: &State, value: &mut Value) {
    let annotated = !at(value, "/metadata/annotations/kubernetes.io~1ingress.class").is_null();
    if at(value, "/spec/ingressClassName").is_null()
        && !annotated
        && let Some(class) = default_of(state, kinds::INGRESSCLASSES, "ingressclass.kubernetes.io/is-default-class")
    {
        set(value, &["spec", "ingressClassName"], class);
    }
}

/// Refuses a host and path that another Ingress of the same controller has, as ingress-nginx's webhook does.
fn taken(state: &State, namespace: &str, value: &Value) -> ApiResult<()> {
    let nginx = |ingress: &Value| {
        let class = state.find(kinds::INGRESSCLASSES, "", text(ingress, "/spec/ingressClassName"));
        class.is_some_and(|class| text(class, "/spec/controller") == "k8s.io/ingress-nginx")
    };
    if !nginx(value) {
        return Ok(());
    }
    let wanted = routes(value);
    for (key, other) in state.list(kinds::INGRESSES, "") {
        let itself = key.namespace == namespace && key.name == text(value, "/metadata/name");
        if itself || !nginx(other) {
            continue;
        }
        if let Some((host, path)) = routes(other).into_iter().find(|route| wanted.contains(route)) {
            return Err(ApiError::bad_request(format!(
                "admission webhook \"validate.nginx.ingress.kubernetes.io\" denied the request: host {host:?} and path \
                 {path:?} is already defined in ingress {}/{}",
                key.namespace, key.name
            )));
        }
    }
    Ok(())
}

/// The hosts of an Ingress with their paths.
fn routes(ingress: &Value) -> Vec<(&str, &str)> {
    let rules = list(ingress, "/spec/rules").iter();
    let paths = rules.flat_map(|rule| list(rule, "/http/paths").iter().map(move |path| (rule, path)));
    paths.map(|(rule, path)| (text(rule, "/host"), text(path, "/path"))).collect()
}

/// The name of the class that an annotation marks as default; the newest wins.
fn default_of(state: &State, kind: KindId, annotation: &str) -> Option<String> {
    state
        .list(kind, "")
        .filter(|(_, class)| {
            class.pointer("/metadata/annotations").and_then(|all| all.get(annotation)) == Some(&json!("true"))
        })
        .max_by_key(|(_, class)| text(class, "/metadata/creationTimestamp").to_owned())
        .map(|(key, _)| key.name.clone())
}

/// The selector and labels that a Job takes from its own uid.
pub(super) fn job_selector(value: &mut Value) {
    if at(value, "/spec/manualSelector").as_bool() == Some(true) {
        return;
    }
    let (uid, name) = (text(value, "/metadata/uid").to_owned(), text(value, "/metadata/name").to_owned());
    let labels = object(value, &["spec", "template", "metadata", "labels"]);
    for (key, text) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels.insert(key.to_owned(), json!(text));
    }
    if at(value, "/metadata/labels").is_null() {
        let own = at(value, "/spec/template/metadata/labels").clone();
        set(value, &["metadata", "labels"], own);
    }
    let selector = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    set(value, &["spec", "selector"], selector);
}
