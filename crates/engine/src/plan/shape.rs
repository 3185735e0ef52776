//! How rows become JSON: made with the statement, used by the writer.

/// How a value is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A column; its type is told by the wire.
    Value(usize),
    /// A number that stays one when numbers are written as strings.
    Plain(usize),
    /// A column that holds JSON text.
    Json(usize),
    /// Fixed JSON.
    Constant(String),
    /// An object, null where the column that tells its presence is not true.
    Object(Option<usize>, Vec<(String, Shape)>),
    /// A list: an array of records.
    Rows(usize, Box<Shape>),
    /// One record, or null.
    Record(usize, Box<Shape>),
    /// The first of an array of records, or null.
    First(usize, Box<Shape>),
    /// What a join fetches, by its place, for the left side that these values are.
    Join(usize, Vec<Shape>),
}

/// What the rows of a statement become.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A list of them.
    List(Shape),
    /// The first, or null.
    First(Shape),
}

/// A response key as it is written: quoted, with its colon. GraphQL names need no escapes.
pub fn key(name: &str) -> String {
    format!("\"{name}\":")
}
