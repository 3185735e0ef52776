//! What happens to an object between a request (or a controller) and the store: preparation, admission, validation,
//! ownership of fields, generation, finalizers.

mod admit;
mod create;
mod delete;
mod limits;
mod metadata;
mod pod_security;
mod quota;
mod service_ip;
mod update;

pub(crate) use create::create;
pub(crate) use delete::{DeleteOptions, Deleted, Propagation, delete};
pub(crate) use metadata::order;
pub(crate) use quota::used as quota_used;
pub(crate) use update::{Part, update};

use super::fields::Manager;
use super::kinds::KindId;

/// Who writes and how.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) manager: Manager,
    /// Go through all checks and answer as if, but write nothing.
    pub(crate) dry_run: bool,
    /// managedFields were computed already, by a server-side apply.
    pub(crate) applied: bool,
}

impl Writer {
    /// A writer by updates.
    pub(crate) fn update(name: &str, kind: KindId, subresource: &str) -> Self {
        let manager = Manager {
            name: name.to_owned(),
            apply: false,
            api_version: kind.api_version(),
            subresource: subresource.to_owned(),
        };
        Self { manager, dry_run: false, applied: false }
    }

    /// The controller manager, writing an object itself.
    pub(crate) fn controller(kind: KindId) -> Self {
        Self::update("kube-controller-manager", kind, "")
    }
}
