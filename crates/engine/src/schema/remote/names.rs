//! Names of a remote schema here: its own, or what its customization makes of them.

use std::collections::HashMap;

use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;

use crate::metadata::{RemoteFieldCustomization, RemoteSchemaCustomization};

/// How a remote schema's types and fields are named here.
#[derive(Debug, Default)]
pub struct Names {
    /// The field under which its root fields stand.
    pub namespace: Option<String>,
    types: HashMap<String, String>,
    fields: HashMap<String, HashMap<String, String>>,
}

/// Scalars of every schema: no customization renames them.
pub fn is_standard(name: &str) -> bool {
    matches!(name, "Int" | "Float" | "String" | "Boolean" | "ID")
}

/// The names of a schema's root types.
pub fn root_types(schema: &Schema) -> [(&'static str, String); 3] {
    let definition = &schema.schema_definition;
    let name = |name: &Option<apollo_compiler::schema::ComponentName>, default: &str| {
        name.as_ref().map_or_else(|| default.to_owned(), |name| name.to_string())
    };
    [
        ("query", name(&definition.query, "Query")),
        ("mutation", name(&definition.mutation, "Mutation")),
        ("subscription", name(&definition.subscription, "Subscription")),
    ]
}

impl Names {
    /// The names that a customization gives to a schema.
    ///
    /// # Errors
    /// Names that GraphQL does not allow, two types or fields of one name, an interface whose field is named otherwise
    /// in an object that implements it.
    pub fn of(customization: Option<&RemoteSchemaCustomization>, schema: &Schema) -> Result<Self, String> {
        let Some(customization) = customization else { return Ok(Self::default()) };
        let mut names = Self { namespace: customization.root_fields_namespace.clone(), ..Self::default() };
        // Without a namespace the root types are not seen here.
        let hidden: Vec<String> = match names.namespace {
            Some(_) => Vec::new(),
            None => root_types(schema).into_iter().map(|(_, name)| name).collect(),
        };
        if let Some(types) = &customization.type_names {
            let prefix = types.prefix.as_deref().unwrap_or_default();
            let suffix = types.suffix.as_deref().unwrap_or_default();
            for name in schema.types.keys().map(|name| name.as_str()) {
                if is_standard(name) || name.starts_with("__") {
                    continue;
                }
                let own = match hidden.iter().any(|root| root == name) {
                    true => name.to_owned(),
                    false => format!("{prefix}{name}{suffix}"),
                };
                let given = types.mapping.get(name).cloned().unwrap_or(own);
                if given != name {
                    names.types.insert(name.to_owned(), given);
                }
            }
        }
        for customization in &customization.field_names {
            names.add_fields(customization, schema)?;
        }
        names.check(schema)?;
        Ok(names)
    }

    fn add_fields(&mut self, customization: &RemoteFieldCustomization, schema: &Schema) -> Result<(), String> {
        let parent = customization.parent_type.as_str();
        let own: Vec<&str> = match schema.types.get(parent) {
            Some(ExtendedType::Object(object)) => object.fields.keys().map(|name| name.as_str()).collect(),
            Some(ExtendedType::Interface(interface)) => interface.fields.keys().map(|name| name.as_str()).collect(),
            _ => return Err(format!("field_names names \"{parent}\", which is no object or interface of the remote")),
        };
        let prefix = customization.prefix.as_deref().unwrap_or_default();
        let suffix = customization.suffix.as_deref().unwrap_or_default();
        let given = self.fields.entry(parent.to_owned()).or_default();
        for name in own {
            let new = customization.mapping.get(name).cloned().unwrap_or_else(|| format!("{prefix}{name}{suffix}"));
            given.insert(name.to_owned(), new);
        }
        Ok(())
    }

    fn check(&self, schema: &Schema) -> Result<(), String> {
        let fields = self.fields.values().flat_map(HashMap::values);
        let all = self.namespace.iter().chain(self.types.values()).chain(fields);
        if let Some(bad) = all.into_iter().find(|name| !crate::metadata::is_name(name)) {
            return Err(format!("\"{bad}\" is not a valid GraphQL identifier"));
        }
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for name in schema.types.keys().map(|name| name.as_str()) {
            if let Some(other) = seen.insert(self.ty(name), name) {
                let shown = self.ty(name);
                return Err(format!("the types \"{other}\" and \"{name}\" would both be named \"{shown}\""));
            }
        }
        for (parent, fields) in &self.fields {
            let mut seen: HashMap<&str, &str> = HashMap::new();
            for (name, new) in fields {
                if let Some(other) = seen.insert(new, name) {
                    return Err(format!(
                        "the fields \"{other}\" and \"{name}\" of \"{parent}\" would both be named \"{new}\""
                    ));
                }
            }
        }
        for (name, ty) in &schema.types {
            let ExtendedType::Object(object) = ty else { continue };
            for interface in &object.implements_interfaces {
                let Some(ExtendedType::Interface(definition)) = schema.types.get(interface.as_str()) else { continue };
                let differs = |field: &&apollo_compiler::Name| self.field(name, field) != self.field(interface, field);
                if let Some(field) = definition.fields.keys().find(differs) {
                    return Err(format!(
                        "the field \"{field}\" is named \"{}\" in the interface \"{interface}\" but \"{}\" in the object \"{name}\"",
                        self.field(interface, field),
                        self.field(name, field),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The name here of a type there.
    pub fn ty<'n>(&'n self, own: &'n str) -> &'n str {
        self.types.get(own).map_or(own, String::as_str)
    }

    /// The name here of a field there.
    pub fn field<'n>(&'n self, ty: &str, own: &'n str) -> &'n str {
        self.fields.get(ty).and_then(|fields| fields.get(own)).map_or(own, String::as_str)
    }

    /// Whether types have other names here, so that `__typename` does as well.
    pub fn renames_types(&self) -> bool {
        !self.types.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn names(customization: Value) -> Result<Names, String> {
        let sdl = "type Query { a: A n: N } interface N { id: ID } type A implements N { id: ID b: Int } enum E { X }";
        let schema = Schema::parse(sdl, "s.graphql").unwrap();
        Names::of(Some(&serde_json::from_value(customization).unwrap()), &schema)
    }

    #[test]
    fn types_take_prefix_suffix_and_mapping_but_roots_only_in_a_namespace() {
        let customization = json!({"type_names": {"prefix": "p_", "suffix": "_s", "mapping": {"E": "Letter"}}});
        let plain = names(customization.clone()).unwrap();
        assert_eq!((plain.ty("A"), plain.ty("E"), plain.ty("Query")), ("p_A_s", "Letter", "Query"));
        assert_eq!(plain.ty("Int"), "Int");
        let mut spaced = customization;
        spaced["root_fields_namespace"] = "ns".into();
        assert_eq!(names(spaced).unwrap().ty("Query"), "p_Query_s");
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        let field = |parent: &str, rest: Value| {
            let mut field = json!({"parent_type": parent});
            field.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            names(json!({"field_names": [field]}))
        };
        assert_eq!(field("Query", json!({"prefix": "q_"})).unwrap().field("Query", "a"), "q_a");
        assert!(field("E", json!({"prefix": "x"})).is_err());
        assert!(field("A", json!({"mapping": {"b": "id"}})).unwrap_err().contains("both be named"));
        assert!(field("A", json!({"mapping": {"id": "key"}})).unwrap_err().contains("interface"));
        assert!(names(json!({"root_fields_namespace": "9"})).unwrap_err().contains("identifier"));
        assert!(names(json!({"type_names": {"mapping": {"A": "N"}}})).unwrap_err().contains("both be named"));
    }
}
