//! Subscriptions to the results of asynchronous actions: like live queries, over the log.

use std::sync::Arc;

use uuid::Uuid;

use super::live::answered;
use crate::actions::log;
use crate::error::Result;
use crate::execute::{Executor, asked_id};
use crate::outbound::caller::Pending;
use crate::plan::{ActionPlan, Root};
use crate::request::Request;
use crate::session::Session;
use crate::state::State;
use crate::subscriptions::{Asked, Fetch, Fetched, Plan};

/// A subscription to a result.
pub(super) fn plan(
    executor: &Executor,
    state: &State,
    session: &Session,
    request: &Request,
    root: &Root,
    action: &Arc<ActionPlan>,
) -> Result<Plan<ResultFetch>> {
    let id = asked_id(action)?;
    Ok(Plan {
        // What is selected may hang on variables; only the id and who asks differ within a cohort.
        cohort: format!(
            "{}\n{}\n{}\n{}\n{:?}",
            state.version,
            action.action.name,
            root.key,
            request.operation_name.as_deref().unwrap_or_default(),
            action.output,
        ),
        key: format!("{id}\n{}", session.to_json()),
        relations: Some(vec![log::table()]),
        fetch: Arc::new(ResultFetch { executor: executor.clone(), plan: action.clone(), key: root.key.clone() }),
        member: Arc::new(ResultMember { id, session: session.clone() }),
    })
}

/// What tells the members of a cohort apart.
pub struct ResultMember {
    id: Uuid,
    session: Session,
}

/// Fetches a cohort's results with one statement.
pub struct ResultFetch {
    executor: Executor,
    plan: Arc<ActionPlan>,
    key: String,
}

impl Fetch for ResultFetch {
    type Member = Arc<ResultMember>;

    fn fetch<'a>(&'a self, asked: Vec<Asked<Self::Member>>) -> Pending<'a, Result<Vec<Fetched<Self::Member>>>> {
        Box::pin(async move {
            let calls: Vec<(Uuid, &Session)> = asked.iter().map(|one| (one.member.id, &one.member.session)).collect();
            let answers = self.executor.action_results(&self.plan, &calls).await?;
            let fetched = answered(asked, answers)?.into_iter().map(|(one, data)| {
                // JSON of the engine's own writer.
                let data = String::from_utf8_lossy(&data);
                let answer = format!("{{\"data\":{{\"{}\":{data}}}}}", self.key).into();
                Fetched { key: one.key, answer, moved: None }
            });
            Ok(fetched.collect())
        })
    }
}
