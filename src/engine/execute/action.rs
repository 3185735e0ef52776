//! What is answered of an action's output: its form is checked, and rows of tables are joined to it.

use serde_json::Value;

use super::{Executor, errors, value};
use crate::engine::callers::RequestContext;
use crate::engine::error::{GraphqlError, Result};
use crate::engine::plan::{ActionField, ActionFields, ActionForm, ActionPlan, ActionShape, Binder, RelatedRows};

impl Executor {
    /// Writes the answer of an action.
    ///
    /// # Errors
    /// An output that is null where it must not be, or a list or object where it must not be one.
    pub async fn action_output(
        &self,
        context: &RequestContext,
        plan: &ActionPlan,
        output: &Value,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.shape(context, &plan.output, output, out).await
    }

    pub(super) async fn shape(
        &self,
        context: &RequestContext,
        shape: &ActionShape,
        output: &Value,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if output.is_null() {
            if shape.required {
                return Err(GraphqlError::unexpected("got null for the action webhook response"));
            }
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match (&shape.form, output) {
            (ActionForm::Value, Value::Array(_)) => {
                Err(GraphqlError::unexpected("got array for the action webhook response"))
            }
            (ActionForm::Value, value) => {
                super::json(out, value);
                Ok(())
            }
            (ActionForm::List(inner), Value::Array(items)) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    Box::pin(self.shape(context, inner, item, out)).await?;
                }
                out.push(b']');
                Ok(())
            }
            (ActionForm::Object(fields), Value::Object(_)) => self.fields(context, fields, output, out).await,
            (ActionForm::List(_), _) => {
                Err(GraphqlError::unexpected("expecting array for the action webhook response"))
            }
            (ActionForm::Object(_), Value::Array(_)) => {
                Err(GraphqlError::unexpected("got array for the action webhook response"))
            }
            (ActionForm::Object(_), _) => Err(GraphqlError::unexpected("got scalar for the action webhook response")),
        }
    }

    async fn fields(
        &self,
        context: &RequestContext,
        fields: &ActionFields,
        output: &Value,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        out.push(b'{');
        for (index, (key, field)) in fields.fields.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            value::string(out, key.as_bytes());
            out.push(b':');
            match field {
                ActionField::Constant(text) => out.extend_from_slice(text.as_bytes()),
                ActionField::Related(rows) => self.related(context, rows, output, out).await?,
                ActionField::Output(name, shape) => {
                    let value = output.get(name).unwrap_or(&Value::Null);
                    if value.is_null() && shape.required {
                        let message =
                            format!("expecting not null value for field \"{name}\" in the action webhook response");
                        return Err(GraphqlError::unexpected(message));
                    }
                    Box::pin(self.shape(context, shape, value, out)).await?;
                }
            }
        }
        out.push(b'}');
        Ok(())
    }

    /// Rows of a table that belong to an output, under the permissions of the role.
    pub(super) async fn related(
        &self,
        context: &RequestContext,
        rows: &RelatedRows,
        output: &Value,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let cursor: Vec<Option<String>> = rows
            .fields
            .iter()
            .map(|field| match output.get(field) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            })
            .collect();
        let variables = serde_json::Map::new();
        let variables = context.variables.as_deref().unwrap_or(&variables);
        let binder = Binder { cursor: &cursor, ..Binder::new(&context.session, variables) };
        let values = binder.bind(&rows.query.params)?;
        let found = self.read(&rows.query, &values).await?;
        self.writer.answer(out, &rows.query.answer, &found).map_err(errors::malformed)
    }
}
