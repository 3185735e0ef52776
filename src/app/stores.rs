//! Stores: create, retry, delete, reveal the administrator's credentials, and read.
//!
//! Rows are locked in the order in which workers lock them: a store's operations, then the store.

use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use uuid::Uuid;

use super::requests::{self, Asked, First, Key};
use super::{App, Caller, Provisioning};
use crate::db::operations;
use crate::db::stores::{self, Severity};
use crate::db::{Audit, PgTx, alerts, audit};
use crate::domain::{Actor, Code, Error, Redacted, Result, StoreId, StoreStatus, TeamRole};
use crate::workflow::Control;
use crate::workflow::flows::store::{self, ADMIN_PATH, Input, SUBJECT, names};

pub use crate::db::stores::{Event as StoreEvent, Store as StoreRecord};

/// How often a public id that is taken is chosen anew.
const ID_ATTEMPTS: usize = 8;
/// Lines of a store's event log that are shown with it.
const EVENTS: i64 = 200;

/// What is asked for by `createStore`.
#[derive(Debug, Clone)]
pub struct NewStore {
    /// The name: 2 to 100 characters after trimming, unique in the team.
    pub name: String,
    /// The kind of store; only `woocommerce` so far, which is also the default.
    pub kind: Option<String>,
    /// The team; by default the caller's own.
    pub team_id: Option<Uuid>,
    /// The caller's key for "the same request again".
    pub idempotency_key: Option<String>,
}

/// A store with the operation that works on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOperation {
    pub store: Uuid,
    pub operation: Uuid,
}

impl From<First> for StoreOperation {
    fn from(first: First) -> Self {
        Self { store: first.subject, operation: first.operation }
    }
}

/// How the shop's administrator signs in.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub username: String,
    pub password: Redacted,
    /// The administration's address.
    pub admin_url: String,
}

/// How many stores there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// All that are not deleted.
    pub total: i64,
    /// Ready.
    pub active: i64,
    /// Being made.
    pub provisioning: i64,
    /// Failed.
    pub failed: i64,
}

impl App {
    /// Makes a store: its row, in status `provisioning`, and the operation that provisions it.
    ///
    /// # Errors
    /// `invalid-input`, `forbidden`, `already-exists` for the name, `store-limit-reached`, `idempotency-conflict`,
    /// `rate-limited`.
    pub async fn create_store(&self, caller: &Caller, new: &NewStore) -> Result<StoreOperation> {
        let provisioning = self.provisioning()?;
        let name = checked_name(&new.name)?;
        let kind = new.kind.as_deref().unwrap_or("woocommerce");
        if kind != "woocommerce" {
            return Err(Error::invalid("type", "the type of a store is `woocommerce`; others are not offered yet"));
        }
        let team = match new.team_id {
            Some(team) => team,
            None => self.default_team(&caller.actor).await?,
        };
        self.authorise(&caller.actor, team, TeamRole::Developer).await?;
        let arguments = json!({ "name": name, "type": kind, "teamId": team });
        let key = Key::of(caller, new.idempotency_key.as_deref(), "createStore", &arguments)?;
        if let Some(first) = key.first(self.db.pool()).await? {
            return Ok(first.into());
        }
        self.creation_limits.check(caller).await?;
        let made = self
            .db
            .transaction(&audit_of(caller), async |mut tx| {
                // One at a time for a team: the limit and the key are judged under this lock.
                let limit = stores::lock_limit(&mut tx, team).await?.ok_or_else(|| Error::not_found("team"))?;
                if let Some(first) = key.first(&mut *tx).await? {
                    return Ok(first.into());
                }
                if stores::count_active(&mut tx, team).await? >= i64::from(limit) {
                    let message = format!("the team has {limit} active stores, which is its limit; delete one first");
                    return Err(Error::new(Code::StoreLimitReached, message));
                }
                if let Some((count, most)) = stores::lock_makers_limit(&mut tx, team).await?
                    && count >= i64::from(most)
                {
                    let message = format!(
                        "the teams that the maker of this team has made have {most} active stores together, which is \
                         their limit; delete one first"
                    );
                    return Err(Error::new(Code::StoreLimitReached, message));
                }
                let user = caller.actor.user_id();
                let (store, input) = insert(&mut tx, provisioning, team, name, kind, user).await?;
                stores::log(&mut tx, store, "created", &format!("The creation of {name} is requested"), Severity::Info)
                    .await?;
                requests::start(&mut tx, provisioning, caller, asked(store::CREATE, team, store), &input, &key)
                    .await
                    .map(|operation| StoreOperation { store, operation })
            })
            .await?;
        provisioning.nudge.send(store::CREATE);
        Ok(made)
    }

