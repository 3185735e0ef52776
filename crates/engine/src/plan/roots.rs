//! Root fields.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use apollo_compiler::ast::OperationType;

use super::bounds::{Bounds, Size};
use super::collect::{Collector, Selected};
use super::context::Context;
use super::document::{Document, Operation};
use super::input::Input;
use super::select::{Rows, untied};
use super::shape::Answer;
use super::{Compiled, CompiledRoot, Kind, Query};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::options::Limits;
use crate::request::Request;
use crate::schema::model::TableId;
use crate::schema::model::boolexp::{BoolExp, Comparison};
use crate::schema::model::types::{FieldKind, ReadRoot, RootField};
use crate::schema::{Ended, Grant, Model, RemoteTypes, RoleSchema};
use crate::sql::{Origin, Select, Statement, print};

/// What an operation is compiled against.
pub struct Planner<'a> {
    /// Metadata resolved against the catalogue.
    pub model: &'a Model,
    /// The role's schema.
    pub schema: &'a RoleSchema,
    /// Remote schemas in the order of the metadata.
    pub remotes: &'a [RemoteTypes],
    /// Bounds of the parser.
    pub limits: &'a Limits,
    /// What the role may ask in one document; nothing for admin.
    pub bounds: Option<Bounds>,
    /// Whether the role may introspect.
    pub introspection: bool,
    /// Set when nobody waits for the plan any more.
    pub stop: &'a AtomicBool,
}

/// Compiles a request's operation.
pub fn compile(planner: &Planner<'_>, request: &Request) -> Result<Compiled> {
    if let Some(beyond) = super::glance::look(&request.query, planner.limits, planner.bounds.as_ref()) {
        return Err(beyond.into());
    }
    let document = Document::parse(&request.query, planner.limits)?;
    let operation = document.operation(request)?;
    let size = Size::of(&operation)?;
    if let Some(bounds) = &planner.bounds {
        bounds.hold(&document, size)?;
    }
    let (kind, ty) = match operation.operation.operation_type {
        OperationType::Query => (Kind::Query, Some(planner.schema.query)),
        OperationType::Mutation => (Kind::Mutation, planner.schema.mutation),
        OperationType::Subscription => (Kind::Subscription, planner.schema.subscription),
    };
    let ty = ty.ok_or_else(|| {
        let what = if kind == Kind::Mutation { "mutations" } else { "subscriptions" };
        GraphqlError::validation("$", format!("no {what} exist"))
    })?;
    if let Some(bounds) = &planner.bounds {
        super::cost::hold(planner.schema, &operation, ty, bounds.rows)?;
    }
    let collector = Collector::new(planner, &operation);
    let selected = collector.collect(ty, &[operation.operation.selection_set.as_slice()], "$")?;
    if kind == Kind::Subscription && selected.len() != 1 {
        return Err(GraphqlError::validation("$", "subscriptions must select one top level field"));
    }
    let mut roots = Vec::with_capacity(selected.len());
    // All introspection of the operation together, however often and by whatever names it is asked for.
    let mut grant = Grant { bytes: usize::MAX, stop: planner.stop };
    for field in &selected {
        if planner.stop.load(Ordering::Relaxed) {
            return Err(unwanted());
        }
        let root = planner.root(&collector, &operation, kind, field, &mut grant)?;
        roots.push((field.key.to_owned(), root));
    }
    if kind == Kind::Query {
        super::merge::merge(planner, &collector, &selected, &mut roots)?;
    }
    let joins = Some(collector.joins.take()).filter(|joins| !joins.is_empty()).map(Arc::from);
    Ok(Compiled { kind, roots, inspected: operation.variables.inspected(), joins, nodes: size.nodes })
}

