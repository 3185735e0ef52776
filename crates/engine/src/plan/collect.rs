//! Collects the fields of a selection: spreads fragments, applies directives, merges equal response keys.

use std::cell::RefCell;
use std::collections::BTreeSet;

use apollo_compiler::ast::{self, Selection};
use indexmap::IndexMap;

use super::document::{Operation, included};
use super::join::Join;
use super::roots::Planner;
use super::usage::Places;
use crate::error::{GraphqlError, Result};
use crate::schema::model::types::{Field, TypeId, TypeKind};
use crate::schema::model::{Model, TableId};
use crate::schema::{RemoteTypes, RoleSchema};

/// A field of a selection, with everything that was selected under it.
pub struct Selected<'a> {
    /// The name in the answer.
    pub key: &'a str,
    /// The field's own name.
    pub name: &'a str,
    /// Its definition; nothing for `__typename` and introspection.
    pub field: Option<&'a Field>,
    /// Its arguments.
    pub arguments: &'a [apollo_compiler::Node<ast::Argument>],
    /// Selections under it, from every occurrence.
    pub under: Vec<&'a [Selection]>,
    /// Where it stands, for errors.
    pub path: String,
}

impl<'a> Selected<'a> {
    /// Its definition, where every field has one.
    ///
    /// # Errors
    /// `__typename` and introspection.
    pub fn definition(&self) -> Result<&'a Field> {
        self.field.ok_or_else(|| self.unexpected("a field of the schema"))
    }

    /// The error for a field that is selected where another kind belongs.
    pub fn unexpected(&self, wanted: &str) -> GraphqlError {
        let kind = self.field.map(|field| &field.kind);
        GraphqlError::unexpected(format!("the field '{}' stands for {kind:?}, not for {wanted}", self.name))
    }
}

/// Collects fields.
pub struct Collector<'a> {
    /// The schema.
    pub schema: &'a RoleSchema,
    /// The operation.
    pub operation: &'a Operation<'a>,
    /// Metadata resolved against the catalogue.
    pub model: &'a Model,
    /// Remote schemas in the order of the metadata.
    pub remotes: &'a [RemoteTypes],
    /// What the operation joins from elsewhere, as it is found.
    pub joins: RefCell<Vec<Join>>,
    /// Tables that joins read, and whether they call functions.
    pub reads: RefCell<(BTreeSet<TableId>, bool)>,
}

impl<'a> Collector<'a> {
    /// A collector over an operation.
    pub fn new(planner: &Planner<'a>, operation: &'a Operation<'a>) -> Self {
        let &Planner { schema, model, remotes, .. } = planner;
        Self { schema, operation, model, remotes, joins: RefCell::default(), reads: RefCell::default() }
    }

