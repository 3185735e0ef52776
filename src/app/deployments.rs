//! Deployments: deploy, roll back, compare revisions.
//!
//! Rows are locked in the order in which workers lock them: an application's operations, then the application.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::applications::{lane, missing, place, placed, require_foreign_host, require_free_address};
use super::requests::{self, Asked, Key};
use super::stores::audit_of;
use super::{App, Caller, Provisioning};
use crate::db::applications::{self, Application};
use crate::db::deployments::{self, Past};
use crate::db::operations::{self, Operation};
use crate::db::{PgTx, event_effects, variables};
use crate::domain::workload::{
    Difference, Image, Resources, SecretVersion, Settings, Strategy, Workload, check_commit, check_replicas,
    check_variables, compare, not_restored,
};
use crate::domain::{ApplicationStatus, Code, DeploymentStatus, Error, Result, TeamRole};
use crate::workflow::flows::application::drift::heal::HEAL;
use crate::workflow::flows::application::{self, Input, SUBJECT};

/// What is asked for by `deployApplication`.
#[derive(Debug, Clone, Default)]
pub struct NewDeployment {
    /// The image; by default the application's own.
    pub image: Option<String>,
    /// The commit that the image was made from.
    pub commit: Option<String>,
    /// How it takes the place of the one before; by default as the application says.
    pub strategy: Option<String>,
    /// The build whose end asks for it. A build is deployed once.
    pub build: Option<Uuid>,
}

/// A deployment with the operation that carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentOperation {
    pub application: Uuid,
    pub deployment: Uuid,
    pub operation: Uuid,
    /// The revision whose unfinished deployment is ended and taken back for this one.
    pub supersedes: Option<i32>,
}

/// A rollback, and what it does not bring back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// The deployment that carries it out.
    pub deployment: DeploymentOperation,
    /// The revision that it restores.
    pub revision: i32,
    /// What it does not bring back, in sentences.
    pub not_restored: Vec<String>,
}

impl App {
    /// Deploys a new revision of an application, from what its row and its variables say now.
    ///
    /// # Errors
    /// `invalid-input` that names the field, `not-found`, `forbidden`, `illegal-transition`, `idempotency-conflict`.
    pub async fn deploy_application(
        &self,
        caller: &Caller,
        id: Uuid,
        new: &NewDeployment,
        key: Option<&str>,
    ) -> Result<DeploymentOperation> {
        let provisioning = self.provisioning()?;
        self.authorised_application(caller, id, TeamRole::Developer).await?;
        let arguments = json!({ "id": id, "image": new.image, "commit": new.commit, "strategy": new.strategy });
        let key = Key::of(caller, key, "deployApplication", &arguments)?;
        let (made, kind) = self
            .db
            .transaction(&audit_of(caller), async |mut tx| {
                let open = operations::lock_open(&mut tx, SUBJECT, id).await?;
                let row = applications::lock(&mut tx, id).await?.ok_or_else(missing)?;
                if let Some(first) = first_of(&mut tx, id, &key).await? {
                    return Ok((first, application::ROLLING));
                }
                if let Some(build) = new.build
                    && event_effects::is_deployed(&mut *tx, build).await?
                {
                    return Err(Error::new(Code::IllegalTransition, "the build was deployed already"));
                }
                let workload = workload(&mut tx, &row, new).await?;
                let kind = kind_of(workload.strategy);
                let wanted = Wanted { kind, restored: None, build: new.build, progress: json!({}) };
                let begun = begin(&mut tx, provisioning, caller, (&row, &open), workload, wanted, &key).await?;
                Ok((begun, kind))
            })
            .await?;
        provisioning.nudge.send(kind);
        Ok(made)
    }

