//! What the engine serves from: built from metadata and catalogue, swapped as a whole.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use super::catalog::Catalog;
use super::error::{ErrorCode, GraphqlError, Result};
use super::metadata::{Limit, Metadata};
use super::options::{Limits, Rules};
use super::plan::{Binder, Bounds, Compiled, CompiledRoot, Kind, Planned, Planner, Root, compile};
use super::plan_cache::PlanCache;
use super::request::Request;
use super::schema::{EnumValues, Inconsistency, Model, RemoteTypes, RoleSchema, resolve};
use super::session::{ADMIN, Session};

/// What the engine serves from.
pub struct State {
    /// Counts the states of this process.
    pub version: u64,
    /// The version of the metadata: grows by one with each change of it.
    pub resource_version: u64,
    /// The metadata as it was given.
    pub metadata: Arc<Metadata>,
    /// The database.
    pub catalog: Arc<Catalog>,
    /// Both resolved together.
    pub model: Model,
    /// What did not fit.
    pub inconsistencies: Arc<[Inconsistency]>,
    pub(super) remotes: Vec<RemoteTypes>,
    rules: Arc<Rules>,
    /// By role, with and without mutations for backends; each is built when it is first asked for.
    schemas: HashMap<(String, bool), OnceLock<RoleSchema>>,
    /// What roles without any permission see.
    nobody: OnceLock<RoleSchema>,
    plans: PlanCache,
}

/// What numbers a state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Versions {
    /// Among the states of this process.
    pub build: u64,
    /// Of the metadata.
    pub resource: u64,
}

impl State {
    pub(super) fn new(
        versions: Versions,
        metadata: Arc<Metadata>,
        catalog: Arc<Catalog>,
        model: Model,
        inconsistencies: Vec<Inconsistency>,
        remotes: Vec<RemoteTypes>,
        rules: Arc<Rules>,
    ) -> Self {
        let schemas = model
            .roles
            .iter()
            .flat_map(|role| [false, true].map(|backend| ((role.clone(), backend), OnceLock::new())))
            .collect();
        let (nobody, plans) = (OnceLock::new(), PlanCache::new(rules.limits.cached_plans, rules.limits.cached_bytes));
        let Versions { build: version, resource: resource_version } = versions;
        Self {
            version,
            resource_version,
            metadata,
            catalog,
            model,
            inconsistencies: inconsistencies.into(),
            remotes,
            rules,
            schemas,
            nobody,
            plans,
        }
    }

    /// A state with no database behind it, which planning does not need: for benchmarks, fuzzing and tools. Remote
    /// schemas are left out.
    pub fn detached(metadata: Metadata, catalog: Catalog, enums: &EnumValues, limits: Limits) -> Self {
        let (model, inconsistencies) = resolve(&metadata, &catalog, enums);
        let versions = Versions { build: 1, resource: 1 };
        let rules = Rules { infer_functions: true, remote_permissions: true, introspection: true, limits };
        let (metadata, catalog) = (Arc::new(metadata), Arc::new(catalog));
        Self::new(versions, metadata, catalog, model, inconsistencies, Vec::new(), Arc::new(rules))
    }

    /// The schema of a role; a role that nothing is permitted to sees an empty one.
    pub fn schema(&self, role: &str, backend: bool) -> &RoleSchema {
        let build =
            |role: &str| RoleSchema::build(&self.model, role, &self.remotes, self.rules.infer_functions, backend);
        match self.schemas.get(&(role.to_owned(), backend || role == ADMIN)) {
            Some(slot) => slot.get_or_init(|| build(role)),
            None => self.nobody.get_or_init(|| build("")),
        }
    }

    /// The SDL of what a role sees.
    pub fn sdl(&self, role: &str) -> String {
        self.schema(role, false).sdl()
    }

    /// Plans a request.
    ///
    /// # Errors
    /// Hasura's: a document that does not fit the role's schema, a missing session variable, a value that does not fit.
    pub fn plan(&self, session: &Session, request: &Request) -> Result<Planned> {
        match self.known(session, request) {
            Some(planned) => planned,
            None => self.plan_anew(session, request, &AtomicBool::new(false)),
        }
    }

