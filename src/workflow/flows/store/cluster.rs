//! The steps that apply objects. Applying the same again changes nothing.

use std::sync::Arc;

use serde_json::json;

use super::super::super::flow::{Progress, StepContext};
use super::{Needs, Shop, manifests, names, network, password};
use crate::domain::{Error, Redacted, Result};
use crate::vendors;

pub(super) async fn namespace(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let shop = Shop::new(needs, &context)?;
    let applied = shop.kubernetes().apply_namespace(&manifests::namespace(shop.namespace())?).await?;
    if applied.metadata.deletion_timestamp.is_some() {
        return Err(Error::new(crate::domain::Code::Conflict, "the namespace is being deleted"));
    }
    // Before its first pod: none is ever open to others.
    for policy in network::policies(shop.namespace(), &shop.settings().closed_networks)? {
        shop.kubernetes().apply(shop.namespace(), &policy).await?;
    }
    Ok(Progress::Done(json!({ "namespace": shop.namespace() })))
}

pub(super) async fn quota(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let shop = Shop::new(needs, &context)?;
    // A store does without: the quota is to protect the cluster's other tenants, and its administrator may have set one.
    match shop.kubernetes().apply(shop.namespace(), &manifests::quota(shop.namespace())?).await {
        Ok(_) => Ok(Progress::done()),
        Err(error @ (vendors::Error::Invalid(_) | vendors::Error::Unauthorized(_) | vendors::Error::NotFound(_))) => {
            Ok(Progress::Skipped { detail: format!("The store has no quota: the cluster refuses it ({error})") })
        }
        Err(other) => Err(other.into()),
    }
}

/// Chooses the passwords once: a Secret that is there already is left as it is.
pub(super) async fn secrets(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let shop = Shop::new(needs, &context)?;
    let store = shop.namespace();
    let name = Redacted::from("wordpress");
    let database =
        [("root-password", &password()), ("database", &name), ("username", &name), ("password", &password())];
    shop.kubernetes().create_once(store, &manifests::secret(store, names::MYSQL_SECRET, &database)?).await?;
    let user = Redacted::new(shop.settings().admin_user.clone());
    let chosen = shop.settings().admin_password.clone().unwrap_or_else(password);
    let admin = [("username", &user), ("password", &chosen)];
    shop.kubernetes().create_once(store, &manifests::secret(store, names::ADMIN_SECRET, &admin)?).await?;
    Ok(Progress::done())
}

pub(super) async fn volumes(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let shop = Shop::new(needs, &context)?;
    let settings = shop.settings();
    let class = settings.storage_class.as_deref();
    for (name, size) in
        [(names::MYSQL_VOLUME, &settings.mysql_storage), (names::WORDPRESS_VOLUME, &settings.wordpress_storage)]
    {
        shop.kubernetes().apply(shop.namespace(), &manifests::volume(shop.namespace(), name, size, class)?).await?;
    }
    Ok(Progress::done())
}

pub(super) async fn mysql(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let shop = Shop::new(needs, &context)?;
    let store = shop.namespace();
    shop.kubernetes().apply(store, &manifests::mysql(store, shop.settings())?).await?;
    let service = manifests::service(store, names::MYSQL_SERVICE, names::MYSQL, 3306)?;
    shop.kubernetes().apply(store, &service).await?;
    Ok(Progress::done())
}

pub(super) async fn wordpress(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let shop = Shop::new(needs, &context)?;
    let store = shop.namespace();
    shop.kubernetes().apply(store, &manifests::wordpress(store, shop.settings())?).await?;
    let service = manifests::service(store, names::WOOCOMMERCE_SERVICE, names::WOOCOMMERCE, 80)?;
    shop.kubernetes().apply(store, &service).await?;
    Ok(Progress::done())
}

pub(super) async fn ingress(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let shop = Shop::new(needs, &context)?;
    let address =
        url::Url::parse(&shop.input.url).map_err(|source| Error::internal("read a store's address", source))?;
    let host = address.host_str().unwrap_or_default();
    let manifest = manifests::ingress(shop.namespace(), host, shop.settings().ingress_class.as_deref())?;
    shop.kubernetes().apply(shop.namespace(), &manifest).await?;
    Ok(Progress::Done(json!({ "host": host })))
}