    /// Brings back an earlier revision of an application, whole: image, variables, size, resources and settings. By
    /// default the one that served before.
    ///
    /// # Errors
    /// `invalid-input` that names the field, `not-found`, `forbidden`, `illegal-transition`, `idempotency-conflict`.
    pub async fn rollback_deployment(
        &self,
        caller: &Caller,
        id: Uuid,
        revision: Option<i32>,
        key: Option<&str>,
    ) -> Result<Rollback> {
        let provisioning = self.provisioning()?;
        self.authorised_application(caller, id, TeamRole::Developer).await?;
        let key = Key::of(caller, key, "rollbackDeployment", &json!({ "id": id, "revision": revision }))?;
        let made = self
            .db
            .transaction(&audit_of(caller), async |mut tx| {
                let open = operations::lock_open(&mut tx, SUBJECT, id).await?;
                let row = applications::lock(&mut tx, id).await?.ok_or_else(missing)?;
                if let Some(first) = first_of(&mut tx, id, &key).await? {
                    return repeated(&mut tx, first).await;
                }
                let running = deployments::running(&mut *tx, id, None).await?;
                let number = match revision {
                    Some(number) => number,
                    None => earlier(&mut tx, id, running).await?,
                };
                let mut workload = deployments::revision(&mut *tx, id, number).await?.ok_or_else(|| {
                    Error::invalid("revision", format!("revision: the application has no revision {number}"))
                })?;
                let secrets = versions(&mut tx, &row).await?;
                let not_restored = not_restored(&workload, |secret| secrets.get(&secret).copied());
                workload.secrets.retain(|_, secret| match secrets.get(&secret.id) {
                    Some(version) => {
                        secret.version = *version;
                        true
                    }
                    None => false,
                });
                workload.revision = deployments::next_revision(&mut tx, id).await?;
                let progress = json!({ "restores": number, "notRestored": not_restored });
                let wanted = Wanted { kind: application::ROLLBACK, restored: Some(number), build: None, progress };
                let deployment = begin(&mut tx, provisioning, caller, (&row, &open), workload, wanted, &key).await?;
                Ok(Rollback { deployment, revision: number, not_restored })
            })
            .await?;
        provisioning.nudge.send(application::ROLLBACK);
        Ok(made)
    }

    /// What differs between two revisions of an application.
    ///
    /// # Errors
    /// `not-found`, also for an application of a team of which the caller is no member; `invalid-input` that names the
    /// revision that there is not.
    pub async fn compare_revisions(&self, caller: &Caller, id: Uuid, from: i32, to: i32) -> Result<Vec<Difference>> {
        self.authorised_application(caller, id, TeamRole::Viewer).await?;
        let find = async |field: &'static str, number: i32| {
            deployments::revision(self.db.pool(), id, number)
                .await?
                .ok_or_else(|| Error::invalid(field, format!("{field}: the application has no revision {number}")))
        };
        Ok(compare(&find("from", from).await?, &find("to", to).await?))
    }
}

/// The flows that give an application a new revision: of those that wait, the newest alone is wanted.
const DEPLOYING: [&str; 4] =
    [application::ROLLING, application::CANARY, application::BLUE_GREEN, application::ROLLBACK];

/// What a deployment takes the place of where nobody has begun it: it puts right by itself what is not as it is to be.
const SUPERSEDED: [&str; 5] =
    [application::ROLLING, application::CANARY, application::BLUE_GREEN, application::ROLLBACK, HEAL];

/// The flow of a strategy.
fn kind_of(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Rolling | Strategy::Recreate => application::ROLLING,
        Strategy::Canary => application::CANARY,
        Strategy::BlueGreen => application::BLUE_GREEN,
    }
}

async fn first_of(tx: &mut PgTx, id: Uuid, key: &Key<'_>) -> Result<Option<DeploymentOperation>> {
    let Some(first) = key.first(&mut **tx).await? else { return Ok(None) };
    let deployment = deployments::of_operation(&mut **tx, first.operation).await?;
    let deployment = deployment.ok_or_else(|| Error::internal("read an operation's deployment", "there is none"))?;
    let (deployment, supersedes) = (deployment.id, superseded(&deployment.progress));
    Ok(Some(DeploymentOperation { application: id, deployment, operation: first.operation, supersedes }))
}

/// The answer that the first request with the same key got.
async fn repeated(tx: &mut PgTx, first: DeploymentOperation) -> Result<Rollback> {
    let row = deployments::find(&mut **tx, first.deployment).await?;
    let row = row.ok_or_else(|| Error::internal("read a deployment", "it is not there"))?;
    let list = row.progress.get("notRestored").and_then(Value::as_array);
    let not_restored = list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(Rollback { deployment: first, revision: row.restored_revision.unwrap_or_default(), not_restored })
}

