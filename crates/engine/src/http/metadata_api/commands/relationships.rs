//! Relationships and computed fields of tables.

use serde_json::Value;

use super::super::document;
use super::{Edit, exists, missing};
use crate::error::Result;

const LISTS: [(&str, &str); 4] = [
    ("object_relationships", "object_relation"),
    ("array_relationships", "array_relation"),
    ("remote_relationships", "remote_relationship"),
    ("computed_fields", "computed_field"),
];

pub(super) fn edit(name: &str, args: &Value, document: &mut Value) -> Option<Result<Edit>> {
    let using = ["name", "using", "comment"];
    let definition = ["name", "definition", "comment"];
    Some(match name {
        "create_object_relationship" => create(args, document, 0, document::pick(args, &using), false),
        "create_array_relationship" => create(args, document, 1, document::pick(args, &using), false),
        "create_remote_relationship" => create(args, document, 2, remote_definition(args), false),
        "update_remote_relationship" => create(args, document, 2, remote_definition(args), true),
        "add_computed_field" => create(args, document, 3, document::pick(args, &definition), false),
        "drop_relationship" => drop(args, document, "relationship", &["object_relationships", "array_relationships"]),
        "delete_remote_relationship" => drop(args, document, "name", &["remote_relationships"]),
        "drop_computed_field" => drop(args, document, "name", &["computed_fields"]),
        "set_relationship_comment" => comment(args, document),
        _ => return None,
    })
}

/// The definition, also in the older form where its members stand beside the name.
fn remote_definition(args: &Value) -> Value {
    if args.get("definition").is_some() {
        return document::pick(args, &["name", "definition"]);
    }
    let mut picked = document::pick(args, &["name"]);
    if let Some(fields) = picked.as_object_mut() {
        let definition =
            document::pick(args, &["remote_schema", "hasura_fields", "remote_field", "to_source", "to_remote_schema"]);
        fields.insert("definition".into(), definition);
    }
    picked
}

fn create(args: &Value, document: &mut Value, kind: usize, member: Value, replaces: bool) -> Result<Edit> {
    let Some((list, noun)) = LISTS.get(kind) else { return Ok(Edit::remark(Value::Null)) };
    let name = document::text(args, "name")?.to_owned();
    let source = document::source_name(args).to_owned();
    let table_name = document::qualified(document::required(args, "table")?)?;
    let table = document::table(document, args)?;
    let key = Value::from(name.as_str());
    if replaces {
        if !document::remove(document::member_list(table, list), "name", &key) {
            return Err(missing(format!(
                "remote relationship {name:?} does not exist on table {:?}",
                table_name.to_string()
            )));
        }
    } else if LISTS.iter().any(|(list, _)| document::find(document::member_list(table, list), "name", &key).is_some()) {
        return Err(exists(format!("field with name {name:?} already exists in table {:?}", table_name.to_string())));
    }
    document::member_list(table, list).push(member);
    Ok(Edit::of(format!("{noun} {name} in table {table_name} in source {source}")))
}

fn drop(args: &Value, document: &mut Value, key: &str, lists: &[&str]) -> Result<Edit> {
    let name = Value::from(document::text(args, key)?);
    let table_name = document::qualified(document::required(args, "table")?)?;
    let table = document::table(document, args)?;
    let removed =
        lists.iter().filter(|list| document::remove(document::member_list(table, list), "name", &name)).count();
    if removed == 0 {
        return Err(missing(format!("{name} does not exist on table {:?}", table_name.to_string())));
    }
    Ok(Edit::removal(args))
}

fn comment(args: &Value, document: &mut Value) -> Result<Edit> {
    let name = Value::from(document::text(args, "name")?);
    let comment = args.get("comment").cloned().unwrap_or(Value::Null);
    let table_name = document::qualified(document::required(args, "table")?)?;
    let table = document::table(document, args)?;
    for list in ["object_relationships", "array_relationships"] {
        if let Some(found) = document::find(document::member_list(table, list), "name", &name) {
            found.insert("comment".to_owned(), comment);
            return Ok(Edit::of("relationship"));
        }
    }
    Err(missing(format!("relationship {name} does not exist on table {:?}", table_name.to_string())))
}