    /// Goes on with a failed store at the step that failed. A store that is being worked on already is left at that.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` for a store that has not failed, `idempotency-conflict`.
    pub async fn retry_store(&self, caller: &Caller, id: Uuid, key: Option<&str>) -> Result<StoreOperation> {
        let provisioning = self.provisioning()?;
        self.authorised_store(caller, id, TeamRole::Developer).await?;
        let key = Key::of(caller, key, "retryStore", &json!({ "id": id }))?;
        let (operation, kind) = self
            .db
            .transaction(&audit_of(caller), async |mut tx| {
                let newest = operations::lock_newest(&mut tx, SUBJECT, id).await?;
                let newest = newest.ok_or_else(|| Error::not_found("operation"))?;
                if let Some(first) = key.first(&mut *tx).await? {
                    return Ok((first.operation, newest.kind));
                }
                key.stands_for(&mut tx, newest.id).await?;
                let control = Control::lock(&mut tx, &provisioning.flows, newest.id).await?;
                control.retry(&mut tx).await?;
                Ok((newest.id, newest.kind))
            })
            .await?;
        provisioning.nudge.send(&kind);
        Ok(StoreOperation { store: id, operation })
    }

    /// Removes a store and all that it consists of; a creation that still runs is stopped first. Deleting a store that
    /// is being deleted gives the operation that does.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` for a store that is deleted, `idempotency-conflict`.
    pub async fn delete_store(&self, caller: &Caller, id: Uuid, key: Option<&str>) -> Result<StoreOperation> {
        let provisioning = self.provisioning()?;
        self.authorised_store(caller, id, TeamRole::Developer).await?;
        let key = Key::of(caller, key, "deleteStore", &json!({ "id": id }))?;
        let made = self
            .db
            .transaction(&audit_of(caller), async |mut tx| {
                operations::lock_open(&mut tx, SUBJECT, id).await?;
                let store = stores::lock(&mut tx, id).await?.ok_or_else(|| Error::not_found("store"))?;
                let running = operations::lock_open(&mut tx, SUBJECT, id).await?;
                if let Some(first) = key.first(&mut *tx).await? {
                    return Ok(first.into());
                }
                if let Some(deletion) = running.iter().find(|operation| operation.kind == store::DELETE) {
                    key.stands_for(&mut tx, deletion.id).await?;
                    return Ok(StoreOperation { store: id, operation: deletion.id });
                }
                // One whose creation is being taken back is `deleting` already.
                if store.status != StoreStatus::Deleting && !stores::move_to(&mut tx, id, StoreStatus::Deleting).await?
                {
                    let message = format!("the store is {} and cannot be deleted", store.status);
                    return Err(Error::new(Code::IllegalTransition, message));
                }
                for operation in &running {
                    operations::request_cancel(&mut tx, operation.id).await?;
                }
                // It owes nobody an answer any more.
                alerts::resolve_all(&mut tx, SUBJECT, id).await?;
                let input = input_of(&store)?;
                stores::log(&mut tx, id, "deleting", "Its deletion is requested", Severity::Info).await?;
                requests::start(&mut tx, provisioning, caller, asked(store::DELETE, store.team_id, id), &input, &key)
                    .await
                    .map(|operation| StoreOperation { store: id, operation })
            })
            .await?;
        provisioning.nudge.send(store::DELETE);
        Ok(made)
    }

