//! The list of all settings, read from the structs' own schema.

use std::borrow::Cow;
use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::Config;
use crate::domain::Redacted;

/// The form of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text, a path, an address or a duration.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Several texts, in the environment separated by commas.
    List,
}

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Section, such as `server`.
    pub section: String,
    /// Name within the section, such as `port`.
    pub name: String,
    /// Environment variable, such as `NORTHSTACK_SERVER__PORT`.
    pub variable: String,
    pub description: String,
    /// The form of its value.
    pub kind: Kind,
    /// The words that it may be, where these are a closed list.
    pub choices: Vec<String>,
    /// Its default; `Null` when it has none.
    pub default: Value,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// Whether a running service needs it, and so has to be given it.
    pub required: bool,
    /// Whether a change takes effect without a restart.
    pub live: bool,
}

impl Field {
    /// The full name, such as `server.port`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

/// A secret, as the schema shows it.
impl JsonSchema for Redacted {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

/// The JSON Schema (draft 2020-12) of the configuration file, for editors.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().to_value()
}

/// All settings, in the order of the structs.
pub fn fields() -> &'static [Field] {
    static FIELDS: OnceLock<Vec<Field>> = OnceLock::new();
    FIELDS.get_or_init(|| {
        let schema = schema();
        let sections = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        sections
            .flat_map(|(section, schema)| {
                let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
                properties.map(|(name, schema)| field(section, name, schema))
            })
            .collect()
    })
}

/// The sections and what each is for, in order.
pub fn sections() -> Vec<(String, String)> {
    let schema = schema();
    let sections = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    sections.map(|(name, schema)| (name.clone(), text(schema, "description"))).collect()
}

/// Words on how to set `path`.
pub(super) fn how_to_set(path: &str) -> String {
    format!("set {}", variable(path))
}

/// The environment variable of `path`.
pub(super) fn variable(path: &str) -> String {
    format!("{}{}", super::layers::PREFIX, path.replace('.', "__").to_uppercase())
}

fn field(section: &str, name: &str, schema: &Value) -> Field {
    // An optional value is `anyOf [the value, null]` or has `null` among its types.
    let variants = ["anyOf", "oneOf"].iter().filter_map(|key| schema.get(*key)?.as_array()).flatten();
    let views: Vec<&Value> = std::iter::once(schema).chain(variants).collect();
    let has_type = |word: &str| {
        views.iter().any(|view| match view.get("type") {
            Some(Value::String(one)) => one == word,
            Some(Value::Array(several)) => several.iter().any(|one| one == word),
            _ => false,
        })
    };
    let flag = |key: &str| views.iter().any(|view| view.get(key).and_then(Value::as_bool).unwrap_or_default());
    let items = schema.get("items");
    let of_items = |key: &str| items.and_then(|items| items.get(key)?.as_bool()).unwrap_or_default();
    let nested = views.iter().filter_map(|view| view.get("oneOf")?.as_array()).flatten();
    let mut choices: Vec<String> = Vec::new();
    for view in views.iter().copied().chain(nested) {
        let listed = view.get("enum").and_then(Value::as_array).into_iter().flatten();
        for choice in listed.chain(view.get("const")).filter_map(Value::as_str) {
            if !choices.iter().any(|known| known == choice) {
                choices.push(choice.to_owned());
            }
        }
    }
    let kind = if has_type("array") {
        Kind::List
    } else if has_type("boolean") {
        Kind::Boolean
    } else if has_type("integer") {
        Kind::Integer
    } else if has_type("number") {
        Kind::Number
    } else {
        Kind::Text
    };
    let path = format!("{section}.{name}");
    Field {
        section: section.to_owned(),
        name: name.to_owned(),
        variable: variable(&path),
        description: text(schema, "description"),
        kind,
        choices,
        default: schema.get("default").cloned().unwrap_or_default(),
        secret: flag("writeOnly") || of_items("writeOnly"),
        required: flag("x-required"),
        live: flag("x-live"),
    }
}

fn text(schema: &Value, key: &str) -> String {
    schema.get(key).and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(path: &str) -> &'static Field {
        fields().iter().find(|field| field.path() == path).unwrap_or_else(|| panic!("{path} is missing"))
    }

    #[test]
    fn every_setting_is_described_and_typed() {
        assert!(fields().len() > 80, "{}", fields().len());
        for field in fields() {
            assert!(!field.description.is_empty(), "{} has no description", field.path());
        }
        let port = find("server.port");
        assert_eq!((port.kind, port.default.as_u64(), port.secret), (Kind::Integer, Some(8080), false));
        assert_eq!(port.variable, "NORTHSTACK_SERVER__PORT");
        assert_eq!(find("server.request_timeout").default, "30s");
        assert_eq!(find("database.hosts").kind, Kind::List);
        assert_eq!(find("nats.redelivery_pauses").default, serde_json::json!(["1s", "5s", "30s"]));
        assert!(find("database.password").secret);
        let several = find("auth.previous_signing_keys");
        assert!(several.secret && several.kind == Kind::List);
        assert!(find("auth.signing_key").required && find("auth.signing_key").secret);
        assert_eq!(find("hasura.mode").choices, ["embedded", "external"]);
        assert_eq!(find("database.ssl_mode").choices, ["disable", "prefer", "require", "verify-ca", "verify-full"]);
        assert!(find("rate_limits.per_user").live && !find("server.port").live);
    }

    #[test]
    fn no_secret_has_a_default() {
        for field in fields().iter().filter(|field| field.secret) {
            let none = field.default.is_null() || field.default == serde_json::json!([]);
            assert!(none, "{} has a default", field.path());
        }
        for word in ["password", "secret", "token", "_key"] {
            for field in fields().iter().filter(|field| field.name.ends_with(word) && field.kind == Kind::Text) {
                let names_one = ["access_key", "active_key"].contains(&field.name.as_str());
                assert!(field.secret || names_one, "{} is not redacted", field.path());
            }
        }
    }
}
