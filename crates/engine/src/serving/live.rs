//! Live queries and streams: what tells their subscribers apart, and the statement that fetches a cohort of them.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::{GraphqlError, Result};
use crate::execute::{Executor, Refreshed, refresh};
use crate::outbound::caller::{Pending, RequestContext};
use crate::plan::{Binder, Join, JoinTarget, Joins, LivePlan, Root, Values};
use crate::request::Request;
use crate::session::Session;
use crate::state::State;
use crate::subscriptions::{Asked, Fetch, Fetched, Plan};

/// A subscription to what a statement reads.
pub(super) fn plan(
    executor: &Executor,
    refreshing: &Arc<Semaphore>,
    state: &State,
    context: &RequestContext,
    request: &Request,
    root: &Root,
    live: &Arc<LivePlan>,
) -> Plan<LiveFetch> {
    let session = &context.session;
    let is_stream = !live.cursor.is_empty();
    let member = LiveMember {
        values: root.values.clone(),
        stream: is_stream.then(|| (session.clone(), request.variables.clone())),
        cursor: None,
        context: root.joins.is_some().then(|| context.clone()),
    };
    let mut cohort = format!(
        "{}\n{}\n{}\n{}\n{}\n{}",
        state.version,
        session.role(),
        root.key,
        request.operation_name.as_deref().unwrap_or_default(),
        request.query,
        live.sql,
    );
    let mut key = format!("{:?}", root.values);
    if let Some(joins) = &root.joins {
        // What is joined may hang on variables, on who asks and on the headers that are sent along.
        cohort.push_str(&format!("\n{joins:?}"));
        key.push_str(&session.to_json());
        let forwards = |join: &Join| match &join.target {
            JoinTarget::Remote { schema, .. } => schema.definition.forward_client_headers,
            JoinTarget::Rows(_) => false,
        };
        if joins.iter().any(forwards) {
            key.push_str(&format!("\n{:?}", context.headers));
        }
    }
    Plan {
        cohort,
        key,
        relations: (!live.calls_functions).then(|| live.tables.clone()),
        fetch: Arc::new(LiveFetch {
            executor: executor.clone(),
            plan: live.clone(),
            key: root.key.clone(),
            joins: root.joins.clone(),
            refreshing: refreshing.clone(),
        }),
        member: Arc::new(member),
    }
}

/// Values of a request's variables.
type Variables = Arc<serde_json::Map<String, serde_json::Value>>;

/// What tells the members of a cohort apart.
pub struct LiveMember {
    values: Values,
    /// Of a stream: what its values are bound from when the cursor has moved.
    stream: Option<(Session, Variables)>,
    /// Of a stream that has moved: where it stands.
    cursor: Option<String>,
    /// Who asks, where something is joined from elsewhere.
    context: Option<RequestContext>,
}

/// Fetches a cohort with its plan's one statement.
pub struct LiveFetch {
    executor: Executor,
    plan: Arc<LivePlan>,
    key: String,
    joins: Option<Joins>,
    refreshing: Arc<Semaphore>,
}

impl Fetch for LiveFetch {
    type Member = Arc<LiveMember>;

    fn fetch<'a>(&'a self, asked: Vec<Asked<Self::Member>>) -> Pending<'a, Result<Vec<Fetched<Self::Member>>>> {
        Box::pin(async move {
            let values: Vec<&Values> = asked.iter().map(|one| &one.member.values).collect();
            let turn = self.refreshing.acquire().await;
            let refreshed = refresh(&self.executor, &self.plan, &values).await?;
            drop(turn);
            let answered = answered(asked, refreshed)?;
            let all = answered.into_iter().map(|(one, refreshed)| async move {
                let refreshed = self.joined(&one.member, refreshed).await?;
                let moved = match (&one.member.stream, &refreshed.cursor) {
                    (Some(_), Some(cursor)) => Some(self.moved(&one.member, cursor)?),
                    _ => None,
                };
                Ok(Fetched { key: one.key, answer: self.answer(&refreshed.data), moved })
            });
            futures::future::try_join_all(all).await
        })
    }

    fn is_stream(&self) -> bool {
        !self.plan.cursor.is_empty()
    }
}

/// Each member with its answer: of all that were asked for, in their order.
///
/// # Errors
/// More answers or fewer.
pub(super) fn answered<M, A>(asked: Vec<Asked<M>>, answers: Vec<A>) -> Result<Vec<(Asked<M>, A)>> {
    if asked.len() != answers.len() {
        let message = format!("{} answers to {} members of a cohort", answers.len(), asked.len());
        return Err(GraphqlError::unexpected(message));
    }
    Ok(asked.into_iter().zip(answers).collect())
}

impl LiveFetch {
    /// Of a stream that was planned again: `fresh` at the place where `left` stands.
    ///
    /// # Errors
    /// A cursor that does not fit the new plan.
    pub fn resume(&self, left: &LiveMember, fresh: Arc<LiveMember>) -> Result<Arc<LiveMember>> {
        match &left.cursor {
            Some(cursor) if fresh.stream.is_some() => self.moved(&fresh, cursor),
            _ => Ok(fresh),
        }
    }

    /// The same stream after a cursor.
    fn moved(&self, member: &LiveMember, cursor: &str) -> Result<Arc<LiveMember>> {
        let place = [Some(cursor.to_owned())];
        let mut values = member.values.clone();
        if let Some((session, variables)) = &member.stream {
            values = Binder { cursor: &place, ..Binder::new(session, variables) }.bind(&self.plan.params)?;
        }
        let (stream, context) = (member.stream.clone(), member.context.clone());
        Ok(Arc::new(LiveMember { values, stream, cursor: Some(cursor.to_owned()), context }))
    }

    /// Puts what is joined from elsewhere into a member's answer, as who asks.
    async fn joined(&self, member: &LiveMember, refreshed: Refreshed) -> Result<Refreshed> {
        let (Some(joins), Some(context)) = (&self.joins, &member.context) else { return Ok(refreshed) };
        let data = self.executor.join(context, joins, refreshed.data.into()).await?;
        Ok(Refreshed { data: data.into(), ..refreshed })
    }

    fn answer(&self, data: &[u8]) -> Arc<str> {
        // JSON of the engine's own writer.
        let data = String::from_utf8_lossy(data);
        format!("{{\"data\":{{\"{}\":{data}}}}}", self.key).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn nobody_is_given_the_answer_of_another() {
        let asked = || -> Vec<Asked<i32>> {
            [1, 2].into_iter().map(|member| Asked { key: member.to_string().into(), member }).collect()
        };
        let pairs = answered(asked(), vec!["one", "two"]).unwrap();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(one, answer)| (&*one.key, *answer)).collect();
        assert_eq!(pairs, [("1", "one"), ("2", "two")]);
        for answers in [vec!["two"], vec!["one", "two", "three"]] {
            assert_eq!(answered(asked(), answers).err().map(|error| error.code), Some(ErrorCode::Unexpected));
        }
    }
}
