//! The engine itself: it builds states and swaps them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use sqlx::PgPool;
use tokio::sync::Mutex;

use super::actions;
use super::catalog::Catalog;
use super::execute::Executor;
use super::fault::EngineError;
use super::metadata::{Metadata, RemoteSchema};
use super::options::{EngineOptions, Rules};
use super::schema::remote::conflicts;
use super::schema::{EnumValues, Inconsistency, Model, RemoteTypes, collections, join, resolve};
use super::session::ADMIN;
use super::state::{State, Versions};
use super::store::{Kept, Store};
use crate::outbound::caller::Callers;

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    callers: Arc<dyn Callers>,
    executor: Executor,
    state: ArcSwap<State>,
    version: AtomicU64,
    /// Where metadata is kept, if it is.
    store: Option<Store>,
    /// One replacement at a time.
    replacing: Mutex<()>,
    rules: Arc<Rules>,
}

impl Engine {
    /// Reads metadata and catalogue and builds the first state. Inconsistent parts are left out and reported.
    ///
    /// # Errors
    /// Metadata that is refused, or a database that does not answer.
    pub async fn start(options: &EngineOptions, callers: Arc<dyn Callers>) -> Result<Self, EngineError> {
        let metadata = options.metadata.load()?;
        let rules = Arc::new(Rules::of(options));
        let (store, kept) = match options.keep_metadata {
            true => {
                let store = Store::open(options.pool.clone()).await?;
                let kept = store.begin(metadata).await?;
                (Some(store), kept)
            }
            false => (None, Kept { metadata, resource_version: 1 }),
        };
        let versions = Versions { build: 1, resource: kept.resource_version };
        let state = build(&options.pool, &callers, Arc::new(kept.metadata), versions, &rules).await?;
        let executor = Executor::new(
            options.query_pool.clone().unwrap_or_else(|| options.pool.clone()),
            options.stringify_numeric_types,
        );
        Ok(Self {
            inner: Arc::new(Inner {
                pool: options.pool.clone(),
                callers,
                executor,
                state: ArcSwap::from_pointee(state),
                version: AtomicU64::new(1),
                store,
                replacing: Mutex::new(()),
                rules,
            }),
        })
    }

    /// The current state. Requests keep the one they began with.
    pub fn state(&self) -> Arc<State> {
        self.inner.state.load_full()
    }

    /// Runs planned operations.
    pub fn executor(&self) -> &Executor {
        &self.inner.executor
    }

    /// The connections to the source.
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// Makes calls to actions and remote schemas.
    pub fn callers(&self) -> &Arc<dyn Callers> {
        &self.inner.callers
    }

    /// The SDL of what a role sees.
    pub fn sdl(&self, role: &str) -> String {
        self.state().sdl(role)
    }

    /// Replaces the metadata as a whole and gives what did not fit.
    ///
    /// # Errors
    /// Metadata that does not fit, unless `allow_inconsistent`; the old state then stays.
    pub async fn replace_metadata(
        &self,
        metadata: Metadata,
        allow_inconsistent: bool,
    ) -> Result<Vec<Inconsistency>, EngineError> {
        let accept = |found: &[Inconsistency]| match allow_inconsistent || found.is_empty() {
            true => Ok(()),
            false => Err(EngineError::Inconsistent(found.to_vec())),
        };
        self.replace_metadata_when(metadata, accept).await.map(|state| state.inconsistencies.to_vec())
    }

    /// Replaces the metadata as a whole if `accept` agrees to what does not fit; gives the state then in force.
    /// It gets the next resource version and is kept, where it is kept, even when it is the same: other instances then
    /// read the database and the remote schemas again too.
    ///
    /// # Errors
    /// A database that does not answer, another instance that was faster, or what `accept` says; the old state then
    /// stays.
    pub async fn replace_metadata_when<E: From<EngineError>>(
        &self,
        metadata: Metadata,
        accept: impl FnOnce(&[Inconsistency]) -> Result<(), E>,
    ) -> Result<Arc<State>, E> {
        let inner = &self.inner;
        let _turn = inner.replacing.lock().await;
        let old = self.state();
        let mut versions = self.next(old.resource_version + 1);
        let mut state = build(&inner.pool, &inner.callers, Arc::new(metadata), versions, &inner.rules).await?;
        accept(&state.inconsistencies)?;
        if let Some(store) = &inner.store {
            let put = store.put(&state.metadata, old.resource_version).await.map_err(EngineError::from)?;
            versions.resource = put.ok_or(EngineError::Conflict(old.resource_version))?;
            state.resource_version = versions.resource;
        }
        let state = Arc::new(state);
        inner.state.store(state.clone());
        inner.executor.tables_changed();
        Ok(state)
    }

    /// Takes over what another instance has changed; gives the new state when there was something.
    ///
    /// # Errors
    /// A database that does not answer, or metadata that is refused; the old state then stays.
    pub async fn follow(&self) -> Result<Option<Arc<State>>, EngineError> {
        let inner = &self.inner;
        let Some(store) = &inner.store else { return Ok(None) };
        let _turn = inner.replacing.lock().await;
        let Some(kept) = store.load(self.state().resource_version).await? else { return Ok(None) };
        let versions = self.next(kept.resource_version);
        let state = build(&inner.pool, &inner.callers, Arc::new(kept.metadata), versions, &inner.rules).await?;
        let state = Arc::new(state);
        inner.state.store(state.clone());
        inner.executor.tables_changed();
        Ok(Some(state))
    }

