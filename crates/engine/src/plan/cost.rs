//! What an operation may come to: lists within lists multiply, and each further one costs the database a hundredfold.

use apollo_compiler::ast::{self, Selection};

use super::document::{Operation, included};
use super::input::Input;
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::schema::RoleSchema;
use crate::schema::model::types::{FieldKind, ReadRoot, RootField, TypeId, TypeRef};

/// Rows that a list without `limit` counts as.
const UNLIMITED: u64 = 100;

/// Refuses an operation whose lists may come to more rows.
///
/// # Errors
/// [`ErrorCode::ExceededRowLimit`].
pub(super) fn hold(schema: &RoleSchema, operation: &Operation<'_>, root: TypeId, most: u64) -> Result<()> {
    let rows = Costs { schema, operation }.of(root, &operation.operation.selection_set, 1);
    if rows <= most {
        return Ok(());
    }
    let message = format!(
        "the operation's lists may come to {rows} rows, of {UNLIMITED} for each without a limit; at most {most} are \
         allowed: give them a smaller \"limit\""
    );
    Err(GraphqlError::new(ErrorCode::ExceededRowLimit, message))
}

struct Costs<'a> {
    schema: &'a RoleSchema,
    operation: &'a Operation<'a>,
}

impl<'a> Costs<'a> {
    /// The rows under a selection that is made for each of so many. How deep and how often fragments are spread was
    /// bounded before; what does not fit the schema is refused later.
    fn of(&self, ty: TypeId, selections: &'a [Selection], each: u64) -> u64 {
        let costs = selections.iter().map(|selection| {
            let (directives, condition, under) = match selection {
                Selection::Field(field) => {
                    return match included(&field.directives, &self.operation.variables, "$") {
                        Ok(false) => 0,
                        _ => self.field(ty, field, each),
                    };
                }
                Selection::InlineFragment(fragment) => {
                    (&fragment.directives, fragment.type_condition.as_ref(), fragment.selection_set.as_slice())
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.operation.fragments.get(spread.fragment_name.as_str()) else { return 0 };
                    (&spread.directives, Some(&fragment.type_condition), fragment.selection_set.as_slice())
                }
            };
            if matches!(included(directives, &self.operation.variables, "$"), Ok(false)) {
                return 0;
            }
            let ty = condition.and_then(|name| self.schema.types.by_name.get(name.as_str()).copied()).unwrap_or(ty);
            self.of(ty, under, each)
        });
        costs.fold(0, u64::saturating_add)
    }

    fn field(&self, ty: TypeId, field: &'a ast::Field, each: u64) -> u64 {
        let Some(definition) = self.schema.field(ty, &field.name) else { return 0 };
        if !is_list(&definition.kind, &definition.ty) {
            return self.of(definition.ty.base(), &field.selection_set, each);
        }
        let limit = field.arguments.iter().find(|argument| matches!(argument.name.as_str(), "limit" | "batch_size"));
        let limit = limit
            .and_then(|argument| Input::Ast(&argument.value).resolve(&self.operation.variables, "$").ok())
            .and_then(|value| u64::try_from(value.whole_number()?.integer()?).ok());
        let rows = each.saturating_mul(limit.unwrap_or(UNLIMITED));
        rows.saturating_add(self.of(definition.ty.base(), &field.selection_set, rows))
    }
}

/// Whether a field gives rows of the database.
fn is_list(kind: &FieldKind, ty: &TypeRef) -> bool {
    let rows = match kind {
        FieldKind::Root(root) => {
            matches!(root, RootField::Read(ReadRoot::Select(_) | ReadRoot::Function(_)) | RootField::Stream(_))
        }
        FieldKind::Relationship(_)
        | FieldKind::ActionRelationship(..)
        | FieldKind::Computed(_)
        | FieldKind::Join(_)
        | FieldKind::Nodes
        | FieldKind::Returning => true,
        FieldKind::Column(_)
        | FieldKind::RelationshipAggregate(_)
        | FieldKind::Aggregate
        | FieldKind::Count
        | FieldKind::AggregateFunction(_)
        | FieldKind::AffectedRows
        | FieldKind::ActionField
        | FieldKind::AsyncField
        | FieldKind::Remote(_)
        | FieldKind::JoinAggregate(_) => false,
    };
    rows && matches!(ty, TypeRef::List(..))
}
