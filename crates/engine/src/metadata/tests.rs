use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var("NORTHSTACK_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let path = Path::new(&root).join(path);
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

fn write(directory: &Path, file: &str, text: &str) {
    let path = directory.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A small directory that loads; tests then break one file of it.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    write(root, "version.yaml", "version: 3\n");
    write(
        root,
        "databases/databases.yaml",
        "- name: default\n  kind: postgres\n  configuration:\n    connection_info:\n      database_url: {from_env: URL}\n  tables: \"!include default/tables/tables.yaml\"\n",
    );
    write(root, "databases/default/tables/tables.yaml", "- \"!include public_team.yaml\"\n");
    write(
        root,
        "databases/default/tables/public_team.yaml",
        "table:\n  name: team\n  schema: public\nselect_permissions:\n  - role: user\n    permission:\n      columns: '*'\n      filter: {}\n",
    );
    write(
        root,
        "actions.yaml",
        "actions:\n  - name: greet\n    definition:\n      kind: synchronous\n      handler: '{{URL}}/greet'\n    permissions:\n      - role: user\ncustom_types:\n  objects:\n    - name: Greeting\n      relationships:\n        - name: team\n          type: object\n          remote_table: {name: team, schema: public}\n          field_mapping: {team_id: id}\n",
    );
    write(
        root,
        "actions.graphql",
        "type Mutation {\n  greet(name: String!): Greeting\n}\ntype Greeting {\n  text: String!\n  team_id: uuid!\n}\n",
    );
    directory
}

fn refused(directory: &Path) -> String {
    Metadata::from_directory(directory).expect_err("it must be refused").to_string()
}

#[test]
fn a_directory_means_what_its_document_means() {
    let directory = directory();
    let metadata = Metadata::from_directory(directory.path()).unwrap();
    assert_eq!(Metadata::from_document(&metadata.to_document()).unwrap(), metadata);
    let action = &metadata.actions[0].definition;
    assert_eq!(action.output_type, "Greeting");
    assert_eq!(action.arguments[0].ty, "String!");
    let greeting = &metadata.custom_types.objects[0];
    assert_eq!((greeting.fields.len(), greeting.relationships.len()), (2, 1));
}

#[test]
fn faults_are_named_by_file_line_and_key() {
    let directory = directory();
    let root = directory.path();
    let table = "databases/default/tables/public_team.yaml";
    let good = fs::read_to_string(root.join(table)).unwrap();

    write(root, table, &format!("{good}colour: red\n"));
    let message = refused(root);
    assert!(message.starts_with("databases/default/tables/public_team.yaml:"), "{message}");
    assert!(message.contains("sources[0].tables[0]") && message.contains("unknown field `colour`"), "{message}");

    write(root, table, &good.replace("columns: '*'", "columns: some"));
    let message = refused(root);
    assert!(message.starts_with("databases/default/tables/public_team.yaml:7: "), "{message}");

    write(root, table, &format!("{good}apollo_federation_config:\n  enable: v1\n"));
    let message = refused(root);
    assert!(message.contains("public_team.yaml:10: ") && message.contains("federation is not supported"), "{message}");
}

#[test]
fn includes_that_miss_or_meet_themselves_are_refused() {
    let directory = directory();
    let root = directory.path();
    write(root, "databases/default/tables/tables.yaml", "- \"!include public_nobody.yaml\"\n");
    let message = refused(root);
    assert!(message.starts_with("databases/default/tables/tables.yaml:1: sources[0].tables[0]: "), "{message}");
    assert!(message.contains("public_nobody.yaml does not exist"), "{message}");

    write(root, "databases/default/tables/tables.yaml", "- \"!include tables.yaml\"\n");
    assert!(refused(root).contains("include each other"), "{}", refused(root));

    write(root, "databases/default/tables/tables.yaml", "- \"!include ../../../../../etc/passwd\"\n");
    assert!(refused(root).contains("leads out of the metadata directory"), "{}", refused(root));

    write(root, "databases/default/tables/tables.yaml", "[]\n");
    write(root, "secrets.yaml", "{}\n");
    assert!(refused(root).contains("secrets.yaml"), "{}", refused(root));
}

#[test]
fn an_action_without_a_type_is_refused() {
    let directory = directory();
    let root = directory.path();
    write(root, "actions.graphql", "type Query { me: String }\n");
    let message = refused(root);
    assert!(message.contains("actions.graphql:1: me: "), "{message}");
    write(root, "actions.graphql", "scalar uuid\n");
    let message = refused(root);
    assert!(message.starts_with("actions.yaml:2: actions[0].name: "), "{message}");
}

#[test]
fn every_unsupported_key_is_refused_in_a_document() {
    for entry in unsupported::UNSUPPORTED {
        // A value that asks for the thing, nested under the key's own path.
        let asked = match entry.key {
            "sources" => json!([{}, {}]),
            "sources[*].kind" => json!("mssql"),
            "metrics_config" => json!({"analyze_query_variables": true}),
            "remote_schemas[*].permissions[*].definition.schema" => {
                json!("type Query { profile(id: ID! @preset(value: \"x-hasura-user-id\")): String }")
            }
            "sources[*].functions[*].configuration.response" => json!({"type": "table", "table": "t"}),
            _ => json!({"x": 1}),
        };
        let document = entry.key.rsplit(['.', '[']).fold(asked, |value, step| match step {
            "*]" => json!([value]),
            name => json!({ name: value }),
        });
        let found = unsupported::find(&document).unwrap_or_else(|| panic!("{} is not refused", entry.key));
        assert_eq!(found.reason, entry.reason, "{}", entry.key);
        assert!(!found.key.contains('*'), "{}", found.key);
    }
}

/// A document with one value, nested under a key's own path.
fn nested(key: &str, value: Value) -> Value {
    key.rsplit(['.', '[']).fold(value, |value, step| match step {
        "*]" => json!([value]),
        "*" => json!({ "any": value }),
        name => json!({ name: value }),
    })
}

#[test]
fn types_that_graphql_does_not_allow_are_refused() {
    let deep = format!("{}Int{}", "[".repeat(10_000), "]".repeat(10_000));
    for key in names::TYPES {
        for wrong in ["[^ho!]", "", "Int # really", "[Int", "Int!!", "[Int,]", &deep] {
            let error = names::check(&nested(key, json!(wrong))).unwrap_err().to_string();
            assert!(error.contains(&format!(": {} is not a GraphQL type", json!(wrong))), "{key}: {error}");
        }
        for right in ["Int", " [ uuid! ]! ", "[[String]]"] {
            names::check(&nested(key, json!(right))).unwrap();
        }
    }
}

#[test]
fn names_that_graphql_does_not_allow_are_refused() {
    for key in names::NAMES {
        let document = nested(key, json!("art- le"));
        let error = names::check(&document).unwrap_err().to_string();
        assert!(error.contains(": \"art- le\" is not a valid GraphQL name"), "{key}: {error}");
        assert!(!error.contains('*'), "{error}");
    }
}

#[test]
fn duplicates_are_refused() {
    let source = json!({"name": "default", "kind": "postgres", "configuration": {"connection_info": {"database_url": ""}},
        "tables": [{"table": "t"}, {"table": {"schema": "public", "name": "t"}}]});
    let error = Metadata::from_document(&json!({"version": 3, "sources": [source]})).unwrap_err();
    assert_eq!(error.to_string(), "sources[0].tables[1]: \"t\" is defined twice");
}

#[test]
fn a_recorded_document_survives_a_round_trip() {
    let Some(path) = shared("vendor/hasura/recorded/metadata.json") else { return };
    let recorded: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    // Read as it stands: it asks for things that are refused, and its form must be known nevertheless.
    let metadata: Metadata = serde_json::from_value(recorded.clone()).unwrap();
    let exported = metadata.to_document();
    assert_eq!(serde_json::from_value::<Metadata>(exported.clone()).unwrap(), metadata);
    assert_eq!(without_nulls(exported), without_nulls(recorded));
}

/// Hasura writes null for some keys that are not set and leaves others out.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        other => other,
    }
}

