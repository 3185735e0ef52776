//! What the engine serves from: built from metadata and catalogue, swapped as a whole.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::catalog::Catalog;
use super::error::{ErrorCode, GraphqlError, Result};
use super::metadata::Metadata;
use super::options::Limits;
use super::plan::{Binder, Compiled, CompiledRoot, Kind, Planned, Planner, Root, compile};
use super::plan_cache::PlanCache;
use super::request::Request;
use super::schema::{Inconsistency, Model, RemoteTypes, RoleSchema};
use super::session::{ADMIN, Session};

/// What the engine serves from.
pub struct State {
    /// Counts replacements.
    pub version: u64,
    /// The metadata as it was given.
    pub metadata: Arc<Metadata>,
    /// The database.
    pub catalog: Arc<Catalog>,
    /// Both resolved together.
    pub model: Model,
    /// What did not fit.
    pub inconsistencies: Vec<Inconsistency>,
    pub(super) remotes: Vec<RemoteTypes>,
    pub(super) infer_functions: bool,
    pub(super) limits: Limits,
    /// By role, with and without mutations for backends; each is built when it is first asked for.
    schemas: HashMap<(String, bool), OnceLock<RoleSchema>>,
    /// What roles without any permission see.
    nobody: OnceLock<RoleSchema>,
    plans: PlanCache,
}

impl State {
    #[allow(clippy::too_many_arguments, reason = "the parts of a state, each made elsewhere")]
    pub(super) fn new(
        version: u64,
        metadata: Arc<Metadata>,
        catalog: Arc<Catalog>,
        model: Model,
        inconsistencies: Vec<Inconsistency>,
        remotes: Vec<RemoteTypes>,
        infer_functions: bool,
        limits: Limits,
    ) -> Self {
        let schemas = model
            .roles
            .iter()
            .flat_map(|role| [false, true].map(|backend| ((role.clone(), backend), OnceLock::new())))
            .collect();
        let (nobody, plans) = (OnceLock::new(), PlanCache::new(limits.cached_plans));
        Self {
            version,
            metadata,
            catalog,
            model,
            inconsistencies,
            remotes,
            infer_functions,
            limits,
            schemas,
            nobody,
            plans,
        }
    }

    /// The schema of a role; a role that nothing is permitted to sees an empty one.
    pub fn schema(&self, role: &str, backend: bool) -> &RoleSchema {
        let build = |role: &str| RoleSchema::build(&self.model, role, &self.remotes, self.infer_functions, backend);
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
        let (role, backend) = (session.role(), session.has_backend_permissions());
        let compiled = match self.plans.get(role, backend, request) {
            Some(compiled) => compiled,
            None => {
                let compiled = Arc::new(self.compile(session, request)?);
                self.plans.put(role, backend, request, compiled.clone());
                compiled
            }
        };
        bind(&compiled, session, request)
    }

    /// Plans a request before its values are bound.
    pub fn compile(&self, session: &Session, request: &Request) -> Result<Compiled> {
        let role = session.role();
        let planner = Planner {
            model: &self.model,
            schema: self.schema(role, session.has_backend_permissions()),
            remotes: &self.remotes,
            limits: &self.limits,
            introspection: !self.metadata.graphql_schema_introspection.disabled_for_roles.iter().any(|r| r == role),
        };
        compile(&planner, request)
    }
}

/// Binds a compiled operation to a request.
pub(super) fn bind(compiled: &Compiled, session: &Session, request: &Request) -> Result<Planned> {
    let binder = Binder::new(session, &request.variables);
    let variables: Arc<Map<String, Value>> = Arc::new(request.variables.clone());
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
        roots.push(Root { key: key.clone(), field: field.clone(), values, variables: variables.clone() });
    }
    Ok(match compiled.kind {
        Kind::Query => Planned::Query(roots),
        Kind::Mutation => Planned::Mutation(roots),
        Kind::Subscription => Planned::Subscription(roots.pop().ok_or_else(|| {
            GraphqlError::new(ErrorCode::ValidationFailed, "subscriptions must select one top level field")
        })?),
    })
}
