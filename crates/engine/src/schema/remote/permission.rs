//! What a role's part of a remote schema may say, and the values that it presets.

use apollo_compiler::ast::{DirectiveList, FieldDefinition, InputValueDefinition, Type, Value};
use apollo_compiler::collections::IndexMap;
use apollo_compiler::schema::{Component, ExtendedType};
use apollo_compiler::{Name, Node, Schema};

use super::names::is_standard;
use crate::session::is_session_variable;

/// A value that a permission sets in the place of the client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Preset<'a> {
    /// A session variable.
    Session(&'a str),
    /// A fixed value.
    Value(&'a Value),
    /// A list or an object in which session variables stand.
    Mixed(&'a Value),
}

/// The preset of an argument or of a field of an input object.
pub fn preset(directives: &DirectiveList) -> Option<Preset<'_>> {
    let directive = directives.get("preset")?;
    let value = directive.specified_argument_by_name("value")?;
    let is_static = directive.specified_argument_by_name("static").is_some_and(|value| **value == Value::Boolean(true));
    Some(match &**value {
        Value::String(text) if !is_static && is_session_variable(text) => Preset::Session(text),
        other if !is_static && names_variable(other) => Preset::Mixed(other),
        other => Preset::Value(other),
    })
}

/// The session variable that a value is, where it is one.
pub fn session_variable(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) if is_session_variable(text) => Some(text),
        _ => None,
    }
}

fn names_variable(value: &Value) -> bool {
    match value {
        Value::List(items) => items.iter().any(|item| names_variable(item)),
        Value::Object(fields) => fields.iter().any(|(_, field)| names_variable(field)),
        other => session_variable(other).is_some(),
    }
}

/// What in a role's part does not fit the remote schema, in Hasura's words; nothing when it fits.
pub fn check(role: &Schema, remote: &Schema) -> Option<String> {
    let mut check = Check { remote, reasons: Vec::new() };
    for (name, ty) in &role.types {
        if !is_standard(name) && !name.starts_with("__") {
            check.ty(name, ty);
        }
    }
    let start = "validation for the given role-based schema failed";
    match check.reasons.as_slice() {
        [] => None,
        [only] => Some(format!("{start} because {only}")),
        several => Some(format!("{start} for the following reasons: {}", several.join(", "))),
    }
}

/// Gives what a role's part has no words for those of the remote schema.
pub fn describe(role: &mut Schema, remote: &Schema) {
    for (name, ty) in &mut role.types {
        let Some(known) = remote.types.get(name) else { continue };
        match (ty, known) {
            (ExtendedType::Scalar(ty), ExtendedType::Scalar(known)) => {
                said(&mut ty.make_mut().description, &known.description);
            }
            (ExtendedType::Union(ty), ExtendedType::Union(known)) => {
                said(&mut ty.make_mut().description, &known.description);
            }
            (ExtendedType::Object(ty), ExtendedType::Object(known)) => {
                let ty = ty.make_mut();
                said(&mut ty.description, &known.description);
                describe_fields(&mut ty.fields, &known.fields);
            }
            (ExtendedType::Interface(ty), ExtendedType::Interface(known)) => {
                let ty = ty.make_mut();
                said(&mut ty.description, &known.description);
                describe_fields(&mut ty.fields, &known.fields);
            }
            (ExtendedType::Enum(ty), ExtendedType::Enum(known)) => {
                let ty = ty.make_mut();
                said(&mut ty.description, &known.description);
                for (name, value) in &mut ty.values {
                    if let Some(known) = known.values.get(name) {
                        said(&mut value.make_mut().description, &known.description);
                    }
                }
            }
            (ExtendedType::InputObject(ty), ExtendedType::InputObject(known)) => {
                let ty = ty.make_mut();
                said(&mut ty.description, &known.description);
                for (name, field) in &mut ty.fields {
                    if let Some(known) = known.fields.get(name) {
                        said(&mut field.make_mut().description, &known.description);
                    }
                }
            }
            _ => {}
        }
    }
}

type Fields = IndexMap<Name, Component<FieldDefinition>>;