    /// The shop administrator's credentials, read from the cluster. Every reveal is in the audit log.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` while there are none, `unavailable` when the cluster is.
    pub async fn reveal_store_credentials(&self, caller: &Caller, id: Uuid) -> Result<Credentials> {
        let provisioning = self.provisioning()?;
        let store = match self.authorised_store(caller, id, TeamRole::Developer).await {
            Ok(store) => store,
            Err(refusal) => {
                if let Some(store) = stores::find(self.db.pool(), id).await? {
                    let details = json!({ "storeId": store.store_id });
                    let what = ("reveal-credentials-refused", "stores", id);
                    self.refused(caller, store.team_id, what, &details, &refusal).await?;
                }
                return Err(refusal);
            }
        };
        let secret: Option<Secret> = provisioning.kubernetes.get(&store.store_id, names::ADMIN_SECRET).await?;
        let mut data = secret.and_then(|secret| secret.data).unwrap_or_default();
        let mut take = |key: &str| String::from_utf8(data.remove(key)?.0).ok();
        let (Some(username), Some(password)) = (take("username"), take("password")) else {
            let message = "the store has no credentials yet, or none any more";
            return Err(Error::new(Code::IllegalTransition, message));
        };
        let details = json!({ "storeId": store.store_id });
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                audit::append(&mut tx, store.team_id, "reveal_credentials", "stores", id, &details).await
            })
            .await?;
        let admin_url = store.admin_url.unwrap_or_else(|| format!("{}{ADMIN_PATH}", store.url));
        Ok(Credentials { username, password: Redacted::new(password), admin_url })
    }

    /// The stores that the caller may see and that are not deleted, newest first.
    pub async fn list_stores(&self, caller: &Caller) -> Result<Vec<StoreRecord>> {
        stores::list(self.db.pool(), visible_to(caller)?).await
    }

    /// A store by its id.
    ///
    /// # Errors
    /// `not-found`, also for a store of a team of which the caller is no member.
    pub async fn store(&self, caller: &Caller, id: Uuid) -> Result<StoreRecord> {
        self.authorised_store(caller, id, TeamRole::Viewer).await
    }

    /// A store by its public id.
    ///
    /// # Errors
    /// `not-found`, also for a store of a team of which the caller is no member.
    pub async fn store_by_public_id(&self, caller: &Caller, store_id: &str) -> Result<StoreRecord> {
        let store = stores::find_by_public_id(self.db.pool(), store_id).await?;
        let store = store.ok_or_else(|| Error::not_found("store"))?;
        self.authorise(&caller.actor, store.team_id, TeamRole::Viewer).await.map_err(hidden)?;
        Ok(store)
    }

    /// The newest lines of a store's event log, newest first.
    ///
    /// # Errors
    /// `not-found`, also for a store of a team of which the caller is no member.
    pub async fn store_events(&self, caller: &Caller, id: Uuid) -> Result<Vec<StoreEvent>> {
        self.authorised_store(caller, id, TeamRole::Viewer).await?;
        stores::events(self.db.pool(), id, EVENTS).await
    }

    /// How many stores the caller may see, by status.
    pub async fn count_stores(&self, caller: &Caller) -> Result<StoreCounts> {
        let by_status = stores::count_by_status(self.db.pool(), visible_to(caller)?).await?;
        let of = |wanted: StoreStatus| {
            by_status.iter().filter(|(status, _)| *status == wanted).map(|(_, count)| count).sum()
        };
        Ok(StoreCounts {
            total: by_status.iter().map(|(_, count)| count).sum(),
            active: of(StoreStatus::Ready),
            provisioning: of(StoreStatus::Provisioning),
            failed: of(StoreStatus::Failed),
        })
    }

    /// The flows and the cluster.
    pub(super) fn provisioning(&self) -> Result<&Provisioning> {
        self.provisioning
            .as_ref()
            .ok_or_else(|| Error::new(Code::Unavailable, "no Kubernetes cluster is configured for stores"))
    }

    async fn authorised_store(&self, caller: &Caller, id: Uuid, least: TeamRole) -> Result<StoreRecord> {
        let store = stores::find(self.db.pool(), id).await?.ok_or_else(|| Error::not_found("store"))?;
        self.authorise(&caller.actor, store.team_id, least).await.map_err(hidden)?;
        Ok(store)
    }
}

/// To somebody who is no member of its team, a store does not exist.
fn hidden(error: Error) -> Error {
    if error.code() == Code::NotFound { Error::not_found("store") } else { error }
}

pub(super) fn audit_of(caller: &Caller) -> Audit {
    Audit { actor: caller.actor.clone(), correlation_id: Some(caller.correlation_id.clone()) }
}

fn visible_to(caller: &Caller) -> Result<Option<Uuid>> {
    match &caller.actor {
        Actor::User(id) => Ok(Some(*id)),
        Actor::Admin(_) | Actor::System => Ok(None),
        Actor::Anonymous => Err(Error::new(Code::Unauthenticated, "sign in to see stores")),
    }
}

fn checked_name(name: &str) -> Result<&str> {
    let name = name.trim();
    let length = name.chars().count();
    if !(2..=100).contains(&length) {
        return Err(Error::invalid("name", "the name of a store has 2 to 100 characters"));
    }
    if name.starts_with('-') {
        return Err(Error::invalid("name", "the name of a store does not begin with `-`"));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "the name of a store is one line of text"));
    }
    Ok(name)
}

async fn insert(
    tx: &mut PgTx,
    provisioning: &Provisioning,
    team: Uuid,
    name: &str,
    kind: &str,
    user: Option<Uuid>,
) -> Result<(Uuid, Input)> {
    for _ in 0..ID_ATTEMPTS {
        let store_id = StoreId::random();
        let url = store::url(&provisioning.settings, &store_id);
        let new = stores::Insert { team_id: team, store_id: &store_id, name, kind, url: &url, requested_by: user };
        let inserted = stores::insert(tx, &new).await.map_err(|error| match error.code() {
            Code::AlreadyExists => {
                Error::new(Code::AlreadyExists, format!("the team has a store named {name:?} already")).caused_by(error)
            }
            _ => error,
        })?;
        if let Some(store) = inserted {
            return Ok((store, Input { store_id, name: name.to_owned(), url }));
        }
    }
    Err(Error::new(Code::Conflict, "no free store id was found; try again"))
}

fn input_of(store: &StoreRecord) -> Result<Input> {
    Ok(Input { store_id: StoreId::try_from(store.store_id.clone())?, name: store.name.clone(), url: store.url.clone() })
}

fn asked(kind: &'static str, team: Uuid, store: Uuid) -> Asked<'static> {
    Asked { kind, team, subject_type: SUBJECT, subject: store, lane: None, supersedes: &[] }
}
