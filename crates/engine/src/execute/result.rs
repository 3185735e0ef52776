//! Asynchronous actions: a call is stored and answered with its id; its result is answered from the log.

use serde_json::Value;
use uuid::Uuid;

use super::{Executor, begin, errors, json};
use crate::actions::log::{self, Found};
use crate::error::{GraphqlError, Result};
use crate::outbound::caller::RequestContext;
use crate::plan::{ActionField, ActionForm, ActionPlan, ActionShape};
use crate::session::Session;

impl Executor {
    /// Stores the call of an asynchronous action; writes its id.
    pub(super) async fn store_action(
        &self,
        context: &RequestContext,
        plan: &ActionPlan,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let stored = log::store(&self.pool, &plan.action, &plan.input, context).await;
        let id = stored.map_err(|error| errors::database(error, "$"))?;
        context.callers.action_stored();
        json(out, &Value::String(id.to_string()));
        Ok(())
    }

    /// Writes the result of an asynchronous action.
    pub(super) async fn action_result(
        &self,
        context: &RequestContext,
        plan: &ActionPlan,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let asked = [(asked_id(plan)?, &context.session)];
        let found = self.find_actions(plan, &asked).await?;
        self.found(context, plan, found.first().unwrap_or(&Found::Unknown), out).await
    }

    /// The results of several calls of an action under one plan, each for who asks: the value of the root field.
    ///
    /// # Errors
    /// Of the database, or an id that is not known: one fails all.
    pub async fn action_results(&self, plan: &ActionPlan, asked: &[(Uuid, &Session)]) -> Result<Vec<Vec<u8>>> {
        let found = self.find_actions(plan, asked).await?;
        let mut answers = Vec::with_capacity(found.len());
        for (found, (_, session)) in found.iter().zip(asked) {
            let mut out = Vec::with_capacity(256);
            self.found(&RequestContext::local((*session).clone()), plan, found, &mut out).await?;
            answers.push(out);
        }
        Ok(answers)
    }

    async fn find_actions(&self, plan: &ActionPlan, asked: &[(Uuid, &Session)]) -> Result<Vec<Found>> {
        log::find(&self.pool, &plan.action.name, asked).await.map_err(|error| errors::database(error, "$"))
    }

    async fn found(&self, context: &RequestContext, plan: &ActionPlan, found: &Found, out: &mut Vec<u8>) -> Result<()> {
        let (call, fields) = match (found, &plan.output.form) {
            (Found::Call(call), ActionForm::Object(fields)) => (call, fields),
            // Hasura's words for an id that it does not find.
            (Found::Unknown, _) => return Err(GraphqlError::unexpected("database query error")),
            (Found::Hidden, _) => {
                out.extend_from_slice(b"null");
                return Ok(());
            }
            (Found::Call(_), ActionForm::Value | ActionForm::List(_)) => {
                return Err(GraphqlError::unexpected("the result of an action is no object"));
            }
        };
        out.push(b'{');
        for (index, (key, field)) in fields.fields.iter().enumerate() {
            begin(out, index, key);
            match field {
                ActionField::Constant(text) => out.extend_from_slice(text.as_bytes()),
                ActionField::Related(rows) => self.related(context, rows, call, out).await?,
                ActionField::Output(name, shape) => match call.get(name).unwrap_or(&Value::Null) {
                    Value::Null if name == "output" => self.outstanding(context, shape, out).await?,
                    value => self.shape(context, shape, value, out).await?,
                },
            }
        }
        out.push(b'}');
        Ok(())
    }

    /// Writes an output that is not there (yet), as Hasura does: an object of nulls whatever the type says.
    async fn outstanding(&self, context: &RequestContext, shape: &ActionShape, out: &mut Vec<u8>) -> Result<()> {
        match &shape.form {
            ActionForm::Value => out.extend_from_slice(b"null"),
            ActionForm::List(inner) => match inner.form {
                ActionForm::Object(_) => out.extend_from_slice(b"[]"),
                _ => out.extend_from_slice(b"null"),
            },
            ActionForm::Object(fields) => {
                out.push(b'{');
                for (index, (key, field)) in fields.fields.iter().enumerate() {
                    begin(out, index, key);
                    match field {
                        ActionField::Constant(text) => out.extend_from_slice(text.as_bytes()),
                        ActionField::Related(rows) => self.related(context, rows, &Value::Null, out).await?,
                        ActionField::Output(..) => out.extend_from_slice(b"null"),
                    }
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}

/// The id whose result is asked for.
pub fn asked_id(plan: &ActionPlan) -> Result<Uuid> {
    let id = plan.input.get("id").and_then(Value::as_str);
    id.and_then(|id| Uuid::try_parse(id).ok()).ok_or_else(|| GraphqlError::unexpected("a result without an id"))
}