    /// Whether the metadata is kept in the database, where other instances may change it.
    pub fn keeps_metadata(&self) -> bool {
        self.inner.store.is_some()
    }

    fn next(&self, resource: u64) -> Versions {
        Versions { build: self.inner.version.fetch_add(1, Ordering::Relaxed) + 1, resource }
    }

    /// Reads the database and the remote schemas again under the same metadata.
    ///
    /// # Errors
    /// A database that does not answer; the old state then stays.
    pub async fn reload(&self) -> Result<Vec<Inconsistency>, EngineError> {
        let metadata = self.state().metadata.as_ref().clone();
        self.replace_metadata(metadata, true).await
    }
}

async fn build(
    pool: &PgPool,
    callers: &Arc<dyn Callers>,
    metadata: Arc<Metadata>,
    versions: Versions,
    rules: &Arc<Rules>,
) -> Result<State, EngineError> {
    if metadata.actions.iter().any(|action| action.definition.is_asynchronous()) {
        actions::log::prepare(pool).await?;
    }
    let catalog = Arc::new(Catalog::read(pool).await?);
    let enums = enum_values(pool, &metadata, &catalog).await?;
    let (mut model, mut inconsistencies) = resolve(&metadata, &catalog, &enums);
    let mut remotes = Vec::new();
    for schema in &metadata.remote_schemas {
        let (mut types, faults) = remote(callers, schema, &model, &remotes, rules).await;
        inconsistencies.extend(faults);
        inconsistencies.extend(types.iter_mut().flat_map(|types| types.inherit(&metadata.inherited_roles)));
        remotes.extend(types);
    }
    inconsistencies.extend(join::resolve(&metadata, &mut model, &mut remotes));
    let mut state = State::new(versions, metadata, catalog, model, inconsistencies, remotes, rules.clone());
    if !state.metadata.actions.is_empty() {
        let clash = |name: &String| Inconsistency {
            kind: "custom_types".to_owned(),
            name: format!("custom_types {name}"),
            reason: format!("Inconsistent object: Found conflicting definitions for GraphQL type '{name}'"),
            definition: serde_json::json!({"name": name}),
        };
        let faults: Vec<Inconsistency> = state.schema(ADMIN, true).clashes.iter().map(clash).collect();
        state.inconsistencies = state.inconsistencies.iter().cloned().chain(faults).collect();
    }
    if !state.metadata.query_collections.is_empty() {
        let faults = collections::faults(&state.metadata, state.schema(ADMIN, true));
        state.inconsistencies = state.inconsistencies.iter().cloned().chain(faults).collect();
    }
    Ok(state)
}

/// Asks a remote schema what it has; gives what does not fit beside it, or in its place.
async fn remote(
    callers: &Arc<dyn Callers>,
    schema: &RemoteSchema,
    model: &Model,
    earlier: &[RemoteTypes],
    rules: &Rules,
) -> (Option<RemoteTypes>, Vec<Inconsistency>) {
    let fault = |reason: String| Inconsistency {
        kind: "remote_schema".to_owned(),
        name: format!("remote_schema {}", schema.name),
        reason,
        definition: serde_json::to_value(schema).unwrap_or_default(),
    };
    let read = match callers.introspect(schema).await {
        Ok(sdl) => RemoteTypes::new(Arc::new(schema.clone()), &sdl, rules.remote_permissions),
        Err(reason) => Err(reason),
    };
    let types = match read {
        Ok(types) => types,
        Err(reason) => return (None, vec![fault(format!("Inconsistent object: {reason}"))]),
    };
    let conflicts = conflicts(model, earlier, &types);
    if !conflicts.is_empty() {
        return (None, conflicts.into_iter().map(fault).collect());
    }
    let permission = |(role, reason): &(String, String)| Inconsistency {
        kind: "remote_schema_permission".to_owned(),
        name: format!("remote_schema_permission {role} of {}", schema.name),
        reason: reason.clone(),
        definition: serde_json::json!({"remote_schema": schema.name, "role": role}),
    };
    let faults = types.faults.iter().map(permission).collect();
    (Some(types), faults)
}

/// The rows of enum tables: their key, and the other column as a comment.
async fn enum_values(pool: &PgPool, metadata: &Metadata, catalog: &Catalog) -> Result<EnumValues, sqlx::Error> {
    use super::sql::{Alias, Expr, From, Order, Origin, Parameters, Select, Statement, print};
    let mut values = EnumValues::new();
    for table in metadata.sources.iter().flat_map(|source| &source.tables).filter(|table| table.is_enum) {
        let Some(found) = catalog.table(&table.table) else { continue };
        let Some([key]) = found.primary_key.as_ref().map(|key| key.columns.as_slice()) else { continue };
        let alias = Alias(0);
        let text = |column: &str| Expr::Cast(Box::new(Expr::Column(alias, column.to_owned())), "text".to_owned());
        let comment = found.columns.iter().find(|column| column.name != *key);
        let comment = comment.map_or(Expr::Fixed("NULL::text"), |column| text(&column.name));
        let select = Select {
            outputs: vec![(text(key), None), (comment, None)],
            from: Some(From { origin: Origin::Table(table.table.clone()), alias }),
            order: vec![Order { expr: text(key), direction: "ASC" }],
            ..Select::default()
        };
        let sql = print(&Statement::Select(select), Parameters::Direct);
        let rows: Vec<(String, Option<String>)> = sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(pool).await?;
        values.insert(table.table.clone(), rows);
    }
    Ok(values)
}
