//! Paths of the API.

use percent_encoding::percent_decode_str;

use crate::kubernetes::gateway;
use crate::kubernetes::kinds::{self, KindId};

/// What a path asks for.
pub(super) enum Route {
    Resource(Target),
    Discovery(Document),
    /// A path below a known group that no resource serves.
    UnknownResource,
    /// A path outside the API.
    UnknownPath,
}

/// A resource, one object of it, or a subresource of one.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) kind: KindId,
    /// Empty for cluster-scoped resources and for all namespaces.
    pub(super) namespace: String,
    /// Empty for the collection.
    pub(super) name: String,
    pub(super) subresource: String,
    /// What follows the subresource: the path behind a proxy.
    pub(super) rest: String,
}

/// A document of discovery or of health.
pub(super) enum Document {
    Root,
    Version,
    Core,
    CoreV1,
    Groups,
    Group(String),
    GroupVersion(String, String),
    Health,
}

/// Reads a path. The Gateway API is there where it is installed.
pub(super) fn parse(path: &str, gateway_api: bool) -> Route {
    let decoded: Vec<String> = path
        .trim_start_matches('/')
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let mut parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let proxy = parts.contains(&"proxy");
    if !proxy && parts.len() > 1 && parts.last() == Some(&"") {
        parts.pop();
    }
    match parts.as_slice() {
        [""] => Route::Discovery(Document::Root),
        ["apis", group, ..] if *group == gateway::GROUP && !gateway_api => Route::UnknownPath,
        ["version"] => Route::Discovery(Document::Version),
        ["healthz" | "livez" | "readyz"] | ["healthz" | "livez" | "readyz", "ping"] => {
            Route::Discovery(Document::Health)
        }
        ["api"] => Route::Discovery(Document::Core),
        ["apis"] => Route::Discovery(Document::Groups),
        ["api", "v1"] => Route::Discovery(Document::CoreV1),
        ["api", "v1", rest @ ..] => resource("", "v1", rest),
        ["apis", group] if known(group, None) => Route::Discovery(Document::Group((*group).to_owned())),
        ["apis", group, version] if known(group, Some(version)) => {
            Route::Discovery(Document::GroupVersion((*group).to_owned(), (*version).to_owned()))
        }
        ["apis", group, version, rest @ ..] if !rest.is_empty() => resource(group, version, rest),
        ["apis", group, _] if known(group, None) => Route::UnknownResource,
        _ => Route::UnknownPath,
    }
}

fn known(group: &str, version: Option<&str>) -> bool {
    kinds::all().any(|kind| kind.group == group && version.is_none_or(|version| kind.version == version))
}

fn resource(group: &str, version: &str, rest: &[&str]) -> Route {
    if !known(group, None) {
        return Route::UnknownPath;
    }
    let (namespace, rest) = match rest {
        // `namespaces/x/status` is the namespace's own; `namespaces/x/pods` lies in it.
        ["namespaces", _, "status" | "finalize"] => ("", rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        _ => ("", rest),
    };
    let Some((plural, rest)) = rest.split_first() else { return Route::UnknownResource };
    let Some(kind) = kinds::find(group, version, plural) else { return Route::UnknownResource };
    let (name, rest) = rest.split_first().map_or(("", rest), |(name, rest)| (*name, rest));
    let (subresource, rest) = rest.split_first().map_or(("", rest), |(sub, rest)| (*sub, rest));
    if kind.namespaced && namespace.is_empty() && !name.is_empty() {
        return Route::UnknownResource;
    }
    if !subresource.is_empty() && !serves(kind, subresource) {
        return Route::UnknownResource;
    }
    if subresource != "proxy" && !rest.is_empty() {
        return Route::UnknownResource;
    }
    Route::Resource(Target {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: subresource.to_owned(),
        rest: rest.join("/"),
    })
}

/// Whether the kind has that subresource.
pub(super) fn serves(kind: KindId, subresource: &str) -> bool {
    match subresource {
        "status" => kind.status,
        "scale" => kind.scale,
        "finalize" => kind == kinds::NAMESPACES,
        "log" | "exec" | "eviction" | "binding" => kind == kinds::PODS,
        "proxy" => kind == kinds::SERVICES || kind == kinds::PODS,
        "token" => kind == kinds::SERVICEACCOUNTS,
        _ => false,
    }
}
