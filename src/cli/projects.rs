//! `northstack projects`: a team's applications under one name.

use clap::{Args, Subcommand};

use super::api::{Api, nothing};
use super::graphql::{self, Project, create_project, projects, projects_named};
use super::{Context, Exit, output, suggest, teams};
use crate::domain::{Code, Error, Result};

/// Arguments of `northstack projects`.
#[derive(Debug, Args)]
pub struct Projects {
    /// What to do.
    #[command(subcommand)]
    pub command: ProjectsCommand,
}

/// What `northstack projects` can do.
#[derive(Debug, Subcommand)]
pub enum ProjectsCommand {
    /// List the projects of your teams, the oldest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Make a project
    Create {
        /// Its name, 1 to 100 characters
        name: String,
        /// The team that owns it, by name or id; needed when you belong to several
        #[arg(long)]
        team: Option<String>,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
    },
}

impl Projects {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        match self.command {
            ProjectsCommand::List { limit } => list(&api, limit, context).await,
            ProjectsCommand::Create { name, team, description } => {
                teams::check_title("name", &name)?;
                let team = teams::find(&api, team.as_deref()).await?;
                let variables = create_project::Variables { name, team, description };
                let answer = api.run::<graphql::CreateProject>(variables).await?;
                let made = answer.insert_projects_one.ok_or_else(nothing)?;
                context.output.print(&Project::from(made), |made| {
                    let Project { name, team, .. } = made;
                    format!("{name} was created for {team}.\nNext: northstack apps create my-app --project {name:?}")
                })?;
                Ok(Exit::Done)
            }
        }
    }
}

async fn list(api: &Api, limit: u32, context: &Context) -> Result<Exit> {
    let answer = api.run::<graphql::Projects>(projects::Variables { limit: limit.into() }).await?;
    let found: Vec<Project> = answer.projects.into_iter().map(Project::from).collect();
    context.output.print(&found, |found| {
        let rows = found.iter().map(|one| {
            let created = output::ago(&one.created_at);
            [one.name.clone(), one.team.clone(), one.applications.join(", "), created, one.id.to_string()]
        });
        output::table(["PROJECT", "TEAM", "APPS", "CREATED", "ID"], rows)
    })?;
    if found.is_empty() {
        output::note(context.output, "No project yet. Make one: northstack projects create website");
    }
    Ok(Exit::Done)
}

/// The project with that name or primary key; without one, the only one. `team` is the team that it is to be of.
pub(super) async fn find(api: &Api, text: Option<&str>, team: Option<&str>) -> Result<uuid::Uuid> {
    let of = match team {
        Some(team) => Some(teams::find(api, Some(team)).await?),
        None => None,
    };
    let found = match text {
        Some(text) => {
            if let Ok(id) = text.parse() {
                return Ok(id);
            }
            let variables = projects_named::Variables { name: text.to_owned() };
            api.run::<graphql::ProjectsNamed>(variables).await?.projects.into_iter().map(Project::from).collect()
        }
        None => all(api).await?,
    };
    let found: Vec<Project> = found.into_iter().filter(|one| of.is_none_or(|team| one.team_id == team)).collect();
    match (found.as_slice(), text) {
        ([one], _) => Ok(one.id),
        ([], Some(text)) => {
            let known = all(api).await?;
            let meant = suggest::meant(text, known.iter().map(|one| one.name.as_str()));
            let of = team.map(|team| format!(" of {team:?}")).unwrap_or_default();
            let option = team.map(|team| format!(" --team {team:?}")).unwrap_or_default();
            let message = format!(
                "no project{of} is called {text:?};{meant} `northstack projects list` shows yours, and \
                 `northstack projects create {text:?}{option}` makes it"
            );
            Err(Error::new(Code::NotFound, message))
        }
        ([], None) => {
            let option = team.map(|team| format!(" --team {team:?}")).unwrap_or_default();
            let message = format!("you have no project yet; make one: northstack projects create website{option}");
            Err(Error::new(Code::NotFound, message))
        }
        (several, Some(text)) => {
            let teams: Vec<&str> = several.iter().map(|one| one.team.as_str()).collect();
            let message =
                format!("several projects are called {text:?}: give --team, which is one of {}", teams.join(", "));
            Err(Error::invalid("--team", message))
        }
        (several, None) => {
            let names: Vec<&str> = several.iter().take(10).map(|one| one.name.as_str()).collect();
            Err(Error::invalid("--project", format!("you see several projects; name one: {}", names.join(", "))))
        }
    }
}

async fn all(api: &Api) -> Result<Vec<Project>> {
    let answer = api.run::<graphql::Projects>(projects::Variables { limit: 200 }).await?;
    Ok(answer.projects.into_iter().map(Project::from).collect())
}
