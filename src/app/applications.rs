//! Applications that were deployed: scale, restart, start and stop.
//!
//! Rows are locked in the order in which workers lock them: an application's operations, then the application.

use serde_json::{Value, json};
use uuid::Uuid;

use super::requests::{self, Asked, Key};
use super::{App, Caller, Provisioning};
use crate::db::applications::{self, Application};
use crate::db::{PgTx, operations};
use crate::domain::workload::{Autoscaling, Resources, Settings, check_replicas, names};
use crate::domain::{ApplicationStatus, Code, Error, Result, TeamRole};
use crate::workflow::flows::application::{self, Change, SUBJECT, Size, Target};

/// An application with the operation that works on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationOperation {
    pub application: Uuid,
    pub operation: Uuid,
}

/// What is asked for by `scaleApplication`: a number of pods, or bounds between which the application scales itself.
#[derive(Debug, Clone, Default)]
pub struct NewSize {
    /// How many pods.
    pub replicas: Option<i64>,
    pub min_replicas: Option<i64>,
    pub max_replicas: Option<i64>,
    /// The share of the requested CPU that is aimed at, in percent.
    pub cpu_percent: Option<i64>,
}

impl App {
    /// Changes the number of pods, or the bounds between which the application scales itself.
    ///
    /// # Errors
    /// `invalid-input`, `not-found`, `forbidden`, `illegal-transition` for one without pods, `idempotency-conflict`.
    pub async fn scale_application(
        &self,
        caller: &Caller,
        id: Uuid,
        size: &NewSize,
        key: Option<&str>,
    ) -> Result<ApplicationOperation> {
        let NewSize { replicas, min_replicas, max_replicas, cpu_percent } = size;
        let arguments = json!({
            "id": id, "replicas": replicas, "min": min_replicas, "max": max_replicas, "cpu": cpu_percent,
        });
        self.change(caller, id, application::SCALE, arguments, key, |row| {
            require_pods(row)?;
            let before = size_of(row)?;
            let after = resized(&before, size)?;
            let autoscaling = Settings::read(&after.settings)?.autoscaling;
            let most = autoscaling.as_ref().map_or(after.replicas, |it| it.max_replicas);
            Resources::read(&row.resources)?.check_all(most)?;
            Ok((Some(after.replicas), autoscaling, Some((before, after))))
        })
        .await
    }

    /// Replaces the pods by new ones of the same revision.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` for one without pods, `idempotency-conflict`.
    pub async fn restart_application(
        &self,
        caller: &Caller,
        id: Uuid,
        key: Option<&str>,
    ) -> Result<ApplicationOperation> {
        self.change(caller, id, application::RESTART, json!({ "id": id }), key, |row| {
            require_pods(row)?;
            Ok((None, None, None))
        })
        .await
    }

    /// Gives a stopped application its pods back.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` for one that is not stopped, `idempotency-conflict`.
    pub async fn start_application(
        &self,
        caller: &Caller,
        id: Uuid,
        key: Option<&str>,
    ) -> Result<ApplicationOperation> {
        self.change(caller, id, application::START, json!({ "id": id }), key, |row| {
            if row.status != ApplicationStatus::Stopped {
                let message = format!("the application is {}; only a stopped one can be started", row.status);
                return Err(Error::new(Code::IllegalTransition, message));
            }
            let size = size_of(row)?;
            Ok((Some(size.replicas.max(1)), Settings::read(&size.settings)?.autoscaling, None))
        })
        .await
    }

    /// Takes an application's pods away; all else stays.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` for one without pods, `idempotency-conflict`.
    pub async fn stop_application(&self, caller: &Caller, id: Uuid, key: Option<&str>) -> Result<ApplicationOperation> {
        self.change(caller, id, application::STOP, json!({ "id": id }), key, |row| {
            require_pods(row)?;
            Ok((Some(0), None, None))
        })
        .await
    }

    /// Starts one of the flows that change what is there. `wanted` judges the locked row.
    async fn change(
        &self,
        caller: &Caller,
        id: Uuid,
        kind: &'static str,
        arguments: Value,
        key: Option<&str>,
        wanted: impl Fn(&Application) -> Result<(Option<u32>, Option<Autoscaling>, Option<(Size, Size)>)>,
    ) -> Result<ApplicationOperation> {
        let provisioning = self.provisioning()?;
        self.authorised_application(caller, id, TeamRole::Developer).await?;
        let key = Key::of(caller, key, kind, &arguments)?;
        let operation = self
            .db
            .transaction(&super::stores::audit_of(caller), async |mut tx| {
                operations::lock_open(&mut tx, SUBJECT, id).await?;
                let row = applications::lock(&mut tx, id).await?.ok_or_else(missing)?;
                if let Some(first) = key.first(&mut *tx).await? {
                    return Ok(first.operation);
                }
                let target = placed(&row).ok_or_else(never_deployed)?;
                let (replicas, autoscaling, sizes) = wanted(&row)?;
                if let Some((_, after)) = &sizes {
                    let replicas = i32::try_from(after.replicas).unwrap_or(i32::MAX);
                    applications::set_size(&mut tx, id, replicas, &after.settings).await?;
                }
                let (before, after) = sizes.unzip();
                let input = Change { target, replicas, autoscaling, before, after };
                let asked = Asked {
                    kind,
                    team: row.team_id,
                    subject_type: SUBJECT,
                    subject: id,
                    lane: Some(lane(id)),
                    supersedes: &[],
                };
                requests::start(&mut tx, provisioning, caller, asked, &input, &key).await
            })
            .await?;
        provisioning.nudge.send(kind);
        Ok(ApplicationOperation { application: id, operation })
    }

