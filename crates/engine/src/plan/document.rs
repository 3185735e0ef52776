//! Parses a document, picks its operation and checks its variables, by Hasura's rules.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use apollo_compiler::ast::{self, Definition, FragmentDefinition, OperationDefinition, Selection};
use apollo_compiler::parser::Parser;
use serde_json::Value;

use super::input::{Input, mismatch};
use super::{duplicates, usage};
use crate::error::{GraphqlError, Result};
use crate::options::Limits;
use crate::request::Request;

/// A parsed document.
pub struct Document {
    pub(super) ast: ast::Document,
}

impl Document {
    /// Parses a text. Nesting is bounded by the limits; how long it may be was looked at before.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self> {
        let mut parser = Parser::new().recursion_limit(limits.recursion).token_limit(usize::MAX);
        let ast = parser
            .parse_ast(text, "query.graphql")
            .map_err(|_| GraphqlError::validation("$.query", "not a valid graphql query"))?;
        match duplicates::any(&ast) {
            true => Err(GraphqlError::validation("$.query", "not a valid graphql query")),
            false => Ok(Self { ast }),
        }
    }

    /// The operation that a request runs.
    pub fn operation<'a>(&'a self, request: &'a Request) -> Result<Operation<'a>> {
        let mut operations: Vec<&OperationDefinition> = Vec::new();
        let mut fragments: HashMap<&str, &FragmentDefinition> = HashMap::new();
        for definition in &self.ast.definitions {
            match definition {
                Definition::OperationDefinition(operation) => operations.push(operation),
                Definition::FragmentDefinition(fragment) => {
                    if fragments.insert(fragment.name.as_str(), fragment).is_some() {
                        let message = format!("multiple definitions for fragment \"{}\"", fragment.name);
                        return Err(GraphqlError::validation("$", message));
                    }
                }
                _ => return Err(GraphqlError::validation("$.query", "not a valid graphql query")),
            }
        }
        let named = request.operation_name.as_deref().filter(|name| !name.is_empty());
        let operation = match (named, operations.as_slice()) {
            (Some(_), list) if list.iter().any(|operation| operation.name.is_none()) => {
                let message = "operationName cannot be used when an anonymous operation exists in the document";
                return Err(GraphqlError::validation("$", message));
            }
            (Some(name), _) => operations
                .iter()
                .find(|operation| operation.name.as_ref().is_some_and(|own| own == name))
                .ok_or_else(|| {
                    let message = format!("no such operation found in the document: \"{name}\"");
                    GraphqlError::validation("$", message)
                })?,
            (None, [only]) => only,
            (None, _) => {
                let message =
                    "exactly one operation has to be present in the document when operationName is not specified";
                return Err(GraphqlError::validation("$", message));
            }
        };
        let operation = Operation { operation, fragments, variables: Variables::new(operation, request)? };
        operation.refuse_cycles()?;
        usage::hold(&operation)?;
        Ok(operation)
    }
}

/// The operation of a request, with the document's fragments and the values of variables.
pub struct Operation<'a> {
    /// The operation.
    pub operation: &'a OperationDefinition,
    /// Fragments by name.
    pub fragments: HashMap<&'a str, &'a FragmentDefinition>,
    /// Values of variables.
    pub variables: Variables<'a>,
}

