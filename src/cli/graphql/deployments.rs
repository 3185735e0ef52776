//! Deployments and what else is done to an application, as the commands ask for it.

use graphql_client::GraphQLQuery;
use uuid::Uuid as uuid;

use super::{jsonb, timestamptz};

operations! { "src/cli/graphql/deployments.graphql":
    /// Deploys a new revision.
    DeployApplication,
    /// Brings back an earlier revision.
    RollbackDeployment,
    /// The deployments of an application that have not come to their end.
    OpenDeployment,
    /// The deployment of an application that serves.
    ApplicationServing,
    /// Lets a deployment that waits go on.
    PromoteDeployment,
    /// Ends a deployment and takes it back.
    AbortDeployment,
    /// Changes the number of pods.
    ScaleApplication,
    /// Replaces the pods.
    RestartApplication,
    /// Starts the pods after a stop.
    StartApplication,
    /// Stops the pods.
    StopApplication,
    /// An application's variables.
    EnvironmentVariables,
    /// Sets and removes variables.
    SetEnvironmentVariables,
    /// An application's preview environments.
    Previews,
    /// Makes a preview environment.
    CreatePreviewEnvironment,
    /// Removes a preview environment.
    DeletePreviewEnvironment,
}
