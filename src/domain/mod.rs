//! Ids, statuses and their legal transitions, the actor, the one error, the sealing of secrets. No I/O.

mod actor;
mod constraints;
mod email;
mod error;
mod network;
mod placement;
mod redacted;
pub mod sealing;
mod status;
mod store_id;
pub mod subject;
pub mod transaction;
pub mod workload;

pub use actor::{Actor, TeamRole};
pub use constraints::Broken;
pub use email::Email;
pub use error::{Code, Error, Result};
pub use network::client_network;
pub use placement::Placement;
pub use redacted::Redacted;
pub use status::{
    ApplicationStatus, ClusterStatus, DeploymentStatus, Direction, OperationStatus, PreviewStatus, StepStatus,
    StoreStatus,
};
pub use store_id::StoreId;
