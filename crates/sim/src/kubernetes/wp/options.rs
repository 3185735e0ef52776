//! `wp option`.

use serde_json::{Value, json};

use super::cli::{Answer, Call};
use super::print::cell;
use super::titles::escaped;
use crate::kubernetes::exec::Output;

/// `wp option <action>`.
pub(super) fn option(call: &mut Call, action: &str) -> Answer {
    call.tables()?;
    match action {
        "get" => get(call),
        "add" => {
            let (name, value) = named_value(call, "option add <key> [<value>] [--format=<format>]")?;
            let site = call.tables()?;
            if site.options.contains_key(&name) {
                return Err(format!("Could not add option '{name}'. Does it already exist?"));
            }
            site.options.insert(name.clone(), value);
            Ok(Output::ok(format!("Success: Added '{name}' option.")))
        }
        "update" | "set" => {
            let (name, value) = named_value(call, "option update <key> [<value>] [--format=<format>]")?;
            let site = call.tables()?;
            if site.options.get(&name) == Some(&value) {
                return Ok(Output::ok(format!("Success: Value passed for '{name}' option is unchanged.")));
            }
            site.options.insert(name.clone(), value);
            Ok(Output::ok(format!("Success: Updated '{name}' option.")))
        }
        "delete" => {
            let name = call.need(2, "option delete <key>...")?;
            match call.tables()?.options.remove(&name) {
                Some(_) => Ok(Output::ok(format!("Success: Deleted '{name}' option."))),
                None => {
                    Err(format!("Warning: Could not delete '{name}' option. Does it exist?\u{0}No options deleted."))
                }
            }
        }
        "patch" => patch(call),
        "pluck" => pluck(call),
        _ => Err(format!(
            "'{action}' is not a registered subcommand of 'option'. See 'wp help option' for available subcommands."
        )),
    }
}

fn get(call: &mut Call) -> Answer {
    let name = call.need(2, "option get <key> [--format=<format>]")?;
    let json = call.args.value("format") == Some("json");
    let value = call.tables()?.options.get(&name).cloned();
    let value = value.ok_or_else(|| format!("Could not get '{name}' option. Does it exist?"))?;
    Ok(Output::ok(if json { value.to_string() } else { php(&value) }))
}

/// A value as PHP's `var_export` prints arrays, and plain text as it is.
fn php(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let lines: Vec<String> =
                map.iter().map(|(key, value)| format!("  '{key}' => {},", quoted(value))).collect();
            format!("array (\n{}\n)", lines.join("\n"))
        }
        Value::Array(items) => {
            let lines: Vec<String> =
                items.iter().enumerate().map(|(index, value)| format!("  {index} => {},", quoted(value))).collect();
            format!("array (\n{}\n)", lines.join("\n"))
        }
        other => cell(other),
    }
}

fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "\\'")),
        Value::Object(_) | Value::Array(_) => php(value),
        other => other.to_string(),
    }
}

fn parsed(call: &Call, text: &str) -> Result<Value, String> {
    if call.args.value("format") == Some("json") {
        return serde_json::from_str(text).map_err(|_| format!("Invalid JSON: {text}"));
    }
    Ok(json!(text))
}

/// An option's name and value; the value is what standard input holds where no word gives it.
fn named_value(call: &Call, usage: &str) -> Result<(String, Value), String> {
    let name = call.need(2, usage)?;
    let text = call.args.word(3).unwrap_or(&call.stdin);
    let value = parsed(call, text)?;
    Ok(match (name.as_str(), value) {
        ("blogname" | "blogdescription", Value::String(text)) => (name, json!(escaped(&text))),
        (_, value) => (name, value),
    })
}

/// `wp option patch <insert|update|delete> <key> <path>... <value>`.
fn patch(call: &mut Call) -> Answer {
    let usage = "option patch <action> <key> <key-path>... [<value>]";
    let (action, name) = (call.need(2, usage)?, call.need(3, usage)?);
    let mut path: Vec<String> = call.args.words.iter().skip(4).cloned().collect();
    let value =
        if action == "delete" { Value::Null } else { parsed(call, &path.pop().ok_or("usage: wp option patch")?)? };
    let (last, parents) = path.split_last().ok_or_else(|| format!("usage: wp {usage}"))?;
    let (last, parents) = (last.clone(), parents.to_vec());
    let site = call.tables()?;
    let Some(option) = site.options.get_mut(&name) else {
        return Err(format!("Could not get '{name}' option. Does it exist?"));
    };
    let mut here = option;
    for key in &parents {
        here = here.get_mut(key).ok_or_else(|| format!("No data exists for key \"{key}\""))?;
    }
    let map = here.as_object_mut().ok_or_else(|| format!("Cannot create key \"{last}\" on data type string"))?;
    match (action.as_str(), map.get(&last)) {
        ("insert" | "update", Some(old)) if *old == value => {
            return Ok(Output::ok(format!("Success: Value passed for '{name}' option is unchanged.")));
        }
        ("update" | "delete", None) => return Err(format!("No data exists for key \"{last}\"")),
        ("delete", Some(_)) => {
            map.shift_remove(&last);
        }
        ("insert" | "update", _) => {
            map.insert(last, value);
        }
        _ => return Err(format!("Invalid value specified for positional arg: '{action}'")),
    }
    Ok(Output::ok(format!("Success: Updated '{name}' option.")))
}

/// `wp option pluck <key> <path>...`.
fn pluck(call: &mut Call) -> Answer {
    let name = call.need(2, "option pluck <key> <key-path>...")?;
    let path: Vec<String> = call.args.words.iter().skip(3).cloned().collect();
    let json = call.args.value("format") == Some("json");
    let value = call.tables()?.options.get(&name).cloned();
    let mut value = value.ok_or_else(|| format!("Could not get '{name}' option. Does it exist?"))?;
    for key in path {
        match value.get(&key).cloned() {
            Some(inner) => value = inner,
            None => return Ok(Output::silent(1)),
        }
    }
    Ok(Output::ok(if json { value.to_string() } else { php(&value) }))
}
