//! `actions.graphql`: the types of actions, which the CLI keeps apart from `actions.yaml`.

use std::fmt::Write as _;

use serde_json::Value;

/// Longest line of a field with its arguments; longer ones get a line for each argument.
const WIDTH: usize = 100;

/// The SDL of a document's actions and custom types, in their order.
pub fn print(actions: &[Value], types: &Value) -> String {
    let mut blocks: Vec<String> = actions.iter().map(action).collect();
    let list = |kind: &str| types.get(kind).and_then(Value::as_array).cloned().unwrap_or_default();
    blocks.extend(list("enums").iter().map(enumeration));
    blocks.extend(list("input_objects").iter().map(|object| fields("input", object)));
    blocks.extend(list("objects").iter().map(|object| fields("type", object)));
    blocks.extend(
        list("scalars").iter().map(|scalar| format!("{}scalar {}\n", description(scalar, ""), text(scalar, "name"))),
    );
    blocks.join("\n")
}

fn action(action: &Value) -> String {
    let definition = action.get("definition").unwrap_or(&Value::Null);
    let root = if text(definition, "type") == "query" { "Query" } else { "Mutation" };
    let arguments = definition.get("arguments").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let (name, output) = (text(action, "name"), text(definition, "output_type"));
    format!("type {root} {{\n{}}}\n", field(name, arguments, output))
}

fn field(name: &str, arguments: &[Value], output: &str) -> String {
    let pairs: Vec<String> =
        arguments.iter().map(|argument| format!("{}: {}", text(argument, "name"), text(argument, "type"))).collect();
    let line = match pairs.is_empty() {
        true => format!("  {name}: {output}\n"),
        false => format!("  {name}({}): {output}\n", pairs.join(", ")),
    };
    let described = arguments.iter().any(|argument| !text(argument, "description").is_empty());
    if line.len() <= WIDTH && !described {
        return line;
    }
    let lines: String = arguments
        .iter()
        .zip(&pairs)
        .map(|(argument, pair)| format!("{}    {pair}\n", description(argument, "    ")))
        .collect();
    format!("  {name}(\n{lines}  ): {output}\n")
}

fn fields(keyword: &str, object: &Value) -> String {
    let mut block = format!("{}{keyword} {} {{\n", description(object, ""), text(object, "name"));
    for item in object.get("fields").and_then(Value::as_array).into_iter().flatten() {
        // Writing to a string cannot fail.
        let _ = writeln!(block, "{}  {}: {}", description(item, "  "), text(item, "name"), text(item, "type"));
    }
    block + "}\n"
}

fn enumeration(definition: &Value) -> String {
    let mut block = format!("{}enum {} {{\n", description(definition, ""), text(definition, "name"));
    for value in definition.get("values").and_then(Value::as_array).into_iter().flatten() {
        let deprecated = value.get("is_deprecated").and_then(Value::as_bool).unwrap_or_default();
        let mark = if deprecated { " @deprecated" } else { "" };
        let _ = writeln!(block, "{}  {}{mark}", description(value, "  "), text(value, "value"));
    }
    block + "}\n"
}

fn description(value: &Value, indent: &str) -> String {
    match text(value, "description") {
        "" => String::new(),
        words => format!("{indent}\"\"\"\n{indent}{}\n{indent}\"\"\"\n", words.replace("\"\"\"", "\\\"\"\"")),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
