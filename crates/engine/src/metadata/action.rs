//! Actions and their custom types.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Header, QualifiedName, RequestTransform, ResponseTransform, is_false, null_is_default};

/// A root field that a webhook answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The root field's name.
    pub name: String,
    /// The call.
    pub definition: ActionDefinition,
    /// Roles that may call it, besides admin.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<ActionPermission>,
    /// A description for the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The call of an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionDefinition {
    /// URL template such as `{{BASE_URL}}/path`.
    pub handler: String,
    /// The answer's type, such as `[User!]!`.
    pub output_type: String,
    /// Arguments in order.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<ActionArgument>,
    /// Whether it stands under `query_root` or `mutation_root`.
    #[serde(rename = "type", default)]
    pub kind: ActionType,
    /// Whether the client waits (of mutations only).
    #[serde(rename = "kind", default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ActionExecution>,
    /// Headers to send.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// Whether the client's headers go along.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub forward_client_headers: bool,
    /// Client headers that do not go along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored_client_headers: Option<Vec<String>>,
    /// Seconds, 30 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// How the request is rewritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_transform: Option<RequestTransform>,
    /// How the answer is rewritten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_transform: Option<ResponseTransform>,
}

impl ActionDefinition {
    /// Whether the mutation answers with an id at once and works later.
    pub fn is_asynchronous(&self) -> bool {
        self.kind == ActionType::Mutation && self.execution == Some(ActionExecution::Asynchronous)
    }
}

/// Where an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionType {
    /// Under `query_root`.
    Query,
    /// Under `mutation_root`.
    #[default]
    Mutation,
}

/// Whether the client of an action waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionExecution {
    /// It waits.
    Synchronous,
    /// It gets an id.
    Asynchronous,
}

/// An argument of an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionArgument {
    /// Its name.
    pub name: String,
    /// Its type, such as `uuid!`.
    #[serde(rename = "type")]
    pub ty: String,
    /// A description for the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A role that may call an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionPermission {
    /// The role.
    pub role: String,
    /// A note; not part of the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The types of actions' arguments and answers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomTypes {
    /// Input objects.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub input_objects: Vec<InputObjectType>,
    /// Objects.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectType>,
    /// Scalars.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub scalars: Vec<ScalarType>,
    /// Enums.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub enums: Vec<EnumType>,
}

impl CustomTypes {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An input object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputObjectType {
    /// Its name.
    pub name: String,
    /// Its fields.
    #[serde(default)]
    pub fields: Vec<ActionArgument>,
    /// A description for the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// An object that an action answers with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectType {
    /// Its name.
    pub name: String,
    /// Its fields.
    #[serde(default)]
    pub fields: Vec<ObjectField>,
    /// Relationships to tables.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub relationships: Vec<TypeRelationship>,
    /// A description for the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A field of an object that an action answers with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectField {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: String,
    /// Accepted only when absent: see [`super::unsupported`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// A description for the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A relationship from an action's answer to a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeRelationship {
    /// The field's name.
    pub name: String,
    /// Whether it is one row or a list.
    #[serde(rename = "type")]
    pub kind: RelationshipType,
    /// The source of the table, `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The table.
    pub remote_table: QualifiedName,
    /// Fields of the object to columns of the table.
    pub field_mapping: IndexMap<String, String>,
}

/// Whether a relationship is one row or a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelationshipType {
    /// At most one row.
    Object,
    /// Any number of rows.
    Array,
}

/// A scalar of actions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScalarType {
    /// Its name.
    pub name: String,
    /// A description for the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// An enum of actions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnumType {
    /// Its name.
    pub name: String,
    /// Its values.
    #[serde(default)]
    pub values: Vec<EnumValue>,
    /// A description for the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A value of an enum of actions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnumValue {
    /// The value.
    pub value: String,
    /// A description for the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is marked as deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_deprecated: Option<bool>,
}
