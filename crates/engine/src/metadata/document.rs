//! The whole document, as `export_metadata` gives it and `replace_metadata` takes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Action, AllowlistEntry, ApiLimits, CronTrigger, CustomTypes, InheritedRole, Introspection, LoadError,
    QueryCollection, RemoteSchema, RestEndpoint, Source, null_is_default, unsupported,
};

/// A whole Hasura metadata document, version 3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Always 3.
    pub version: u8,
    /// Databases with their tables and functions.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// Remote GraphQL schemas.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub remote_schemas: Vec<RemoteSchema>,
    /// Named groups of operations.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub query_collections: Vec<QueryCollection>,
    /// The collections that clients may run when the allow list is on.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub allowlist: Vec<AllowlistEntry>,
    /// Actions: root fields that a webhook answers.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// The types of actions' arguments and answers.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "CustomTypes::is_empty")]
    pub custom_types: CustomTypes,
    /// Triggers by time.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub cron_triggers: Vec<CronTrigger>,
    /// Operations served under `/api/rest/`.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub rest_endpoints: Vec<RestEndpoint>,
    /// Roles that unite the permissions of others.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub inherited_roles: Vec<InheritedRole>,
    /// Limits by role.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "ApiLimits::is_empty")]
    pub api_limits: ApiLimits,
    /// Roles that may not introspect.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Introspection::is_empty")]
    pub graphql_schema_introspection: Introspection,
    /// Accepted only when empty: see [`unsupported`].
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "NoExtras::skip")]
    pub network: NoExtras,
    /// Accepted only when empty: see [`unsupported`].
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "NoExtras::skip")]
    pub backend_configs: NoExtras,
    /// Accepted only when empty: see [`unsupported`].
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "NoExtras::skip")]
    pub metrics_config: NoExtras,
    /// Accepted only when empty: see [`unsupported`].
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "NoExtras::skip")]
    pub opentelemetry: NoExtras,
}

/// A section that may be present but holds nothing that the engine acts on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct NoExtras {}

impl NoExtras {
    fn skip(&self) -> bool {
        true
    }
}

impl<'de> Deserialize<'de> for NoExtras {
    // What such a section may hold is decided by `unsupported`, which names the key; here it is read and dropped.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self {})
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            version: 3,
            sources: Vec::new(),
            remote_schemas: Vec::new(),
            query_collections: Vec::new(),
            allowlist: Vec::new(),
            actions: Vec::new(),
            custom_types: CustomTypes::default(),
            cron_triggers: Vec::new(),
            rest_endpoints: Vec::new(),
            inherited_roles: Vec::new(),
            api_limits: ApiLimits::default(),
            graphql_schema_introspection: Introspection::default(),
            network: NoExtras {},
            backend_configs: NoExtras {},
            metrics_config: NoExtras {},
            opentelemetry: NoExtras {},
        }
    }
}

impl Metadata {
    /// Reads the API's document. The error names the key at fault and the reason.
    pub fn from_document(document: &Value) -> Result<Self, LoadError> {
        if let Some(refused) = unsupported::find(document) {
            return Err(LoadError::at(refused.key, refused.reason));
        }
        let metadata: Self = serde_path_to_error::deserialize(document)
            .map_err(|error| LoadError::at(error.path().to_string(), error.inner().to_string()))?;
        if metadata.version != 3 {
            return Err(LoadError::at("version", format!("only version 3 is supported, not {}", metadata.version)));
        }
        super::names::check(document)?;
        metadata.refuse_duplicates()?;
        super::transforms::check(&metadata)?;
        Ok(metadata)
    }

    /// The document as `export_metadata` gives it: sections in Hasura's order, empty ones left out.
    pub fn to_document(&self) -> Value {
        // A type made of strings, numbers, lists and maps with string keys always serialises.
        serde_json::to_value(self).unwrap_or_default()
    }

    fn refuse_duplicates(&self) -> Result<(), LoadError> {
        unique("sources", self.sources.iter().map(|source| source.name.as_str()))?;
        unique("actions", self.actions.iter().map(|action| action.name.as_str()))?;
        unique("remote_schemas", self.remote_schemas.iter().map(|schema| schema.name.as_str()))?;
        unique("query_collections", self.query_collections.iter().map(|collection| collection.name.as_str()))?;
        unique("inherited_roles", self.inherited_roles.iter().map(|role| role.role_name.as_str()))?;
        unique("rest_endpoints", self.rest_endpoints.iter().map(|endpoint| endpoint.name.as_str()))?;
        unique("cron_triggers", self.cron_triggers.iter().map(|trigger| trigger.name.as_str()))?;
        for (index, source) in self.sources.iter().enumerate() {
            let names: Vec<String> = source.tables.iter().map(|table| table.table.to_string()).collect();
            unique(&format!("sources[{index}].tables"), names.iter().map(String::as_str))?;
            for (position, table) in source.tables.iter().enumerate() {
                let key = |list: &str| format!("sources[{index}].tables[{position}].{list}");
                unique(&key("select_permissions"), table.select_permissions.iter().map(|p| p.role.as_str()))?;
                unique(&key("insert_permissions"), table.insert_permissions.iter().map(|p| p.role.as_str()))?;
                unique(&key("update_permissions"), table.update_permissions.iter().map(|p| p.role.as_str()))?;
                unique(&key("delete_permissions"), table.delete_permissions.iter().map(|p| p.role.as_str()))?;
                unique(&key("event_triggers"), table.event_triggers.iter().map(|t| t.name.as_str()))?;
            }
        }
        Ok(())
    }
}

fn unique<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Result<(), LoadError> {
    let mut seen = std::collections::HashSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) {
            return Err(LoadError::at(format!("{key}[{index}]"), format!("{name:?} is defined twice")));
        }
    }
    Ok(())
}
