//! The environment of a container: the Services of its namespace, `env` and `envFrom`, resolved.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::kubernetes::json::{at, int, list, map, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage::State;

/// The variables of a container, or why it cannot start, in the words of a node.
pub(crate) fn environment(
    state: &State,
    namespace: &str,
    pod: &Value,
    container: &Value,
) -> Result<BTreeMap<String, String>, String> {
    let mut env = BTreeMap::new();
    // What the values of `env` may name: Services and what stands before them there, but nothing of `envFrom`.
    let mut known = BTreeMap::new();
    if at(pod, "/spec/enableServiceLinks").as_bool() != Some(false) {
        for (key, service) in state.list(kinds::SERVICES, namespace) {
            link(&mut known, &key.name, service);
        }
        env.extend(known.clone());
    }
    for source in list(container, "/envFrom") {
        let prefix = text(source, "/prefix");
        for (pointer, secret) in [("/secretRef", true), ("/configMapRef", false)] {
            let name = text(source, &format!("{pointer}/name"));
            if name.is_empty() {
                continue;
            }
            let optional = at(source, &format!("{pointer}/optional")).as_bool() == Some(true);
            match data(state, namespace, name, secret) {
                Some(pairs) => env.extend(pairs.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value))),
                None if optional => {}
                None => return Err(missing(name, secret)),
            }
        }
    }
    for entry in list(container, "/env") {
        let name = text(entry, "/name").to_owned();
        let from = at(entry, "/valueFrom");
        if from.is_null() {
            let value = expand(text(entry, "/value"), &known);
            known.insert(name.clone(), value.clone());
            env.insert(name, value);
            continue;
        }
        for (kind, secret) in [("secretKeyRef", true), ("configMapKeyRef", false)] {
            let Some(reference) = from.get(kind) else { continue };
            let (source, key) = (text(reference, "/name"), text(reference, "/key"));
            let optional = at(reference, "/optional").as_bool() == Some(true);
            match data(state, namespace, source, secret) {
                None if optional => {}
                None => return Err(missing(source, secret)),
                Some(mut pairs) => match pairs.remove(key) {
                    Some(value) => {
                        known.insert(name.clone(), value.clone());
                        env.insert(name.clone(), value);
                    }
                    None if optional => {}
                    None => {
                        let word = if secret { "Secret" } else { "ConfigMap" };
                        return Err(format!("couldn't find key {key} in {word} {namespace}/{source}"));
                    }
                },
            }
        }
    }
    Ok(env)
}

/// What a pod is told of a Service (`pkg/kubelet/envvars`), in the way of Docker's links.
fn link(env: &mut BTreeMap<String, String>, name: &str, service: &Value) {
    let address = text(service, "/spec/clusterIP");
    if address.is_empty() || address == "None" {
        return;
    }
    let upper = |text: &str| text.to_uppercase().replace('-', "_");
    let name = upper(name);
    env.insert(format!("{name}_SERVICE_HOST"), address.to_owned());
    for (place, port) in list(service, "/spec/ports").iter().enumerate() {
        let number = int(port, "/port").unwrap_or_default().to_string();
        let protocol = text(port, "/protocol");
        let url = format!("{}://{address}:{number}", protocol.to_lowercase());
        if place == 0 {
            env.insert(format!("{name}_SERVICE_PORT"), number.clone());
            env.insert(format!("{name}_PORT"), url.clone());
        }
        if !text(port, "/name").is_empty() {
            env.insert(format!("{name}_SERVICE_PORT_{}", upper(text(port, "/name"))), number.clone());
        }
        let prefix = format!("{name}_PORT_{number}_{protocol}");
        env.insert(format!("{prefix}_PROTO"), protocol.to_lowercase());
        env.insert(format!("{prefix}_PORT"), number);
        env.insert(format!("{prefix}_ADDR"), address.to_owned());
        env.insert(prefix, url);
    }
}

fn missing(name: &str, secret: bool) -> String {
    let word = if secret { "secret" } else { "configmap" };
    format!("{word} {name:?} not found")
}

fn data(state: &State, namespace: &str, name: &str, secret: bool) -> Option<BTreeMap<String, String>> {
    let kind = if secret { kinds::SECRETS } else { kinds::CONFIGMAPS };
    let object = state.find(kind, namespace, name)?;
    let pairs = map(object, "/data").into_iter().flatten().map(|(key, value)| {
        let text = value.as_str().unwrap_or_default();
        let plain = if secret {
            String::from_utf8_lossy(&STANDARD.decode(text).unwrap_or_default()).into_owned()
        } else {
            text.to_owned()
        };
        (key.clone(), plain)
    });
    Some(pairs.collect())
}

/// Replaces `$(NAME)` by variables that are known, and `$$` by a dollar.
pub(crate) fn expand(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        let close = if after.starts_with("$(") { after.find(')') } else { None };
        let end = match close {
            Some(end) => {
                let name = after.get(2..end).unwrap_or_default();
                let whole = after.get(..=end).unwrap_or_default();
                out.push_str(env.get(name).map_or(whole, String::as_str));
                end + 1
            }
            None => {
                out.push('$');
                if after.starts_with("$$") { 2 } else { 1 }
            }
        };
        rest = after.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_doubled_dollars_are_replaced_and_nothing_else() {
        let env = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        for (written, read) in
            [("$(A)", "1"), ("$$(A)", "$(A)"), ("$(B)", "$(B)"), ("$A $", "$A $"), ("$$$$", "$$"), ("$(A", "$(A")]
        {
            assert_eq!(expand(written, &env), read, "{written}");
        }
    }
}
