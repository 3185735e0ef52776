//! Operations, as the commands ask for them.

use graphql_client::GraphQLQuery;
use serde::Serialize;
use uuid::Uuid as uuid;

use super::{jsonb, timestamptz};

operations! { "src/cli/graphql/operations.graphql":
    /// The newest operations.
    Operations,
    /// One operation.
    OperationById,
    /// One operation, live.
    WatchOperation,
    /// Asks for the end of an operation.
    CancelOperation,
    /// Goes on with a failed operation.
    RetryOperation,
}

/// An operation with its steps, as every command shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operation {
    /// Primary key.
    pub id: uuid,
    /// What is being done, such as `store.create`.
    pub kind: String,
    /// `queued`, `running`, `waiting`, `succeeded`, `failed` or `cancelled`.
    pub status: String,
    /// What it is done to, such as `store`.
    pub subject_type: String,
    /// The subject's primary key.
    pub subject_id: uuid,
    /// Why it failed, as a code.
    pub error_code: Option<String>,
    /// Why it failed, in words.
    pub error_message: Option<String>,
    /// What it waits for, when that takes unusually long.
    pub stuck_reason: Option<String>,
    /// When it was asked for.
    pub created_at: timestamptz,
    /// When it ended.
    pub finished_at: Option<timestamptz>,
    /// The operation that took its place before it began.
    pub superseded_by: Option<uuid>,
    /// The store that is its subject, until it is deleted.
    pub store: Option<OperationStore>,
    /// The application that is its subject, until it is deleted.
    pub application: Option<OperationApplication>,
    /// The deployment that it carries out.
    pub deployment: Option<OperationDeployment>,
    /// The open operations of its application that were asked for before it: they come first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<Ahead>,
    /// The steps in their order, all from the start.
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperationStore {
    /// Public id.
    pub store_id: String,
    pub name: String,
    pub status: String,
    /// The storefront.
    pub url: String,
    /// The administration, once there is one.
    pub admin_url: Option<String>,
}

/// The application of an operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperationApplication {
    pub name: String,
    pub status: String,
    pub url: Option<String>,
}

/// The deployment of an operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperationDeployment {
    /// Primary key.
    pub id: uuid,
    pub revision: i64,
    pub status: String,
    /// How it takes the place of the one before.
    pub strategy: String,
    /// Where it stands.
    pub progress: jsonb,
    /// The settings of its revision, which say how long a canary pauses.
    #[serde(skip)]
    pub settings: jsonb,
}

/// An operation of the same application that comes first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ahead {
    /// Primary key.
    pub id: uuid,
    /// What is being done.
    pub kind: String,
    pub status: String,
    /// The revision that it deploys.
    pub revision: Option<i64>,
    /// The strategy of that deployment.
    pub strategy: Option<String>,
    /// Whether that deployment pauses.
    pub paused: bool,
}

/// A step of an operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Its place, from 0.
    pub ordinal: i64,
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// `pending`, `running`, `waiting`, `succeeded`, `failed`, `skipped`, `undoing`, `undone` or `undo_failed`.
    pub status: String,
    /// How often it was begun.
    pub attempt: i64,
    /// What it is doing or why it failed.
    pub detail: Option<String>,
    /// When it began.
    pub started_at: Option<timestamptz>,
    /// When it ended.
    pub finished_at: Option<timestamptz>,
}

macro_rules! operation_from {
    ($($module:ident),+) => {$(
        impl From<$module::OperationFields> for Operation {
            fn from(row: $module::OperationFields) -> Self {
                let $module::OperationFields {
                    id, kind, status, subject_type, subject_id, error_code, error_message, stuck_reason, created_at,
                    finished_at, superseded_by, store, application, deployments, steps,
                } = row;
                let store = store.map(|row| {
                    let $module::OperationFieldsStore { store_id, name, status, url, admin_url } = row;
                    OperationStore { store_id, name, status, url, admin_url }
                });
                let mut ahead = Vec::new();
                let application = application.map(|row| {
                    let $module::OperationFieldsApplication { name, status, url, operations } = row;
                    ahead.extend(operations.into_iter().take_while(|open| open.id != id).map(|open| {
                        let deployment = open.deployments.into_iter().next();
                        Ahead {
                            id: open.id,
                            kind: open.kind,
                            status: open.status,
                            revision: deployment.as_ref().map(|it| it.revision),
                            paused: deployment.as_ref().is_some_and(|it| it.status == "paused"),
                            strategy: deployment.map(|it| it.strategy),
                        }
                    }));
                    OperationApplication { name, status, url }
                });
                // What has begun waits for nobody.
                if status != "queued" {
                    ahead.clear();
                }
                let deployment = deployments.into_iter().next().map(|row| {
                    let $module::OperationFieldsDeployments { id, revision, status, strategy, progress, revisions } = row;
                    let settings = revisions.into_iter().next().map(|it| it.settings).unwrap_or_default();
                    OperationDeployment { id, revision, status, strategy, progress, settings }
                });
                let steps = steps.into_iter().map(|row| {
                    let $module::OperationFieldsSteps {
                        ordinal, name, title, status, attempt, detail, started_at, finished_at,
                    } = row;
                    Step { ordinal, name, title, status, attempt, detail, started_at, finished_at }
                });
                let steps = steps.collect();
                Self {
                    id, kind, status, subject_type, subject_id, error_code, error_message, stuck_reason, created_at,
                    finished_at, superseded_by, store, application, deployment, ahead, steps,
                }
            }
        }
    )+};
}

operation_from!(operations, operation_by_id, watch_operation);
