//! How an application is reached: its Service, and from outside an Ingress, or, where `applications.gateway` names a
//! Gateway, an HTTPRoute, by which a canary gets its share of the requests. What was published in the other way before
//! is removed.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use serde::Deserialize;
use serde_json::json;

use super::super::super::flow::{Progress, StepContext};
use super::names::{Colour, Target};
use super::prepare::Before;
use super::{Needs, Rollout, manifests, ours};
use crate::config;
use crate::domain::workload::Workload;
use crate::domain::{Code, Error, Result};
use crate::vendors::kubernetes::{Client, HttpRoute};

/// The host and the Gateway, by namespace and name, of what is published by a route.
pub(super) struct Door<'a> {
    pub host: String,
    pub gateway: (&'a str, &'a str),
}

impl<'a> Door<'a> {
    /// None for what is not public, and where no Gateway is named.
    pub fn of(settings: &'a config::Applications, target: &Target, workload: &Workload) -> Option<Self> {
        Some(Self { gateway: settings.gateway()?, host: target.host(settings, workload)? })
    }
}

/// Publishes a revision. Through a Gateway, `share` percent of the requests go to the canary and the others to the stable
/// pods; the route as it is then is given back. Otherwise they go to all pods alike.
pub(super) async fn publish(
    needs: &Needs,
    target: &Target,
    workload: &Workload,
    colour: Colour,
    share: u32,
) -> Result<Option<HttpRoute>> {
    let door = Door::of(&needs.settings, target, workload);
    if door.is_some() && share > 0 {
        ours::apply(needs, target, &manifests::canary_service(target, workload, colour)?).await?;
    }
    ours::apply(needs, target, &manifests::service(target, workload, colour, door.is_some())?).await?;
    if let Some(Door { host, gateway }) = door {
        let route = manifests::route(target, workload, &host, gateway, share)?;
        let route = match ours::apply(needs, target, &route).await {
            Ok(route) => route,
            Err(error) => return Err(unserved(&needs.kubernetes, error).await),
        };
        ours::delete::<Ingress>(needs, target, &target.workload).await?;
        return Ok(Some(route));
    }
    match target.host(&needs.settings, workload) {
        Some(host) => {
            let ingress = manifests::ingress(target, workload, &host, needs.settings.ingress_class.as_deref())?;
            ours::apply(needs, target, &ingress).await?;
        }
        None => ours::delete::<Ingress>(needs, target, &target.workload).await?,
    }
    ours::delete::<HttpRoute>(needs, target, &target.workload).await?;
    Ok(None)
}

/// Why a route could not be applied, in words that help where the cluster knows no routes.
async fn unserved(kubernetes: &Client, error: Error) -> Error {
    if error.code() == Code::VendorRejected && matches!(kubernetes.serves_routes().await, Ok(false)) {
        let message = "applications.gateway names a Gateway, and the cluster serves no HTTPRoute \
                       (gateway.networking.k8s.io/v1): install the Gateway API and a controller for it, or unset \
                       applications.gateway";
        return Error::new(Code::VendorRejected, message).caused_by(error);
    }
    error
}

/// Waits until a route that was just applied is served as it is now, but no longer than a moment: nothing is to be taken
/// away before from those to whom requests still go.
pub(super) fn settling(needs: &Needs, route: Option<&HttpRoute>, waited: Duration) -> Option<Progress> {
    let why = route?.unserved().filter(|_| waited < needs.settings.stuck_after)?;
    Some(Progress::Wait { detail: format!("the requests are led to the other pods: {why}"), poll: needs.poll })
}

/// What the step before kept of a canary, if there was one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Tried {
    weight: u32,
}

/// The percent of the requests that a canary keeps after it was tried, until it is removed.
pub(super) fn share(context: &StepContext) -> Result<u32> {
    let tried: Option<Tried> = context.result("canary")?;
    Ok(tried.unwrap_or_default().weight)
}

/// Publishes the revision. A canary that stands keeps its share until the revision has all pods.
pub(super) async fn network(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let before = Before::of(&context)?;
    let share = share(&context)?;
    publish(&rollout.needs, rollout.target(), rollout.workload(), before.colour, share).await?;
    Ok(Progress::Done(json!({ "url": rollout.target().url(&rollout.needs.settings, rollout.workload()) })))
}

pub(super) async fn earlier_network(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let rollout = Rollout::new(needs, &context)?;
    let (before, target) = (Before::of(&context)?, rollout.target());
    match before.revision {
        Some(number) => {
            let earlier = rollout.revision(&context, number).await?;
            publish(&rollout.needs, target, &earlier, before.colour, 0).await?;
        }
        None => {
            ours::delete::<Ingress>(&rollout.needs, target, &target.workload).await?;
            ours::delete::<HttpRoute>(&rollout.needs, target, &target.workload).await?;
            ours::delete::<Service>(&rollout.needs, target, &target.workload).await?;
        }
    }
    Ok(Progress::done())
}
