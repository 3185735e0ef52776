//! The commands that change a running application: each begins an operation and follows it where that is wanted.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::find;
use crate::cli::api::{Api, nothing};
use crate::cli::graphql::{
    self, Operation, abort_deployment, application_serving, deploy_application, open_deployment, operation_by_id,
    promote_deployment, restart_application, rollback_deployment, scale_application, start_application,
    stop_application,
};
use crate::cli::watch::{AtPause, Pause};
use crate::cli::{Context, Exit, Output, output, watch};
use crate::domain::{Code, Error, Result};

/// Which application is meant, and how the operation is followed.
#[derive(Debug, Args)]
pub struct On {
    /// The app, by name or id
    pub app: String,
    /// Follow the operation to its end, or until it waits for you; the exit code tells the outcome
    #[arg(long, short)]
    pub watch: bool,
    /// A repeated request with the same key gives the first one's operation
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

/// What of an application a command is about.
struct Target {
    api: Api,
    id: Uuid,
    name: String,
}

impl On {
    /// The API, and the application.
    async fn open(&self, context: &Context) -> Result<Target> {
        let api = Api::connect(context).await?;
        let found = find(&api, &self.app).await?;
        Ok(Target { api, id: found.id, name: found.name })
    }

    fn key(&self) -> Option<String> {
        self.idempotency_key.clone()
    }
}

/// How a command is followed.
struct Begun {
    operation: Uuid,
    /// What it does, such as `is being scaled`.
    doing: String,
    /// What programs are told besides.
    more: Map<String, Value>,
    at_pause: AtPause,
}

impl Begun {
    fn new(operation: Uuid, doing: impl Into<String>) -> Self {
        Self { operation, doing: doing.into(), more: Map::new(), at_pause: AtPause::Follow }
    }

    /// Says what was begun, and follows it where that is wanted.
    async fn follow(mut self, on: &On, target: &Target, context: &Context) -> Result<Exit> {
        let Target { api, name, .. } = target;
        let variables = operation_by_id::Variables { id: self.operation };
        let found = api.run::<graphql::OperationById>(variables).await?.operations_by_pk;
        let operation = found.map(Operation::from).ok_or_else(|| Error::not_found("operation"))?;
        if context.output == Output::Json || !on.watch {
            self.describe(target, &operation).await?;
            let queued = watch::queued(&operation, name).map(|why| format!("\n{why}.")).unwrap_or_default();
            let (doing, id) = (&self.doing, self.operation);
            context.output.print(&self.more, |_| {
                format!("{name} {doing}.{queued}\nFollow it: northstack operations watch {id}")
            })?;
        }
        match on.watch {
            true => watch::until_pause(api, self.operation, context.output, &self.at_pause).await,
            false => Ok(Exit::Done),
        }
    }

    /// Adds what every program wants to know of it.
    async fn describe(&mut self, target: &Target, operation: &Operation) -> Result<()> {
        let (deployment, revision) = match &operation.deployment {
            Some(deployment) => (Some(deployment.id), Some(deployment.revision)),
            None => {
                let variables = application_serving::Variables { id: target.id };
                let serving = target.api.run::<graphql::ApplicationServing>(variables).await?.deployments;
                let serving = serving.into_iter().next();
                (serving.as_ref().map(|one| one.id), serving.map(|one| one.revision))
            }
        };
        let url = operation.application.as_ref().and_then(|application| application.url.clone());
        let described = [
            ("operationId", json!(self.operation)),
            ("applicationId", json!(target.id)),
            ("application", json!(target.name)),
            ("deploymentId", json!(deployment)),
            ("revision", json!(revision)),
            ("status", json!(operation.status)),
            ("url", json!(url)),
        ];
        let more = std::mem::take(&mut self.more);
        self.more = described.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(more).collect();
        Ok(())
    }
}

/// How a new revision takes the place of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Strategy {
    /// Pod by pod.
    Rolling,
    /// On a growing share, which you promote.
    Canary,
    /// Beside the one before, until you promote it.
    #[value(alias = "blue-green")]
    BlueGreen,
    /// After the one before has ended.
    Recreate,
}

impl Strategy {
    /// The name that the API has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Strategy::Rolling => "rolling",
            Strategy::Canary => "canary",
            Strategy::BlueGreen => "blue_green",
            Strategy::Recreate => "recreate",
        }
    }
}

/// Arguments of `northstack deploy`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  northstack deploy my-app --image nginx:1 --watch
  northstack deploy my-app --image nginx:2 --strategy canary --watch
  northstack deploy my-app                # again, with what env set and secrets set changed")]
