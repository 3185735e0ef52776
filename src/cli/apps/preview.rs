//! `northstack preview`: preview environments of an application.

use std::time::Duration;

use clap::{Args, Subcommand};
use humantime_serde::re::humantime::parse_duration;
use serde_json::json;
use uuid::Uuid;

use super::find;
use crate::cli::api::{Api, nothing};
use crate::cli::graphql::{self, create_preview_environment, delete_preview_environment, previews};
use crate::cli::{Context, Exit, output, watch};
use crate::domain::{Error, Result};

/// Arguments of `northstack preview`.
#[derive(Debug, Args)]
pub struct Preview {
    /// What to do.
    #[command(subcommand)]
    pub command: PreviewCommand,
}

/// What `northstack preview` can do. APP is a name or an id.
#[derive(Debug, Subcommand)]
pub enum PreviewCommand {
    /// List the preview environments of an app
    List {
        /// Which app
        app: String,
    },
    /// Make a preview environment
    Create {
        /// Which app
        app: String,
        /// Its name
        name: String,
        /// The image; by default the application's own
        #[arg(long)]
        image: Option<String>,
        /// The branch that it shows
        #[arg(long)]
        branch: Option<String>,
        /// How long it lives, such as 2h or 3days
        #[arg(long, value_parser = lifetime)]
        ttl: Option<Duration>,
        /// Follow the operation to its end; the exit code tells the outcome
        #[arg(long, short)]
        watch: bool,
    },
    /// Remove a preview environment with everything in it
    Delete {
        /// Which app
        app: String,
        /// Its name
        name: String,
        /// Follow the operation to its end; the exit code tells the outcome
        #[arg(long, short)]
        watch: bool,
    },
}

impl Preview {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        match self.command {
            PreviewCommand::List { app } => {
                let id = find(&api, &app).await?.id;
                let found = api.run::<graphql::Previews>(previews::Variables { id }).await?.preview_environments;
                context.output.print(&found, |found| {
                    let rows = found.iter().map(|one| {
                        let (url, expires) = (one.url.clone(), one.expires_at.as_deref().map(output::ago));
                        [one.name.clone(), one.status.clone(), expires.unwrap_or_default(), url.unwrap_or_default()]
                    });
                    output::table(["PREVIEW", "STATUS", "EXPIRES", "URL"], rows)
                })?;
                Ok(Exit::Done)
            }
            PreviewCommand::Create { app, name, image, branch, ttl, watch } => {
                let id = find(&api, &app).await?.id;
                let ttl_seconds = ttl.map(|ttl| i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX));
                let variables = create_preview_environment::Variables {
                    id,
                    name,
                    branch,
                    image,
                    ttl_seconds,
                    idempotency_key: None,
                };
                let answer = api.run::<graphql::CreatePreviewEnvironment>(variables).await?;
                let operation = answer.create_preview_environment.ok_or_else(nothing)?.operation_id;
                follow(&api, operation, watch, "is being made", context).await
            }
            PreviewCommand::Delete { app, name, watch } => {
                let id = find(&api, &app).await?.id;
                let found = api.run::<graphql::Previews>(previews::Variables { id }).await?.preview_environments;
                let found = found.into_iter().find(|one| one.name == name);
                let id = found.ok_or_else(|| Error::not_found("preview environment"))?.id;
                let variables = delete_preview_environment::Variables { id, idempotency_key: None };
                let answer = api.run::<graphql::DeletePreviewEnvironment>(variables).await?;
                let operation = answer.delete_preview_environment.ok_or_else(nothing)?.operation_id;
                follow(&api, operation, watch, "is being removed", context).await
            }
        }
    }
}

async fn follow(api: &Api, operation: Uuid, wait: bool, doing: &str, context: &Context) -> Result<Exit> {
    if wait {
        return watch::operation(api, operation, context.output).await;
    }
    context.output.print(&json!({ "operationId": operation }), |_| {
        format!("The preview environment {doing}.\nFollow it: northstack operations watch {operation}")
    })?;
    Ok(Exit::Done)
}

fn lifetime(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|_| "write how long, such as 90m, 2h or 3days".to_owned())
}
