//! `northstack why`: why an application is not live, as a chain that a person can read.

use clap::Args;

use super::find;
use crate::cli::api::Api;
use crate::cli::graphql::{self, application_why_not};
use crate::cli::{Context, Exit, output};
use crate::domain::Result;

/// Arguments of `northstack why`.
#[derive(Debug, Args)]
pub struct Why {
    /// The app, by name or id
    pub app: String,
}

impl Why {
    /// Prints the facts and what they come to. The exit code is 0 when the application is live and 1 when it is not.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        let id = find(&api, &self.app).await?.id;
        let why = api.run::<graphql::ApplicationWhyNot>(application_why_not::Variables { id }).await?.why_not;
        context.output.print(&why, |why| {
            let facts = why.facts.iter().map(|fact| {
                let mark = output::mark(fact.ok);
                format!("{mark} {} {}: {}\n", fact.source, fact.subject, fact.evidence)
            });
            format!("{}\n{}", facts.collect::<String>(), why.conclusion)
        })?;
        Ok(if why.live { Exit::Done } else { Exit::Failed })
    }
}
