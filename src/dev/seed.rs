//! The demo team of the local platform: a user, a project, and an application that runs.

use crate::app::deployments::NewDeployment;
use crate::app::identity::NewUser;
use crate::app::{App, Caller};
use crate::db::applications::{self, New};
use crate::db::{Audit, projects};
use crate::domain::{Actor, Code, Error, Redacted, Result};

/// The demo user's e-mail address.
pub const DEMO_EMAIL: &str = "demo@northstack.local";
/// The demo user's password: only `northstack dev` makes this user.
pub const DEMO_PASSWORD: &str = "northstack-demo";
/// The application that a first start deploys.
pub const DEMO_APPLICATION: &str = "hello";
const DEMO_IMAGE: &str = "nginx:1.29";

/// Where applications of the local platform run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cluster {
    /// On the simulated cluster, which costs nobody anything.
    Simulated,
    /// On one that the configuration names: nothing is put there unasked.
    Named,
}

/// Registers the demo user with a team and deploys an application for it, unless an earlier run did.
pub async fn seed(app: &App, cluster: Cluster) -> Result<()> {
    let nobody = Caller { actor: Actor::System, correlation_id: "northstack-dev-seed".to_owned(), address: None };
    let user =
        NewUser { email: DEMO_EMAIL.to_owned(), password: Redacted::from(DEMO_PASSWORD), name: "Demo".to_owned() };
    let user = match app.register(&nobody, user).await {
        Ok(session) => session.user_id,
        Err(error) if error.code() == Code::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    };
    if cluster == Cluster::Named {
        return Ok(());
    }
    let caller = Caller { actor: Actor::User(user), ..nobody };
    let audit = Audit { actor: caller.actor.clone(), correlation_id: Some(caller.correlation_id.clone()) };
    let application = app.db.transaction(&audit, async |mut tx| {
        let project = projects::first_of(&mut tx, user).await?;
        let project = project.ok_or_else(|| Error::not_found("project"))?;
        let new = New { project, name: DEMO_APPLICATION, image: DEMO_IMAGE, port: 80, replicas: 2 };
        applications::insert(&mut tx, new).await
    });
    let application = application.await?;
    app.deploy_application(&caller, application, &NewDeployment::default(), None).await.map(drop)
}
