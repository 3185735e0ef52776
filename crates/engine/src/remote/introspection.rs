//! The standard introspection request, and its answer as SDL.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;

/// The request. Deprecated fields are asked for; types nest eight deep.
pub(super) const QUERY: &str = "query IntrospectionQuery { __schema { queryType { name } mutationType { name } \
subscriptionType { name } types { kind name description fields(includeDeprecated: true) { name description \
args { name description type { ...R } defaultValue } type { ...R } isDeprecated deprecationReason } \
inputFields { name description type { ...R } defaultValue } interfaces { ...R } \
enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...R } } } } \
fragment R on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name \
ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    query_type: Option<Named>,
    mutation_type: Option<Named>,
    subscription_type: Option<Named>,
    types: Vec<Type>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type {
    kind: String,
    name: String,
    description: Option<String>,
    fields: Option<Vec<Field>>,
    input_fields: Option<Vec<Input>>,
    interfaces: Option<Vec<Reference>>,
    enum_values: Option<Vec<EnumValue>>,
    possible_types: Option<Vec<Reference>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    name: String,
    description: Option<String>,
    args: Vec<Input>,
    #[serde(rename = "type")]
    ty: Reference,
    #[serde(default)]
    is_deprecated: bool,
    deprecation_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    name: String,
    description: Option<String>,
    #[serde(rename = "type")]
    ty: Reference,
    default_value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnumValue {
    name: String,
    description: Option<String>,
    #[serde(default)]
    is_deprecated: bool,
    deprecation_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    kind: String,
    name: Option<String>,
    of_type: Option<Box<Reference>>,
}

impl Reference {
    fn sdl(&self) -> String {
        let inner = || self.of_type.as_deref().map(Reference::sdl).unwrap_or_default();
        match self.kind.as_str() {
            "NON_NULL" => format!("{}!", inner()),
            "LIST" => format!("[{}]", inner()),
            _ => self.name.clone().unwrap_or_default(),
        }
    }
}

const BUILT_IN: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

/// The SDL of an introspection answer.
pub(super) fn to_sdl(answer: &Value) -> Result<String, String> {
    let schema =
        answer.pointer("/data/__schema").ok_or_else(|| "the remote schema does not answer introspection".to_owned())?;
    let schema =
        Schema::deserialize(schema).map_err(|error| format!("introspection result cannot be read: {error}"))?;
    let mut sdl = String::new();
    sdl.push_str("schema {");
    let roots = [
        ("query", &schema.query_type),
        ("mutation", &schema.mutation_type),
        ("subscription", &schema.subscription_type),
    ];
    for (operation, root) in roots {
        if let Some(root) = root {
            let _ = write!(sdl, " {operation}: {}", root.name);
        }
    }
    sdl.push_str(" }\n");
    for ty in &schema.types {
        if !ty.name.starts_with("__") && !BUILT_IN.contains(&ty.name.as_str()) {
            write_type(&mut sdl, ty);
        }
    }
    Ok(sdl)
}

fn write_type(sdl: &mut String, ty: &Type) {
    sdl.push('\n');
    write_description(sdl, "", ty.description.as_deref());
    let names = |references: &Option<Vec<Reference>>| -> Vec<String> {
        references.iter().flatten().map(Reference::sdl).collect()
    };
    match ty.kind.as_str() {
        "SCALAR" => {
            let _ = writeln!(sdl, "scalar {}", ty.name);
        }
        "UNION" => {
            let _ = writeln!(sdl, "union {} = {}", ty.name, names(&ty.possible_types).join(" | "));
        }
        "ENUM" => {
            let _ = writeln!(sdl, "enum {} {{", ty.name);
            for value in ty.enum_values.iter().flatten() {
                write_description(sdl, "  ", value.description.as_deref());
                let _ = write!(sdl, "  {}", value.name);
                write_deprecation(sdl, value.is_deprecated, value.deprecation_reason.as_deref());
                sdl.push('\n');
            }
            sdl.push_str("}\n");
        }
        "INPUT_OBJECT" => {
            let _ = writeln!(sdl, "input {} {{", ty.name);
            for field in ty.input_fields.iter().flatten() {
                write_description(sdl, "  ", field.description.as_deref());
                sdl.push_str("  ");
                write_input(sdl, field);
                sdl.push('\n');
            }
            sdl.push_str("}\n");
        }
        kind => {
            let keyword = if kind == "INTERFACE" { "interface" } else { "type" };
            let _ = write!(sdl, "{keyword} {}", ty.name);
            let interfaces = names(&ty.interfaces);
            if !interfaces.is_empty() {
                let _ = write!(sdl, " implements {}", interfaces.join(" & "));
            }
            sdl.push_str(" {\n");
            for field in ty.fields.iter().flatten() {
                write_field(sdl, field);
            }
            sdl.push_str("}\n");
        }
    }
}

fn write_field(sdl: &mut String, field: &Field) {
    write_description(sdl, "  ", field.description.as_deref());
    let _ = write!(sdl, "  {}", field.name);
    if !field.args.is_empty() {
        sdl.push('(');
        for (index, argument) in field.args.iter().enumerate() {
            if index > 0 {
                sdl.push_str(", ");
            }
            write_description(sdl, "", argument.description.as_deref());
            write_input(sdl, argument);
        }
        sdl.push(')');
    }
    let _ = write!(sdl, ": {}", field.ty.sdl());
    write_deprecation(sdl, field.is_deprecated, field.deprecation_reason.as_deref());
    sdl.push('\n');
}

fn write_input(sdl: &mut String, input: &Input) {
    let _ = write!(sdl, "{}: {}", input.name, input.ty.sdl());
    if let Some(default) = &input.default_value {
        let _ = write!(sdl, " = {default}");
    }
}

fn write_deprecation(sdl: &mut String, deprecated: bool, reason: Option<&str>) {
    match reason {
        Some(reason) if deprecated => {
            let _ = write!(sdl, " @deprecated(reason: {})", Value::from(reason));
        }
        None if deprecated => sdl.push_str(" @deprecated"),
        _ => {}
    }
}

/// A description as a plain string: JSON's escapes are GraphQL's.
fn write_description(sdl: &mut String, indent: &str, description: Option<&str>) {
    if let Some(text) = description.filter(|text| !text.is_empty()) {
        let _ = writeln!(sdl, "{indent}{}", Value::from(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_introspected_schema_is_a_valid_schema_again() {
        let sdl = "schema { query: Q mutation: M }\n\"\"\"All \\\"of\\\" it\"\"\" type Q implements I { id: ID! a(\"how many\" n: Int = 2, l: [In!]): [U!]! old: E @deprecated(reason: \"no \\\"more\\\"\") }\n\
            interface I { id: ID! } type M { go: Boolean } union U = Q | M enum E { A B } input In { x: String = \"d\" e: E = A } scalar T";
        let schema = apollo_compiler::Schema::parse_and_validate(sdl, "s.graphql").unwrap();
        let document = apollo_compiler::ExecutableDocument::parse_and_validate(&schema, QUERY, "q.graphql").unwrap();
        let operation = document.operations.get(None).unwrap();
        let variables =
            apollo_compiler::request::coerce_variable_values(&schema, operation, &Default::default()).unwrap();
        let response = apollo_compiler::introspection::partial_execute(
            &schema,
            &schema.implementers_map(),
            &document,
            operation,
            &variables,
        )
        .unwrap();
        let answer = serde_json::to_value(&response).unwrap();
        let written = to_sdl(&answer).unwrap();
        let again = apollo_compiler::Schema::parse_and_validate(&written, "again.graphql")
            .unwrap_or_else(|error| panic!("{}\n{written}", error.errors));
        assert!(again.types.contains_key("In") && again.types.contains_key("T"), "{written}");
        assert!(written.contains("a(\"how many\"\nn: Int = 2, l: [In!]): [U!]!"), "{written}");
    }

    #[test]
    fn an_answer_without_a_schema_is_refused() {
        assert!(to_sdl(&serde_json::json!({"data": null})).is_err());
        assert!(to_sdl(&serde_json::json!({"data": {"__schema": {"types": 5}}})).is_err());
    }
}
