//! Get and list.

use std::sync::Arc;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::path::Target;
use super::query::Query;
use super::respond::{Form, Respond, partial, with_warnings};
use super::selectors::Selectors;
use super::table;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::json::{remove, set, text};
use crate::kubernetes::kinds;
use crate::kubernetes::status::{ApiError, ApiResult, Cause};
use crate::kubernetes::storage::State;

/// One object.
pub(super) fn get(cluster: &Cluster, target: &Target, query: &Query, respond: &Respond) -> ApiResult<Response> {
    respond.acceptable()?;
    let wanted = revision(query.get("resourceVersion")).map_err(ApiError::unknown)?;
    let object = cluster.read(|state| {
        not_future(state, wanted)?;
        state
            .find(target.kind, &target.namespace, &target.name)
            .cloned()
            .ok_or_else(|| ApiError::not_found(&target.kind, &target.name))
    })?;
    Ok(respond.object(200, target.kind, &object))
}

/// A resourceVersion parameter; empty is none.
pub(super) fn revision(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
    })
}

/// 504 for a revision that is still to come.
fn not_future(state: &State, wanted: Option<u64>) -> ApiResult<()> {
    let now = state.revision();
    let Some(wanted) = wanted.filter(|wanted| *wanted > now) else { return Ok(()) };
    let message = format!("Timeout: Too large resource version: {wanted}, current: {now}");
    let mut error = ApiError::new(504, "Timeout", message);
    error.details = Some(json!({
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }));
    error.retry_after = Some(1);
    Err(error)
}

/// Where a page of a list starts.
struct Continue {
    /// Negative: at the current revision.
    revision: i64,
    /// The namespace and name after which it goes on.
    after: (String, String),
}

fn decode_token(token: &str) -> ApiResult<Continue> {
    let bad = |why: &str| ApiError::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
    let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).map_err(|error| bad(&error.to_string()))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| {
        let first = bytes.first().map_or('?', |byte| char::from(*byte));
        bad(&format!("invalid character '{first}' looking for beginning of value"))
    })?;
    let start = text(&value, "/start").trim_end_matches('\0').trim_start_matches('/').to_owned();
    let after = match start.split_once('/') {
        Some((namespace, name)) => (namespace.to_owned(), name.to_owned()),
        None => (String::new(), start),
    };
    Ok(Continue { revision: value.get("rv").and_then(Value::as_i64).unwrap_or(-1), after })
}

fn encode_token(revision: i64, start: &str) -> String {
    let json = format!(r#"{{"v":"meta.k8s.io/v1","rv":{revision},"start":"{start}\u0000"}}"#);
    URL_SAFE_NO_PAD.encode(json)
}

/// A collection, or a page of it.
pub(super) fn list(cluster: &Cluster, target: &Target, query: &Query, respond: &Respond) -> ApiResult<Response> {
    respond.acceptable()?;
    let selectors = Selectors::read(target, query)?;
    let limit = usize::try_from(query.number("limit")?.unwrap_or(0).max(0)).unwrap_or(0);
    let wanted = revision(query.get("resourceVersion"))
        .map_err(|why| ApiError::bad_request(format!("invalid resource version: {why}")))?;
    let matching = query.get("resourceVersionMatch");
    let list_options = |cause: Cause| ApiError::invalid_of("meta.k8s.io", "ListOptions", "", vec![cause]);
    if !matching.is_empty() && wanted.is_none() {
        let detail = "resourceVersionMatch is forbidden unless resourceVersion is provided";
        return Err(list_options(Cause::forbidden("resourceVersionMatch", detail)));
    }
    let token = query.get("continue");
    let page = if token.is_empty() { None } else { Some(decode_token(token)?) };
    if page.is_some() && wanted.is_some_and(|wanted| wanted != 0) {
        return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
    }
    let exact = matching == "Exact";
    // A list from the cache (`resourceVersion=0`) is never cut.
    let limit = if wanted == Some(0) && !exact { 0 } else { limit };

    let (items, revision) = cluster.read(|state| -> ApiResult<(Vec<Arc<Value>>, u64)> {
        not_future(state, wanted)?;
        let current = state.revision();
        let at = match (&page, exact, wanted) {
            (Some(page), _, _) if page.revision >= 0 => Some(u64::try_from(page.revision).unwrap_or(0)),
            (None, true, Some(wanted)) => Some(wanted),
            _ => None,
        };
        match at {
            None => {
                Ok((state.list(target.kind, &target.namespace).map(|(_, object)| object.clone()).collect(), current))
            }
            Some(at) => match state.list_at(target.kind, &target.namespace, at) {
                Some(items) => Ok((items, at)),
                None => Err(expired(page.as_ref())),
            },
        }
    })?;
    let start = page.map(|page| page.after);
    let mut chosen: Vec<Arc<Value>> = items
        .into_iter()
        .filter(|object| {
            start.as_ref().is_none_or(|(namespace, name)| {
                let here = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
                let after_name = here.1 > name.as_str();
                if namespace.is_empty() { after_name } else { here > (namespace.as_str(), name.as_str()) }
            })
        })
        .filter(|object| selectors.matches(object))
        .collect();
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if limit > 0 && chosen.len() > limit {
        let remaining = chosen.len() - limit;
        chosen.truncate(limit);
        if let Some(last) = chosen.last() {
            let name = text(last, "/metadata/name");
            let start = if target.namespace.is_empty() && target.kind.namespaced {
                format!("/{}/{name}", text(last, "/metadata/namespace"))
            } else {
                format!("/{name}")
            };
            set(&mut metadata, &["continue"], encode_token(i64::try_from(revision).unwrap_or(-1), &start));
            if selectors.is_empty() {
                set(&mut metadata, &["remainingItemCount"], remaining);
            }
        }
    }
    let list = print(target, respond.form, &chosen, metadata);
    let warnings = if target.kind == kinds::ENDPOINTS {
        vec!["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned()]
    } else {
        Vec::new()
    };
    Ok(with_warnings(respond.json(200, &list), &warnings))
}

fn expired(page: Option<&Continue>) -> ApiError {
    let Some(page) = page else {
        return ApiError::expired("The resourceVersion for the provided list is too old.");
    };
    let start =
        if page.after.0.is_empty() { page.after.1.clone() } else { format!("{}/{}", page.after.0, page.after.1) };
    let mut error = ApiError::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
         results. Continuing with the provided token results in an inconsistent list - objects that were created, \
         modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    error.metadata = json!({"continue": encode_token(-1, &start)});
    error
}

fn print(target: &Target, form: Form, items: &[Arc<Value>], metadata: Value) -> Value {
    match form {
        Form::Table => {
            let rows: Vec<&Value> = items.iter().map(AsRef::as_ref).collect();
            let mut table = table::of(target.kind, &rows, &Value::Null);
            set(&mut table, &["metadata"], metadata);
            table
        }
        Form::Metadata => {
            let items: Vec<Value> = items.iter().map(|object| partial(object)).collect();
            json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
                "items": items,
            })
        }
        Form::Whole => {
            let items: Vec<Value> = items
                .iter()
                .map(|object| {
                    let mut item = (**object).clone();
                    remove(&mut item, &["kind"]);
                    remove(&mut item, &["apiVersion"]);
                    item
                })
                .collect();
            json!({
                "kind": format!("{}List", target.kind.kind), "apiVersion": target.kind.api_version(),
                "metadata": metadata, "items": items,
            })
        }
    }
}