impl Operation<'_> {
    /// Refuses fragments that spread each other, before anything follows them.
    fn refuse_cycles(&self) -> Result<()> {
        // 1 while a fragment's own spreads are followed, 2 when they were.
        let mut seen: HashMap<&str, u8> = HashMap::new();
        for name in self.fragments.keys() {
            let mut stack: Vec<(&str, bool)> = vec![(name, false)];
            while let Some((name, leave)) = stack.pop() {
                if leave {
                    seen.insert(name, 2);
                    continue;
                }
                match seen.get(name) {
                    Some(2) => continue,
                    Some(_) => return Err(self.cycle()),
                    None => {}
                }
                seen.insert(name, 1);
                stack.push((name, true));
                let Some(fragment) = self.fragments.get(name) else { continue };
                let mut spreads = Vec::new();
                spread_names(&fragment.selection_set, &mut spreads);
                for spread in spreads {
                    if seen.get(spread) == Some(&1) {
                        return Err(self.cycle());
                    }
                    stack.push((spread, false));
                }
            }
        }
        Ok(())
    }

    /// The error for a cycle of fragments: where the operation meets it, and which fragments make it.
    fn cycle(&self) -> GraphqlError {
        let mut search = Cycle { fragments: &self.fragments, open: Vec::new(), left: HashSet::new(), level: 0 };
        let (path, names) = search
            .find(&self.operation.selection_set, "$.selectionSet")
            .unwrap_or_else(|| ("$".to_owned(), self.fragments.keys().copied().take(2).collect()));
        let names = match names.as_slice() {
            [rest @ .., last] if rest.len() > 1 => format!("{}, and {last}", rest.join(", ")),
            few => few.join(" and "),
        };
        GraphqlError::validation(path, format!("the fragment definition(s) {names} form a cycle"))
    }
}

/// Looks for a cycle of fragments from an operation on.
struct Cycle<'a> {
    fragments: &'a HashMap<&'a str, &'a FragmentDefinition>,
    open: Vec<&'a str>,
    /// Fragments that lead into no cycle.
    left: HashSet<&'a str>,
    level: usize,
}

impl<'a> Cycle<'a> {
    fn find(&mut self, selections: &'a [Selection], path: &str) -> Option<(String, Vec<&'a str>)> {
        self.level += 1;
        // Deeper than anything that would be answered: the caller has words without a place.
        let found = (self.level < 300).then(|| selections.iter().find_map(|selection| self.one(selection, path)));
        self.level -= 1;
        found.flatten()
    }

    fn one(&mut self, selection: &'a Selection, path: &str) -> Option<(String, Vec<&'a str>)> {
        match selection {
            Selection::Field(field) if field.selection_set.is_empty() => None,
            Selection::Field(field) => self.find(&field.selection_set, &format!("{path}.{}.selectionSet", field.name)),
            Selection::InlineFragment(fragment) => self.find(&fragment.selection_set, path),
            Selection::FragmentSpread(spread) => {
                let name = spread.fragment_name.as_str();
                if let Some(start) = self.open.iter().position(|open| *open == name) {
                    return Some((path.to_owned(), self.open.get(start..).unwrap_or_default().to_vec()));
                }
                let fragment = self.fragments.get(name).filter(|_| !self.left.contains(name))?;
                self.open.push(name);
                let found = self.find(&fragment.selection_set, &format!("{path}.{name}.selectionSet"));
                self.open.pop();
                self.left.insert(name);
                found
            }
        }
    }
}

fn spread_names<'a>(selections: &'a [Selection], names: &mut Vec<&'a str>) {
    // The parser bounds the depth.
    for selection in selections {
        match selection {
            Selection::Field(field) => spread_names(&field.selection_set, names),
            Selection::InlineFragment(fragment) => spread_names(&fragment.selection_set, names),
            Selection::FragmentSpread(spread) => names.push(spread.fragment_name.as_str()),
        }
    }
}

/// The values of an operation's variables.
pub struct Variables<'a> {
    definitions: HashMap<&'a str, &'a ast::VariableDefinition>,
    given: &'a serde_json::Map<String, Value>,
    /// Variables whose values were looked at while planning: a plan holds for these values alone.
    inspected: RefCell<BTreeSet<String>>,
}

