//! The commands that change a running application: each begins an operation and follows it where that is wanted.

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::find;
use crate::cli::api::{Api, Connection, nothing};
use crate::cli::graphql::{
    self, abort_deployment, deploy_application, open_deployment, promote_deployment, restart_application,
    rollback_deployment, scale_application, start_application, stop_application,
};
use crate::cli::{Context, Exit, Output, output, watch};
use crate::domain::{Error, Result};

/// Where the API is, which application is meant, and how the operation is followed.
#[derive(Debug, Args)]
pub struct On {
    /// Where the API is.
    #[command(flatten)]
    pub connection: Connection,
    /// The application, by name or primary key
    pub app: String,
    /// Follow the operation to its end; the exit code tells the outcome
    #[arg(long, short)]
    pub watch: bool,
    /// A repeated request with the same key gives the first one's operation
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

impl On {
    /// The API, and the application's primary key.
    async fn open(&self) -> Result<(Api, Uuid)> {
        let api = Api::connect(&self.connection).await?;
        let id = find(&api, &self.app).await?.id;
        Ok((api, id))
    }

    fn key(&self) -> Option<String> {
        self.idempotency_key.clone()
    }

    /// Follows an operation, or says how to.
    async fn follow(&self, api: &Api, operation: Uuid, doing: &str, context: &Context) -> Result<Exit> {
        if self.watch {
            return watch::operation(api, operation, context.output).await;
        }
        context.output.print(&json!({ "operationId": operation }), |_| {
            format!("{} {doing}.\nFollow it: northstack operations watch {operation}", self.app)
        })?;
        Ok(Exit::Done)
    }

    /// The deployment of the application that has not come to its end.
    async fn open_deployment(&self, api: &Api, id: Uuid) -> Result<Uuid> {
        let found = api.run::<graphql::OpenDeployment>(open_deployment::Variables { id }).await?.open;
        found.into_iter().next().map(|one| one.id).ok_or_else(|| Error::not_found("open deployment"))
    }

    /// The deployment that can be taken back: an open one, or the newest if it has failed.
    async fn unfinished_deployment(&self, api: &Api, id: Uuid) -> Result<Uuid> {
        let found = api.run::<graphql::OpenDeployment>(open_deployment::Variables { id }).await?;
        let failed = found.newest.into_iter().find(|newest| newest.status == "failed").map(|newest| newest.id);
        let open = found.open.into_iter().next().map(|one| one.id);
        open.or(failed).ok_or_else(|| Error::not_found("open or failed deployment"))
    }
}

/// Arguments of `northstack deploy`.
#[derive(Debug, Args)]
pub struct Deploy {
    /// Which application.
    #[command(flatten)]
    pub on: On,
    /// The image; by default the application's own
    #[arg(long)]
    pub image: Option<String>,
    /// The commit that the image was made from
    #[arg(long)]
    pub commit: Option<String>,
    /// rolling, canary, blue_green or recreate; by default as the application says
    #[arg(long)]
    pub strategy: Option<String>,
}

impl Deploy {
    /// Begins a deployment.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let (api, id) = self.on.open().await?;
        let Self { on, image, commit, strategy } = self;
        let idempotency_key = on.key();
        let variables = deploy_application::Variables { id, image, commit, strategy, idempotency_key };
        let begun = api.run::<graphql::DeployApplication>(variables).await?.deploy_application.ok_or_else(nothing)?;
        on.follow(&api, begun.operation_id, "is being deployed", context).await
    }
}

/// Arguments of `northstack rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// Which application.
    #[command(flatten)]
    pub on: On,
    /// The revision; by default the one that served before
    #[arg(long)]
    pub to: Option<i64>,
}

