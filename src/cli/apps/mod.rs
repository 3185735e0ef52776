//! `northstack apps` and the commands on one application, by the same GraphQL that the portal uses.

mod act;
mod env;
mod logs;
mod preview;
mod why;

use clap::{Args, Subcommand};
use serde::Serialize;
use uuid::Uuid;

pub use act::{Abort, Deploy, Promote, Restart, Rollback, Scale, Start, Stop};
pub use env::Env;
pub use logs::Logs;
pub use preview::Preview;
pub use why::Why;

use super::api::{Api, Connection, nothing};
use super::graphql::{
    self, Application, application_by_id, application_deployments, application_runtime, applications,
    applications_named, create_application, projects, projects_named,
};
use super::{Context, Exit, output};
use crate::domain::{Code, Error, Result};

/// Arguments of `northstack apps`.
#[derive(Debug, Args)]
pub struct Apps {
    /// Where the API is.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do.
    #[command(subcommand)]
    pub command: AppsCommand,
}

/// What `northstack apps` can do. APP is a name or a primary key.
#[derive(Debug, Subcommand)]
pub enum AppsCommand {
    /// List the applications that you may see, newest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show an application, its pods and its deployments
    Show {
        /// Which application
        app: String,
    },
    /// Create an application; deploy it afterwards
    Create(Create),
}

/// Arguments of `northstack apps create`.
#[derive(Debug, Args)]
pub struct Create {
    /// Its name: 1 to 63 characters of a-z, 0-9 and -
    pub name: String,
    /// The project, by name or primary key; needed when you see several
    #[arg(long)]
    pub project: Option<String>,
    /// Its environment
    #[arg(long, default_value = "production")]
    pub environment: String,
    /// The image that a deployment without one takes
    #[arg(long)]
    pub image: Option<String>,
    /// The port on which it serves HTTP
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// How many pods it is to have
    #[arg(long, default_value_t = 1)]
    pub replicas: u16,
    /// How a new revision takes the place of the one before: rolling, canary, blue_green or recreate
    #[arg(long, default_value = "rolling")]
    pub strategy: String,
    /// Put right what somebody else changes in the cluster
    #[arg(long)]
    pub heal_drift: bool,
}

impl Apps {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(&self.connection).await?;
        match self.command {
            AppsCommand::List { limit } => list(&api, limit, context).await,
            AppsCommand::Show { app } => show(&api, &app, context).await,
            AppsCommand::Create(new) => create(&api, new, context).await,
        }
    }
}

async fn list(api: &Api, limit: u32, context: &Context) -> Result<Exit> {
    let answer = api.run::<graphql::Applications>(applications::Variables { limit: limit.into() }).await?;
    let applications: Vec<Application> = answer.applications.into_iter().map(Application::from).collect();
    context.output.print(&applications, |applications| {
        let rows = applications.iter().map(|one| {
            [
                one.name.clone(),
                one.project.clone(),
                one.environment.clone(),
                one.status.clone(),
                one.url.clone().unwrap_or_default(),
            ]
        });
        output::table(["APP", "PROJECT", "ENVIRONMENT", "STATUS", "URL"], rows)
    })?;
    Ok(Exit::Done)
}

/// An application with its pods and its newest deployments.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    application: Application,
    /// None when the cluster does not answer.
    runtime: Option<application_runtime::ApplicationRuntimeApplicationRuntime>,
    deployments: Vec<application_deployments::ApplicationDeploymentsDeployments>,
}

async fn show(api: &Api, app: &str, context: &Context) -> Result<Exit> {
    let application = find(api, app).await?;
    let id = application.id;
    let variables = application_deployments::Variables { id, limit: 5 };
    let deployments = api.run::<graphql::ApplicationDeployments>(variables).await?.deployments;
    let runtime = match api.run::<graphql::ApplicationRuntime>(application_runtime::Variables { id }).await {
        Ok(answer) => Some(answer.application_runtime),
        Err(error) if error.code() == Code::Unavailable => None,
        Err(error) => return Err(error),
    };
    context.output.print(&Shown { application, runtime, deployments }, text)?;
    Ok(Exit::Done)
}

