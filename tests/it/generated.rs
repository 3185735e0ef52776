//! Files that are written from their source. `make generate` refreshes them; here a stale one is found.

use std::path::Path;
use std::process::Command;

use crate::{platform, support};

/// What the program prints for these arguments and this environment.
fn northstack(arguments: &[&str], environment: &[(&str, String)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_northstack"));
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let output = command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    said(&output.stdout)
}

#[test]
fn the_metadata_directory_is_as_export_writes_it() {
    northstack(&["metadata", "format", "--check"], &[]);
}

/// Holds a committed file against what it is written from; with `NORTHSTACK_REGENERATE` it writes the file instead,
/// as `make generate` does.
fn hold(name: &str, wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("NORTHSTACK_REGENERATE").is_some() {
        std::fs::write(&file, wanted).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == wanted, "{name} is stale: run `make generate`");
}

#[test]
fn the_compatibility_page_is_what_the_engine_refuses() {
    hold("docs/hasura-compatibility.md", &northstack::engine::metadata::compatibility());
}

#[tokio::test]
async fn the_schema_is_what_the_role_user_sees() {
    let database = platform::settings(&support::database().await);
    let environment = [
        ("NORTHSTACK_DATABASE__HOSTS", format!("{}:{}", database.hosts[0], database.port)),
        ("NORTHSTACK_DATABASE__DATABASE", database.database),
        ("NORTHSTACK_DATABASE__USER", database.user),
        ("NORTHSTACK_DATABASE__PASSWORD", database.password.unwrap().expose().clone()),
    ];
    let schema = tokio::task::spawn_blocking(move || northstack(&["schema", "export", "--role", "user"], &environment));
    hold("schema.graphql", &schema.await.unwrap());
}

/// What the fuzz targets and benchmarks plan against is what the engine reads of their schema.
#[tokio::test]
async fn the_catalogue_that_is_planned_against_without_a_database_is_a_real_one() {
    let pool = sqlx::PgPool::connect_with(support::empty_database().await).await.unwrap();
    sqlx::raw_sql(include_str!("../../fuzz/schema/setup.sql")).execute(&pool).await.unwrap();
    let catalogue: String = sqlx::query_scalar(include_str!("../../crates/engine/src/catalog/introspect.sql"))
        .fetch_one(&pool)
        .await
        .unwrap();
    let mut catalogue: serde_json::Value = serde_json::from_str(&catalogue).unwrap();
    without_numbers(&mut catalogue);
    hold("fuzz/schema/catalog.json", &format!("{catalogue:#}\n"));
}

/// Object ids that a database gives out as it goes are 0.
fn without_numbers(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Array(members) => members.iter_mut().for_each(without_numbers),
        serde_json::Value::Object(fields) => {
            for (key, member) in fields {
                match member.as_u64() {
                    Some(16_384..) if key.ends_with("oid") => *member = 0.into(),
                    _ => without_numbers(member),
                }
            }
        }
        _ => {}
    }
}