impl Rollback {
    /// Begins a rollback, and says what it does not bring back.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let (api, id) = self.on.open().await?;
        let variables = rollback_deployment::Variables { id, revision: self.to, idempotency_key: self.on.key() };
        let begun = api.run::<graphql::RollbackDeployment>(variables).await?.rollback_deployment.ok_or_else(nothing)?;
        if context.output == Output::Text {
            output::line(&format!("Revision {} is brought back. Not restored:", begun.restores))?;
            for sentence in &begun.not_restored {
                output::line(&format!("- {sentence}"))?;
            }
        }
        self.on.follow(&api, begun.operation_id, "goes back", context).await
    }
}

/// Arguments of `northstack promote`.
#[derive(Debug, Args)]
pub struct Promote {
    /// Which application.
    #[command(flatten)]
    pub on: On,
    /// Go to the end at once, and not to the next step
    #[arg(long)]
    pub full: bool,
}

impl Promote {
    /// Lets a deployment that waits go on.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let (api, application) = self.on.open().await?;
        let id = self.on.open_deployment(&api, application).await?;
        let variables = promote_deployment::Variables { id, full: Some(self.full), idempotency_key: self.on.key() };
        let begun = api.run::<graphql::PromoteDeployment>(variables).await?.promote_deployment.ok_or_else(nothing)?;
        self.on.follow(&api, begun.operation_id, "goes on", context).await
    }
}

/// Arguments of `northstack abort`.
#[derive(Debug, Args)]
pub struct Abort {
    /// Which application.
    #[command(flatten)]
    pub on: On,
}

impl Abort {
    /// Ends a deployment and takes it back.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let (api, application) = self.on.open().await?;
        let id = self.on.unfinished_deployment(&api, application).await?;
        let answer = api
            .run::<graphql::AbortDeployment>(abort_deployment::Variables { id, idempotency_key: self.on.key() })
            .await?;
        let operation = answer.abort_deployment.ok_or_else(nothing)?.operation_id;
        if self.on.watch {
            return watch::cancelled(&api, operation, context.output).await;
        }
        self.on.follow(&api, operation, "is being taken back", context).await
    }
}

/// Arguments of `northstack scale`.
#[derive(Debug, Args)]
pub struct Scale {
    /// Which application.
    #[command(flatten)]
    pub on: On,
    /// How many pods
    #[arg(long, conflicts_with_all = ["min", "max", "cpu_percent"], required_unless_present_any = ["min", "max"])]
    pub replicas: Option<i64>,
    /// The least, where it scales itself
    #[arg(long)]
    pub min: Option<i64>,
    /// The most, where it scales itself
    #[arg(long)]
    pub max: Option<i64>,
    /// The use of CPU, in percent of what is asked for, that it is to have
    #[arg(long)]
    pub cpu_percent: Option<i64>,
}

impl Scale {
    /// Changes the number of pods.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let (api, id) = self.on.open().await?;
        let variables = scale_application::Variables {
            id,
            replicas: self.replicas,
            min_replicas: self.min,
            max_replicas: self.max,
            cpu_percent: self.cpu_percent,
            idempotency_key: self.on.key(),
        };
        let begun = api.run::<graphql::ScaleApplication>(variables).await?.scale_application.ok_or_else(nothing)?;
        self.on.follow(&api, begun.operation_id, "is being scaled", context).await
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
        let (api, id) = self.on.open().await?;
        let variables = restart_application::Variables { id, idempotency_key: self.on.key() };
        let begun = api.run::<graphql::RestartApplication>(variables).await?.restart_application.ok_or_else(nothing)?;
        self.on.follow(&api, begun.operation_id, "is being restarted", context).await
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
        let (api, id) = self.on.open().await?;
        let variables = start_application::Variables { id, idempotency_key: self.on.key() };
        let begun = api.run::<graphql::StartApplication>(variables).await?.start_application.ok_or_else(nothing)?;
        self.on.follow(&api, begun.operation_id, "is being started", context).await
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
        let (api, id) = self.on.open().await?;
        let variables = stop_application::Variables { id, idempotency_key: self.on.key() };
        let begun = api.run::<graphql::StopApplication>(variables).await?.stop_application.ok_or_else(nothing)?;
        self.on.follow(&api, begun.operation_id, "is being stopped", context).await
    }
}