    /// The fields of an object that selections choose.
    pub fn collect(&self, ty: TypeId, under: &[&'a [Selection]], path: &str) -> Result<Vec<Selected<'a>>> {
        let mut fields: IndexMap<&'a str, Selected<'a>> = IndexMap::new();
        let path = format!("{path}.selectionSet");
        for selections in under {
            self.add(ty, selections, &path, &mut fields)?;
        }
        Ok(fields.into_values().collect())
    }

    fn add(
        &self,
        ty: TypeId,
        selections: &'a [Selection],
        path: &str,
        fields: &mut IndexMap<&'a str, Selected<'a>>,
    ) -> Result<()> {
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    let place = format!("{path}.{}", field.name);
                    if included(&field.directives, &self.operation.variables, &place)? {
                        self.field(ty, field, place, fields)?;
                    }
                }
                Selection::InlineFragment(fragment) => {
                    if included(&fragment.directives, &self.operation.variables, path)?
                        && fragment.type_condition.as_ref().is_none_or(|on| self.applies(ty, on))
                    {
                        self.add(ty, &fragment.selection_set, path, fields)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if !included(&spread.directives, &self.operation.variables, path)? {
                        continue;
                    }
                    let name = spread.fragment_name.as_str();
                    let fragment = self.operation.fragments.get(name).ok_or_else(|| {
                        GraphqlError::validation(
                            format!("{path}.{name}"),
                            format!("reference to undefined fragment \"{name}\""),
                        )
                    })?;
                    if self.applies(ty, &fragment.type_condition) {
                        self.add(ty, &fragment.selection_set, path, fields)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Required arguments are there, and variables of the right types.
    fn arguments(&self, definition: &Field, field: &ast::Field, path: &str) -> Result<()> {
        let places = Places { schema: self.schema, variables: &self.operation.variables };
        for (name, argument) in &definition.arguments {
            let path = format!("{path}.args.{name}");
            match field.arguments.iter().find(|given| given.name.as_str() == name) {
                Some(given) => places.check(&given.value, &argument.ty, argument.default.is_some(), &path)?,
                None if argument.ty.is_required() && argument.default.is_none() => {
                    return Err(GraphqlError::validation(path, format!("missing required field '{name}'")));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn applies(&self, ty: TypeId, condition: &str) -> bool {
        let own = self.schema.ty(ty);
        if own.name == condition {
            return true;
        }
        let TypeKind::Object(_, interfaces) = &own.kind else { return false };
        interfaces.iter().any(|&id| self.schema.ty(id).name == condition)
            || self.schema.types.named(condition).is_some_and(|other| match &other.kind {
                TypeKind::Union(members) => members.contains(&ty),
                _ => false,
            })
    }

    fn field(
        &self,
        ty: TypeId,
        field: &'a ast::Field,
        path: String,
        fields: &mut IndexMap<&'a str, Selected<'a>>,
    ) -> Result<()> {
        let name = field.name.as_str();
        let key = field.alias.as_ref().map_or(name, |alias| alias.as_str());
        let own = self.schema.ty(ty);
        let root = ty == self.schema.query;
        let definition = match name {
            "__typename" => None,
            "__schema" | "__type" if root => None,
            _ => Some(self.schema.field(ty, name).ok_or_else(|| {
                GraphqlError::validation(path.clone(), format!("field '{name}' not found in type: '{}'", own.name))
            })?),
        };
        if let Some(definition) = definition {
            let composite = !matches!(
                self.schema.ty(definition.ty.base()).kind,
                TypeKind::Scalar | TypeKind::Enum(_) | TypeKind::Input(_)
            );
            if composite && field.selection_set.is_empty() {
                let message = format!("missing selection set for '{}'", self.schema.ty(definition.ty.base()).name);
                return Err(GraphqlError::validation(path, message));
            }
            if !composite && !field.selection_set.is_empty() {
                return Err(GraphqlError::validation(path, "unexpected subselection set for non-object field"));
            }
            if let Some(unknown) =
                field.arguments.iter().find(|argument| !definition.arguments.contains_key(argument.name.as_str()))
            {
                let message = format!("'{name}' has no argument named '{}'", unknown.name);
                return Err(GraphqlError::validation(path, message));
            }
            self.arguments(definition, field, &path)?;
        }
        match fields.get_mut(key) {
            Some(known) => {
                if known.name != name {
                    let message =
                        format!("selection of both '{}' and '{name}' on the same response key '{key}'", known.name);
                    return Err(GraphqlError::validation(path, message));
                }
                let same = known.arguments.len() == field.arguments.len()
                    && known.arguments.iter().all(|argument| field.arguments.contains(argument));
                if !same {
                    let message = format!("inconsistent arguments between multiple selections of field '{name}'");
                    return Err(GraphqlError::validation(path, message));
                }
                if !field.selection_set.is_empty() {
                    known.under.push(&field.selection_set);
                }
            }
            None => {
                let under = match field.selection_set.is_empty() {
                    true => Vec::new(),
                    false => vec![field.selection_set.as_slice()],
                };
                let selected = Selected { key, name, field: definition, arguments: &field.arguments, under, path };
                fields.insert(key, selected);
            }
        }
        Ok(())
    }
}
