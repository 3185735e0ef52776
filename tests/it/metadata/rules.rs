//! What holds for every table, relationship, action and route of the metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgPoolOptions;

use super::{document, list, tables, text};
use crate::support;

/// Tables and views that no client sees at all.
const UNTRACKED: &[&str] = &[
    "audit_chains",
    "handled_events",
    "idempotency_keys",
    "leases",
    // A view of what the queries of the service mean by an open operation.
    "open_operations",
    "operation_lanes",
    "operation_signals",
    "row_limits",
];
/// Tables that only administrators see.
const ADMINISTRATORS_ONLY: &[&str] = &["webhook_deliveries"];
/// Columns that no role besides `admin` may read or write, whatever the table.
const SECRET_COLUMNS: &[&str] = &[
    "password_hash",
    "ciphertext",
    "nonce",
    "wrapped_key",
    "key_id",
    "token_hash",
    "idempotency_digest",
    "lease_holder",
    "result",
    "input",
    "output",
];
/// Columns that only the platform writes.
const PLATFORM_COLUMNS: &[&str] = &["id", "status", "url", "store_limit", "platform_role", "created_at", "updated_at"];

/// Every column of every table, from the migrated database.
async fn columns() -> BTreeMap<String, BTreeSet<String>> {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(support::database().await).await.unwrap();
    let query =
        "select table_name::text, column_name::text from information_schema.columns where table_schema = 'public'
                 and table_name not like '\\_%'";
    let mut columns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in sqlx::query(query).fetch_all(&pool).await.unwrap() {
        columns.entry(row.get(0)).or_default().insert(row.get(1));
    }
    columns
}

#[tokio::test]
async fn every_table_is_tracked_and_readable_or_listed_as_hidden() {
    let document = document();
    let mut tracked = BTreeSet::new();
    for table in tables(&document) {
        let name = text(table, "/table/name");
        tracked.insert(name.to_owned());
        let readable = list(table, "select_permissions").any(|permission| text(permission, "/role") == "user");
        assert_eq!(readable, !ADMINISTRATORS_ONLY.contains(&name), "{name}: readable by user: {readable}");
        assert!(!text(table, "/configuration/comment").is_empty(), "{name} has no description");
    }
    let expected: BTreeSet<String> =
        columns().await.into_keys().filter(|name| !UNTRACKED.contains(&name.as_str())).collect();
    assert_eq!(tracked, expected);
}

#[tokio::test]
async fn permissions_name_existing_columns_and_no_secret_ones() {
    let (document, columns) = (document(), columns().await);
    for table in tables(&document) {
        let name = text(table, "/table/name");
        for kind in ["select_permissions", "insert_permissions", "update_permissions", "delete_permissions"] {
            for permission in list(table, kind) {
                let role = text(permission, "/role");
                assert!(role == "user", "{name}: {kind} of {role}; anonymous reads no table");
                let listed = permission["permission"]["columns"].as_array();
                let listed = listed.unwrap_or_else(|| panic!("{name}: {kind} lists its columns one by one"));
                let set = permission["permission"]["set"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(column, _)| column.as_str());
                for column in listed.iter().filter_map(Value::as_str).chain(set) {
                    assert!(columns[name].contains(column), "{name}.{column} does not exist");
                    assert!(!SECRET_COLUMNS.contains(&column), "{name}.{column} is secret");
                    let written = kind != "select_permissions";
                    assert!(
                        !written || !PLATFORM_COLUMNS.contains(&column),
                        "{name}.{column} is the platform's to write"
                    );
                }
                assert_ne!(kind, "delete_permissions", "{name}: rows are deleted by setting deleted_at");
            }
        }
    }
}

