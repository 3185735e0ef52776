//! Subscriptions to the results of asynchronous actions: like live queries, over the log.

use std::sync::Arc;

use uuid::Uuid;

use crate::engine::actions::log;
use crate::engine::callers::Pending;
use crate::engine::error::{GraphqlError, Result};
use crate::engine::execute::{Executor, asked_id};
use crate::engine::plan::{ActionPlan, Root};
use crate::engine::request::Request;
use crate::engine::session::Session;
use crate::engine::state::State;
use crate::engine::subscriptions::{Fetch, Fetched, Member, Plan};

/// A subscription to a result.
pub(super) fn plan(
    executor: &Executor,
    state: &State,
    session: &Session,
    request: &Request,
    root: &Root,
    action: &Arc<ActionPlan>,
) -> Result<Plan> {
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

struct ResultMember {
    id: Uuid,
    session: Session,
}

/// Fetches a cohort's results with one statement.
struct ResultFetch {
    executor: Executor,
    plan: Arc<ActionPlan>,
    key: String,
}

impl Fetch for ResultFetch {
    fn fetch<'a>(&'a self, members: Vec<Member>) -> Pending<'a, Result<Vec<Fetched>, GraphqlError>> {
        Box::pin(async move {
            let asked: Vec<(Uuid, &Session)> = members
                .iter()
                .filter_map(|member| member.downcast_ref::<ResultMember>())
                .map(|member| (member.id, &member.session))
                .collect();
            let answers = self.executor.action_results(&self.plan, &asked).await?;
            let answer = |data: Vec<u8>| {
                // JSON of the engine's own writer.
                let data = String::from_utf8_lossy(&data);
                Fetched { answer: format!("{{\"data\":{{\"{}\":{data}}}}}", self.key).into(), moved: None }
            };
            Ok(answers.into_iter().map(answer).collect())
        })
    }
}
