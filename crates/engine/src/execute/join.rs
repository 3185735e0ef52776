//! Puts what is joined from elsewhere where the writer left marks ([`wire::mark`](super::wire::mark)).

use std::borrow::Cow;
use std::collections::BTreeMap;

use futures::future::try_join_all;
use indexmap::IndexMap;
use serde_json::Value;

use super::Executor;
use super::live::refresh;
use super::remote::{self, Request};
use super::wire::MARK;
use crate::error::{GraphqlError, Result};
use crate::json;
use crate::outbound::caller::RequestContext;
use crate::plan::{Binder, Join, JoinTarget, Kind, Values};
use crate::remote::member;

/// Written JSON between marks, and the marks.
struct Marked<'d> {
    /// Text, and the mark that follows it.
    parts: Vec<(&'d [u8], Option<Mark<'d>>)>,
}

/// A join's place and the left side.
type Mark<'d> = (usize, &'d [u8]);

impl<'d> Marked<'d> {
    /// Finds the marks; nothing when there are none.
    fn find(data: &'d [u8]) -> Option<Self> {
        let mut parts = Vec::new();
        let mut pieces = data.split(|byte| *byte == MARK);
        while let Some(text) = pieces.next() {
            let mark = pieces.next().and_then(|mark| {
                let open = mark.iter().position(|byte| *byte == b'[')?;
                let place = std::str::from_utf8(mark.get(..open)?).ok()?.parse().ok()?;
                Some((place, mark.get(open..)?))
            });
            parts.push((text, mark));
        }
        (parts.len() > 1).then_some(Self { parts })
    }

    /// The distinct left sides of each join.
    fn distinct(&self) -> BTreeMap<usize, IndexMap<&'d [u8], Cow<'static, [u8]>>> {
        let mut joins: BTreeMap<usize, IndexMap<&'d [u8], Cow<'static, [u8]>>> = BTreeMap::new();
        for (place, left) in self.parts.iter().filter_map(|(_, mark)| *mark) {
            joins.entry(place).or_default().entry(left).or_insert(Cow::Borrowed(b"null"));
        }
        joins
    }
}

