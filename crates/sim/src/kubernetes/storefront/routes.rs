//! HTTPRoutes: which Service is next for a host and a path. Rules that match by anything else than the path, and
//! filters, are not simulated: such a rule matches nothing.

use serde_json::Value;

use super::ingress::{Backend, behind_port};
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::controllers::{covers, gateway_of};
use crate::kubernetes::json::{at, int, list, text};
use crate::kubernetes::kinds;
use crate::kubernetes::storage::{Key, State};

/// What answers, if a route that a Gateway has taken up is for it.
pub(super) fn backend(state: &State, cluster: &Cluster, host: &str, path: &str) -> Option<Backend> {
    let routes = state.list(kinds::HTTPROUTES, "").filter(|(key, route)| {
        let hosts = list(route, "/spec/hostnames");
        let fits = hosts.is_empty() || hosts.iter().filter_map(Value::as_str).any(|known| covers(known, host));
        fits && taken(state, key, route)
    });
    let rules = routes.flat_map(|(key, route)| {
        let rules = list(route, "/spec/rules").iter().enumerate();
        rules.filter_map(move |(place, rule)| Some((reach(rule, path)?, key, route, place, rule)))
    });
    let (_, key, route, place, rule) = rules.max_by_key(|(reach, ..)| *reach)?;
    let backends = list(rule, "/backendRefs");
    let weights: Vec<i64> = backends.iter().map(|backend| int(backend, "/weight").unwrap_or(1)).collect();
    let generation = int(route, "/metadata/generation").unwrap_or_default();
    let turns = &cluster.turns;
    let chosen = turns.next(text(route, "/metadata/uid"), generation, place, &weights).and_then(|it| backends.get(it));
    let service = chosen.filter(|it| state.find(kinds::SERVICES, &key.namespace, text(it, "/name")).is_some());
    let Some(service) = service else { return Some(Backend::Broken) };
    let port = int(service, "/port").map(|number| number.to_string()).unwrap_or_default();
    Some(behind_port(state, cluster, &key.namespace, text(service, "/name"), &port))
}

fn taken(state: &State, key: &Key, route: &Value) -> bool {
    list(route, "/status/parents").iter().any(|said| {
        let accepted = |it: &Value| text(it, "/type") == "Accepted" && text(it, "/status") == "True";
        gateway_of(state, &key.namespace, at(said, "/parentRef")).is_some()
            && list(said, "/conditions").iter().any(accepted)
    })
}

/// How much of the path a rule names, if it matches: an exact path wins over a prefix, a longer prefix over a shorter.
fn reach(rule: &Value, path: &str) -> Option<usize> {
    let matches = list(rule, "/matches")
        .iter()
        .filter(|found| ["headers", "queryParams", "method"].iter().all(|key| found.get(*key).is_none()));
    let reached = matches.filter_map(|found| {
        let wanted = text(found, "/path/value");
        if text(found, "/path/type") == "Exact" {
            return (wanted == path).then_some(usize::MAX);
        }
        let prefix = wanted.trim_end_matches('/');
        let rest = path.strip_prefix(prefix)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(prefix.len())
    });
    reached.max()
}
