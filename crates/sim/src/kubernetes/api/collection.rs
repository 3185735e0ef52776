//! DELETE of a collection.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

use super::path::Target;
use super::query::Query;
use super::respond::Respond;
use super::selectors::Selectors;
use super::write;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::json::remove;
use crate::kubernetes::registry;
use crate::kubernetes::status::ApiResult;
use crate::kubernetes::storage::Key;

/// Deletes what the selectors choose and answers the list of it.
pub(super) async fn delete(
    cluster: &Cluster,
    target: &Target,
    query: &Query,
    request: Request,
    respond: &Respond,
) -> ApiResult<Response> {
    let selectors = Selectors::read(target, query)?;
    let options = write::options(query, request).await?;
    let (gone, revision) = cluster.write(|state| {
        let chosen: Vec<(Key, Arc<Value>)> = state
            .list(target.kind, &target.namespace)
            .filter(|(_, object)| selectors.matches(object))
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        for (key, _) in &chosen {
            // One that vanished meanwhile is no fault of the others.
            let _ = registry::delete(state, key, &options);
        }
        (chosen, state.revision())
    });
    let items: Vec<Value> = gone
        .iter()
        .map(|(_, object)| {
            let mut item = (**object).clone();
            remove(&mut item, &["kind"]);
            remove(&mut item, &["apiVersion"]);
            item
        })
        .collect();
    let list = json!({
        "kind": format!("{}List", target.kind.kind), "apiVersion": target.kind.api_version(),
        "metadata": {"resourceVersion": revision.to_string()}, "items": items,
    });
    Ok(respond.json(200, &list))
}
