//! A GraphQL request as it comes in.

use std::sync::Arc;

use serde_json::{Map, Value};

/// A GraphQL request. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// The document.
    pub query: Arc<str>,
    /// Which operation of the document runs, when there are several.
    pub operation_name: Option<String>,
    /// Values of variables.
    pub variables: Arc<Map<String, Value>>,
}

impl Request {
    /// A request without variables.
    pub fn new(query: impl Into<Arc<str>>) -> Self {
        Self { query: query.into(), ..Self::default() }
    }

    /// The same request with variables; anything but an object counts as none.
    pub fn with_variables(mut self, variables: Value) -> Self {
        if let Value::Object(variables) = variables {
            self.variables = Arc::new(variables);
        }
        self
    }
}