    /// Plans a request whose document was planned before, which takes no time to speak of.
    pub fn known(&self, session: &Session, request: &Request) -> Option<Result<Planned>> {
        let compiled = self.plans.get(session.role(), session.has_backend_permissions(), request)?;
        Some(bind(&compiled, session, request))
    }

    /// Plans a request from its document. That may take long: once `stop` is set it ends in an error soon.
    ///
    /// # Errors
    /// As [`State::plan`].
    pub fn plan_anew(&self, session: &Session, request: &Request, stop: &AtomicBool) -> Result<Planned> {
        let compiled = Arc::new(self.compile_until(session, request, stop)?);
        self.plans.put(session.role(), session.has_backend_permissions(), request, compiled.clone());
        bind(&compiled, session, request)
    }

    /// Plans a request before its values are bound.
    pub fn compile(&self, session: &Session, request: &Request) -> Result<Compiled> {
        self.compile_until(session, request, &AtomicBool::new(false))
    }

    fn compile_until(&self, session: &Session, request: &Request, stop: &AtomicBool) -> Result<Compiled> {
        let role = session.role();
        let planner = Planner {
            model: &self.model,
            schema: self.schema(role, session.has_backend_permissions()),
            remotes: &self.remotes,
            bounds: self.bounds(role),
            limits: &self.rules.limits,
            introspection: self.may_introspect(role),
            stop,
        };
        compile(&planner, request)
    }
}

impl State {
    fn may_introspect(&self, role: &str) -> bool {
        let disabled = &self.metadata.graphql_schema_introspection.disabled_for_roles;
        role == ADMIN || (self.rules.introspection && !disabled.iter().any(|other| other == role))
    }

    /// How many actions one operation may call, for every role but admin.
    pub fn most_actions(&self) -> usize {
        self.rules.limits.actions
    }

    /// What a role may ask in one document: the options' bounds and those of the metadata, whichever is closer. Admin
    /// has none.
    fn bounds(&self, role: &str) -> Option<Bounds> {
        if role == ADMIN {
            return None;
        }
        let limits = &self.rules.limits;
        let given = |limit: &Option<Limit<u64>>, most: usize| match limit {
            Some(limit) if !self.metadata.api_limits.disabled => {
                most.min(usize::try_from(*limit.of(role)).unwrap_or(usize::MAX))
            }
            _ => most,
        };
        Some(Bounds {
            tokens: limits.tokens,
            rows: limits.rows,
            depth: given(&self.metadata.api_limits.depth_limit, limits.depth),
            nodes: given(&self.metadata.api_limits.node_limit, limits.nodes),
            root_fields: limits.root_fields,
            aliases: limits.aliases,
            directives: limits.directives,
        })
    }
}

/// Binds a compiled operation to a request.
pub(super) fn bind(compiled: &Compiled, session: &Session, request: &Request) -> Result<Planned> {
    let binder = Binder::new(session, &request.variables);
    let mut roots = Vec::with_capacity(compiled.roots.len());
    for (key, field) in &compiled.roots {
        let values = match field {
            CompiledRoot::Query(query) => binder.bind(&query.params)?,
            CompiledRoot::Live(plan) => {
                let cursor = plan
                    .cursor
                    .iter()
                    .map(|cursor| binder.bind(std::slice::from_ref(&cursor.initial)).map(|mut v| v.pop().flatten()))
                    .collect::<Result<Vec<_>>>()?;
                Binder { cursor: &cursor, ..Binder::new(session, &request.variables) }.bind(&plan.params)?
            }
            _ => Vec::new(),
        };
        roots.push(Root {
            key: key.clone(),
            field: field.clone(),
            values,
            variables: request.variables.clone(),
            joins: compiled.joins.clone(),
        });
    }
    Ok(match compiled.kind {
        Kind::Query => Planned::Query(roots),
        Kind::Mutation => Planned::Mutation(roots),
        Kind::Subscription => Planned::Subscription(roots.pop().ok_or_else(|| {
            GraphqlError::new(ErrorCode::ValidationFailed, "subscriptions must select one top level field")
        })?),
    })
}
