//! `applicationRuntime`, `applicationLogs`, `applicationMetrics`, `resourceTree`, `whyNot` and `clusterRuntime`

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{Context, Object, Result};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{graphql_error, shared_error};
use crate::app::App;
use crate::app::runtime::{
    ApplicationMetrics, ApplicationRuntime, ClusterRuntime, LogLine, Logs, ResourceTree, WhyNot,
};
use crate::domain::{Actor, Error};

/// Reads the runtimes of one request's applications together.
pub struct Runtimes {
    app: Arc<App>,
    actor: Actor,
}

impl Runtimes {
    /// For one request.
    pub fn loader(app: Arc<App>, actor: Actor) -> DataLoader<Self> {
        DataLoader::new(Self { app, actor }, tokio::spawn)
    }
}

impl Loader<Uuid> for Runtimes {
    type Value = ApplicationRuntime;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, ApplicationRuntime>, Arc<Error>> {
        self.app.application_runtimes(&self.actor, ids).await.map_err(Arc::new)
    }
}

#[derive(Default)]
pub struct ApplicationsQuery;

fn parts<'a>(context: &Context<'a>) -> Result<(&'a Arc<App>, &'a Actor)> {
    Ok((context.data::<Arc<App>>()?, context.data::<Actor>()?))
}

#[Object]
impl ApplicationsQuery {
    /// What runs of an application now: pods, restarts, addresses.
    async fn application_runtime(&self, context: &Context<'_>, application_id: Uuid) -> Result<ApplicationRuntime> {
        let loader = context.data::<DataLoader<Runtimes>>()?;
        let found = loader.load_one(application_id).await.map_err(|error| shared_error(&error))?;
        found.ok_or_else(|| graphql_error(Error::not_found("application")))
    }

    /// The last lines that an application wrote, the oldest first.
    #[allow(clippy::too_many_arguments)]
    async fn application_logs(
        &self,
        context: &Context<'_>,
        application_id: Uuid,
        #[graphql(desc = "At most this many, 1 to 5000", default = 100)] tail: i32,
        #[graphql(desc = "Those written after this moment")] since: Option<OffsetDateTime>,
        #[graphql(desc = "Those of one pod")] pod: Option<String>,
        #[graphql(desc = "Those of another container than the application's")] container: Option<String>,
        #[graphql(desc = "Those of the containers that ran before the last restart", default)] previous: bool,
    ) -> Result<Vec<LogLine>> {
        let (app, actor) = parts(context)?;
        let wanted = Logs { tail, since, pod, container, previous };
        app.application_logs(actor, application_id, &wanted).await.map_err(graphql_error)
    }

    /// What an application uses of CPU and memory now, where the cluster measures it.
    async fn application_metrics(&self, context: &Context<'_>, application_id: Uuid) -> Result<ApplicationMetrics> {
        let (app, actor) = parts(context)?;
        app.application_metrics(actor, application_id).await.map_err(graphql_error)
    }

    /// An application's objects in the cluster, each with its owner and its health.
    async fn resource_tree(&self, context: &Context<'_>, application_id: Uuid) -> Result<ResourceTree> {
        let (app, actor) = parts(context)?;
        app.resource_tree(actor, application_id).await.map_err(graphql_error)
    }

    /// Why an application is not live: the facts in the order of cause, and what they come to.
    async fn why_not(&self, context: &Context<'_>, application_id: Uuid) -> Result<WhyNot> {
        let (app, actor) = parts(context)?;
        app.why_not(actor, application_id).await.map_err(graphql_error)
    }

    /// The cluster that applications run on.
    async fn cluster_runtime(&self, context: &Context<'_>) -> Result<ClusterRuntime> {
        let (app, actor) = parts(context)?;
        app.cluster_runtime(actor).await.map_err(graphql_error)
    }
}
