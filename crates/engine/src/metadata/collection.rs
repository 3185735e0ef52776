//! Query collections, the allow list, RESTified endpoints and inherited roles.

use serde::{Deserialize, Deserializer, Serialize};

/// A named group of operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryCollection {
    /// Its name.
    pub name: String,
    /// Its operations.
    pub definition: CollectionDefinition,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The operations of a collection.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionDefinition {
    /// Its operations.
    pub queries: Vec<CollectionQuery>,
}

/// A named operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionQuery {
    /// Its name in the collection.
    pub name: String,
    /// The GraphQL document.
    pub query: String,
}

/// A collection that clients may run when the allow list is on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowlistEntry {
    /// The collection.
    pub collection: String,
    /// For whom; for all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<AllowlistScope>,
}

/// For whom a collection is allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowlistScope {
    /// For every role.
    pub global: bool,
    /// For these roles, when not global.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

/// An operation served under `/api/rest/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestEndpoint {
    /// Its name.
    pub name: String,
    /// The path, with `:name` for variables.
    pub url: String,
    /// HTTP methods in capitals.
    #[serde(deserialize_with = "methods")]
    pub methods: Vec<String>,
    /// The operation.
    pub definition: RestDefinition,
    /// A description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

fn methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let methods = Vec::<String>::deserialize(deserializer)?;
    if methods.is_empty() {
        return Err(serde::de::Error::custom("at least one method is needed"));
    }
    match methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        None => Ok(methods),
        Some(other) => {
            let known = METHODS.join(", ");
            Err(serde::de::Error::custom(format!("{other:?} is no method of an endpoint; expected one of {known}")))
        }
    }
}

/// The operation of a RESTified endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestDefinition {
    /// Where it is found.
    pub query: QueryReference,
}

/// An operation by collection and name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryReference {
    /// The collection.
    pub collection_name: String,
    /// The operation in it.
    pub query_name: String,
}

/// A role that unites the permissions of others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InheritedRole {
    /// The role.
    pub role_name: String,
    /// The roles whose permissions it unites.
    pub role_set: Vec<String>,
}
