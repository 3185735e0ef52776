//! Binds values to a statement: of the document, variables and the session, all as text.

use serde_json::{Map, Value};

use crate::error::{ErrorCode, GraphqlError, Result};
use crate::schema::coerce::{coerce, unexpected_null};
use crate::schema::model::array::array_literal;
use crate::schema::model::boolexp::Source;
use crate::session::Session;

/// The texts of a statement's bound values, lists as PostgreSQL's own text of an array; nothing is null.
pub type Values = Vec<Option<String>>;

/// Finds values for a statement.
pub struct Binder<'a> {
    /// Who asks.
    pub session: &'a Session,
    /// Values of variables.
    pub variables: &'a Map<String, Value>,
    /// Values of a stream's cursor.
    pub cursor: &'a [Option<String>],
    /// The rows that a mutation changed.
    pub rows: Option<&'a str>,
    /// Values that the other row of a nested insert gave.
    pub keys: &'a [Option<String>],
}

impl<'a> Binder<'a> {
    /// A binder for a request.
    pub fn new(session: &'a Session, variables: &'a Map<String, Value>) -> Self {
        Self { session, variables, cursor: &[], rows: None, keys: &[] }
    }

    /// The values of all sources.
    ///
    /// # Errors
    /// A session variable that is missing, or a variable that does not fit its column.
    pub fn bind(&self, sources: &[Source]) -> Result<Values> {
        sources.iter().map(|source| self.value(source)).collect()
    }

    fn value(&self, source: &Source) -> Result<Option<String>> {
        Ok(match source {
            Source::Text(text) | Source::List(text) => Some(text.to_string()),
            Source::Null => None,
            Source::Session(name) => match self.session.variable(name) {
                Some(value) => Some(value.to_owned()),
                None => {
                    let message = format!("missing session variable: \"{name}\"");
                    return Err(GraphqlError::new(ErrorCode::NotFound, message));
                }
            },
            Source::SessionJson => Some(self.session.to_json()),
            Source::Variable(name, ty, path) => {
                let value = self.variables.get(&**name).unwrap_or(&Value::Null);
                if !ty.many {
                    return coerce(value, &ty.ty, path);
                }
                let single = [value.clone()];
                let items: &[Value] = match value {
                    Value::Array(items) => items,
                    _ => &single,
                };
                let texts = items.iter().enumerate().map(|(index, item)| {
                    let path = format!("{path}[{index}]");
                    match item.is_null() {
                        true => Err(unexpected_null(&path, &ty.ty)),
                        false => coerce(item, &ty.ty, &path),
                    }
                });
                Some(array_literal(texts.collect::<Result<Vec<_>>>()?.into_iter()))
            }
            Source::Cursor(place) => given(self.cursor, *place, "the cursor")?,
            Source::Rows => {
                let rows = self.rows.ok_or_else(|| GraphqlError::unexpected("a statement over rows without any"))?;
                Some(rows.to_owned())
            }
            Source::Key(place) => given(self.keys, *place, "the keys")?,
        })
    }
}

/// A value that another statement gave. One that is null is an answer; one that is missing is none.
fn given(values: &[Option<String>], place: usize, of: &str) -> Result<Option<String>> {
    let missing = || GraphqlError::unexpected(format!("value {place} of {of} is missing: there are {}", values.len()));
    values.get(place).cloned().ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn a_value_that_is_missing_is_not_null() {
        let session = Session::new("user", Vec::<(String, String)>::new());
        let variables = Map::new();
        let given = [None, Some("2".to_owned())];
        let binder = Binder { cursor: &given, keys: &given, ..Binder::new(&session, &variables) };
        for of in [Source::Cursor, Source::Key] {
            assert_eq!(binder.bind(&[of(0), of(1)]), Ok(given.to_vec()));
            assert_eq!(binder.bind(&[of(2)]).unwrap_err().code, ErrorCode::Unexpected);
        }
        assert_eq!(binder.bind(&[Source::Rows]).unwrap_err().code, ErrorCode::Unexpected);
    }
}
