//! Merges `actions.graphql` into `actions.yaml`: the CLI keeps argument and field types in the former.

use apollo_compiler::ast::{Definition, Document, EnumValueDefinition, FieldDefinition, InputValueDefinition};
use apollo_compiler::parser::SourceMap;
use apollo_compiler::{Name, Node};
use serde_json::{Map, Value, json};

use super::LoadError;

/// A fault, with its line when it lies in the SDL; else its key lies in `actions.yaml`.
type Fault = (Option<usize>, LoadError);

/// Adds to each action and custom type of the YAML what the SDL says of it.
pub(super) fn merge(sdl: &str, sections: &mut Map<String, Value>) -> Result<(), Fault> {
    let document = Document::parse(sdl, "actions.graphql").map_err(|failed| {
        let first = failed.errors.iter().next();
        let line = first.as_ref().and_then(|error| error.line_column_range()).map_or(1, |range| range.start.line);
        let reason = first.map(|error| error.error.to_string()).unwrap_or_else(|| "not valid GraphQL".to_owned());
        (Some(line), LoadError::at("", reason))
    })?;
    let mut merge = Merge { sections, sources: &document.sources, defined: Vec::new() };
    for definition in &document.definitions {
        merge.definition(definition)?;
    }
    merge.refuse_undefined()
}

struct Merge<'a> {
    sections: &'a mut Map<String, Value>,
    sources: &'a SourceMap,
    defined: Vec<String>,
}

impl Merge<'_> {
    fn definition(&mut self, definition: &Definition) -> Result<(), Fault> {
        match definition {
            Definition::ObjectTypeDefinition(object) => {
                self.object(&object.name, &object.fields, object.description.as_deref())
            }
            Definition::ObjectTypeExtension(object) => self.object(&object.name, &object.fields, None),
            Definition::InputObjectTypeDefinition(input) => {
                let fields: Vec<Value> = input.fields.iter().map(|field| argument(field)).collect();
                self.custom("input_objects", &input.name, json!({"fields": fields}), input.description.as_deref());
                Ok(())
            }
            Definition::ScalarTypeDefinition(scalar) => {
                self.custom("scalars", &scalar.name, json!({}), scalar.description.as_deref());
                Ok(())
            }
            Definition::EnumTypeDefinition(definition) => {
                let values: Vec<Value> = definition.values.iter().map(|value| enum_value(value)).collect();
                let description = definition.description.as_deref();
                self.custom("enums", &definition.name, json!({"values": values}), description);
                Ok(())
            }
            other => {
                let name = other.name().map_or("", Name::as_str);
                Err((Some(1), LoadError::at(name, "only types of actions may stand here: type, input, scalar, enum")))
            }
        }
    }

    fn object(
        &mut self,
        name: &Name,
        fields: &[Node<FieldDefinition>],
        description: Option<&str>,
    ) -> Result<(), Fault> {
        if name == "Query" || name == "Mutation" {
            return fields.iter().try_for_each(|field| self.action(name, field));
        }
        let fields: Vec<Value> = fields
            .iter()
            .map(|field| {
                let mut value = json!({"name": field.name.as_str(), "type": field.ty.to_string()});
                describe(&mut value, field.description.as_deref());
                value
            })
            .collect();
        self.custom("objects", name, json!({"fields": fields}), description);
        Ok(())
    }

    fn action(&mut self, parent: &Name, field: &Node<FieldDefinition>) -> Result<(), Fault> {
        let line = field.line_column_range(self.sources).map(|range| range.start.line);
        let actions = self.sections.entry("actions").or_insert_with(|| json!([]));
        let action = actions
            .as_array_mut()
            .and_then(|actions| actions.iter_mut().find(|action| action["name"] == field.name.as_str()))
            .ok_or_else(|| {
                let reason = "the action is not defined in actions.yaml";
                (Some(line.unwrap_or(1)), LoadError::at(field.name.as_str(), reason))
            })?;
        let arguments: Vec<Value> = field.arguments.iter().map(|field| argument(field)).collect();
        let Some(definition) = action.get_mut("definition").and_then(Value::as_object_mut) else {
            return Err((Some(line.unwrap_or(1)), LoadError::at(field.name.as_str(), "the action has no definition")));
        };
        definition.insert("arguments".to_owned(), Value::Array(arguments));
        definition.insert("output_type".to_owned(), field.ty.to_string().into());
        definition.insert("type".to_owned(), parent.to_lowercase().into());
        if let (Some(text), Some(action)) = (&field.description, action.as_object_mut()) {
            action.entry("comment").or_insert_with(|| text.as_str().into());
        }
        self.defined.push(field.name.to_string());
        Ok(())
    }

    fn custom(&mut self, section: &str, name: &Name, mut value: Value, description: Option<&str>) {
        describe(&mut value, description);
        let types = self.sections.entry("custom_types").or_insert_with(|| json!({}));
        if types.is_null() {
            *types = json!({});
        }
        let Some(types) = types.as_object_mut() else { return };
        let list = types.entry(section).or_insert_with(|| json!([]));
        if list.is_null() {
            *list = json!([]);
        }
        let Some(list) = list.as_array_mut() else { return };
        let position = list.iter().position(|entry| entry["name"] == name.as_str()).unwrap_or_else(|| {
            list.push(json!({"name": name.as_str()}));
            list.len() - 1
        });
        if let (Some(Value::Object(entry)), Value::Object(fields)) = (list.get_mut(position), value) {
            entry.extend(fields);
        }
    }

    fn refuse_undefined(&self) -> Result<(), Fault> {
        let actions = self.sections.get("actions").and_then(Value::as_array);
        for (index, action) in actions.into_iter().flatten().enumerate() {
            let name = action["name"].as_str().unwrap_or_default();
            let typed = action.get("definition").is_some_and(|definition| definition.get("output_type").is_some());
            if !typed && !self.defined.iter().any(|defined| defined == name) {
                let reason = format!("the action {name:?} has no field in actions.graphql");
                return Err((None, LoadError::at(format!("actions[{index}].name"), reason)));
            }
        }
        Ok(())
    }
}

fn argument(field: &InputValueDefinition) -> Value {
    let mut value = json!({"name": field.name.as_str(), "type": field.ty.to_string()});
    describe(&mut value, field.description.as_deref());
    value
}

fn enum_value(value: &EnumValueDefinition) -> Value {
    let mut described = json!({"value": value.value.as_str()});
    describe(&mut described, value.description.as_deref());
    described
}

fn describe(value: &mut Value, description: Option<&str>) {
    if let (Some(text), Some(fields)) = (description, value.as_object_mut()) {
        fields.insert("description".to_owned(), text.into());
    }
}
