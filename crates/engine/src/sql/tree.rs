//! The tree.

use crate::metadata::QualifiedName;

/// A name for a table in a statement; it prints as `"t7"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alias(pub usize);

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A column.
    Column(Alias, String),
    /// A whole row.
    Whole(Alias),
    /// A column of an upsert's proposed row.
    Excluded(String),
    /// A column by its name alone, in statements with one table.
    Bare(String),
    /// A bound parameter by its place, cast to a type.
    Param(usize, String),
    /// A bound array of texts by its place: a value for each member of a multiplexed subscription.
    Array(usize),
    /// Fixed text of the engine's own, never from outside.
    Fixed(&'static str),
    /// A number.
    Number(i64),
    /// A call of a built-in function.
    Call(&'static str, Vec<Expr>),
    /// A call of a function of the database, with named arguments.
    Function(QualifiedName, Vec<(Option<String>, Expr)>),
    /// An aggregate: function, `distinct`, arguments, `filter`.
    Aggregate(&'static str, bool, Vec<Expr>, Option<Box<Expr>>),
    /// Left, operator, right.
    Binary(Box<Expr>, &'static str, Box<Expr>),
    /// Operand, then an operator such as `IS NULL`.
    Postfix(Box<Expr>, &'static str),
    /// All hold.
    And(Vec<Expr>),
    /// One holds.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// A row exists.
    Exists(Box<Select>),
    /// The value of a statement of one row and one column.
    Scalar(Box<Select>),
    /// The rows of a statement of one column, as an array.
    ArrayOf(Box<Select>),
    /// A row of values.
    Row(Vec<Expr>),
    /// A cast.
    Cast(Box<Expr>, String),
    /// Values under conditions, and otherwise.
    Case(Vec<(Expr, Expr)>, Option<Box<Expr>>),
}

impl Expr {
    /// Left, operator, right.
    pub fn binary(self, operator: &'static str, right: Expr) -> Self {
        Self::Binary(Box::new(self), operator, Box::new(right))
    }

    /// All hold; parts that are `And` are taken in, and an empty list is left out.
    pub fn all(parts: impl IntoIterator<Item = Expr>) -> Option<Self> {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::And(inner) => flat.extend(inner),
                Self::Fixed("TRUE") => {}
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => None,
            1 => flat.pop(),
            _ => Some(Self::And(flat)),
        }
    }
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// A table or view.
    Table(QualifiedName),
    /// A function that returns rows.
    Function(QualifiedName, Vec<(Option<String>, Expr)>),
    /// A statement.
    Select(Box<Select>),
    /// The elements of an array of rows of a table.
    Rows(Expr),
    /// Named columns of arrays that are unnested side by side.
    Unnest(Vec<(Expr, String)>),
}

/// A table of a statement, under its name there.
#[derive(Debug, Clone, PartialEq)]
pub struct From {
    /// Where its rows come from.
    pub origin: Origin,
    /// Its name.
    pub alias: Alias,
}

/// A `LEFT JOIN`.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// Whether it may use what stands before it.
    pub lateral: bool,
    /// What is joined.
    pub from: From,
    /// The condition.
    pub on: Expr,
}

/// An ordering.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// By what.
    pub expr: Expr,
    /// `ASC` and so on.
    pub direction: &'static str,
}

/// A `SELECT`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Select {
    /// `DISTINCT ON`.
    pub distinct: Vec<Expr>,
    /// All columns of a table come first.
    pub star: Option<Alias>,
    /// Values with names where they need one.
    pub outputs: Vec<(Expr, Option<String>)>,
    /// Its table.
    pub from: Option<From>,
    /// What is joined.
    pub joins: Vec<Join>,
    /// `WHERE`.
    pub filter: Option<Expr>,
    /// `ORDER BY`.
    pub order: Vec<Order>,
    /// `LIMIT`.
    pub limit: Option<Expr>,
    /// `OFFSET`.
    pub offset: Option<Expr>,
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// It reads.
    Select(Select),
    /// It inserts.
    Insert(Insert),
    /// It updates.
    Update(Update),
    /// It deletes.
    Delete(Delete),
}

/// An `INSERT`.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// The table.
    pub table: QualifiedName,
    /// Its name.
    pub alias: Alias,
    /// Columns.
    pub columns: Vec<String>,
    /// Rows; a missing value is the column's default.
    pub rows: Vec<Vec<Option<Expr>>>,
    /// What happens on a conflict.
    pub conflict: Option<Conflict>,
    /// What it returns.
    pub returning: Vec<Expr>,
}

/// What an insert does on a conflict.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The constraint.
    pub constraint: String,
    /// Columns to set; none means that nothing is done.
    pub set: Vec<(String, Expr)>,
    /// Which rows are updated.
    pub filter: Option<Expr>,
}

/// An `UPDATE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The table.
    pub table: QualifiedName,
    /// Its name.
    pub alias: Alias,
    /// Columns to set.
    pub set: Vec<(String, Expr)>,
    /// Which rows.
    pub filter: Option<Expr>,
    /// What it returns.
    pub returning: Vec<Expr>,
}

/// A `DELETE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    /// The table.
    pub table: QualifiedName,
    /// Its name.
    pub alias: Alias,
    /// Which rows.
    pub filter: Option<Expr>,
    /// What it returns.
    pub returning: Vec<Expr>,
}
