//! Applications, as the commands ask for them.

use graphql_client::GraphQLQuery;
use serde::Serialize;
use uuid::Uuid as uuid;

use super::timestamptz;

/// An id as the remote schema names its type.
type UUID = uuid;
/// A point in time as the remote schema writes it (RFC 3339).
type DateTime = String;

operations! { "src/cli/graphql/applications.graphql":
    /// The newest applications.
    Applications,
    /// The applications with a name.
    ApplicationsNamed,
    /// One application.
    ApplicationById,
    /// An application's newest deployments.
    ApplicationDeployments,
    /// Inserts an application.
    CreateApplication,
    /// Begins the removal of an application.
    DeleteApplication,
    /// What runs of an application.
    ApplicationRuntime,
    /// What an application wrote.
    ApplicationLogs,
    /// Why an application is not live.
    ApplicationWhyNot,
}

/// An application, as every command shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Application {
    /// Primary key.
    pub id: uuid,
    pub name: String,
    pub environment: String,
    pub status: String,
    pub url: Option<String>,
    /// The image that a deployment without one takes.
    pub image: Option<String>,
    /// How many pods it is to have.
    pub replicas: i64,
    /// How a new revision takes the place of the one before.
    pub strategy: String,
    /// Whether drift is put right.
    pub heal_drift: bool,
    /// When it was made.
    pub created_at: timestamptz,
    /// The name of its project.
    pub project: String,
}

macro_rules! application_from {
    ($($module:ident),+) => {$(
        impl From<$module::ApplicationFields> for Application {
            fn from(row: $module::ApplicationFields) -> Self {
                let $module::ApplicationFields {
                    id, name, environment, status, url, image, replicas, strategy, heal_drift, created_at, project,
                } = row;
                let project = project.name;
                Self {
                    id, name, environment, status, url, image, replicas, strategy, heal_drift, created_at, project,
                }
            }
        }
    )+};
}

application_from!(applications, applications_named, application_by_id, create_application);
