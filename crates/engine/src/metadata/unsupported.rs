//! The one table of what Hasura's metadata may ask and this engine does not do.
//!
//! Each entry is refused when metadata is loaded, never ignored; `docs/hasura-compatibility.md` prints the same table.

use serde_json::Value;

/// Something that metadata may ask and the engine does not do.
#[derive(Debug, Clone, Copy)]
pub struct Unsupported {
    /// The key, with `[*]` for every item of a list and `*` for every value of an object.
    pub key: &'static str,
    /// Why, and what to do instead.
    pub reason: &'static str,
    /// Which values are refused.
    asks: fn(&Value) -> bool,
}

/// A place where a document asks for something unsupported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The key in the document.
    pub key: String,
    /// Why.
    pub reason: &'static str,
}

fn present(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

fn other_than_postgres(value: &Value) -> bool {
    !matches!(value.as_str(), Some("postgres" | "pg"))
}

fn enabled_tags(value: &Value) -> bool {
    present(value) && value.get("disabled").and_then(Value::as_bool) != Some(true)
}

fn several(value: &Value) -> bool {
    value.as_array().is_some_and(|sources| sources.len() > 1)
}

fn any_true(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| fields.values().any(|flag| *flag == Value::Bool(true)))
}

/// The table.
pub const UNSUPPORTED: &[Unsupported] = &[
    Unsupported { key: "sources", reason: "the engine serves one source; name it in one entry", asks: several },
    Unsupported {
        key: "sources[*].kind",
        reason: "only sources of kind postgres are served",
        asks: other_than_postgres,
    },
    Unsupported {
        key: "sources[*].configuration.read_replicas",
        reason: "read replicas are not supported; give the engine a pool that routes reads",
        asks: present,
    },
    Unsupported {
        key: "sources[*].configuration.connection_template",
        reason: "connection templates are not supported",
        asks: present,
    },
    Unsupported {
        key: "sources[*].configuration.connection_set",
        reason: "connection sets are not supported",
        asks: present,
    },
    Unsupported {
        key: "sources[*].logical_models",
        reason: "logical models are not supported; track a view or a function",
        asks: present,
    },
    Unsupported {
        key: "sources[*].native_queries",
        reason: "native queries are not supported; track a function",
        asks: present,
    },
    Unsupported {
        key: "sources[*].stored_procedures",
        reason: "stored procedures are not supported on PostgreSQL",
        asks: present,
    },
    Unsupported {
        key: "sources[*].health_check",
        reason: "source health checks are not supported; /healthz checks the pool",
        asks: present,
    },
    Unsupported {
        key: "sources[*].configuration.connection_info.isolation_level",
        reason: "mutations run at read-committed; no other isolation level is supported",
        asks: |value| present(value) && value.as_str() != Some("read-committed"),
    },
    Unsupported {
        key: "sources[*].customization.root_fields.namespace",
        reason: "a namespace for root fields is not supported; use a prefix or suffix",
        asks: present,
    },
    Unsupported {
        key: "sources[*].customization.type_names.mapping",
        reason: "type names of a source take a prefix and a suffix only",
        asks: present,
    },
    Unsupported { key: "sources[*].query_tags", reason: "query tags are not supported", asks: enabled_tags },
    Unsupported {
        key: "sources[*].tables[*].apollo_federation_config",
        reason: "Apollo federation is not supported",
        asks: present,
    },
    Unsupported {
        key: "sources[*].tables[*].logical_model",
        reason: "logical models are not supported; track a view or a function",
        asks: present,
    },
    Unsupported {
        key: "sources[*].tables[*].insert_permissions[*].permission.validate_input",
        reason: "input validation webhooks are not supported; use a check or an action",
        asks: present,
    },
    Unsupported {
        key: "sources[*].tables[*].update_permissions[*].permission.validate_input",
        reason: "input validation webhooks are not supported; use a check or an action",
        asks: present,
    },
    Unsupported {
        key: "sources[*].tables[*].delete_permissions[*].permission.validate_input",
        reason: "input validation webhooks are not supported; use a check or an action",
        asks: present,
    },
    Unsupported {
        key: "sources[*].tables[*].event_triggers[*].trigger_on_replication",
        reason: "triggers that fire on replication are not supported",
        asks: present,
    },
    Unsupported {
        key: "sources[*].tables[*].event_triggers[*].cleanup_config",
        reason: "automatic removal of event logs is not supported; delete old rows of hdb_catalog.event_log",
        asks: present,
    },
    Unsupported {
        key: "custom_types.objects[*].fields[*].arguments",
        reason: "arguments of an action's output fields are not supported",
        asks: present,
    },
    Unsupported {
        key: "network.tls_allowlist",
        reason: "a TLS allow list is not supported; install the authority's certificate instead",
        asks: present,
    },
    Unsupported { key: "backend_configs.dataconnector", reason: "data connectors are not supported", asks: present },
    Unsupported {
        key: "metrics_config",
        reason: "analysis of query variables and response bodies is not supported",
        asks: any_true,
    },
    Unsupported {
        key: "opentelemetry",
        reason: "telemetry is configured by the service, not by metadata",
        asks: |value| present(value) && value.get("status").and_then(Value::as_str) != Some("disabled"),
    },
];

/// The first thing in a document that the engine does not do.
pub fn find(document: &Value) -> Option<Refused> {
    UNSUPPORTED.iter().find_map(|entry| {
        let (key, _) = search(document, entry.key, String::new(), entry.asks)?;
        Some(Refused { key, reason: entry.reason })
    })
}

/// The first value at a key, with `[*]` for every item of a list and `*` for every value of an object, that is asked
/// for; with its own key.
pub(super) fn search<'a>(
    value: &'a Value,
    rest: &str,
    key: String,
    asks: fn(&Value) -> bool,
) -> Option<(String, &'a Value)> {
    if rest.is_empty() {
        return asks(value).then_some((key, value));
    }
    if let Some(rest) = rest.strip_prefix("[*]") {
        let items = value.as_array()?;
        return items.iter().enumerate().find_map(|(index, item)| search(item, rest, format!("{key}[{index}]"), asks));
    }
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let separator = if key.is_empty() { "" } else { "." };
    let mut found = value.as_object()?.iter().filter(|(own, _)| name == "*" || *own == name);
    found.find_map(|(own, item)| search(item, rest, format!("{key}{separator}{own}"), asks))
}