fn describe_fields(fields: &mut Fields, known: &Fields) {
    for (name, field) in fields {
        let Some(known) = known.get(name) else { continue };
        let field = field.make_mut();
        said(&mut field.description, &known.description);
        for argument in &mut field.arguments {
            if let Some(known) = known.argument_by_name(&argument.name) {
                said(&mut argument.make_mut().description, &known.description);
            }
        }
    }
}

fn said(own: &mut Option<Node<str>>, known: &Option<Node<str>>) {
    if own.is_none() {
        own.clone_from(known);
    }
}

struct Check<'a> {
    remote: &'a Schema,
    reasons: Vec<String>,
}

fn kind(ty: &ExtendedType) -> &'static str {
    match ty {
        ExtendedType::Scalar(_) => "Scalar",
        ExtendedType::Object(_) => "Object",
        ExtendedType::Interface(_) => "Interface",
        ExtendedType::Union(_) => "Union",
        ExtendedType::Enum(_) => "Enum",
        ExtendedType::InputObject(_) => "Input object",
    }
}

impl Check<'_> {
    fn fail(&mut self, reason: String) {
        self.reasons.push(reason);
    }

    fn ty(&mut self, name: &str, ty: &ExtendedType) {
        let remote = self.remote;
        let what = kind(ty);
        let missing = |part: &str, of: &str| format!("{part} {of:?} does not exist in the {what:?}: {name:?}");
        match (ty, remote.types.get(name)) {
            (ExtendedType::Scalar(_), Some(ExtendedType::Scalar(_))) => {}
            (ExtendedType::Object(given), Some(ExtendedType::Object(known))) => {
                let unknown =
                    given.implements_interfaces.iter().find(|own| !known.implements_interfaces.contains(*own));
                if let Some(unknown) = unknown {
                    self.fail(missing("interface", unknown));
                }
                for field in given.fields.values() {
                    match known.fields.get(&field.name) {
                        Some(own) => self.field(field, own),
                        None => self.fail(missing("field", &field.name)),
                    }
                }
            }
            (ExtendedType::Interface(given), Some(ExtendedType::Interface(known))) => {
                for field in given.fields.values() {
                    match known.fields.get(&field.name) {
                        Some(own) => self.field(field, own),
                        None => self.fail(missing("field", &field.name)),
                    }
                }
            }
            (ExtendedType::Union(given), Some(ExtendedType::Union(known))) => {
                if let Some(unknown) = given.members.iter().find(|member| !known.members.contains(*member)) {
                    self.fail(missing("member", unknown));
                }
            }
            (ExtendedType::Enum(given), Some(ExtendedType::Enum(known))) => {
                if let Some(unknown) = given.values.keys().find(|value| !known.values.contains_key(*value)) {
                    self.fail(missing("value", unknown));
                }
            }
            (ExtendedType::InputObject(given), Some(ExtendedType::InputObject(known))) => {
                for field in given.fields.values() {
                    match known.fields.get(&field.name) {
                        Some(own) => self.input(field, own, "Input object field"),
                        None => self.fail(missing("input field", &field.name)),
                    }
                }
                let required = known
                    .fields
                    .values()
                    .filter(|field| field.is_required() && !given.fields.contains_key(&field.name));
                for field in required {
                    self.fail(format!("the required field {:?} of {what:?}: {name:?} is missing", field.name.as_str()));
                }
            }
            _ => self.fail(format!("{what:?}: {name:?} does not exist in the upstream remote schema")),
        }
    }

    fn same(&mut self, name: &str, what: &str, given: &Type, known: &Type) {
        if given != known {
            self.fail(format!("expected type of {name:?}({what}) to be {known} but received {given}"));
        }
    }

    fn field(&mut self, given: &FieldDefinition, known: &FieldDefinition) {
        self.same(&given.name, "Field", &given.ty, &known.ty);
        for argument in &given.arguments {
            match known.argument_by_name(&argument.name) {
                Some(own) => self.input(argument, own, "Argument"),
                None => self.fail(format!(
                    "input argument {:?} does not exist in the field {:?}",
                    argument.name.as_str(),
                    given.name.as_str()
                )),
            }
        }
        for own in known.arguments.iter().filter(|own| own.is_required()) {
            if given.argument_by_name(&own.name).is_none() {
                self.fail(format!(
                    "field: {:?} expects the following non nullable arguments to be present: {}",
                    given.name.as_str(),
                    own.name
                ));
            }
        }
    }

    fn input(&mut self, given: &InputValueDefinition, known: &InputValueDefinition, what: &str) {
        self.same(&given.name, what, &given.ty, &known.ty);
        let Some(directive) = given.directives.get("preset") else { return };
        match preset(&given.directives) {
            None => self.fail(format!("the preset of {:?} has no argument \"value\"", given.name.as_str())),
            Some(preset @ (Preset::Value(value) | Preset::Mixed(value))) => {
                let variables = matches!(preset, Preset::Mixed(_));
                if let Err(reason) = fits(self.remote, value, &known.ty, variables) {
                    self.fail(format!("the preset of {:?} does not fit: {reason}", given.name.as_str()));
                }
            }
            Some(Preset::Session(variable)) => {
                let base = self.remote.types.get(known.ty.inner_named_type());
                let scalar = matches!(base, Some(ExtendedType::Scalar(_) | ExtendedType::Enum(_)) | None);
                if !scalar || known.ty.is_list() {
                    self.fail(format!(
                        "the session variable {variable:?} cannot fill {:?} of type {}",
                        given.name.as_str(),
                        known.ty
                    ));
                }
            }
        }
        let odd = directive.specified_argument_by_name("static").filter(|value| !matches!(***value, Value::Boolean(_)));
        if odd.is_some() {
            self.fail(format!("\"static\" of the preset of {:?} is not a boolean", given.name.as_str()));
        }
    }
}

