//! Preview environments: short-lived copies of an application.
//!
//! Rows are locked in the order in which workers lock them: a preview's operations, then the preview.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::deployments::{NewDeployment, require_staying, workload};
use super::requests::{self, Asked, Key};
use super::stores::audit_of;
use super::{App, Caller, Provisioning};
use crate::db::operations;
use crate::db::previews::{self, Preview};
use crate::db::{PgTx, applications};
use crate::domain::workload::{Strategy, check_replicas, check_variables, names};
use crate::domain::{Code, Error, PreviewStatus, Result, TeamRole};
use crate::workflow::flows::application::Target;
use crate::workflow::flows::application::preview::{self, SUBJECT};

/// The longest life of a preview.
const LONGEST: Duration = Duration::from_secs(90 * 86_400);

/// What is asked for by `createPreviewEnvironment`.
#[derive(Debug, Clone, Default)]
pub struct NewPreview {
    /// The name, unique in the application.
    pub name: String,
    /// The branch; by default the application's own.
    pub branch: Option<String>,
    /// The pull request's number.
    pub pull_request: Option<i32>,
    /// The image; by default the application's own.
    pub image: Option<String>,
    /// How many pods; one by default.
    pub replicas: Option<i64>,
    /// Variables besides the application's, or in place of them.
    pub variables: BTreeMap<String, String>,
    /// How long it is to live, in seconds; by default as configured.
    pub ttl_seconds: Option<i64>,
}

/// A preview with the operation that works on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviewOperation {
    pub preview: Uuid,
    pub operation: Uuid,
}

impl App {
    /// Makes a copy of an application in a namespace of its own, from what its row and its variables say now.
    ///
    /// # Errors
    /// `invalid-input` that names the field, `not-found`, `forbidden`, `already-exists`, `idempotency-conflict`.
    pub async fn create_preview(
        &self,
        caller: &Caller,
        application: Uuid,
        new: &NewPreview,
        key: Option<&str>,
    ) -> Result<PreviewOperation> {
        let provisioning = self.provisioning()?;
        self.authorised_application(caller, application, TeamRole::Developer).await?;
        let arguments = json!({
            "application": application, "name": new.name, "branch": new.branch, "pullRequest": new.pull_request,
            "image": new.image, "replicas": new.replicas, "variables": new.variables, "ttl": new.ttl_seconds,
        });
        let key = Key::of(caller, key, "createPreviewEnvironment", &arguments)?;
        names::label("name", &new.name)?;
        let time_to_live = time_to_live(new.ttl_seconds, provisioning.applications.preview_ttl)?;
        let replicas = check_replicas("replicas", new.replicas.unwrap_or(1), 1)?;
        let own = new.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        check_variables(own)?;
        let made = self
            .db
            .transaction(&audit_of(caller), async |mut tx| {
                let row = applications::lock(&mut tx, application).await?;
                let row = row.ok_or_else(super::applications::missing)?;
                if let Some(first) = key.first(&mut *tx).await? {
                    return Ok(PreviewOperation { preview: first.subject, operation: first.operation });
                }
                require_staying(&row)?;
                let deployment = NewDeployment { image: new.image.clone(), ..NewDeployment::default() };
                let mut workload = workload(&mut tx, &row, &deployment).await?;
                workload.revision = 1;
                workload.replicas = replicas;
                workload.resources.check_all(replicas)?;
                workload.strategy = Strategy::Rolling;
                workload.settings.autoscaling = None;
                // The host name is the application's own.
                workload.settings.host = None;
                workload.secrets.retain(|name, _| !new.variables.contains_key(name));
                workload.variables.extend(new.variables.clone());
                super::deployments::require_keys(provisioning, &workload)?;
                super::deployments::require_registry(provisioning, &workload)?;
                let id = Uuid::new_v4();
                let target = Target {
                    application: id,
                    project: row.project_id,
                    environment: "preview".to_owned(),
                    namespace: names::preview_namespace(id, &new.name),
                    workload: names::workload(&format!("{}-{}", row.name, new.name)),
                };
                let insert = previews::Insert {
                    id,
                    application_id: application,
                    name: &new.name,
                    branch: new.branch.as_deref().unwrap_or(&row.branch),
                    pull_request: new.pull_request,
                    image: workload.image.as_str(),
                    namespace: &target.namespace,
                    overrides: &json!({ "variables": new.variables, "replicas": replicas }),
                    time_to_live,
                };
                previews::insert(&mut tx, &insert).await.map_err(|error| taken(error, &new.name))?;
                let input = preview::Preview { target, workload };
                let asked = asked(preview::CREATE, row.team_id, id);
                let operation = requests::start(&mut tx, provisioning, caller, asked, &input, &key).await?;
                previews::set_operation(&mut tx, id, operation).await?;
                Ok(PreviewOperation { preview: id, operation })
            })
            .await?;
        provisioning.nudge.send(preview::CREATE);
        Ok(made)
    }

