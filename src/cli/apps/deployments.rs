//! `northstack deployments`: an application's revisions, and what became of them.

use clap::{Args, Subcommand};

use super::find;
use crate::cli::api::Api;
use crate::cli::graphql::{self, application_deployments};
use crate::cli::{Context, Exit, output};
use crate::domain::Result;

/// A deployment, as it is listed.
pub type Row = application_deployments::ApplicationDeploymentsDeployments;

/// Arguments of `northstack deployments`.
#[derive(Debug, Args)]
pub struct Deployments {
    /// What to do.
    #[command(subcommand)]
    pub command: DeploymentsCommand,
}

/// What `northstack deployments` can do. APP is a name or an id.
#[derive(Debug, Subcommand)]
pub enum DeploymentsCommand {
    /// List the deployments of an app, newest first: what rollback --to can bring back
    List {
        /// Which app
        app: String,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
}

impl Deployments {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let DeploymentsCommand::List { app, limit } = self.command;
        let api = Api::connect(context).await?;
        let application = find(&api, &app).await?;
        let variables = application_deployments::Variables { id: application.id, limit: limit.into() };
        let found = api.run::<graphql::ApplicationDeployments>(variables).await?.deployments;
        context.output.print(&found, |found| table(found))?;
        if found.is_empty() {
            let name = application.name;
            output::note(
                context.output,
                &format!("No deployment yet. Begin one: northstack deploy {name} --image <image>"),
            );
        }
        Ok(Exit::Done)
    }
}

/// The deployments as a table.
pub fn table(rows: &[Row]) -> String {
    let rows = rows.iter().map(|one| {
        let image = one.image.clone().unwrap_or_default();
        let error = one.error.clone();
        let note = error.or_else(|| one.restored_revision.map(|number| format!("brings revision {number} back")));
        [
            one.revision.to_string(),
            one.status.clone(),
            one.strategy.clone(),
            image,
            output::ago(&one.created_at),
            note.unwrap_or_default(),
        ]
    });
    output::table(["REVISION", "STATUS", "STRATEGY", "IMAGE", "CREATED", "NOTE"], rows)
}