/// The revision that served before the one that serves now: another one, also where that one was itself brought back. While
/// a newer one waits, is at work or has failed, and was not given up, the one that serves is what is gone back to.
async fn earlier(tx: &mut PgTx, application: Uuid, running: Option<i32>) -> Result<i32> {
    let history = deployments::history(&mut **tx, application).await?;
    let before = |number: i32| {
        let current = origin(&history, number);
        let mut past = history.iter().filter(|past| past.served && past.revision < number);
        past.find(|past| origin(&history, past.revision) != current).map(|past| past.revision)
    };
    let since = || history.iter().take_while(|past| !past.given_up);
    let number = match running {
        Some(running) if since().any(|past| past.revision > running && past.unsettled) => Some(running),
        Some(running) => before(running),
        None => history.iter().find(|past| past.served).map(|past| past.revision),
    };
    number.ok_or_else(|| Error::invalid("revision", "revision: there is no earlier revision that has served"))
}

/// The revision that a revision is a copy of: itself, unless it restored another.
fn origin(history: &[Past], mut number: i32) -> i32 {
    // A rollback restores one with a lower number.
    while let Some(restored) = history.iter().find(|past| past.revision == number).and_then(|past| past.restored) {
        if restored >= number {
            break;
        }
        number = restored;
    }
    number
}

/// The versions that the secrets which an application may have are at now.
async fn versions(tx: &mut PgTx, row: &Application) -> Result<BTreeMap<Uuid, i32>> {
    variables::secret_versions(&mut **tx, row.team_id, row.id).await.map(|list| list.into_iter().collect())
}

