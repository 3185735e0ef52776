//! Teams and projects, as the commands ask for them.

use graphql_client::GraphQLQuery;
use serde::Serialize;
use uuid::Uuid as uuid;

use super::timestamptz;

operations! { "src/cli/graphql/teams.graphql":
    /// The caller.
    Me,
    /// The oldest teams.
    Teams,
    /// The teams with a name or slug.
    TeamsNamed,
    /// Makes a team of which somebody is the owner.
    CreateTeam,
    /// The oldest projects.
    Projects,
    /// The projects with a name.
    ProjectsNamed,
    /// Makes a project.
    CreateProject,
}

/// A project, as every command shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Project {
    /// Primary key.
    pub id: uuid,
    pub name: String,
    pub description: String,
    /// When it was made.
    pub created_at: timestamptz,
    /// The team's primary key.
    pub team_id: uuid,
    /// The team's name.
    pub team: String,
    /// The names of its applications.
    pub applications: Vec<String>,
}

macro_rules! project_from {
    ($($module:ident),+) => {$(
        impl From<$module::ProjectFields> for Project {
            fn from(row: $module::ProjectFields) -> Self {
                let $module::ProjectFields { id, name, description, created_at, team, applications } = row;
                let applications = applications.into_iter().map(|one| one.name).collect();
                Self { id, name, description, created_at, team_id: team.id, team: team.name, applications }
            }
        }
    )+};
}

project_from!(projects, projects_named, create_project);
