//! Where an operation uses variables, and whether each may stand there (GraphQL, section 5.8).

use std::collections::HashSet;

use apollo_compiler::ast::{self, Selection};

use super::document::{Operation, Variables};
use crate::error::{GraphqlError, Result};
use crate::schema::RoleSchema;
use crate::schema::model::types::{TypeKind, TypeRef};

/// Refuses variables that are used but not defined, and values of variables that are not used.
pub fn hold(operation: &Operation<'_>) -> Result<()> {
    let mut used = Used { operation, names: HashSet::new(), fragments: HashSet::new() };
    used.directives(&operation.operation.directives);
    used.selections(&operation.operation.selection_set);
    let variables = &operation.variables;
    if let Some(unbound) = used.names.iter().find(|name| variables.declared(name).is_none()) {
        return Err(GraphqlError::validation("$", format!("unbound variable \"{unbound}\"")));
    }
    let mut unexpected: Vec<&str> =
        variables.given().keys().map(String::as_str).filter(|name| !used.names.contains(name)).collect();
    if unexpected.is_empty() {
        return Ok(());
    }
    unexpected.sort_unstable();
    let message = format!("unexpected variables in variableValues: {}", unexpected.join(", "));
    Err(GraphqlError::validation("$", message))
}

/// Collects the variables that an operation uses; each fragment is looked at once.
struct Used<'a> {
    operation: &'a Operation<'a>,
    names: HashSet<&'a str>,
    fragments: HashSet<&'a str>,
}

impl<'a> Used<'a> {
    fn selections(&mut self, selections: &'a [Selection]) {
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    self.directives(&field.directives);
                    field.arguments.iter().for_each(|argument| self.value(&argument.value));
                    self.selections(&field.selection_set);
                }
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.directives);
                    self.selections(&fragment.selection_set);
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.directives);
                    let name = spread.fragment_name.as_str();
                    if let (Some(fragment), true) = (self.operation.fragments.get(name), self.fragments.insert(name)) {
                        self.selections(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn directives(&mut self, directives: &'a ast::DirectiveList) {
        let arguments = directives.iter().flat_map(|directive| &directive.arguments);
        arguments.for_each(|argument| self.value(&argument.value));
    }

    fn value(&mut self, value: &'a ast::Value) {
        match value {
            ast::Value::Variable(name) => {
                self.names.insert(name.as_str());
            }
            ast::Value::List(members) => members.iter().for_each(|member| self.value(member)),
            ast::Value::Object(fields) => fields.iter().for_each(|(_, value)| self.value(value)),
            _ => {}
        }
    }
}

/// Checks the variables inside a value against the types of the places where they stand.
pub struct Places<'a> {
    /// The role's schema.
    pub schema: &'a RoleSchema,
    /// The operation's variables.
    pub variables: &'a Variables<'a>,
}

impl Places<'_> {
    /// Checks a value of a type; `default` says that its place has a default.
    ///
    /// # Errors
    /// The variable that is of another type, with its place.
    pub fn check(&self, value: &ast::Value, ty: &TypeRef, default: bool, path: &str) -> Result<()> {
        match (value, ty) {
            (ast::Value::Variable(name), _) => self.variable(name, &self.shown(ty), default, path),
            (ast::Value::List(members), TypeRef::List(member, _)) => members
                .iter()
                .enumerate()
                .try_for_each(|(index, value)| self.check(value, member, false, &format!("{path}[{index}]"))),
            // A single value stands for a list of itself.
            (ast::Value::Object(_), TypeRef::List(member, _)) => {
                self.check(value, member, false, &format!("{path}[0]"))
            }
            (ast::Value::Object(fields), TypeRef::Named(id, _)) => {
                let TypeKind::Input(known) = &self.schema.ty(*id).kind else { return Ok(()) };
                fields.iter().try_for_each(|(name, value)| match known.get(name.as_str()) {
                    Some(field) => self.check(value, &field.ty, field.default.is_some(), &format!("{path}.{name}")),
                    None => Ok(()),
                })
            }
            _ => Ok(()),
        }
    }

    /// Checks one variable at a place of a type as GraphQL writes it.
    fn variable(&self, name: &str, place: &str, default: bool, path: &str) -> Result<()> {
        may_stand(self.variables, name, place, default, path)
    }

    fn shown(&self, ty: &TypeRef) -> String {
        let (text, required) = match ty {
            TypeRef::Named(id, required) => (self.schema.ty(*id).name.clone(), required),
            TypeRef::List(member, required) => (format!("[{}]", self.shown(member)), required),
        };
        if *required { format!("{text}!") } else { text }
    }
}

/// Refuses a variable whose declared type does not fit a place of a type, as GraphQL writes it.
///
/// # Errors
/// Both types, at the place.
pub fn may_stand(variables: &Variables<'_>, name: &str, place: &str, default: bool, path: &str) -> Result<()> {
    let Some(definition) = variables.definition(name) else { return Ok(()) };
    let declared = definition.ty.to_string();
    let defaulted = definition.default_value.as_ref().is_some_and(|value| !value.is_null());
    let required = place.ends_with('!') && !declared.ends_with('!') && !default && !defaulted;
    if !required && same_form(place, &declared) {
        return Ok(());
    }
    let message = format!("variable '{name}' is declared as '{declared}', but used where '{place}' is expected");
    Err(GraphqlError::validation(path, message))
}

/// Whether two types, as GraphQL writes them, are one but for what may be null. A null inside a list is refused where its
/// value is read, so that `[Int]` may stand for `[Int!]`.
fn same_form(left: &str, right: &str) -> bool {
    let marks = |character: &char| *character != '!';
    left.chars().filter(marks).eq(right.chars().filter(marks))
}

#[cfg(test)]
mod tests {
    use super::same_form;

    #[test]
    fn types_are_compared_without_their_null_marks() {
        for (place, declared) in
            [("Int", "Int!"), ("[Int!]", "[Int]!"), ("[Int]", "[Int!]"), ("[[a!]!]", "[[a]]"), ("[Int!]!", "[Int]")]
        {
            assert!(same_form(place, declared), "{declared} for {place}");
        }
        for (place, declared) in [("[Int!]", "Int!"), ("Int", "[Int]"), ("a", "b"), ("[[a]]", "[a]")] {
            assert!(!same_form(place, declared), "{declared} for {place}");
        }
    }
}