/// What a new revision of an application runs, from its row, its variables and what is asked for.
pub(super) async fn workload(tx: &mut PgTx, row: &Application, new: &NewDeployment) -> Result<Workload> {
    let image = match (&new.image, &new.commit, &row.image) {
        (Some(image), _, _) => image,
        (None, Some(_), _) => {
            let message = "commit: a deployment takes an image; name the one that was made from the commit as `image`";
            return Err(Error::invalid("commit", message));
        }
        (None, None, Some(image)) => image,
        (None, None, None) => {
            return Err(Error::invalid(
                "image",
                "image: name the image to deploy; the application has none of its own yet",
            ));
        }
    };
    if let Some(commit) = &new.commit {
        check_commit(commit)?;
    }
    let mut plain = BTreeMap::new();
    let mut secrets = BTreeMap::new();
    for variable in variables::list(&mut **tx, row.id).await? {
        match (variable.value, variable.secret_id, variable.secret_name, variable.secret_version) {
            (Some(value), ..) => {
                plain.insert(variable.name, value);
            }
            (None, Some(id), Some(name), Some(version)) => {
                secrets.insert(variable.name, SecretVersion { id, name, version });
            }
            _ => {
                let field = format!("variables.{}", variable.name);
                let message =
                    format!("{}: its secret is deleted, or not the application's or its team's", variable.name);
                return Err(Error::invalid(field, message));
            }
        }
    }
    check_variables(plain.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
    let settings = Settings::read(&row.settings)?;
    let replicas = check_replicas("replicas", row.replicas.into(), 1)?;
    let resources = Resources::read(&row.resources)?;
    resources.check_all(settings.autoscaling.as_ref().map_or(replicas, |it| it.max_replicas.max(replicas)))?;
    let port = u16::try_from(row.port).ok().filter(|port| *port > 0);
    Ok(Workload {
        revision: deployments::next_revision(tx, row.id).await?,
        image: Image::parse("image", image)?,
        commit: new.commit.as_ref().map(|commit| commit.to_ascii_lowercase()),
        port: port.ok_or_else(|| Error::invalid("port", "port: must be from 1 to 65535"))?,
        replicas,
        resources,
        variables: plain,
        secrets,
        strategy: Strategy::parse(new.strategy.as_deref().unwrap_or(&row.strategy))?,
        settings,
    })
}

/// Refuses a workload that needs values which cannot be opened here.
pub(super) fn require_keys(provisioning: &Provisioning, workload: &Workload) -> Result<()> {
    match workload.secrets.keys().next() {
        Some(variable) if !provisioning.config.get().secrets.configured() => {
            let message = format!("{variable}: its value is a secret's, and no key for secrets is configured");
            Err(Error::invalid(format!("variables.{variable}"), message))
        }
        _ => Ok(()),
    }
}

/// Refuses an image that would be pulled from inside of the cluster's network, unless that is allowed.
pub(super) fn require_registry(provisioning: &Provisioning, workload: &Workload) -> Result<()> {
    if workload.image.is_local() && !provisioning.applications.local_registries {
        let message = format!(
            "image: the registry of {} is an address, a local name or one that leads to a local address; use a public one",
            workload.image
        );
        return Err(Error::invalid("image", message));
    }
    Ok(())
}

/// How a deployment is to be carried out.
struct Wanted {
    kind: &'static str,
    restored: Option<i32>,
    build: Option<Uuid>,
    progress: Value,
}

/// Writes a deployment with its revision and enqueues its operation.
async fn begin(
    tx: &mut PgTx,
    provisioning: &Provisioning,
    caller: &Caller,
    (row, open): (&Application, &[Operation]),
    workload: Workload,
    mut wanted: Wanted,
    key: &Key<'_>,
) -> Result<DeploymentOperation> {
    if row.cluster_id.is_some() {
        let message = "cluster_id: only the platform's own cluster can be deployed to; set it to null";
        return Err(Error::invalid("cluster_id", message));
    }
    require_staying(row)?;
    require_keys(provisioning, &workload)?;
    require_registry(provisioning, &workload)?;
    require_foreign_host(provisioning, workload.settings.host.as_deref())?;
    let target = match placed(row) {
        Some(target) => target,
        None => place(tx, row).await?,
    };
    if let Some(url) = target.url(&provisioning.applications, &workload) {
        let host = workload.settings.host.as_deref();
        applications::hold_address(tx, &url).await?;
        require_free_address(applications::url_taken(&mut **tx, &url, host, row.id).await?)?;
    }
    let ended = give_way(tx, open, wanted.kind).await?;
    if let Some(ended) = ended.last() {
        wanted.progress["supersedes"] = json!(ended.revision);
    }
    let insert = deployments::Insert {
        application_id: row.id,
        workload: &workload,
        requested_by: caller.actor.user_id(),
        restored_revision: wanted.restored,
        build: wanted.build,
        progress: &wanted.progress,
    };
    let deployment = deployments::insert(tx, &insert).await?;
    let input = Input { target, deployment, workload };
    let asked = Asked {
        kind: wanted.kind,
        team: row.team_id,
        subject_type: SUBJECT,
        subject: row.id,
        lane: Some(lane(row.id)),
        supersedes: &SUPERSEDED,
    };
    let operation = requests::start(tx, provisioning, caller, asked, &input, key).await?;
    deployments::set_operation(tx, deployment, operation).await?;
    for older in &ended {
        operations::set_successor(tx, older.operation, operation).await?;
    }
    let supersedes = ended.last().map(|ended| ended.revision);
    Ok(DeploymentOperation { application: row.id, deployment, operation, supersedes })
}

/// A deployment that is ended for a newer one.
struct Ended {
    operation: Uuid,
    revision: i32,
}

/// Asks for the end of the deployments that a newer one does not wait for: a canary or two colours, which may wait for a
/// person for days, and for a rollback everything that is being rolled out. The lane keeps the order: what they did is
/// taken back before the newer one begins. A deployment pod by pod comes to its end by itself, and is left to it, so that
/// frequent deployments do not keep each other from ever being done.
async fn give_way(tx: &mut PgTx, open: &[Operation], kind: &str) -> Result<Vec<Ended>> {
    let mut ended = Vec::new();
    for older in open.iter().filter(|older| DEPLOYING.contains(&older.kind.as_str())) {
        let waits = matches!(older.kind.as_str(), application::CANARY | application::BLUE_GREEN);
        if !waits && kind != application::ROLLBACK {
            continue;
        }
        let Some(deployment) = deployments::of_operation(&mut **tx, older.id).await? else { continue };
        // One that nobody has begun is superseded in its lane.
        if !matches!(deployment.status, DeploymentStatus::Deploying | DeploymentStatus::Paused)
            || older.cancel_requested_at.is_some()
        {
            continue;
        }
        operations::request_cancel(tx, older.id).await?;
        ended.push(Ended { operation: older.id, revision: deployment.revision });
    }
    Ok(ended)
}

/// Refuses to begin something on an application that is going.
pub(super) fn require_staying(row: &Application) -> Result<()> {
    if matches!(row.status, ApplicationStatus::Deleting | ApplicationStatus::Deleted) {
        return Err(Error::new(Code::IllegalTransition, format!("the application is {}", row.status)));
    }
    Ok(())
}

/// The revision whose deployment was ended for one, as its row says.
fn superseded(progress: &Value) -> Option<i32> {
    progress.get("supersedes")?.as_i64()?.try_into().ok()
}