impl<'a> Variables<'a> {
    fn new(operation: &'a OperationDefinition, request: &'a Request) -> Result<Self> {
        let mut definitions: HashMap<&str, &ast::VariableDefinition> = HashMap::new();
        for definition in &operation.variables {
            if definitions.insert(definition.name.as_str(), definition).is_some() {
                let message = format!("multiple definitions for variable \"{}\"", definition.name);
                return Err(GraphqlError::validation("$", message));
            }
            let required = definition.ty.is_non_null();
            let given = request.variables.get(definition.name.as_str());
            if required && given.is_none() && definition.default_value.is_none() {
                let message = format!("expecting a value for non-nullable variable: \"{}\"", definition.name);
                return Err(GraphqlError::validation("$", message));
            }
            if required && given.is_some_and(Value::is_null) {
                let message = format!("null value found for non-nullable type: \"{}\"", definition.ty);
                return Err(GraphqlError::validation("$", message));
            }
        }
        Ok(Self { definitions, given: &request.variables, inspected: RefCell::default() })
    }

    /// The value of a variable, without noting that it was looked at. One that has neither value nor default is null:
    /// were it as good as not there, a filter that names it would hold of every row.
    pub fn peek(&self, name: &str, path: &str) -> Result<Input<'a>> {
        let Some(definition) = self.definitions.get(name) else {
            return Err(GraphqlError::validation(path, format!("unbound variable \"{name}\"")));
        };
        Ok(match (self.given.get(name), &definition.default_value) {
            (Some(value), _) => Input::Json(value),
            (None, Some(default)) => Input::Ast(default),
            (None, None) => Input::Json(&Value::Null),
        })
    }

    /// The value of a variable on whose form the plan depends.
    pub fn inspect(&self, name: &str, path: &str) -> Result<Input<'a>> {
        self.inspected.borrow_mut().insert(name.to_owned());
        self.peek(name, path)
    }

    /// The definition of a variable.
    pub fn definition(&self, name: &str) -> Option<&'a ast::VariableDefinition> {
        self.definitions.get(name).copied()
    }

    /// The declared type of a variable.
    pub fn declared(&self, name: &str) -> Option<&'a ast::Type> {
        self.definitions.get(name).map(|definition| &*definition.ty)
    }

    /// All definitions.
    pub fn definitions(&self) -> impl Iterator<Item = &'a ast::VariableDefinition> + '_ {
        self.definitions.values().copied()
    }

    /// The request's values.
    pub fn given(&self) -> &'a serde_json::Map<String, Value> {
        self.given
    }

    /// Variables on whose values the plan depends.
    pub fn inspected(&self) -> Vec<String> {
        self.inspected.borrow().iter().cloned().collect()
    }
}

/// `include` and `skip`: whether a selection stays.
pub fn included(directives: &ast::DirectiveList, variables: &Variables<'_>, path: &str) -> Result<bool> {
    let mut stays = true;
    for directive in directives.iter() {
        let wanted = match directive.name.as_str() {
            "include" => true,
            "skip" => false,
            "cached" | "_multiple_top_level_fields" | "specifiedBy" | "deprecated" => continue,
            other => {
                let message = format!("directive '{other}' is not defined in the schema");
                return Err(GraphqlError::validation(path, message));
            }
        };
        let argument = directive.arguments.iter().find(|argument| argument.name.as_str() == "if");
        let Some(argument) = argument else {
            let message = "missing required field 'if'";
            return Err(GraphqlError::validation(format!("{path}.{}.if", directive.name), message));
        };
        let value = match &*argument.value {
            ast::Value::Boolean(value) => *value,
            ast::Value::Variable(name) => {
                usage::may_stand(variables, name, "Boolean!", false, &format!("{path}.{}.if", directive.name))?;
                let value = variables.inspect(name, path)?;
                value.boolean().ok_or_else(|| not_boolean(path, &directive.name, value))?
            }
            other => return Err(not_boolean(path, &directive.name, Input::Ast(other))),
        };
        stays &= value == wanted;
    }
    Ok(stays)
}

fn not_boolean(path: &str, directive: &str, found: Input<'_>) -> GraphqlError {
    mismatch(&format!("{path}.{directive}.if"), "a boolean", "Boolean", found)
}