    /// Removes a preview with all that it consists of; its creation is stopped first if it still runs. Deleting one that
    /// is being deleted gives the operation that does.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` for one that is deleted, `idempotency-conflict`.
    pub async fn delete_preview(&self, caller: &Caller, id: Uuid, key: Option<&str>) -> Result<PreviewOperation> {
        let provisioning = self.provisioning()?;
        self.authorised_preview(caller, id).await?;
        let key = Key::of(caller, key, "deletePreviewEnvironment", &json!({ "id": id }))?;
        let operation = self
            .db
            .transaction(&audit_of(caller), async |mut tx| remove(&mut tx, provisioning, caller, id, &key).await)
            .await?;
        provisioning.nudge.send(preview::DELETE);
        Ok(PreviewOperation { preview: id, operation })
    }

    async fn authorised_preview(&self, caller: &Caller, id: Uuid) -> Result<Preview> {
        let row = previews::find(self.db.pool(), id).await?.ok_or_else(missing)?;
        self.authorise(&caller.actor, row.team_id, TeamRole::Developer)
            .await
            .map_err(|error| if error.code() == Code::NotFound { missing() } else { error })?;
        Ok(row)
    }
}

/// Starts the removal of a preview, or answers the one that is under way.
pub(super) async fn remove(
    tx: &mut PgTx,
    provisioning: &Provisioning,
    caller: &Caller,
    id: Uuid,
    key: &Key<'_>,
) -> Result<Uuid> {
    operations::lock_open(tx, SUBJECT, id).await?;
    let row = previews::lock(tx, id).await?.ok_or_else(missing)?;
    if let Some(first) = key.first(&mut **tx).await? {
        return Ok(first.operation);
    }
    // Once more, under the row's lock: of two removals at once, the second sees the first.
    let open = operations::list_open(&mut **tx, SUBJECT, id).await?;
    if let Some(deletion) = open.iter().find(|operation| operation.kind == preview::DELETE) {
        key.stands_for(tx, deletion.id).await?;
        return Ok(deletion.id);
    }
    if !previews::move_to(tx, id, PreviewStatus::Deleting, None).await? {
        let message = format!("the preview environment is {} and cannot be deleted", row.status);
        return Err(Error::new(Code::IllegalTransition, message));
    }
    for operation in &open {
        operations::request_cancel(tx, operation.id).await?;
    }
    begin_deletion(tx, provisioning, caller, &row, key).await
}

fn missing() -> Error {
    Error::not_found("preview environment")
}

fn lane(preview: Uuid) -> String {
    format!("preview/{preview}")
}

fn asked(kind: &'static str, team: Uuid, subject: Uuid) -> Asked<'static> {
    Asked { kind, team, subject_type: SUBJECT, subject, lane: Some(lane(subject)), supersedes: &[] }
}

fn taken(error: Error, name: &str) -> Error {
    if error.code() == Code::AlreadyExists {
        let message = format!("the application has a preview environment named {name:?} already");
        return Error::new(Code::AlreadyExists, message).caused_by(error);
    }
    error
}

fn time_to_live(seconds: Option<i64>, default: Duration) -> Result<Duration> {
    let Some(seconds) = seconds else { return Ok(default) };
    u64::try_from(seconds)
        .ok()
        .map(Duration::from_secs)
        .filter(|wanted| *wanted >= Duration::from_secs(60) && *wanted <= LONGEST)
        .ok_or_else(|| Error::invalid("ttlSeconds", "ttlSeconds: must be from 60 (a minute) to 7776000 (90 days)"))
}

/// Enqueues the removal, with the input of the creation: it names the namespace.
async fn begin_deletion(
    tx: &mut PgTx,
    provisioning: &Provisioning,
    caller: &Caller,
    row: &Preview,
    key: &Key<'_>,
) -> Result<Uuid> {
    let created = match row.operation_id {
        Some(operation) => operations::find(&mut **tx, operation).await?,
        None => None,
    };
    let input: Value = match created {
        Some(created) => created.input,
        None => return Err(Error::new(Code::IllegalTransition, "nothing was ever made of the preview environment")),
    };
    let asked = asked(preview::DELETE, row.team_id, row.id);
    let operation = requests::start(tx, provisioning, caller, asked, &input, key).await?;
    previews::set_operation(tx, row.id, operation).await?;
    Ok(operation)
}
