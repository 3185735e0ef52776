//! The steps that wait for a workload, saying what they see.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;

use super::super::super::flow::{Progress, StepContext};
use super::{Needs, Shop, names};
use crate::domain::{Code, Error, Result};
use crate::vendors::kubernetes::readiness;

pub(super) async fn mysql(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    deployment(Shop::new(needs, &context)?, &context, names::MYSQL).await
}

pub(super) async fn wordpress(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    deployment(Shop::new(needs, &context)?, &context, names::WOOCOMMERCE).await
}

async fn deployment(shop: Shop, context: &StepContext, name: &str) -> Result<Progress> {
    let namespace = shop.namespace();
    let Some(deployment) = shop.kubernetes().get::<Deployment>(namespace, name).await? else {
        return Err(Error::new(Code::VendorRejected, format!("the deployment {name} is not there any more")));
    };
    let pods: Vec<Pod> = shop.kubernetes().list(namespace, &format!("app={name}")).await?;
    let seen = readiness(&deployment, &pods);
    if seen.complete() {
        return Ok(Progress::done());
    }
    let mut detail = format!("{name}: {}/{} ready, {} s", seen.ready, seen.wanted, context.elapsed().as_secs());
    if let Some(reason) = seen.reason {
        detail.push_str("; ");
        detail.push_str(&reason);
    }
    Ok(Progress::Wait { detail, poll: shop.needs.poll })
}