pub struct Deploy {
    /// Which application.
    #[command(flatten)]
    pub on: On,
    /// The image; by default the app's own
    #[arg(long)]
    pub image: Option<String>,
    /// The commit that the image was made from
    #[arg(long)]
    pub commit: Option<String>,
    /// How it takes the place of the one before; by default as the app says
    #[arg(long, value_enum)]
    pub strategy: Option<Strategy>,
}

impl Deploy {
    /// Begins a deployment.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let target = self.on.open(context).await?;
        let Self { on, image, commit, strategy } = self;
        let strategy = strategy.map(|strategy| strategy.as_str().to_owned());
        let variables =
            deploy_application::Variables { id: target.id, image, commit, strategy, idempotency_key: on.key() };
        let begun = target.api.run::<graphql::DeployApplication>(variables).await?;
        let begun = begun.deploy_application.ok_or_else(nothing)?;
        let begun = Begun { at_pause: AtPause::End(None), ..Begun::new(begun.operation_id, "is being deployed") };
        begun.follow(&on, &target, context).await
    }
}

/// Arguments of `northstack rollback`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  northstack rollback my-app --watch      # to the revision that served before
  northstack rollback my-app --to 1 --watch
  northstack deployments list my-app      # shows the revisions")]
pub struct Rollback {
    /// Which application.
    #[command(flatten)]
    pub on: On,
    /// The revision; by default the one that served before
    #[arg(long, value_name = "REVISION")]
    pub to: Option<i64>,
}

impl Rollback {
    /// Begins a rollback, and says what it does not bring back.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let target = self.on.open(context).await?;
        let variables =
            rollback_deployment::Variables { id: target.id, revision: self.to, idempotency_key: self.on.key() };
        let answer = target.api.run::<graphql::RollbackDeployment>(variables).await?;
        let begun = answer.rollback_deployment.ok_or_else(nothing)?;
        if context.output == Output::Text {
            output::line(&format!("Revision {} will be brought back. Not restored:", begun.restores))?;
            for sentence in &begun.not_restored {
                output::line(&format!("- {sentence}"))?;
            }
        }
        let mut following = Begun::new(begun.operation_id, "goes back");
        following.more.insert("restores".to_owned(), begun.restores.into());
        following.more.insert("notRestored".to_owned(), begun.not_restored.into());
        following.follow(&self.on, &target, context).await
    }
}

type Open = open_deployment::OpenDeploymentOpen;

/// The open deployments of an application, or the only one of a revision, the newest first.
async fn open_deployments(target: &Target, revision: Option<i64>) -> Result<(Vec<Open>, Option<Uuid>)> {
    let found = target.api.run::<graphql::OpenDeployment>(open_deployment::Variables { id: target.id }).await?;
    let open = found.open.into_iter().filter(|one| revision.is_none_or(|wanted| one.revision == wanted)).collect();
    let newest = found.newest.into_iter().filter(|one| revision.is_none_or(|wanted| one.revision == wanted));
    Ok((open, newest.filter(|newest| newest.status == "failed").map(|newest| newest.id).next()))
}

/// Arguments of `northstack promote`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  northstack promote my-app --watch         # to the canary's next share
  northstack promote my-app --full --watch  # to all pods")]
pub struct Promote {
    /// Which application.
    #[command(flatten)]
    pub on: On,
    /// Go to the end at once, and not to the next step
    #[arg(long)]
    pub full: bool,
    /// The revision that waits; by default the only one that does
    #[arg(long)]
    pub revision: Option<i64>,
}

impl Promote {
    /// Lets the deployment that waits go on, whatever was asked for after it.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let target = self.on.open(context).await?;
        let (open, _) = open_deployments(&target, self.revision).await?;
        let Some(waiting) = open.iter().find(|one| one.status == "paused") else {
            return Err(match open.first() {
                Some(first) => {
                    let Open { revision, status, .. } = first;
                    let message = format!(
                        "no deployment of {} is paused: revision {revision} is {status}; only a paused one can be promoted",
                        target.name
                    );
                    Error::new(Code::IllegalTransition, message)
                }
                None => {
                    let message = format!("{} has no open deployment that could be promoted", target.name);
                    Error::new(Code::NotFound, message)
                }
            });
        };
        let before = Pause::at(waiting.id, &waiting.status, &waiting.progress);
        let variables =
            promote_deployment::Variables { id: waiting.id, full: Some(self.full), idempotency_key: self.on.key() };
        let begun = target.api.run::<graphql::PromoteDeployment>(variables).await?;
        let begun = begun.promote_deployment.ok_or_else(nothing)?;
        let doing = format!("goes on with revision {}", waiting.revision);
        let begun = Begun { at_pause: AtPause::End(before), ..Begun::new(begun.operation_id, doing) };
        begun.follow(&self.on, &target, context).await
    }
}