fn text(shown: &Shown) -> String {
    let Application { id, name, environment, status, url, strategy, project, .. } = &shown.application;
    let mut text = format!("App:          {name} ({id})\n");
    let pods = match &shown.runtime {
        Some(runtime) => format!("{} of {} ready", runtime.ready, runtime.wanted),
        None => "unknown: the cluster does not answer".to_owned(),
    };
    let lines = [
        ("Project:      ", Some(project)),
        ("Environment:  ", Some(environment)),
        ("Status:       ", Some(status)),
        ("URL:          ", url.as_ref()),
        ("Strategy:     ", Some(strategy)),
        ("Pods:         ", Some(&pods)),
    ];
    for (label, value) in lines {
        text.extend(value.iter().flat_map(|value| [label, value.as_str(), "\n"]));
    }
    if let Some(runtime) = shown.runtime.as_ref().filter(|runtime| !runtime.pods.is_empty()) {
        let rows = runtime.pods.iter().map(|pod| {
            let revision = pod.revision.map(|number| number.to_string()).unwrap_or_default();
            let reason = pod.reason.clone().unwrap_or_default();
            [pod.name.clone(), pod.phase.clone(), pod.ready.to_string(), pod.restarts.to_string(), revision, reason]
        });
        text += &format!("\n{}\n", output::table(["POD", "PHASE", "READY", "RESTARTS", "REVISION", "REASON"], rows));
    }
    let rows = shown.deployments.iter().map(|one| {
        let told = one.error.clone().or_else(|| one.image.clone()).unwrap_or_default();
        [one.revision.to_string(), one.status.clone(), one.created_at.clone(), told]
    });
    text + "\n" + &output::table(["REVISION", "STATUS", "CREATED", "IMAGE OR ERROR"], rows)
}

async fn create(api: &Api, new: Create, context: &Context) -> Result<Exit> {
    let variables = create_application::Variables {
        project: project(api, new.project.as_deref()).await?,
        name: new.name,
        environment: new.environment,
        image: new.image,
        port: new.port.into(),
        replicas: new.replicas.into(),
        strategy: new.strategy,
        heal_drift: new.heal_drift,
    };
    let made = api.run::<graphql::CreateApplication>(variables).await?.insert_applications_one.ok_or_else(nothing)?;
    context.output.print(&Application::from(made), |made| {
        format!("{} was created in {}.\nDeploy it: northstack deploy {}", made.name, made.environment, made.name)
    })?;
    Ok(Exit::Done)
}

/// The project with that name or primary key; without one, the only one.
async fn project(api: &Api, text: Option<&str>) -> Result<Uuid> {
    let (found, several): (Vec<Uuid>, _) = match text {
        Some(text) => {
            if let Ok(id) = text.parse::<Uuid>() {
                return Ok(id);
            }
            let variables = projects_named::Variables { name: text.to_owned() };
            let found = api.run::<graphql::ProjectsNamed>(variables).await?.projects;
            (
                found.into_iter().map(|one| one.id).collect(),
                "several of your teams have a project of that name; give its id",
            )
        }
        None => {
            let found = api.run::<graphql::Projects>(projects::Variables { limit: 2 }).await?.projects;
            (found.into_iter().map(|one| one.id).collect(), "you see several projects; name one")
        }
    };
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Error::not_found("project")),
        _ => Err(Error::invalid("--project", several)),
    }
}

/// The application with that primary key or name.
pub(super) async fn find(api: &Api, text: &str) -> Result<Application> {
    if let Ok(id) = text.parse::<Uuid>() {
        let found = api.run::<graphql::ApplicationById>(application_by_id::Variables { id }).await?.applications_by_pk;
        return found.map(Application::from).ok_or_else(|| Error::not_found("application"));
    }
    let variables = applications_named::Variables { name: text.to_owned() };
    let found = api.run::<graphql::ApplicationsNamed>(variables).await?.applications;
    let mut found: Vec<Application> = found.into_iter().map(Application::from).collect();
    match (found.pop(), found.is_empty()) {
        (Some(application), true) => Ok(application),
        (None, _) => Err(Error::not_found("application")),
        (Some(_), false) => {
            Err(Error::invalid("app", "several projects or environments have an application of that name; give its id"))
        }
    }
}
