//! `northstack apps` and the commands on one application, by the same GraphQL that the portal uses.

mod act;
mod deployments;
mod env;
mod logs;
mod preview;
mod why;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

pub use act::{Abort, Deploy, Promote, Restart, Rollback, Scale, Start, Stop, Strategy};
pub use deployments::Deployments;
pub use env::Env;
pub use logs::Logs;
pub use preview::Preview;
pub use why::Why;

use super::api::{Api, nothing};
use super::graphql::{
    self, Application, application_by_id, application_deployments, application_runtime, applications,
    applications_named, create_application, delete_application,
};
use super::{Context, Exit, ask, output, projects, suggest, watch};
use crate::domain::workload::{check_replicas, names};
use crate::domain::{Code, Error, Result};

/// Arguments of `northstack apps`.
#[derive(Debug, Args)]
pub struct Apps {
    /// What to do.
    #[command(subcommand)]
    pub command: AppsCommand,
}

/// What `northstack apps` can do. APP is a name or an id.
#[derive(Debug, Subcommand)]
pub enum AppsCommand {
    /// List the apps that you may see, newest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show an app, its pods and its deployments
    Show {
        /// Which app
        app: String,
    },
    /// Create an app; deploy it afterwards
    Create(Create),
    /// Delete an app with everything that runs of it
    Delete(Delete),
}

/// Arguments of `northstack apps create`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  northstack apps create my-app --replicas 4
  northstack apps create api --project website --image nginx:1 --port 80 --strategy canary")]
pub struct Create {
    /// Its name: 1 to 63 characters of a-z, 0-9 and -
    pub name: String,
    /// The project, by name or id; needed when you see several
    #[arg(long)]
    pub project: Option<String>,
    /// The project's team, by name or id; needed when several of your teams have a project of that name
    #[arg(long)]
    pub team: Option<String>,
    /// Its environment
    #[arg(long, default_value = "production")]
    pub environment: String,
    /// The image that a deployment without one takes
    #[arg(long)]
    pub image: Option<String>,
    /// The port on which it serves HTTP
    #[arg(long, default_value_t = 8080, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// How many pods it is to have
    #[arg(long, value_name = "PODS", default_value_t = 1, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(0..=100))]
    pub replicas: u16,
    /// How a new revision takes the place of the one before
    #[arg(long, value_enum, default_value_t = Strategy::Rolling)]
    pub strategy: Strategy,
    /// Put right what somebody else changes in the cluster
    #[arg(long)]
    pub heal_drift: bool,
}

/// Arguments of `northstack apps delete`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  northstack apps delete my-app --watch
  northstack apps delete my-app --yes     # asks nothing")]
pub struct Delete {
    /// Which app
    pub app: String,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// How the request is begun and followed.
    #[command(flatten)]
    pub start: super::stores::Start,
}

impl Apps {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        match self.command {
            AppsCommand::List { limit } => list(&api, limit, context).await,
            AppsCommand::Show { app } => show(&api, &app, context).await,
            AppsCommand::Create(new) => create(&api, new, context).await,
            AppsCommand::Delete(wanted) => delete(&api, wanted, context).await,
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
    if applications.is_empty() {
        output::note(context.output, "No app yet. Create one: northstack apps create my-app");
    }
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
    text + "\n" + &deployments::table(&shown.deployments)
}

async fn create(api: &Api, new: Create, context: &Context) -> Result<Exit> {
    names::label("name", &new.name)?;
    names::label("environment", &new.environment)?;
    check_replicas("replicas", new.replicas.into(), 0)?;
    let variables = create_application::Variables {
        project: projects::find(api, new.project.as_deref(), new.team.as_deref()).await?,
        name: new.name,
        environment: new.environment,
        image: new.image,
        port: new.port.into(),
        replicas: new.replicas.into(),
        strategy: new.strategy.as_str().to_owned(),
        heal_drift: new.heal_drift,
    };
    let made = api.run::<graphql::CreateApplication>(variables).await?.insert_applications_one.ok_or_else(nothing)?;
    context.output.print(&Application::from(made), |made| {
        let Application { name, project, environment, image, .. } = made;
        let image = if image.is_some() { "" } else { " --image <image>" };
        format!("{name} was created in {project}, {environment}.\nDeploy it: northstack deploy {name}{image} --watch")
    })?;
    Ok(Exit::Done)
}

async fn delete(api: &Api, wanted: Delete, context: &Context) -> Result<Exit> {
    let Application { id, name, project, environment, url, .. } = find(api, &wanted.app).await?;
    let address = url.map(|url| format!(", its address {url}")).unwrap_or_default();
    let lost = format!(
        "This deletes {name} ({project}, {environment}): its pods, its revisions, its variables and secrets{address}."
    );
    ask::confirm(wanted.yes, &name, &lost)?;
    let variables = delete_application::Variables { id, idempotency_key: wanted.start.idempotency_key };
    let begun = api.run::<graphql::DeleteApplication>(variables).await?.delete_application.ok_or_else(nothing)?;
    if wanted.start.watch {
        return watch::named(api, begun.operation_id, context.output, name).await;
    }
    let result = json!({ "operationId": begun.operation_id, "applicationId": id, "application": name });
    context.output.print(&result, |_| {
        format!("{name} is being deleted.\nFollow it: northstack operations watch {}", begun.operation_id)
    })?;
    Ok(Exit::Done)
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
        (None, _) => {
            let known = api.run::<graphql::Applications>(applications::Variables { limit: 200 }).await?.applications;
            let meant = suggest::meant(text, known.iter().map(|one| one.name.as_str()));
            let message = format!("no app is called {text:?};{meant} `northstack apps list` shows yours");
            Err(Error::new(Code::NotFound, message))
        }
        (Some(last), false) => {
            let told = |one: &Application| format!("{} ({}, {})", one.id, one.project, one.environment);
            let ids: Vec<String> = found.iter().chain([&last]).map(told).collect();
            Err(Error::invalid("app", format!("several apps have that name; give an id: {}", ids.join(", "))))
        }
    }
}
