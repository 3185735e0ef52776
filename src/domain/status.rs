//! Statuses and the transitions that are legal between them. The database's check constraints hold the same words.

use serde::{Deserialize, Serialize};

/// Declares a status: its words (snake_case, as in the database) and for each the statuses that may follow it.
macro_rules! status {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => [$($next:ident),*]),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize,
                 strum::Display, strum::EnumIter, strum::IntoStaticStr, strum::EnumString)]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The word, as in the database and the API.
            pub fn as_str(self) -> &'static str { self.into() }

            /// The statuses that may follow this one.
            pub fn next(self) -> &'static [Self] {
                match self { $(Self::$variant => &[$(Self::$next),*]),+ }
            }

            /// Whether `to` may follow this status.
            pub fn may_become(self, to: Self) -> bool { self.next().contains(&to) }

            /// Whether nothing may follow it.
            pub fn terminal(self) -> bool { self.next().is_empty() }
        }
    };
}

status! {
    /// A store's life.
    StoreStatus {
        /// Its namespace and workloads are being made.
        Provisioning => [Ready, Failed, Deleting],
        /// The storefront answers and the sample products exist.
        Ready => [Failed, Deleting],
        /// A step failed; the namespace is kept for inspection.
        Failed => [Provisioning, Deleting],
        /// Its namespace is being removed.
        Deleting => [Deleted, Failed],
        /// Nothing of it is left in the cluster.
        Deleted => [],
    }
}

status! {
    /// A durable operation's life.
    OperationStatus {
        /// Not yet claimed by a worker.
        Queued => [Running, Failed, Cancelled],
        /// A worker holds its lease.
        Running => [Waiting, Queued, Succeeded, Failed, Cancelled],
        /// Waits for a time or a signal; no worker holds it.
        Waiting => [Running, Succeeded, Failed, Cancelled],
        /// Every step has been done.
        Succeeded => [],
        /// A step failed for good; a retry resumes there.
        Failed => [Queued],
        /// Stopped on request, with its effects undone.
        Cancelled => [],
    }
}

impl OperationStatus {
    /// Whether it goes on by itself: it has neither ended nor failed. The view `open_operations` says the same.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Waiting)
    }

    /// What has become of it, to end a sentence that begins with "the operation".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Queued => "is queued",
            Self::Running | Self::Waiting => "is under way",
            Self::Succeeded => "has already succeeded",
            Self::Failed => "has already failed",
            Self::Cancelled => "was already cancelled",
        }
    }
}

status! {
    /// Which way an operation goes through its steps. One that was turned round is never turned back: what it took away
    /// is not there to go on with.
    Direction {
        /// Its steps are done, first to last.
        Forward => [Undo],
        /// Its begun steps are undone, last to first.
        Undo => [],
    }
}

status! {
    /// One step of an operation.
    StepStatus {
        /// Not begun.
        Pending => [Running, Skipped],
        /// Being done.
        Running => [Waiting, Succeeded, Failed, Skipped, Undoing],
        /// Waits for the world, without a worker.
        Waiting => [Running, Succeeded, Failed, Skipped, Undoing],
        /// Done, with its result written.
        Succeeded => [Undoing],
        /// Failed for good.
        Failed => [Running, Undoing],
        /// Not needed.
        Skipped => [Undoing],
        /// Its effect is being removed.
        Undoing => [Undone, UndoFailed],
        /// Its effect is gone.
        Undone => [],
        /// Its effect could not be removed; a person decides.
        UndoFailed => [Undoing],
    }
}

status! {
    /// A deployment's life.
    DeploymentStatus {
        /// Waits for its turn.
        Queued => [Building, Deploying, Superseded, Cancelled, Failed],
        /// Its image is being built.
        Building => [Deploying, Failed, Cancelled, Superseded],
        /// Its workload is being rolled out.
        Deploying => [Paused, Running, Failed, Cancelled, RolledBack],
        /// A canary or blue-green rollout waits for promotion.
        Paused => [Deploying, Running, Failed, Cancelled, RolledBack],
        /// Serves traffic.
        Running => [Superseded, RolledBack, Failed],
        /// A newer deployment took its place.
        Superseded => [],
        /// Did not become ready; what there is of it is kept. A retry goes on with it, a cancellation removes it.
        Failed => [Queued, Deploying, Cancelled],
        /// An earlier revision took its place again.
        RolledBack => [],
        /// Stopped on request.
        Cancelled => [],
    }
}

status! {
    /// An application's life.
    ApplicationStatus {
        /// Never deployed.
        Created => [Deploying, Failed, Deleting],
        /// A revision is being rolled out, or its size is being changed.
        Deploying => [Created, Running, Degraded, Stopped, Failed, Deleting],
        /// Serves traffic.
        Running => [Deploying, Degraded, Stopped, Failed, Deleting],
        /// Serves traffic by an earlier revision: the newest one failed.
        Degraded => [Deploying, Running, Stopped, Failed, Deleting],
        /// Without pods, on request.
        Stopped => [Deploying, Running, Failed, Deleting],
        /// Serves nothing: its only revision failed.
        Failed => [Deploying, Running, Stopped, Deleting],
        /// Being removed.
        Deleting => [Deleted, Failed],
        /// Gone.
        Deleted => [],
    }
}

status! {
    /// A preview environment's life.
    PreviewStatus {
        /// Waits for its turn.
        Queued => [Building, Deploying, Failed, Deleting, Deleted],
        /// Its image is being built.
        Building => [Deploying, Failed, Deleting],
        /// Its objects are being made.
        Deploying => [Running, Failed, Deleting],
        /// Serves traffic.
        Running => [Deploying, Failed, Deleting],
        /// Did not become ready; what there is of it is kept.
        Failed => [Queued, Deleting],
        /// Its namespace is being removed.
        Deleting => [Deleted, Failed],
        /// Nothing of it is left in the cluster.
        Deleted => [],
    }
}

status! {
    /// A cluster's life.
    ClusterStatus {
        /// Its nodes are being made.
        Provisioning => [Ready, Failed, Deleting],
        /// Waits for the agent of an existing cluster.
        Importing => [Ready, Failed, Deleting],
        /// Healthy.
        Ready => [Degraded, Upgrading, Failed, Deleting],
        /// Up, with something broken.
        Degraded => [Ready, Upgrading, Failed, Deleting],
        /// Its Kubernetes version is being changed.
        Upgrading => [Ready, Degraded, Failed, Deleting],
        /// Could not be made or was lost.
        Failed => [Provisioning, Ready, Deleting],
        /// Being removed.
        Deleting => [Deleted, Failed],
        /// Gone.
        Deleted => [],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_store_stays_deleted_and_a_failed_one_can_be_retried() {
        assert!(StoreStatus::Deleted.terminal());
        assert!(StoreStatus::Failed.may_become(StoreStatus::Provisioning));
        assert!(!StoreStatus::Ready.may_become(StoreStatus::Provisioning));
        assert_eq!(DeploymentStatus::RolledBack.as_str(), "rolled_back");
    }
}
