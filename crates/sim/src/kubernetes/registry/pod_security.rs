//! Pod Security admission (`pod-security.kubernetes.io/enforce` of a namespace), version `latest`. Not simulated: AppArmor,
//! SELinux, Windows, and probes that name another host.

use serde_json::Value;

use crate::kubernetes::json::{at, int, list, text};
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::status::{ApiError, ApiResult};
use crate::kubernetes::storage::State;

const LABEL: &str = "/metadata/labels/pod-security.kubernetes.io~1enforce";

/// Capabilities that `baseline` lets a container add.
const ADDABLE: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Kinds of volumes that `restricted` lets a pod have.
const VOLUMES: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
    "image",
];

/// Refuses a pod that its namespace does not let in.
pub(super) fn check(state: &State, kind: KindId, namespace: &str, pod: &Value) -> ApiResult<()> {
    if kind != kinds::PODS {
        return Ok(());
    }
    let level = state.find(kinds::NAMESPACES, "", namespace).map_or("", |found| text(found, LABEL));
    let spec = at(pod, "/spec");
    let faults = match level {
        "baseline" => baseline(spec),
        "restricted" => [baseline(spec), restricted(spec)].concat(),
        _ => return Ok(()),
    };
    if faults.is_empty() {
        return Ok(());
    }
    let why = format!("violates PodSecurity \"{level}:latest\": {}", faults.join(", "));
    Err(ApiError::forbidden(&kind, text(pod, "/metadata/name"), &why))
}

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["/initContainers", "/containers", "/ephemeralContainers"].iter().flat_map(|pointer| list(spec, pointer))
}

/// The containers of which it holds, as the messages name them.
fn named(spec: &Value, holds: impl Fn(&Value) -> bool) -> Option<String> {
    let names: Vec<String> =
        containers(spec).filter(|one| holds(one)).map(|one| format!("{:?}", text(one, "/name"))).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("container {one}")),
        more => Some(format!("containers {}", more.join(", "))),
    }
}

fn words(value: &Value, pointer: &str) -> Vec<String> {
    list(value, pointer).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn baseline(spec: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let host: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .iter()
        .filter(|name| spec.get(**name) == Some(&Value::Bool(true)))
        .map(|name| format!("{name}=true"))
        .collect();
    if !host.is_empty() {
        faults.push(format!("host namespaces ({})", host.join(", ")));
    }
    let privileged = |one: &Value| at(one, "/securityContext/privileged").as_bool() == Some(true);
    if let Some(who) = named(spec, privileged) {
        faults.push(format!("privileged ({who} must not set securityContext.privileged=true)"));
    }
    let beyond =
        |one: &Value| words(one, "/securityContext/capabilities/add").iter().any(|it| !ADDABLE.contains(&it.as_str()));
    if let Some(who) = named(spec, beyond) {
        faults.push(format!("non-default capabilities ({who} must not include other capabilities in add)"));
    }
    if list(spec, "/volumes").iter().any(|volume| volume.get("hostPath").is_some()) {
        faults.push("hostPath volumes".to_owned());
    }
    let host_port =
        |one: &Value| list(one, "/ports").iter().any(|port| int(port, "/hostPort").is_some_and(|it| it > 0));
    if let Some(who) = named(spec, host_port) {
        faults.push(format!("hostPort ({who} uses hostPorts)"));
    }
    let unconfined = |one: &Value| text(one, "/securityContext/seccompProfile/type") == "Unconfined";
    if unconfined(spec) || named(spec, unconfined).is_some() {
        faults.push("seccompProfile (must not set securityContext.seccompProfile.type to \"Unconfined\")".to_owned());
    }
    faults
}

fn restricted(spec: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let escalates = |one: &Value| at(one, "/securityContext/allowPrivilegeEscalation").as_bool() != Some(false);
    if let Some(who) = named(spec, escalates) {
        faults.push(format!(
            "allowPrivilegeEscalation != false ({who} must set securityContext.allowPrivilegeEscalation=false)"
        ));
    }
    let capable = |one: &Value| {
        let add = words(one, "/securityContext/capabilities/add");
        !words(one, "/securityContext/capabilities/drop").iter().any(|it| it == "ALL")
            || add.iter().any(|it| it != "NET_BIND_SERVICE")
    };
    if let Some(who) = named(spec, capable) {
        faults.push(format!("unrestricted capabilities ({who} must set securityContext.capabilities.drop=[\"ALL\"])"));
    }
    let other = |volume: &&Value| {
        volume.as_object().is_some_and(|it| it.keys().any(|key| key != "name" && !VOLUMES.contains(&key.as_str())))
    };
    if let Some(volume) = list(spec, "/volumes").iter().find(other) {
        faults.push(format!(
            "restricted volume types (volume {:?} uses a restricted volume type)",
            text(volume, "/name")
        ));
    }
    let whole = at(spec, "/securityContext/runAsNonRoot").as_bool();
    let root = |one: &Value| at(one, "/securityContext/runAsNonRoot").as_bool().or(whole) != Some(true);
    if let Some(who) = named(spec, root) {
        faults.push(format!("runAsNonRoot != true (pod or {who} must set securityContext.runAsNonRoot=true)"));
    }
    let zero = |one: &Value| int(one, "/securityContext/runAsUser") == Some(0);
    if zero(spec) || named(spec, zero).is_some() {
        faults.push("runAsUser=0 (must not set runAsUser=0)".to_owned());
    }
    let whole = text(spec, "/securityContext/seccompProfile/type");
    let open = |one: &Value| {
        let own = text(one, "/securityContext/seccompProfile/type");
        !matches!(if own.is_empty() { whole } else { own }, "RuntimeDefault" | "Localhost")
    };
    if let Some(who) = named(spec, open) {
        faults.push(format!(
            "seccompProfile (pod or {who} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \
             \"Localhost\")"
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_that_says_nothing_is_baseline_and_not_restricted() {
        let spec = json!({ "containers": [{ "name": "web", "image": "nginx" }] });
        assert_eq!(baseline(&spec), Vec::<String>::new());
        let faults = restricted(&spec).join(", ");
        for fault in ["allowPrivilegeEscalation != false (container \"web\"", "runAsNonRoot != true", "seccompProfile"]
        {
            assert!(faults.contains(fault), "{fault} in {faults}");
        }
        let host = json!({ "hostNetwork": true, "volumes": [{ "name": "a", "hostPath": {} }], "containers": [{
            "name": "web", "securityContext": { "privileged": true, "capabilities": { "add": ["SYS_ADMIN"] } } }] });
        assert_eq!(baseline(&host).len(), 4, "{:?}", baseline(&host));
    }

    #[test]
    fn a_pod_that_is_nobody_is_restricted() {
        let spec = json!({
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }],
            "containers": [{ "name": "web", "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } } }],
        });
        assert_eq!([baseline(&spec), restricted(&spec)].concat(), Vec::<String>::new());
    }
}
