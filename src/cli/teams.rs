//! `northstack teams`: who owns what.

use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::api::{Api, nothing};
use super::graphql::{self, create_project, create_team, me, teams, teams_named};
use super::{Context, Exit, output};
use crate::domain::{Error, Result};

/// The project that a new team begins with.
const FIRST_PROJECT: &str = "default";

/// Arguments of `northstack teams`.
#[derive(Debug, Args)]
pub struct Teams {
    /// What to do.
    #[command(subcommand)]
    pub command: TeamsCommand,
}

/// What `northstack teams` can do.
#[derive(Debug, Subcommand)]
pub enum TeamsCommand {
    /// List your teams, the oldest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Make a team of which you are the owner, with a first project
    Create {
        /// Its name, 1 to 100 characters
        name: String,
    },
}

impl Teams {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        match self.command {
            TeamsCommand::List { limit } => list(&api, limit, context).await,
            TeamsCommand::Create { name } => create(&api, name, context).await,
        }
    }
}

async fn list(api: &Api, limit: u32, context: &Context) -> Result<Exit> {
    let own = api.run::<graphql::Me>(me::Variables {}).await?.me.ok_or_else(nothing)?.id;
    let found = api.run::<graphql::Teams>(teams::Variables { limit: limit.into() }).await?.teams;
    context.output.print(&found, |found| {
        let rows = found.iter().map(|team| {
            let role = team.members.iter().find(|member| member.user_id == own);
            let projects = team.projects_aggregate.aggregate.as_ref().map_or(0, |all| all.count);
            [
                team.name.clone(),
                role.map(|member| member.role.clone()).unwrap_or_default(),
                team.members.len().to_string(),
                projects.to_string(),
                output::ago(&team.created_at),
                team.id.to_string(),
            ]
        });
        output::table(["TEAM", "YOUR ROLE", "MEMBERS", "PROJECTS", "CREATED", "ID"], rows)
    })?;
    Ok(Exit::Done)
}

async fn create(api: &Api, name: String, context: &Context) -> Result<Exit> {
    check_title("name", &name)?;
    let owner = api.run::<graphql::Me>(me::Variables {}).await?.me.ok_or_else(nothing)?.id;
    let variables = create_team::Variables { name, owner };
    let made = api.run::<graphql::CreateTeam>(variables).await?.insert_teams_one.ok_or_else(nothing)?;
    let variables =
        create_project::Variables { name: FIRST_PROJECT.to_owned(), team: made.id, description: String::new() };
    let project = api.run::<graphql::CreateProject>(variables).await?.insert_projects_one.ok_or_else(nothing)?;
    let result = json!({ "id": made.id, "name": made.name, "slug": made.slug, "project": project.id });
    context.output.print(&result, |_| {
        format!(
            "{} was created, with the project {}.\nIts first application: northstack apps create my-app --project {}",
            made.name, project.name, project.id
        )
    })?;
    Ok(Exit::Done)
}

/// What a team or project may be called.
pub(super) fn check_title(field: &str, name: &str) -> Result<()> {
    if (1..=100).contains(&name.trim().chars().count()) && name.chars().count() <= 100 {
        return Ok(());
    }
    Err(Error::invalid(field, "must have 1 to 100 characters"))
}

/// The team with that primary key, name or slug; without one, the only one.
pub(super) async fn find(api: &Api, text: Option<&str>) -> Result<Uuid> {
    let (found, several): (Vec<Uuid>, _) = match text {
        Some(text) => {
            if let Ok(id) = text.parse::<Uuid>() {
                return Ok(id);
            }
            let variables = teams_named::Variables { name: text.to_owned() };
            let found = api.run::<graphql::TeamsNamed>(variables).await?.teams;
            (found.into_iter().map(|team| team.id).collect(), "several of your teams have that name; give its id")
        }
        None => {
            let found = api.run::<graphql::Teams>(teams::Variables { limit: 2 }).await?.teams;
            (found.into_iter().map(|team| team.id).collect(), "you belong to several teams; name one")
        }
    };
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Error::new(
            crate::domain::Code::NotFound,
            "no such team of yours; `northstack teams list` shows them, and `northstack teams create NAME` makes one",
        )),
        _ => Err(Error::invalid("--team", several)),
    }
}
