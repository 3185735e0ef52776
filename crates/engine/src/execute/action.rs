//! What is answered of an action's output, with the rows of tables that are joined to it.

use serde_json::Value;

use super::{Executor, errors, value};
use crate::error::Result;
use crate::json;
use crate::outbound::caller::RequestContext;
use crate::plan::{ActionField, ActionFields, ActionForm, ActionShape, Binder, RelatedRows};

impl Executor {
    /// Writes the answer of an action, whose own form was held against its type before. What is nested in it is written
    /// as far as it has the form that was selected.
    pub(super) async fn shape(
        &self,
        context: &RequestContext,
        shape: &ActionShape,
        output: &Value,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match (&shape.form, output) {
            (_, Value::Null) => out.extend_from_slice(b"null"),
            (ActionForm::Value, value) => super::json(out, value),
            (ActionForm::List(inner), Value::Array(items)) => self.items(context, inner, items, out).await?,
            (ActionForm::List(inner), value) => Box::pin(self.shape(context, inner, value, out)).await?,
            (ActionForm::Object(_), Value::Array(items)) => self.items(context, shape, items, out).await?,
            (ActionForm::Object(fields), Value::Object(_)) => self.fields(context, fields, output, out).await?,
            (ActionForm::Object(_), _) => out.extend_from_slice(b"null"),
        }
        Ok(())
    }

    async fn items(
        &self,
        context: &RequestContext,
        shape: &ActionShape,
        items: &[Value],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            Box::pin(self.shape(context, shape, item, out)).await?;
        }
        out.push(b']');
        Ok(())
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
        let cursor: Vec<Option<String>> =
            rows.fields.iter().map(|field| output.get(field).and_then(json::column_text)).collect();
        if cursor.iter().any(Option::is_none) {
            // Nothing belongs to a key that is null: not even an empty list.
            out.extend_from_slice(b"null");
            return Ok(());
        }
        let variables = serde_json::Map::new();
        let variables = context.variables.as_deref().unwrap_or(&variables);
        let binder = Binder { cursor: &cursor, ..Binder::new(&context.session, variables) };
        let values = binder.bind(&rows.query.params)?;
        let found = self.read(&rows.query, &values).await?;
        self.writer.answer(out, &rows.query.answer, &found).map_err(errors::malformed)
    }
}