#[test]
fn the_cli_directory_loads_and_is_refused_where_it_asks_too_much() {
    let Some(path) = shared("vendor/hasura/derived/metadata") else { return };
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    copy(&path, root);
    let metadata = Metadata::from_directory(root).unwrap();
    assert_eq!((metadata.sources[0].tables.len(), metadata.cron_triggers.len()), (2, 1));
    assert_eq!(metadata.actions[0].definition.arguments[0].ty, "PlaceOrderInput!");
    assert!(metadata.actions[0].definition.request_transform.is_some());
    // Each is named by file, line and key.
    for (file, added, key) in [
        (
            "databases/default/tables/public_author.yaml",
            "apollo_federation_config: {enable: v1}\n",
            "sources[0].tables[0].apollo_federation_config",
        ),
        ("network.yaml", "tls_allowlist: [{host: a.test}]\n", "network.tls_allowlist"),
    ] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let before = if file == "network.yaml" { String::new() } else { format!("{}\n", text.trim_end()) };
        let line = before.lines().count() + 1;
        write(root, file, &format!("{before}{added}"));
        let message = refused(root);
        assert!(message.starts_with(&format!("{file}:{line}: {key}: ")), "{message}");
        write(root, file, &text);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => fs::write(&target, fs::read(entry.path()).unwrap()).unwrap(),
        }
    }
}
