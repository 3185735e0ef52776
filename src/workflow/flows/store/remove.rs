//! The steps that remove a store. Its namespace is all there is: what is in it goes with it.

use std::sync::Arc;

use super::super::super::flow::{Progress, StepContext};
use super::{DELETE, Needs, SUBJECT, Shop};
use crate::db::operations;
use crate::domain::Result;
use crate::vendors::kubernetes::namespace_ending;

/// Waits until no operation but a deletion works on the store: one that still runs might make again what is deleted here.
/// Another deletion does not, and may wait for this one.
pub(super) async fn others_stopped(needs: Arc<Needs>, context: StepContext) -> Result<Progress> {
    let operation = context.operation();
    let mut tx = context.transaction().await?;
    let open = operations::count_open_of_others(&mut *tx, SUBJECT, operation.subject_id, DELETE).await?;
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
    let words = namespace_ending(&namespace).unwrap_or_else(|| "is being deleted".to_owned());
    let detail = format!("the namespace {} {words}; {} s", shop.namespace(), context.elapsed().as_secs());
    Ok(Progress::Wait { detail, poll: shop.needs.poll })
}