impl Planner<'_> {
    fn root<'a>(
        &'a self,
        collector: &'a Collector<'a>,
        operation: &'a Operation<'a>,
        kind: Kind,
        selected: &Selected<'a>,
        grant: &mut Grant<'_>,
    ) -> Result<CompiledRoot> {
        let Some(field) = selected.field else {
            if selected.name == "__typename" {
                let name = match kind {
                    Kind::Query => "query_root",
                    Kind::Mutation => "mutation_root",
                    Kind::Subscription => "subscription_root",
                };
                return Ok(CompiledRoot::Constant(format!("\"{name}\"").into()));
            }
            return self.introspection(operation, selected, grant);
        };
        let FieldKind::Root(root) = &field.kind else {
            return Err(selected.unexpected("a root field"));
        };
        let mut context = Context::new(self.model, collector);
        Ok(match (root, kind) {
            (RootField::Read(root), Kind::Query | Kind::Mutation) => {
                let (select, answer) = context.reading(*root, selected)?;
                CompiledRoot::Query(Arc::new(context.query(select, answer)))
            }
            (RootField::Read(root), Kind::Subscription) => {
                let (select, answer) = context.reading(*root, selected)?;
                CompiledRoot::Live(Arc::new(context.live(select, answer, Vec::new())))
            }
            (RootField::Stream(table), Kind::Subscription) => {
                CompiledRoot::Live(Arc::new(context.stream(*table, selected)?))
            }
            (RootField::Write(root), Kind::Mutation) => {
                CompiledRoot::Mutation(Arc::new(context.mutation(*root, selected)?))
            }
            (RootField::Action(place), _) => {
                CompiledRoot::Action(Arc::new(context.action(&self.model.actions[*place], selected)?))
            }
            (RootField::ActionResult(place), _) => {
                let plan = context.action_result(&self.model.actions[*place], selected)?;
                if kind == Kind::Subscription && plan.reads_tables() {
                    let message = "Remote relationships are not allowed in subscriptions";
                    return Err(GraphqlError::new(ErrorCode::NotSupported, message));
                }
                CompiledRoot::Action(Arc::new(plan))
            }
            (RootField::Remote(place, name), _) => {
                CompiledRoot::Remote(Arc::new(super::remote::root(collector, *place, name, kind, selected)?))
            }
            (RootField::RemoteNamespace(place), _) => {
                CompiledRoot::Remote(Arc::new(super::remote::namespace(collector, *place, kind, selected)?))
            }
            (RootField::Unavailable, _) => CompiledRoot::Constant("null".into()),
            (RootField::Stream(_), Kind::Query | Kind::Mutation)
            | (RootField::Write(_), Kind::Query | Kind::Subscription) => {
                return Err(selected.unexpected(match kind {
                    Kind::Query => "a root field of a query",
                    Kind::Mutation => "a root field of a mutation",
                    Kind::Subscription => "a root field of a subscription",
                }));
            }
        })
    }

    fn introspection<'a>(
        &self,
        operation: &'a Operation<'a>,
        selected: &Selected<'a>,
        grant: &mut Grant<'_>,
    ) -> Result<CompiledRoot> {
        if !self.introspection {
            let message = format!("field '{}' not found in type: 'query_root'", selected.name);
            return Err(GraphqlError::validation(selected.path.clone(), message));
        }
        let document = self.schema.document();
        let root = &self.schema.ty(self.schema.query).name;
        let asked = super::introspect::asked(document.parsed(), root, operation, selected)?;
        let most = document.usual().saturating_mul(USUAL_ANSWERS).max(SHORTEST_GRANT);
        if self.bounds.is_some() {
            grant.bytes = grant.bytes.min(most);
        }
        match document.answer(&asked, grant) {
            Ok(answer) => Ok(CompiledRoot::Constant(answer.into())),
            Err(Ended::Stopped) => Err(unwanted()),
            Err(Ended::Beyond) => {
                let message = format!(
                    "the answer to introspection has over {most} bytes; at most {most} are allowed in one operation"
                );
                Err(GraphqlError::at(selected.path.clone(), ErrorCode::ExceededNodeLimit, message))
            }
        }
    }
}

/// What a role may be told by introspection in one operation, in answers to the query that tools usually send.
const USUAL_ANSWERS: usize = 2;
/// And at least, in bytes: of a small schema the usual answer is short.
const SHORTEST_GRANT: usize = 64 * 1024;

