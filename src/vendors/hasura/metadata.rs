//! The metadata API: `POST /v1/metadata`, for administrators.

use serde_json::{Map, Value, json};

use super::client::Client;
use super::error::{Error, Result};
use super::types::{
    Action, Consistency, EventTrigger, Exported, Permission, Relationship, RelationshipKind, RemoteSchema, Table,
};

/// The one source of this product's metadata.
const SOURCE: &str = "default";

impl Client {
    /// Tracks a table or view (`pg_track_table`).
    pub async fn track_table(&self, schema: &str, name: &str) -> Result<()> {
        self.command("pg_track_table", json!({"source": SOURCE, "table": Table { schema, name }})).await?;
        Ok(())
    }

    /// Stops tracking a table and everything that depends on it (`pg_untrack_table`).
    pub async fn untrack_table(&self, schema: &str, name: &str) -> Result<()> {
        let args = json!({"source": SOURCE, "table": Table { schema, name }, "cascade": true});
        self.command("pg_untrack_table", args).await?;
        Ok(())
    }

    /// Creates a relationship (`pg_create_object_relationship`, `pg_create_array_relationship`).
    pub async fn create_relationship(&self, relationship: &Relationship<'_>) -> Result<()> {
        let Relationship { schema, table, name, kind, using } = relationship;
        let command = match kind {
            RelationshipKind::Object => "pg_create_object_relationship",
            RelationshipKind::Array => "pg_create_array_relationship",
        };
        let table = Table { schema, name: table };
        self.command(command, json!({"source": SOURCE, "table": table, "name": name, "using": using})).await?;
        Ok(())
    }

    /// Creates a permission (`pg_create_select_permission` and its like).
    pub async fn create_permission(&self, permission: &Permission<'_>) -> Result<()> {
        let Permission { schema, table, role, kind, permission } = permission;
        let command = format!("pg_create_{}_permission", <&str>::from(*kind));
        let table = Table { schema, name: table };
        self.command(&command, json!({"source": SOURCE, "table": table, "role": role, "permission": permission}))
            .await?;
        Ok(())
    }

    /// Sets every custom type of every action at once (`set_custom_types`); call it before [`Self::create_action`].
    pub async fn set_custom_types(&self, types: &Value) -> Result<()> {
        self.command("set_custom_types", types.clone()).await?;
        Ok(())
    }

    /// Creates an action with its permissions (`create_action`, `create_action_permission`), all or nothing.
    pub async fn create_action(&self, action: &Action<'_>) -> Result<()> {
        let Action { name, definition, roles } = action;
        let create = json!({"type": "create_action", "args": {"name": name, "definition": definition}});
        let permit = roles
            .iter()
            .map(|role| json!({"type": "create_action_permission", "args": {"action": name, "role": role}}));
        self.command("bulk", std::iter::once(create).chain(permit).collect()).await?;
        Ok(())
    }

    /// Creates an event trigger, or replaces the one of that name (`pg_create_event_trigger`).
    pub async fn create_event_trigger(&self, trigger: &EventTrigger<'_>) -> Result<()> {
        let EventTrigger { name, schema, table, webhook, definition } = trigger;
        let mut args = definition.clone();
        let table = json!(Table { schema, name: table });
        let own = [("source", json!(SOURCE)), ("name", json!(name)), ("table", table), ("webhook", json!(webhook))];
        args.extend(own.map(|(key, value)| (key.to_owned(), value)));
        args.insert("replace".to_owned(), json!(true));
        self.command("pg_create_event_trigger", Value::Object(args)).await?;
        Ok(())
    }

    /// Adds a remote schema with its permissions (`add_remote_schema`, `add_remote_schema_permissions`), all or nothing.
    pub async fn add_remote_schema(&self, schema: &RemoteSchema<'_>) -> Result<()> {
        let RemoteSchema { name, definition, permissions } = schema;
        let add = json!({"type": "add_remote_schema", "args": {"name": name, "definition": definition}});
        let permit = permissions.iter().map(|(role, sdl)| {
            let args = json!({"remote_schema": name, "role": role, "definition": {"schema": sdl}});
            json!({"type": "add_remote_schema_permissions", "args": args})
        });
        self.command("bulk", std::iter::once(add).chain(permit).collect()).await?;
        Ok(())
    }

    /// The whole metadata with its version (`export_metadata`, version 2).
    pub async fn export_metadata(&self) -> Result<Exported> {
        let answer = self.call(json!({"type": "export_metadata", "version": 2, "args": {}})).await?;
        serde_json::from_value(answer).map_err(|error| self.protocol(format!("export_metadata: {error}")))
    }

    /// Replaces the whole metadata (`replace_metadata`, version 2).
    ///
    /// With `resource_version` it is refused as `conflict` if the metadata has changed since that version.
    /// Inconsistent metadata is refused unless `allow_inconsistent`; then the answer names what is inconsistent.
    pub async fn apply_metadata(
        &self,
        metadata: &Value,
        resource_version: Option<u64>,
        allow_inconsistent: bool,
    ) -> Result<Consistency> {
        let args = json!({"allow_inconsistent_metadata": allow_inconsistent, "metadata": metadata});
        let mut body = Map::from_iter([
            ("type".to_owned(), json!("replace_metadata")),
            ("version".to_owned(), json!(2)),
            ("args".to_owned(), args),
        ]);
        body.extend(resource_version.map(|version| ("resource_version".to_owned(), json!(version))));
        let answer = self.call(Value::Object(body)).await?;
        self.consistency(answer)
    }

    /// Reads the database's and the remote schemas' state again (`reload_metadata`).
    pub async fn reload_metadata(&self) -> Result<Consistency> {
        let args = json!({"reload_sources": true, "reload_remote_schemas": true});
        let answer = self.command("reload_metadata", args).await?;
        self.consistency(answer)
    }

    /// What of the metadata cannot be used (`get_inconsistent_metadata`).
    pub async fn inconsistent_metadata(&self) -> Result<Consistency> {
        let answer = self.command("get_inconsistent_metadata", json!({})).await?;
        self.consistency(answer)
    }

    fn consistency(&self, answer: Value) -> Result<Consistency> {
        serde_json::from_value(answer).map_err(|error| self.protocol(format!("consistency: {error}")))
    }

    async fn command(&self, kind: &str, args: Value) -> Result<Value> {
        self.call(json!({"type": kind, "args": args})).await
    }

    async fn call(&self, body: Value) -> Result<Value> {
        let (status, answer) = self.post("v1/metadata", &body).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let refusal: Option<Error> = Error::metadata(&answer);
        Err(refusal.unwrap_or_else(|| self.protocol(format!("the metadata API answered {status}"))))
    }
}