/// Whether a fixed value can stand where a type is expected. With `variables`, a session variable may stand in it
/// wherever a scalar or enum is expected.
///
/// # Errors
/// Why not.
pub fn fits(schema: &Schema, value: &Value, ty: &Type, variables: bool) -> Result<(), String> {
    let wrong = || Err(format!("expected a value of type {ty} but found {value}"));
    match (value, ty) {
        (Value::Null, _) if ty.is_non_null() => return wrong(),
        (Value::Null, _) => return Ok(()),
        (Value::List(items), Type::List(inner) | Type::NonNullList(inner)) => {
            return items.iter().try_for_each(|item| fits(schema, item, inner, variables));
        }
        (Value::List(_), _) => return wrong(),
        (_, Type::List(inner) | Type::NonNullList(inner)) => return fits(schema, value, inner, variables),
        _ => {}
    }
    let name = ty.inner_named_type().as_str();
    if variables
        && session_variable(value).is_some()
        && !matches!(schema.types.get(name), Some(ExtendedType::InputObject(_)))
    {
        return Ok(());
    }
    let holds = match (schema.types.get(name), value) {
        (Some(ExtendedType::Enum(definition)), Value::Enum(member)) => definition.values.contains_key(member),
        (Some(ExtendedType::InputObject(definition)), Value::Object(fields)) => {
            for (name, value) in fields {
                let Some(field) = definition.fields.get(name) else {
                    return Err(format!("the input object \"{}\" has no field \"{name}\"", definition.name));
                };
                fits(schema, value, &field.ty, variables)?;
            }
            let left_out = definition
                .fields
                .values()
                .find(|field| field.is_required() && !fields.iter().any(|(name, _)| *name == field.name));
            if let Some(field) = left_out {
                return Err(format!("the required field \"{}\" of \"{}\" is missing", field.name, definition.name));
            }
            true
        }
        (Some(ExtendedType::Enum(_) | ExtendedType::InputObject(_)), _) => false,
        (_, value) => match (name, value) {
            ("Int", Value::Int(_)) | ("Float", Value::Int(_) | Value::Float(_)) => true,
            ("String", Value::String(_)) | ("Boolean", Value::Boolean(_)) => true,
            ("ID", Value::String(_) | Value::Int(_)) => true,
            (name, _) => !is_standard(name),
        },
    };
    if holds { Ok(()) } else { wrong() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOTE: &str = "type Query { a(n: Int!, e: E, f: F, s: String): A b: [B!] } type A { id: ID! x: Int } type B { id: ID! } \
        union U = A | B enum E { X Y } input F { n: Int! e: E l: [Int] }";

    fn checked(role: &str) -> Option<String> {
        let parse = |text: &str| Schema::builder().adopt_orphan_extensions().parse(text, "s").build().unwrap();
        check(&parse(role), &parse(REMOTE))
    }

    #[test]
    fn a_part_of_the_schema_fits() {
        assert_eq!(checked("type Query { a(n: Int! @preset(value: 5)): A } type A { id: ID! }"), None);
        assert_eq!(
            checked(
                "type Query { a(n: Int!, f: F, e: E @preset(value: Y)): A } type A { id: ID! } enum E { Y } input F { n: Int! @preset(value: \"x-hasura-n\") l: [Int] @preset(value: [1]) }"
            ),
            None
        );
        assert_eq!(
            checked(
                "type Query { a(n: Int!, s: String @preset(value: \"x-hasura-s\", static: true)): A } type A { id: ID! }"
            ),
            None
        );
    }

    #[test]
    fn what_a_part_does_not_describe_the_remote_does() {
        let parse = |text: &str| Schema::builder().adopt_orphan_extensions().parse(text, "s").build().unwrap();
        let remote = parse(
            "\"q\" type Query { \"f\" a(\"n\" n: Int): E b(i: I): U } \"e\" enum E { \"x\" X Y } \"i\" input I { \"k\" k: Int } \
             \"o\" type O { o: S } \"u\" union U = O \"s\" scalar S",
        );
        let mut role = parse(
            "type Query { a(n: Int): E b(i: I): U } enum E { X } input I { k: Int } \"mine\" type O { o: S } union U = O \
             scalar S",
        );
        describe(&mut role, &remote);
        let said = role.serialize().no_indent().to_string();
        for text in [
            "\"q\" type Query",
            "\"f\" a(\"n\" n",
            "\"e\" enum",
            "\"x\" X",
            "\"i\" input",
            "\"k\" k",
            "\"mine\" type O",
        ] {
            assert!(said.contains(text), "{text}: {said}");
        }
        assert!(said.contains("\"u\" union") && said.contains("\"s\" scalar"), "{said}");
    }

    #[test]
    fn what_the_remote_does_not_have_is_named() {
        let start = "validation for the given role-based schema failed because ";
        let reason = |role: &str| checked(role).unwrap().replace(start, "");
        assert_eq!(reason("type Query { nope: String }"), "field \"nope\" does not exist in the \"Object\": \"Query\"");
        assert_eq!(
            reason("type Query { b: [B!] } type B { id: ID! } type C { x: Int }"),
            "\"Object\": \"C\" does not exist in the upstream remote schema"
        );
        assert!(reason("type Query { b: [B] } type B { id: ID! }").contains("to be [B!] but received [B]"));
        assert!(reason("type Query { a: A } type A { id: ID! }").contains("non nullable arguments"));
        assert!(reason("type Query { b: [B!] } type B { id: ID! } enum E { Z }").contains("value \"Z\""));
    }

    #[test]
    fn a_preset_has_the_type_of_its_place() {
        let preset = |argument: &str| {
            checked(&format!(
                "type Query {{ a(n: Int! @preset(value: 1), {argument}): A }} type A {{ id: ID! }} enum E {{ X }} input F {{ n: Int! }}"
            ))
        };
        assert_eq!(preset("s: String @preset(value: \"x\")"), None);
        assert_eq!(preset("f: F @preset(value: {n: \"x-hasura-n\"})"), None, "a variable in an object");
        assert!(preset("f: F @preset(value: {n: \"x-hasura-n\"}, static: true)").is_some(), "a text is no Int");
        for bad in [
            "s: String @preset(value: 5)",
            "s: String @preset",
            "e: E @preset(value: Q)",
            "f: F @preset(value: {})",
            "f: F @preset(value: [\"x-hasura-f\"])",
            "f: F @preset(value: \"x-hasura-f\")",
            "s: String @preset(value: \"a\", static: 3)",
        ] {
            assert!(preset(bad).is_some(), "{bad}");
        }
    }
}