/// The error of a plan that nobody waits for, which nobody sees.
fn unwanted() -> GraphqlError {
    GraphqlError::new(ErrorCode::Timeout, "the request was given up")
}

impl<'a> Context<'a> {
    /// The statement of a root field that reads.
    pub(super) fn reading(&mut self, root: ReadRoot, selected: &Selected<'a>) -> Result<(Select, Answer)> {
        let under = self.under(selected)?;
        match root {
            ReadRoot::Select(table) => {
                let args = self.args(selected, table)?;
                let rows = Rows { table, origin: self.read(table), tie: &untied, permitted: true };
                let (select, shape) = self.rows(&rows, &args, &under)?;
                Ok((select, Answer::List(shape)))
            }
            ReadRoot::SelectByPk(table) => {
                let mut args =
                    super::select::Args { filter: Some(self.by_key(table, selected)?), ..Default::default() };
                args.limit = None;
                let rows = Rows { table, origin: self.read(table), tie: &untied, permitted: true };
                let (select, shape) = self.rows(&rows, &args, &under)?;
                Ok((select, Answer::First(shape)))
            }
            ReadRoot::SelectAggregate(table) => {
                let args = self.args(selected, table)?;
                let rows = Rows { table, origin: self.read(table), tie: &untied, permitted: true };
                let (select, shape) = self.aggregate(&rows, &args, selected, &under)?;
                Ok((select, Answer::First(shape)))
            }
            ReadRoot::Function(place) | ReadRoot::FunctionAggregate(place) => {
                let function = &self.model.functions[place];
                let args = self.args(selected, function.table)?;
                let given = self.given_arguments(&function.arguments, selected)?;
                let call = self.call(&function.arguments, &given, None);
                let origin = Origin::Function(function.name.clone(), call);
                // A function that returns one row and finds none gives a row of nulls, which is answered as any.
                let rows = Rows { table: function.table, origin, tie: &untied, permitted: true };
                if matches!(root, ReadRoot::FunctionAggregate(_)) {
                    let (select, shape) = self.aggregate(&rows, &args, selected, &under)?;
                    return Ok((select, Answer::First(shape)));
                }
                let (select, shape) = self.rows(&rows, &args, &under)?;
                let answer = if function.returns_set { Answer::List(shape) } else { Answer::First(shape) };
                Ok((select, answer))
            }
        }
    }

    /// The condition that the arguments of a `_by_pk` field state.
    pub(super) fn by_key(&self, table: TableId, selected: &Selected<'a>) -> Result<BoolExp> {
        let info = self.table(table);
        if info.primary_key.is_empty() {
            // No condition would be one that holds of every row.
            return Err(GraphqlError::unexpected(format!(
                "'{}' finds a row by a key that its table has not",
                selected.name
            )));
        }
        let mut parts = Vec::new();
        for &place in &info.primary_key {
            let column = &info.columns[place];
            let path = format!("{}.args.{}", selected.path, column.field);
            let argument = selected.arguments.iter().find(|argument| argument.name.as_str() == column.field);
            let Some(argument) = argument else {
                let message = format!("missing required field '{}'", column.field);
                return Err(GraphqlError::validation(path, message));
            };
            let source = self.value(Input::Ast(&argument.value), &column.ty, Some(column), false, &path)?;
            parts.push(BoolExp::Column(place, Comparison::equal(source, column.ty.clone())));
        }
        Ok(BoolExp::And(parts))
    }

    /// A statement with everything that its execution needs.
    pub(super) fn query(&mut self, select: Select, answer: Answer) -> Query {
        Query {
            sql: print(&Statement::Select(select), self.params.print()).into(),
            params: self.params.take(),
            answer,
            tables: self.table_names(),
            calls_functions: self.calls_functions,
        }
    }

    /// The tables that were read.
    pub(super) fn table_names(&self) -> Vec<crate::metadata::QualifiedName> {
        self.tables.iter().map(|&table| self.table(table).name.clone()).collect()
    }
}