    /// An application that the caller may use.
    ///
    /// # Errors
    /// `not-found`, also for one of a team of which the caller is no member; `forbidden`.
    pub(super) async fn authorised_application(
        &self,
        caller: &Caller,
        id: Uuid,
        least: TeamRole,
    ) -> Result<Application> {
        let application = applications::find(self.db.pool(), id).await?.ok_or_else(missing)?;
        self.authorise(&caller.actor, application.team_id, least)
            .await
            .map_err(|error| if error.code() == Code::NotFound { missing() } else { error })?;
        Ok(application)
    }
}

pub(super) fn missing() -> Error {
    Error::not_found(SUBJECT)
}

fn never_deployed() -> Error {
    Error::new(Code::IllegalTransition, "the application was never deployed; deploy it first")
}

/// One operation of an application runs at a time.
pub(super) fn lane(application: Uuid) -> String {
    format!("application/{application}")
}

/// Where an application's objects are, if it was deployed.
pub(super) fn placed(row: &Application) -> Option<Target> {
    Some(Target {
        application: row.id,
        project: row.project_id,
        environment: row.environment.clone(),
        namespace: row.namespace.clone()?,
        workload: row.workload.clone()?,
    })
}

/// The same, and chosen for good for one that was not.
pub(super) async fn place(tx: &mut PgTx, row: &Application) -> Result<Target> {
    if let Some(target) = placed(row) {
        return Ok(target);
    }
    names::label("name", &row.name)?;
    names::label("environment", &row.environment)?;
    let namespace = names::namespace(row.project_id, &row.environment);
    let mut workload = names::workload(&row.name);
    if !applications::place(tx, row.id, &namespace, &workload).await? {
        // The name belongs to the objects of one that was renamed or deleted.
        workload = names::distinct_workload(&row.name, row.id);
        if !applications::place(tx, row.id, &namespace, &workload).await? {
            return Err(Error::new(Code::Conflict, "no free name was found for the application's objects"));
        }
    }
    let environment = row.environment.clone();
    Ok(Target { application: row.id, project: row.project_id, environment, namespace, workload })
}

fn require_pods(row: &Application) -> Result<()> {
    use ApplicationStatus::{Degraded, Deploying, Failed, Running};
    if matches!(row.status, Running | Degraded | Deploying | Failed) {
        return Ok(());
    }
    let message = format!("the application is {} and has no pods", row.status);
    Err(Error::new(Code::IllegalTransition, message))
}

fn size_of(row: &Application) -> Result<Size> {
    let replicas = check_replicas("replicas", row.replicas.into(), 0)?;
    Ok(Size { replicas, settings: row.settings.clone() })
}

fn resized(before: &Size, size: &NewSize) -> Result<Size> {
    let now = Settings::read(&before.settings)?.autoscaling;
    let mut after = before.clone();
    let bounds = size.min_replicas.or(size.max_replicas).or(size.cpu_percent).is_some();
    match (size.replicas, bounds) {
        (None, false) => {
            return Err(Error::invalid("replicas", "replicas: is required, or minReplicas and maxReplicas"));
        }
        (Some(_), true) => {
            let message =
                "replicas: give either a number of pods or bounds between which the application scales itself";
            return Err(Error::invalid("replicas", message));
        }
        (Some(replicas), false) => {
            after.replicas = check_replicas("replicas", replicas, 1)?;
            if let Some(settings) = after.settings.as_object_mut() {
                settings.remove("autoscaling");
            }
        }
        (None, true) => {
            let least = size.min_replicas.or(now.as_ref().map(|now| now.min_replicas.into())).unwrap_or(1);
            let most = size.max_replicas.or(now.as_ref().map(|now| now.max_replicas.into()));
            let most = most.ok_or_else(|| Error::invalid("maxReplicas", "maxReplicas: is required"))?;
            let cpu = size.cpu_percent.or(now.as_ref().map(|now| now.cpu_percent.into())).unwrap_or(80);
            let least = check_replicas("minReplicas", least, 1)?;
            let most = check_replicas("maxReplicas", most, least)?;
            if !(1..=1_000).contains(&cpu) {
                return Err(Error::invalid("cpuPercent", "cpuPercent: must be from 1 to 1000"));
            }
            after.settings["autoscaling"] = json!({ "minReplicas": least, "maxReplicas": most, "cpuPercent": cpu });
            after.replicas = after.replicas.clamp(least, most);
        }
    }
    Ok(after)
}

/// How an application's objects are reached, once it is deployed.
pub(super) fn require_free_address(taken: bool) -> Result<()> {
    if taken {
        let message = "settings.host: another application has this host name";
        return Err(Error::invalid("settings.host", message));
    }
    Ok(())
}

/// A host name of one's own is none that the platform gives, nor one at which it is reached itself.
pub(super) fn require_foreign_host(provisioning: &Provisioning, host: Option<&str>) -> Result<()> {
    let Some(host) = host else { return Ok(()) };
    let config = provisioning.config.get();
    let public = config.server.public_url.as_ref().and_then(|url| url.host_str());
    if public
        .into_iter()
        .chain(config.server.hosts.iter().map(String::as_str))
        .any(|own| own.eq_ignore_ascii_case(host))
    {
        return Err(Error::invalid("settings.host", format!("settings.host: {host} is the platform's own address")));
    }
    for domain in [&provisioning.applications.base_domain, &provisioning.settings.base_domain] {
        if host == domain || host.ends_with(&format!(".{domain}")) {
            let message = format!("settings.host: names under {domain} are given by the platform");
            return Err(Error::invalid("settings.host", message));
        }
    }
    Ok(())
}
