//! Field ownership: `metadata.managedFields`, and server-side apply with its conflicts
//! (sigs.k8s.io/structured-merge-diff).

mod apply;
mod compare;
mod managers;
mod merge;
mod schema;
mod set;

pub(crate) use apply::apply;
pub(crate) use compare::{changed, duplicate_key};
pub(crate) use managers::{Manager, record_update};
pub(crate) use schema::{ListKind, list_kind};
