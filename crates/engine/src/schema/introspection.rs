//! A role's schema as an apollo-compiler schema, for introspection and SDL export.
//!
//! apollo-compiler was chosen over async-graphql's parser because it alone offers what the engine needs around the
//! syntax tree: limits on tokens and recursion while parsing, and a schema that is data rather than Rust types.
//! async-graphql's parser has a fixed recursion limit and no token limit. The engine's own validation is Hasura's (its
//! messages, codes and paths), so neither library's validation is used.

mod answer;

use std::fmt::Write as _;
use std::sync::OnceLock;

use apollo_compiler::collections::HashMap;
use apollo_compiler::schema::{ExtendedType, Implementers};
use apollo_compiler::{Name, Schema};

use super::RoleSchema;
use super::model::types::*;

pub use answer::{Asked, Ended, Grant};

/// A role's schema as a document.
#[derive(Debug)]
pub struct SchemaDocument {
    text: String,
    schema: Schema,
    implementers: HashMap<Name, Implementers>,
    /// Its types in alphabetical order, as Hasura lists them.
    names: Vec<Name>,
    /// How long the answer to the usual introspection query is.
    usual: OnceLock<usize>,
}

impl SchemaDocument {
    pub(super) fn of(schema: &RoleSchema) -> Self {
        let text = Printer { schema, text: String::new() }.print();
        let mut parsed = match Schema::parse(&text, "schema.graphql") {
            Ok(parsed) => parsed,
            // A part that does not parse is left out rather than the whole; a test holds that there is none.
            Err(failed) => {
                tracing::error!(event = "schema.invalid", errors = %failed.errors);
                failed.partial
            }
        };
        parsed.types.values_mut().for_each(in_order);
        let implementers = parsed.implementers_map();
        let mut names: Vec<Name> = parsed.types.keys().cloned().collect();
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        Self { text, schema: parsed, implementers, names, usual: OnceLock::new() }
    }

    /// The schema definition language.
    pub fn sdl(&self) -> String {
        self.text.clone()
    }

    /// The schema as it was parsed, with introspection's own types.
    pub fn parsed(&self) -> &Schema {
        &self.schema
    }

    /// The fault that keeps the text from being a valid schema, if any.
    pub fn validate(&self) -> Option<String> {
        Schema::parse_and_validate(&self.text, "schema.graphql").err().map(|failed| failed.errors.to_string())
    }
}

/// Members by name, as Hasura lists them: the printer has the product's types so, introspection's own come as the
/// specification writes them.
fn in_order(ty: &mut ExtendedType) {
    match ty {
        ExtendedType::Object(object) if !object.fields.keys().is_sorted() => object.make_mut().fields.sort_keys(),
        ExtendedType::Enum(values) if !values.values.keys().is_sorted() => values.make_mut().values.sort_keys(),
        _ => {}
    }
}

struct Printer<'a> {
    schema: &'a RoleSchema,
    text: String,
}

impl Printer<'_> {
    fn print(mut self) -> String {
        self.text.push_str("schema {\n");
        let roots = [
            ("query", Some(self.schema.query)),
            ("mutation", self.schema.mutation),
            ("subscription", self.schema.subscription),
        ];
        for (operation, id) in roots {
            if let Some(id) = id {
                let _ = writeln!(self.text, "  {operation}: {}", self.schema.ty(id).name);
            }
        }
        self.text.push_str("}\n\n");
        self.text.push_str(
            "\"\"\"whether this query should be cached (Hasura Cloud only)\"\"\"\ndirective @cached(\n  \"\"\"measured in seconds\"\"\"\n  ttl: Int! = 60\n  \"\"\"refresh the cache entry\"\"\"\n  refresh: Boolean! = false\n) on QUERY\n",
        );
        let mut types: Vec<&Type> = self.schema.types.list.iter().collect();
        types.sort_by(|a, b| a.name.cmp(&b.name));
        for ty in types {
            self.ty(ty);
        }
        self.text
    }

    fn description(&mut self, description: &Option<Text>, indent: &str) {
        if let Some(text) = description {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
            let text: String = text.chars().filter(|c| !c.is_control()).collect();
            let _ = writeln!(self.text, "{indent}\"{text}\"");
        }
    }

    fn ty(&mut self, ty: &Type) {
        if matches!(ty.name.as_str(), "Int" | "Float" | "String" | "Boolean" | "ID") {
            return;
        }
        self.text.push('\n');
        self.description(&ty.description, "");
        match &ty.kind {
            TypeKind::Scalar => {
                let _ = writeln!(self.text, "scalar {}", ty.name);
            }
            TypeKind::Enum(values) => {
                let _ = writeln!(self.text, "enum {} {{", ty.name);
                let mut values: Vec<_> = values.iter().collect();
                values.sort_by_key(|(name, _)| name.as_str());
                for (name, value) in values {
                    self.description(&value.description, "  ");
                    let _ = writeln!(self.text, "  {name}");
                }
                self.text.push_str("}\n");
            }
            TypeKind::Union(members) => {
                let _ = writeln!(self.text, "union {} = {}", ty.name, self.names(members).join(" | "));
            }
            TypeKind::Object(fields, interfaces) => {
                let _ = write!(self.text, "type {}", ty.name);
                if !interfaces.is_empty() {
                    let _ = write!(self.text, " implements {}", self.names(interfaces).join(" & "));
                }
                self.fields(fields);
            }
            TypeKind::Interface(fields) => {
                let _ = write!(self.text, "interface {}", ty.name);
                self.fields(fields);
            }
            TypeKind::Input(fields) => {
                let _ = writeln!(self.text, "input {} {{", ty.name);
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(name, _)| name.as_str());
                for (name, field) in fields {
                    self.input(name, field, "  ");
                }
                self.text.push_str("}\n");
            }
        }
    }

    fn names(&self, types: &[TypeId]) -> Vec<&str> {
        let mut names: Vec<&str> = types.iter().map(|&id| self.schema.ty(id).name.as_str()).collect();
        names.sort_unstable();
        names
    }

    fn fields(&mut self, fields: &indexmap::IndexMap<String, Field>) {
        self.text.push_str(" {\n");
        let mut fields: Vec<_> = fields.iter().collect();
        fields.sort_by_key(|(name, _)| name.as_str());
        for (name, field) in fields {
            self.description(&field.description, "  ");
            let _ = write!(self.text, "  {name}");
            if !field.arguments.is_empty() {
                self.text.push_str("(\n");
                let mut arguments: Vec<_> = field.arguments.iter().collect();
                arguments.sort_by_key(|(name, _)| name.as_str());
                for (name, argument) in arguments {
                    self.input(name, argument, "    ");
                }
                self.text.push_str("  )");
            }
            let ty = self.reference(&field.ty);
            let _ = writeln!(self.text, ": {ty}");
        }
        self.text.push_str("}\n");
    }

    fn input(&mut self, name: &str, field: &InputField, indent: &str) {
        self.description(&field.description, indent);
        let ty = self.reference(&field.ty);
        let _ = write!(self.text, "{indent}{name}: {ty}");
        if let Some(default) = &field.default {
            let _ = write!(self.text, " = {default}");
        }
        self.text.push('\n');
    }

    fn reference(&self, ty: &TypeRef) -> String {
        match ty {
            TypeRef::Named(id, required) => {
                format!("{}{}", self.schema.ty(*id).name, if *required { "!" } else { "" })
            }
            TypeRef::List(inner, required) => {
                format!("[{}]{}", self.reference(inner), if *required { "!" } else { "" })
            }
        }
    }
}