#[test]
fn every_row_filter_leads_to_the_session_user() {
    let document = document();
    for table in tables(&document) {
        for permission in list(table, "select_permissions").chain(list(table, "update_permissions")) {
            let filter = permission["permission"]["filter"].to_string();
            assert!(filter.contains("X-Hasura-User-Id"), "{}: {filter}", text(table, "/table/name"));
            let membership = filter.matches(r#""members":{"#).count() + filter.matches(r#""memberships":{"#).count();
            let living = filter.matches(r#""deleted_at":{"_is_null":true}"#).count();
            assert!(living >= membership, "{}: a membership that has ended still counts", text(table, "/table/name"));
            let active = filter.matches(r#""active":{"_eq":true}"#).count();
            assert!(active >= membership, "{}: an invitation counts as a membership", text(table, "/table/name"));
        }
    }
}

#[tokio::test]
async fn relationships_lead_to_tracked_tables_both_ways() {
    let (document, columns) = (document(), columns().await);
    let names: BTreeSet<&str> = tables(&document).into_iter().map(|table| text(table, "/table/name")).collect();
    let (mut there, mut back) = (BTreeSet::new(), BTreeSet::new());
    for table in tables(&document) {
        let name = text(table, "/table/name");
        for (kind, relationship) in [("object_relationships", "object"), ("array_relationships", "array")]
            .into_iter()
            .flat_map(|(key, kind)| list(table, key).map(move |relationship| (kind, relationship)))
        {
            let field = text(relationship, "/name");
            assert!(!columns[name].contains(field), "{name}.{field} is a column and a relationship");
            let using = &relationship["using"];
            let target = text(using, "/manual_configuration/remote_table/name");
            let array = text(using, "/foreign_key_constraint_on/table/name");
            if let Some(column) = using["foreign_key_constraint_on"].as_str() {
                assert!(columns[name].contains(column), "{name}.{column} does not exist");
                there.insert(format!("{name}.{column}"));
            } else if !array.is_empty() {
                assert!(names.contains(array), "{name}.{field} leads to {array}, which is not tracked");
                back.insert(format!("{array}.{}", text(using, "/foreign_key_constraint_on/column")));
            } else {
                assert!(names.contains(target), "{name}.{field} leads to {target}, which is not tracked ({kind})");
                for (from, to) in using["manual_configuration"]["column_mapping"].as_object().unwrap() {
                    assert!(columns[name].contains(from), "{name}.{from} does not exist");
                    assert!(columns[target].contains(to.as_str().unwrap()), "{target}.{to} does not exist");
                }
            }
        }
    }
    assert_eq!(there, back, "each foreign key has a relationship on both sides");
}

#[test]
fn every_webhook_is_the_services_and_shows_the_secret() {
    let document = document();
    let triggers = tables(&document).into_iter().flat_map(|table| list(table, "event_triggers")).map(|trigger| {
        let path = format!("{{{{NORTHSTACK_SERVICE_URL}}}}/events/{}", text(trigger, "/name"));
        (path, text(trigger, "/webhook"), &trigger["headers"])
    });
    let actions = list(&document, "actions").map(|action| {
        let path = format!("{{{{NORTHSTACK_SERVICE_URL}}}}/actions/{}", text(action, "/name"));
        (path, text(action, "/definition/handler"), &action["definition"]["headers"])
    });
    let remotes = list(&document, "remote_schemas").map(|remote| {
        let path = "{{NORTHSTACK_SERVICE_URL}}/graphql".to_owned();
        (path, text(remote, "/definition/url"), &remote["definition"]["headers"])
    });
    for (expected, address, headers) in triggers.chain(actions).chain(remotes) {
        assert_eq!(address, expected);
        let shown = headers.as_array().unwrap().iter().any(|header| {
            text(header, "/name") == "x-northstack-action-secret"
                && text(header, "/value_from_env") == "NORTHSTACK_ACTIONS__SECRET"
        });
        assert!(shown, "{address} is called without the secret");
    }
}

#[test]
fn event_triggers_stand_on_the_tables_that_others_follow() {
    let document = document();
    let triggers: BTreeSet<&str> = tables(&document)
        .into_iter()
        .filter(|table| list(table, "event_triggers").next().is_some())
        .map(|table| text(table, "/table/name"))
        .collect();
    let expected = ["applications", "audit_logs", "clusters", "deployments", "operations", "stores"];
    assert_eq!(triggers, BTreeSet::from(expected));
}

#[test]
fn every_rest_route_runs_a_stored_operation_of_the_fitting_kind() {
    let document = document();
    let queries: BTreeMap<&str, &str> = list(&document, "query_collections")
        .filter(|collection| text(collection, "/name") == "rest")
        .flat_map(|collection| list(&collection["definition"], "queries"))
        .map(|query| (text(query, "/name"), text(query, "/query")))
        .collect();
    let mut routes = BTreeSet::new();
    let mut used = BTreeSet::new();
    for endpoint in list(&document, "rest_endpoints") {
        let url = text(endpoint, "/url");
        let name = text(endpoint, "/definition/query/query_name");
        let query = queries.get(name).unwrap_or_else(|| panic!("{url}: no operation {name}"));
        used.insert(name);
        for parameter in url.split('/').filter_map(|part| part.strip_prefix(':')) {
            assert!(query.contains(&format!("${parameter}: ")), "{url}: {name} has no variable ${parameter}");
        }
        for method in list(endpoint, "methods").filter_map(Value::as_str) {
            assert!(routes.insert(format!("{method} {url}")), "{method} {url} twice");
            assert_eq!(method == "GET", query.starts_with("query "), "{method} {url} runs {query}");
        }
    }
    assert_eq!(used, queries.keys().copied().collect(), "every stored operation has a route");
    for expected in ["GET v1/projects", "DELETE v1/teams/:id/members/:user_id", "POST v1/stores", "GET v1/events"] {
        assert!(routes.contains(expected), "{expected}");
    }
}

#[test]
fn every_environment_variable_of_the_metadata_is_documented() {
    let text = document().to_string();
    let mut variables: BTreeSet<&str> = text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()).collect();
    for key in [r#""value_from_env":""#, r#""from_env":""#, r#""url_from_env":""#] {
        variables.extend(text.split(key).skip(1).filter_map(|rest| rest.split('"').next()));
    }
    assert!(variables.contains("NORTHSTACK_SERVICE_URL"), "{variables:?}");
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let compose = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docker-compose.yml")).unwrap();
    for variable in variables {
        assert!(docs.contains(variable), "docs/operations.md does not name {variable}");
        assert!(compose.contains(&format!("{variable}:")), "docker-compose.yml does not give Hasura {variable}");
    }
}

/// Whoever sees events sees no column that whoever reads rows does not.
#[test]
fn events_tell_of_the_columns_that_the_role_user_reads() {
    let document = document();
    let told: BTreeMap<&str, BTreeSet<&str>> = northstack::bus::told::READABLE
        .iter()
        .map(|(table, columns)| (*table, columns.iter().copied().collect()))
        .collect();
    for table in tables(&document) {
        let name = text(table, "/table/name");
        let triggers = list(table, "event_triggers").count();
        assert!(triggers == 0 || told.contains_key(name), "{name} has an event trigger");
        let Some(told) = told.get(name) else { continue };
        let user = list(table, "select_permissions").find(|permission| text(permission, "/role") == "user").unwrap();
        let readable: BTreeSet<&str> =
            list(&user["permission"], "columns").map(|column| column.as_str().unwrap()).collect();
        assert_eq!(told, &readable, "{name}");
    }
}