impl Executor {
    /// Puts the answers of joins in the places of their marks. What is joined may have marks of its own: they come next.
    ///
    /// # Errors
    /// Of a remote schema or of the database.
    pub async fn join(&self, context: &RequestContext, joins: &[Join], mut data: Vec<u8>) -> Result<Vec<u8>> {
        let mut aliases = 0;
        while let Some(marked) = Marked::find(&data) {
            let mut distinct = marked.distinct();
            let mut calls = Vec::with_capacity(distinct.len());
            for (place, answers) in &mut distinct {
                let join = joins.get(*place).ok_or_else(|| GraphqlError::unexpected("a mark without a join"))?;
                // A left side that is null in part has nothing on the right.
                let mut complete: Vec<(&mut Cow<'static, [u8]>, Vec<Value>)> = Vec::with_capacity(answers.len());
                for (left, answer) in answers {
                    let Ok(Value::Array(left)) = json::read(left) else {
                        return Err(GraphqlError::unexpected("a mark without the values of its left side"));
                    };
                    if !left.iter().any(Value::is_null) {
                        complete.push((answer, left));
                    }
                }
                let first = aliases;
                aliases += complete.len();
                calls.push(async move {
                    if complete.is_empty() {
                        return Ok(());
                    }
                    let left: Vec<&[Value]> = complete.iter().map(|(_, left)| left.as_slice()).collect();
                    let found = self.answers(context, join, first, &left).await?;
                    if found.len() != complete.len() {
                        let message = format!("{} answers to {} left sides", found.len(), complete.len());
                        return Err(GraphqlError::unexpected(message));
                    }
                    for ((answer, _), found) in complete.into_iter().zip(found) {
                        *answer = Cow::Owned(found);
                    }
                    Ok::<(), GraphqlError>(())
                });
            }
            try_join_all(calls).await?;
            let mut next = Vec::with_capacity(data.len() * 2);
            for (text, mark) in &marked.parts {
                next.extend_from_slice(text);
                if let Some((place, left)) = mark {
                    let answer = distinct.get(place).and_then(|answers| answers.get(left));
                    next.extend_from_slice(answer.ok_or_else(|| GraphqlError::unexpected("a mark without an answer"))?);
                }
            }
            data = next;
        }
        Ok(data)
    }

    /// What a join fetches for each left side, in one request or statement.
    async fn answers(
        &self,
        context: &RequestContext,
        join: &Join,
        first: usize,
        left: &[&[Value]],
    ) -> Result<Vec<Vec<u8>>> {
        match &join.target {
            JoinTarget::Rows(plan) => {
                let none = serde_json::Map::new();
                let variables = context.variables.as_deref().unwrap_or(&none);
                let mut members: Vec<Values> = Vec::with_capacity(left.len());
                for left in left {
                    let keys: Vec<Option<String>> = left.iter().map(json::column_text).collect();
                    let binder = Binder { cursor: &keys, ..Binder::new(&context.session, variables) };
                    members.push(binder.bind(&plan.params)?);
                }
                let members: Vec<&Values> = members.iter().collect();
                let refreshed = refresh(self, plan, &members).await?;
                Ok(refreshed.into_iter().map(|one| one.data.into()).collect())
            }
            JoinTarget::Remote { schema, template, path, shape } => {
                let mut request = Request::new(Kind::Query);
                request.variables(template, &context.session)?;
                for (index, left) in left.iter().enumerate() {
                    request.aliased(&format!("f{}", first + index), template, left)?;
                }
                let answered = context.callers.remote(context, request.call(schema.clone())).await;
                // The aliases are not the client's: the remote's errors are shown as details only.
                let mut data = answered.map_err(|error| GraphqlError { answered: None, ..error })?;
                let mut answers = Vec::with_capacity(left.len());
                for index in 0..left.len() {
                    let value = member(&mut data, &format!("f{}", first + index))?;
                    let mut out = Vec::with_capacity(64);
                    remote::write(&mut out, shape, &at(value, path));
                    answers.push(out);
                }
                Ok(answers)
            }
        }
    }
}

/// The value at the end of a path; of a list, those of its items.
fn at(value: Value, path: &[String]) -> Value {
    let Some((first, rest)) = path.split_first() else { return value };
    match value {
        Value::Array(items) => items.into_iter().map(|item| at(item, path)).collect(),
        Value::Object(mut fields) => at(fields.get_mut(first).map(Value::take).unwrap_or_default(), rest),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::wire::mark;
    use super::*;

    #[test]
    fn marks_are_found_and_equal_ones_counted_once() {
        let mut data = b"[".to_vec();
        for (place, left) in [(0, "1"), (1, "\"a\",2"), (0, "1"), (0, "2")] {
            mark(&mut data, place, |out| {
                out.extend_from_slice(left.as_bytes());
                Ok::<(), ()>(())
            })
            .unwrap();
            data.push(b',');
        }
        let marked = Marked::find(&data).unwrap();
        assert_eq!(marked.parts.len(), 5);
        let distinct = marked.distinct();
        assert_eq!(distinct[&0].keys().copied().collect::<Vec<_>>(), [b"[1]".as_slice(), b"[2]"]);
        assert_eq!(distinct[&1].keys().copied().collect::<Vec<_>>(), [b"[\"a\",2]".as_slice()]);
        assert!(Marked::find(b"{\"a\":1}").is_none());
    }

    #[test]
    fn a_path_goes_through_lists_and_ends_at_null() {
        let path = ["pods".to_owned()];
        assert_eq!(at(json!({"pods": [1]}), &path), json!([1]));
        assert_eq!(at(json!([{"pods": 1}, {"pods": 2}]), &path), json!([1, 2]));
        assert_eq!(at(Value::Null, &path), Value::Null);
    }
}
