//! Remote schemas and relationships that leave the source.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Header, QualifiedName, RelationshipType, is_false, null_is_default};

/// A remote GraphQL schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteSchema {
    /// Its name.
    pub name: String,
    /// Where it is and how it is named here.
    pub definition: RemoteSchemaDefinition,
    /// A note; not part of the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What roles see of it.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<RemoteSchemaPermission>,
    /// Relationships of its types.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub remote_relationships: Vec<RemoteTypeRelationships>,
}

/// Where a remote schema is and how it is named here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteSchemaDefinition {
    /// The URL (a template).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The environment variable that holds the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_from_env: Option<String>,
    /// Seconds, 60 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// Names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customization: Option<RemoteSchemaCustomization>,
    /// Headers to send.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// Whether the client's headers go along.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub forward_client_headers: bool,
}

/// How a remote schema's names appear here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteSchemaCustomization {
    /// A field under which its root fields stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_fields_namespace: Option<String>,
    /// Names of types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_names: Option<super::TypeNamesCustomization>,
    /// Names of fields, by parent type.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub field_names: Vec<RemoteFieldCustomization>,
}

/// Names of the fields of one remote type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteFieldCustomization {
    /// The type, by its remote name.
    pub parent_type: String,
    /// Put before each field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Put after each field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// Names given one by one.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "IndexMap::is_empty")]
    pub mapping: IndexMap<String, String>,
}

/// What a role sees of a remote schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteSchemaPermission {
    /// The role.
    pub role: String,
    /// The part it sees.
    pub definition: RemoteSchemaPermissionDefinition,
    /// A note; not part of the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The part of a remote schema that a role sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteSchemaPermissionDefinition {
    /// As SDL, with `@preset` on arguments.
    pub schema: String,
}

/// Relationships of one type of a remote schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteTypeRelationships {
    /// The type.
    pub type_name: String,
    /// Its relationships.
    #[serde(default)]
    pub relationships: Vec<RemoteRelationship>,
}

/// A relationship to another source or to a remote schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteRelationship {
    /// The field's name.
    pub name: String,
    /// Where it leads.
    pub definition: RemoteRelationshipDefinition,
}

/// Where a remote relationship leads.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteRelationshipDefinition {
    /// To a table of a source.
    ToSource(ToSource),
    /// To a field of a remote schema.
    ToRemoteSchema(ToRemoteSchema),
}

impl<'de> Deserialize<'de> for RemoteRelationshipDefinition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Tagged {
            ToSource(ToSource),
            ToRemoteSchema(ToRemoteSchema),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Legacy {
            remote_schema: String,
            hasura_fields: Vec<String>,
            remote_field: IndexMap<String, FieldCall>,
        }
        let value = Value::deserialize(deserializer)?;
        if value.get("hasura_fields").is_some() {
            let legacy = Legacy::deserialize(value).map_err(serde::de::Error::custom)?;
            return Ok(Self::ToRemoteSchema(ToRemoteSchema {
                remote_schema: legacy.remote_schema,
                lhs_fields: legacy.hasura_fields,
                remote_field: legacy.remote_field,
            }));
        }
        Ok(match Tagged::deserialize(value).map_err(serde::de::Error::custom)? {
            Tagged::ToSource(definition) => Self::ToSource(definition),
            Tagged::ToRemoteSchema(definition) => Self::ToRemoteSchema(definition),
        })
    }
}

/// A relationship to a table of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToSource {
    /// The source.
    pub source: String,
    /// The table.
    pub table: QualifiedName,
    /// Whether it is one row or a list.
    pub relationship_type: RelationshipType,
    /// Fields here to columns there.
    pub field_mapping: IndexMap<String, String>,
}

/// A relationship to a field of a remote schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToRemoteSchema {
    /// The remote schema.
    pub remote_schema: String,
    /// Fields of this table that the arguments name with `$`.
    pub lhs_fields: Vec<String>,
    /// The field to call, by name; one at each level.
    pub remote_field: IndexMap<String, FieldCall>,
}

/// A call of a remote field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldCall {
    /// Arguments: literals, or `$field` of the left side.
    #[serde(default, deserialize_with = "null_is_default")]
    pub arguments: IndexMap<String, Value>,
    /// A field below, when the answer lies deeper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<IndexMap<String, FieldCall>>,
}
