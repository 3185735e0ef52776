//! The types of one role's GraphQL schema, each field with what it stands for.

use std::borrow::Cow;
use std::collections::HashMap;

use indexmap::IndexMap;

use super::TableId;
use super::boolexp::Operator;
use crate::error::{GraphqlError, Result};

/// The place of a type in [`Types`].
pub type TypeId = usize;

/// A description that is fixed or made.
pub type Text = Cow<'static, str>;

/// All types of a schema.
#[derive(Debug, Default)]
pub struct Types {
    /// The types.
    pub list: Vec<Type>,
    /// Their places by name.
    pub by_name: HashMap<String, TypeId>,
}

impl Types {
    /// A type by its name.
    pub fn named(&self, name: &str) -> Option<&Type> {
        self.by_name.get(name).map(|&id| &self.list[id])
    }
}

/// A type.
#[derive(Debug)]
pub struct Type {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<Text>,
    /// What it is made of.
    pub kind: TypeKind,
    /// Of a remote schema's type, the schema's place and the type's own name.
    pub remote: Option<(usize, String)>,
}

/// What a type is made of.
#[derive(Debug)]
pub enum TypeKind {
    /// A scalar.
    Scalar,
    /// An enum.
    Enum(IndexMap<String, EnumMember>),
    /// An object, with the interfaces it implements.
    Object(IndexMap<String, Field>, Vec<TypeId>),
    /// An interface of a remote schema.
    Interface(IndexMap<String, Field>),
    /// A union of a remote schema.
    Union(Vec<TypeId>),
    /// An input object.
    Input(IndexMap<String, InputField>),
}

/// A value of an enum.
#[derive(Debug, Default, Clone)]
pub struct EnumMember {
    /// Its description.
    pub description: Option<Text>,
    /// Of an enum of columns, the column's place.
    pub column: usize,
}

/// A reference to a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeRef {
    /// A type; non-null when set.
    Named(TypeId, bool),
    /// A list; non-null when set.
    List(Box<TypeRef>, bool),
}

impl TypeRef {
    /// A type that may be null.
    pub fn nullable(id: TypeId) -> Self {
        Self::Named(id, false)
    }

    /// A type that is not null.
    pub fn required(id: TypeId) -> Self {
        Self::Named(id, true)
    }

    /// `[T!]`, and `[T!]!` when `required` is set.
    pub fn list(id: TypeId, required: bool) -> Self {
        Self::List(Box::new(Self::Named(id, true)), required)
    }

    /// The named type inside.
    pub fn base(&self) -> TypeId {
        match self {
            Self::Named(id, _) => *id,
            Self::List(inner, _) => inner.base(),
        }
    }

    /// Whether null is excluded.
    pub fn is_required(&self) -> bool {
        match self {
            Self::Named(_, required) | Self::List(_, required) => *required,
        }
    }

    /// The same type with or without null.
    pub fn with_required(self, required: bool) -> Self {
        match self {
            Self::Named(id, _) => Self::Named(id, required),
            Self::List(inner, _) => Self::List(inner, required),
        }
    }
}

/// A field of an object.
#[derive(Debug)]
pub struct Field {
    /// Its description.
    pub description: Option<Text>,
    /// Its arguments.
    pub arguments: IndexMap<String, InputField>,
    /// Its type.
    pub ty: TypeRef,
    /// What it stands for.
    pub kind: FieldKind,
}

/// What a field stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// A column of the table.
    Column(usize),
    /// A relationship of the table.
    Relationship(usize),
    /// The aggregate over a relationship.
    RelationshipAggregate(usize),
    /// A computed field.
    Computed(usize),
    /// A root field.
    Root(RootField),
    /// `aggregate` of an aggregate.
    Aggregate,
    /// `nodes` of an aggregate.
    Nodes,
    /// `count` of an aggregate.
    Count,
    /// `sum`, `max` ... of an aggregate.
    AggregateFunction(&'static str),
    /// `affected_rows` of a mutation.
    AffectedRows,
    /// `returning` of a mutation.
    Returning,
    /// A field of an action's answer.
    ActionField,
    /// A relationship of an action's answer: the place in the type's list, and the table.
    ActionRelationship(usize, TableId),
    /// A field of the answer of an asynchronous action.
    AsyncField,
    /// A field of a remote schema, by its own name.
    Remote(String),
    /// A relationship that leaves the source or the remote schema, by its place among those of the table or type.
    Join(usize),
    /// The aggregate over the rows of such a relationship.
    JoinAggregate(usize),
}

/// A root field.
#[derive(Debug, Clone, PartialEq)]
pub enum RootField {
    /// Reads rows, once or again and again.
    Read(ReadRoot),
    /// Rows after a cursor.
    Stream(TableId),
    /// Writes rows.
    Write(WriteRoot),
    /// Calls an action.
    Action(usize),
    /// The result of an asynchronous action.
    ActionResult(usize),
    /// A root field of a remote schema, by the schema's place and the field's own name.
    Remote(usize, String),
    /// The root fields of a remote schema, by the schema's place.
    RemoteNamespace(usize),
    /// Stands in for root fields where the role has none; it is null.
    Unavailable,
}

