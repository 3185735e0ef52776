//! The steps that remove a store. Its namespace is all there is: what is in it goes with it.

use std::sync::Arc;

use super::super::super::flow::{Progress, StepContext};
use super::{Needs, SUBJECT, Shop};
use crate::db::operations;
use crate::domain::Result;

/// Waits until no other operation works on the store: one that still runs might make again what is deleted here.
pub(super) async fn others_stopped(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let operation = context.operation();
    let mut tx = context.transaction().await?;
    let open = operations::count_other_open(&mut *tx, SUBJECT, operation.subject_id, operation.id).await?;
    tx.commit().await?;
    if open == 0 {
        return Ok(Progress::done());
    }
    let detail = format!("the creation is being stopped, {} s", context.elapsed().as_secs());
    Ok(Progress::Wait { detail, poll: needs.poll })
}

pub(super) async fn namespace(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let shop = Shop::new(needs, &context)?;
    shop.kubernetes().delete_namespace(shop.namespace()).await?;
    Ok(Progress::done())
}

/// Deletes the namespace unless it is gone or going, and waits until it is gone.
pub(super) async fn namespace_gone(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let shop = Shop::new(needs, &context)?;
    let Some(namespace) = shop.kubernetes().namespace(shop.namespace()).await? else {
        return Ok(Progress::done());
    };
    if namespace.metadata.deletion_timestamp.is_none() {
        shop.kubernetes().delete_namespace(shop.namespace()).await?;
    }
    let mut detail = format!("the namespace is being deleted, {} s", context.elapsed().as_secs());
    let conditions = namespace.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    let remaining = conditions.into_iter().find(|condition| {
        condition.status == "True"
            && matches!(condition.type_.as_str(), "NamespaceContentRemaining" | "NamespaceFinalizersRemaining")
    });
    if let Some(message) = remaining.and_then(|condition| condition.message.as_deref()) {
        detail.push_str("; ");
        detail.push_str(message);
    }
    Ok(Progress::Wait { detail, poll: shop.needs.poll })
}
