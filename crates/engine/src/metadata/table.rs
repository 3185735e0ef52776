//! A tracked table or view.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ArrayUsing, DeletePermission, EventTrigger, InsertPermission, ObjectUsing, Permission, QualifiedName, Relationship,
    RemoteRelationship, SelectPermission, UpdatePermission, is_false, null_is_default,
};

/// A tracked table or view with everything that hangs on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The table.
    pub table: QualifiedName,
    /// Whether its rows are the values of an enum.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub is_enum: bool,
    /// Names.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "TableConfiguration::is_empty")]
    pub configuration: TableConfiguration,
    /// Relationships to at most one row.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub object_relationships: Vec<Relationship<ObjectUsing>>,
    /// Relationships to any number of rows.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub array_relationships: Vec<Relationship<ArrayUsing>>,
    /// Fields that a function computes from the row.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub computed_fields: Vec<ComputedField>,
    /// Relationships to other sources and to remote schemas.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub remote_relationships: Vec<RemoteRelationship>,
    /// Who may insert what.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub insert_permissions: Vec<Permission<InsertPermission>>,
    /// Who may see what.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub select_permissions: Vec<Permission<SelectPermission>>,
    /// Who may change what.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub update_permissions: Vec<Permission<UpdatePermission>>,
    /// Who may delete what.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub delete_permissions: Vec<Permission<DeletePermission>>,
    /// Webhooks on changes.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub event_triggers: Vec<EventTrigger>,
    /// Accepted only when absent: see [`super::unsupported`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apollo_federation_config: Option<Value>,
    /// Accepted only when absent: see [`super::unsupported`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logical_model: Option<Value>,
}

impl Table {
    /// A table with nothing but its name.
    pub fn new(table: QualifiedName) -> Self {
        Self {
            table,
            is_enum: false,
            configuration: TableConfiguration::default(),
            object_relationships: Vec::new(),
            array_relationships: Vec::new(),
            computed_fields: Vec::new(),
            remote_relationships: Vec::new(),
            insert_permissions: Vec::new(),
            select_permissions: Vec::new(),
            update_permissions: Vec::new(),
            delete_permissions: Vec::new(),
            event_triggers: Vec::new(),
            apollo_federation_config: None,
            logical_model: None,
        }
    }
}

/// Names of a table, its root fields and its columns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableConfiguration {
    /// The name from which type and root field names derive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_name: Option<String>,
    /// Names of single root fields.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "TableRootFields::is_empty")]
    pub custom_root_fields: TableRootFields,
    /// The older form of `column_config`: database name to field name.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "IndexMap::is_empty")]
    pub custom_column_names: IndexMap<String, String>,
    /// Field names and descriptions of columns, by database name.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "IndexMap::is_empty")]
    pub column_config: IndexMap<String, ColumnConfig>,
    /// A description for the schema; an empty one hides the database's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl TableConfiguration {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The field name that was chosen for a column, if any.
    pub fn column_name(&self, column: &str) -> Option<&str> {
        self.column_config
            .get(column)
            .and_then(|config| config.custom_name.as_deref())
            .or_else(|| self.custom_column_names.get(column).map(String::as_str))
    }
}

/// Field name and description of a column.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnConfig {
    /// The field name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_name: Option<String>,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Names of a table's root fields.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is the root field of its name")]
pub struct TableRootFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<RootFieldName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select_by_pk: Option<RootFieldName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select_aggregate: Option<RootFieldName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select_stream: Option<RootFieldName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert: Option<RootFieldName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert_one: Option<RootFieldName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<RootFieldName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_by_pk: Option<RootFieldName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_many: Option<RootFieldName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<RootFieldName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_by_pk: Option<RootFieldName>,
}

impl TableRootFields {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A root field's name, with or without a description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RootFieldName {
    /// The name alone.
    Name(String),
    /// Name and description.
    Described {
        /// The name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The description.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
}

impl RootFieldName {
    /// The chosen name.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Described { name, .. } => name.as_deref(),
        }
    }

    /// The chosen description.
    pub fn comment(&self) -> Option<&str> {
        match self {
            Self::Name(_) => None,
            Self::Described { comment, .. } => comment.as_deref(),
        }
    }
}

/// A field that a function computes from the row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComputedField {
    /// The field's name.
    pub name: String,
    /// The function.
    pub definition: ComputedFieldDefinition,
    /// A description for the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The function behind a computed field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComputedFieldDefinition {
    /// The function.
    pub function: QualifiedName,
    /// The argument that receives the row; by default the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_argument: Option<String>,
    /// The argument that receives the session variables as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_argument: Option<String>,
}