/// A root field that reads rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadRoot {
    /// Rows of a table.
    Select(TableId),
    /// One row by its primary key.
    SelectByPk(TableId),
    /// Aggregates over rows.
    SelectAggregate(TableId),
    /// Rows of a function.
    Function(usize),
    /// Aggregates over rows of a function.
    FunctionAggregate(usize),
}

/// A root field that writes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteRoot {
    /// Inserts rows.
    Insert(TableId),
    /// Inserts one row.
    InsertOne(TableId),
    /// Updates rows.
    Update(TableId),
    /// Updates one row.
    UpdateByPk(TableId),
    /// Updates rows, several times.
    UpdateMany(TableId),
    /// Deletes rows.
    Delete(TableId),
    /// Deletes one row.
    DeleteByPk(TableId),
}

impl From<ReadRoot> for RootField {
    fn from(root: ReadRoot) -> Self {
        Self::Read(root)
    }
}

impl From<WriteRoot> for RootField {
    fn from(root: WriteRoot) -> Self {
        Self::Write(root)
    }
}

/// An argument, or a field of an input object.
#[derive(Debug, Clone)]
pub struct InputField {
    /// Its description.
    pub description: Option<Text>,
    /// Its type.
    pub ty: TypeRef,
    /// Its default, as a document writes it.
    pub default: Option<Text>,
    /// What it stands for.
    pub kind: InputKind,
}

impl InputField {
    /// The column that the field stands for.
    ///
    /// # Errors
    /// A field that stands for anything else.
    pub fn column(&self, name: &str) -> Result<usize> {
        match self.kind {
            InputKind::Row(RowInput::Column(column)) => Ok(column),
            _ => Err(self.unexpected(name, "a column")),
        }
    }

    /// The comparison operator that the field stands for.
    ///
    /// # Errors
    /// A field that stands for anything else.
    pub fn operator(&self, name: &str) -> Result<Operator> {
        match self.kind {
            InputKind::Operator(operator) => Ok(operator),
            _ => Err(self.unexpected(name, "an operator")),
        }
    }

    /// The aggregate function that the field stands for.
    ///
    /// # Errors
    /// A field that stands for anything else.
    pub fn function(&self, name: &str) -> Result<&'static str> {
        match self.kind {
            InputKind::Function(function) => Ok(function),
            _ => Err(self.unexpected(name, "an aggregate function")),
        }
    }

    /// The place of the function's argument that the field stands for.
    ///
    /// # Errors
    /// A field that stands for anything else.
    pub fn argument(&self, name: &str) -> Result<usize> {
        match self.kind {
            InputKind::Argument(place) => Ok(place),
            _ => Err(self.unexpected(name, "an argument of a function")),
        }
    }

    /// The error for a field that stands where another kind belongs: the schema and its reader disagree, and what a
    /// reader passes over might be a condition.
    pub fn unexpected(&self, name: &str, wanted: &str) -> GraphqlError {
        GraphqlError::unexpected(format!("the input field '{name}' stands for {:?}, not for {wanted}", self.kind))
    }
}

/// What an argument or a field of an input object stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum InputKind {
    /// Nothing but itself: who reads it knows its name.
    Plain,
    /// A part of a row.
    Row(RowInput),
    /// A comparison operator.
    Operator(Operator),
    /// An aggregate function.
    Function(&'static str),
    /// An argument of a function, by its place.
    Argument(usize),
}

/// A part of a row, by its place in the table's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowInput {
    /// A column of the table.
    Column(usize),
    /// A relationship of the table.
    Relationship(usize),
    /// The aggregate over a relationship.
    RelationshipAggregate(usize),
    /// A computed field.
    Computed(usize),
    /// The aggregate over the rows of a computed field, which are of a table.
    ComputedAggregate(usize, TableId),
}

impl From<RowInput> for InputKind {
    fn from(part: RowInput) -> Self {
        Self::Row(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn a_field_of_another_kind_is_refused_by_its_name() {
        let field = |kind| InputField { description: None, ty: TypeRef::nullable(0), default: None, kind };
        let column = field(RowInput::Column(3).into());
        assert_eq!(column.column("size"), Ok(3));
        let refused = [
            column.operator("size").map(|_| ()),
            column.function("size").map(|_| ()),
            column.argument("size").map(|_| ()),
            field(RowInput::Relationship(3).into()).column("size").map(|_| ()),
            field(InputKind::Plain).column("size").map(|_| ()),
        ];
        for error in refused.map(Result::unwrap_err) {
            assert_eq!(error.code, ErrorCode::Unexpected);
            assert!(error.message.starts_with("the input field 'size' stands for "), "{error}");
        }
    }
}
