//! Secrets, as the commands ask for them.

use graphql_client::GraphQLQuery;
use serde::Serialize;
use uuid::Uuid as uuid;

use super::timestamptz;

operations! { "src/cli/graphql/secrets.graphql":
    /// The secrets, by name.
    Secrets,
    /// The secrets of one application alone.
    SecretsOfApplication,
    /// The secrets with a name.
    SecretsNamed,
    /// One secret.
    SecretById,
    /// Makes a secret, or gives it a new version.
    SetSecret,
    /// Shows a secret's value.
    RevealSecret,
    /// Deletes a secret.
    DeleteSecret,
}

/// A secret, as every command shows it: without its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Secret {
    /// Primary key.
    pub id: uuid,
    pub team_id: uuid,
    /// The application; none for a secret of the whole team.
    pub application_id: Option<uuid>,
    /// The application's name.
    pub application: Option<String>,
    pub name: String,
    pub version: i64,
    /// The variables that get its value, as `application/variable`.
    pub used_by: Vec<String>,
    /// When it was made.
    pub created_at: timestamptz,
    /// When it got its version.
    pub updated_at: timestamptz,
}

macro_rules! secret_from {
    ($($module:ident),+) => {$(
        impl From<$module::SecretFields> for Secret {
            fn from(row: $module::SecretFields) -> Self {
                let $module::SecretFields {
                    id, team_id, application_id, name, version, created_at, updated_at, application,
                    environment_variables,
                } = row;
                let used_by = environment_variables.into_iter().map(|it| format!("{}/{}", it.application.name, it.name));
                let (application, used_by) = (application.map(|it| it.name), used_by.collect());
                Self { id, team_id, application_id, application, name, version, used_by, created_at, updated_at }
            }
        }
    )+};
}

secret_from!(secrets, secrets_of_application, secrets_named, secret_by_id);
