//! The formats of WP-CLI: table, csv, json, ids, count, and single fields.

use serde_json::{Value, json};

use super::args::Args;
use super::cli::Answer;
use crate::kubernetes::exec::Output;

/// A value as a cell prints it.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Prints rows as `--format`, `--fields` and `--field` ask; `id` is the column of `--format=ids`.
pub(super) fn table(args: &Args, rows: &[Value], columns: &[&str], id: &str) -> Answer {
    let chosen: Vec<String> = match args.value("fields") {
        Some(fields) => fields.split(',').map(|field| field.trim().to_owned()).collect(),
        None => columns.iter().map(|column| (*column).to_owned()).collect(),
    };
    let pick = |row: &Value, name: &str| row.get(name).cloned().unwrap_or_default();
    if let Some(field) = args.value("field") {
        let lines: Vec<String> = rows.iter().map(|row| cell(&pick(row, field))).collect();
        return Ok(Output::ok(lines.join("\n")));
    }
    let text = match args.value("format").unwrap_or("table") {
        "ids" => {
            let ids: Vec<String> = rows.iter().map(|row| cell(&pick(row, id))).collect();
            // Without a newline, as WP-CLI prints ids.
            return Ok(Output { stdout: ids.join(" "), ..Output::default() });
        }
        "count" => return Ok(Output { stdout: rows.len().to_string(), ..Output::default() }),
        "json" => {
            let objects: Vec<Value> = rows
                .iter()
                .map(|row| Value::Object(chosen.iter().map(|name| (name.clone(), pick(row, name))).collect()))
                .collect();
            json!(objects).to_string()
        }
        "csv" => {
            let mut lines = vec![chosen.join(",")];
            lines.extend(rows.iter().map(|row| {
                let cells: Vec<String> = chosen.iter().map(|name| quote(&cell(&pick(row, name)))).collect();
                cells.join(",")
            }));
            lines.join("\n")
        }
        "table" => {
            let mut lines = vec![chosen.join("\t")];
            lines.extend(rows.iter().map(|row| {
                let cells: Vec<String> = chosen.iter().map(|name| cell(&pick(row, name))).collect();
                cells.join("\t")
            }));
            lines.join("\n")
        }
        other => return Err(format!("Parameter errors:\n Invalid value specified for 'format' ({other})")),
    };
    Ok(Output::ok(text))
}

fn quote(text: &str) -> String {
    if text.contains([',', '"', ' ', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