/// Arguments of `northstack abort`.
#[derive(Debug, Args)]
pub struct Abort {
    /// Which application.
    #[command(flatten)]
    pub on: On,
    /// The revision; by default the one that is under way, before one that waits for its turn
    #[arg(long)]
    pub revision: Option<i64>,
}

impl Abort {
    /// Ends a deployment and takes it back.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let target = self.on.open(context).await?;
        let (open, failed) = open_deployments(&target, self.revision).await?;
        // What is queued has done nothing yet: what has begun is what there is to take back.
        let begun = open.iter().find(|one| one.status != "queued").or(open.first());
        let id = begun.map(|one| one.id).or(failed).ok_or_else(|| {
            let message = format!("{} has no open or failed deployment to take back", target.name);
            Error::new(Code::NotFound, message)
        })?;
        let variables = abort_deployment::Variables { id, idempotency_key: self.on.key() };
        let answer = target.api.run::<graphql::AbortDeployment>(variables).await?;
        let operation = answer.abort_deployment.ok_or_else(nothing)?.operation_id;
        if self.on.watch {
            return watch::cancelled(&target.api, operation, context.output).await;
        }
        Begun::new(operation, "takes the deployment back").follow(&self.on, &target, context).await
    }
}

/// Arguments of `northstack scale`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  northstack scale my-app --replicas 4 --watch
  northstack scale my-app --min 2 --max 10 --cpu-percent 70   # it scales itself between them")]
pub struct Scale {
    /// Which application.
    #[command(flatten)]
    pub on: On,
    /// So many pods
    #[arg(long, value_name = "PODS", allow_negative_numbers = true, conflicts_with_all = ["min", "max", "cpu_percent"], required_unless_present_any = ["min", "max"])]
    pub replicas: Option<i64>,
    /// At least so many pods, where it scales itself
    #[arg(long, value_name = "PODS", allow_negative_numbers = true)]
    pub min: Option<i64>,
    /// At most so many pods, where it scales itself
    #[arg(long, value_name = "PODS", allow_negative_numbers = true)]
    pub max: Option<i64>,
    /// The use of CPU that it aims at, in percent of what a pod asks for, where it scales itself
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true)]
    pub cpu_percent: Option<i64>,
}

impl Scale {
    /// Changes the number of pods.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let target = self.on.open(context).await?;
        let variables = scale_application::Variables {
            id: target.id,
            replicas: self.replicas,
            min_replicas: self.min,
            max_replicas: self.max,
            cpu_percent: self.cpu_percent,
            idempotency_key: self.on.key(),
        };
        let begun =
            target.api.run::<graphql::ScaleApplication>(variables).await?.scale_application.ok_or_else(nothing)?;
        Begun::new(begun.operation_id, "is being scaled").follow(&self.on, &target, context).await
    }
}

/// Arguments of `northstack restart`.
#[derive(Debug, Args)]
pub struct Restart {
    /// Which application.
    #[command(flatten)]
    pub on: On,
}

impl Restart {
    /// Replaces the pods.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let target = self.on.open(context).await?;
        let variables = restart_application::Variables { id: target.id, idempotency_key: self.on.key() };
        let begun =
            target.api.run::<graphql::RestartApplication>(variables).await?.restart_application.ok_or_else(nothing)?;
        Begun::new(begun.operation_id, "is being restarted").follow(&self.on, &target, context).await
    }
}

/// Arguments of `northstack start`.
#[derive(Debug, Args)]
pub struct Start {
    /// Which application.
    #[command(flatten)]
    pub on: On,
}

impl Start {
    /// Starts the pods after a stop.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let target = self.on.open(context).await?;
        let variables = start_application::Variables { id: target.id, idempotency_key: self.on.key() };
        let begun =
            target.api.run::<graphql::StartApplication>(variables).await?.start_application.ok_or_else(nothing)?;
        Begun::new(begun.operation_id, "is being started").follow(&self.on, &target, context).await
    }
}

/// Arguments of `northstack stop`.
#[derive(Debug, Args)]
pub struct Stop {
    /// Which application.
    #[command(flatten)]
    pub on: On,
}

impl Stop {
    /// Stops the pods.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let target = self.on.open(context).await?;
        let variables = stop_application::Variables { id: target.id, idempotency_key: self.on.key() };
        let begun =
            target.api.run::<graphql::StopApplication>(variables).await?.stop_application.ok_or_else(nothing)?;
        Begun::new(begun.operation_id, "is being stopped").follow(&self.on, &target, context).await
    }
}
