//! The migrations: re-runnable, reversible, one statement each, and in agreement with the domain.

use std::collections::BTreeSet;

use northstack::db::{Db, migrate};
use northstack::domain::workload::Strategy;
use northstack::domain::{
    ApplicationStatus, ClusterStatus, Code, DeploymentStatus, OperationStatus, PreviewStatus, StepStatus, StoreStatus,
    TeamRole,
};
use sqlx::Executor;
use strum::IntoEnumIterator;

use super::settings;
use crate::support;

/// Everything that makes up the schema, as text: columns, constraints, indexes, functions, triggers.
async fn schema(db: &Db) -> BTreeSet<String> {
    let queries = [
        "select format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default)
           from information_schema.columns where table_schema = 'public'",
        "select format('constraint %s %s', conname, pg_get_constraintdef(oid))
           from pg_constraint where connamespace = 'public'::regnamespace",
        "select format('index %s', indexdef) from pg_indexes where schemaname = 'public'",
        "select format('function %s', pg_get_functiondef(p.oid)) from pg_proc p
           where pronamespace = 'public'::regnamespace and proname like 'northstack%'",
        "select format('trigger %s', pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal",
    ];
    let mut schema = BTreeSet::new();
    for query in queries {
        let lines: Vec<String> = sqlx::query_scalar(query).fetch_all(db.pool()).await.unwrap();
        schema.extend(lines.into_iter().filter(|line| !line.contains("_sqlx_migrations")));
    }
    schema
}

#[tokio::test]
async fn up_down_up_leaves_the_same_schema_and_nothing_behind() {
    let db = Db::connect(&settings(&support::empty_database().await)).await.unwrap();
    let pending = migrate::pending(&db).await.unwrap();
    assert!(pending.len() > 100, "{}", pending.len());
    assert_eq!(migrate::up(&db).await.unwrap(), pending);
    let first = schema(&db).await;
    assert!(first.len() > 300, "{}", first.len());
    assert_eq!(migrate::up(&db).await.unwrap(), [], "a second run changes nothing");

    let reverted = migrate::down(&db, Some(2)).await.unwrap();
    assert_eq!(reverted.len(), 2);
    assert_eq!(migrate::pending(&db).await.unwrap().len(), 2);
    migrate::down(&db, None).await.unwrap();
    assert_eq!(schema(&db).await, BTreeSet::new(), "nothing is left after going all the way down");

    migrate::up(&db).await.unwrap();
    assert_eq!(schema(&db).await, first);
}

#[tokio::test]
async fn every_file_may_run_again() {
    let db = super::database().await;
    let mut schemas = Vec::new();
    // The first round adds what is YugabyteDB's alone, which PostgreSQL understands too.
    for _ in 0..2 {
        for (version, name, up, _) in migrate::all() {
            if let Err(error) = db.pool().execute(sqlx::AssertSqlSafe(up)).await {
                panic!("{version} {name} cannot run again: {error}");
            }
        }
        schemas.push(schema(&db).await);
    }
    assert_eq!(schemas[0], schemas[1]);
}

#[tokio::test]
async fn every_file_holds_one_statement() {
    let db = super::database().await;
    for (version, name, up, down) in migrate::all() {
        for text in [up, down] {
            // The server prepares single statements only, and says so (42601).
            let mut connection = db.pool().acquire().await.unwrap();
            let result = connection.prepare(sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(text))).await;
            if let Err(sqlx::Error::Database(error)) = result {
                assert!(!error.message().contains("multiple commands"), "{version} {name}: {}", error.message());
            }
            assert!(!text.trim().is_empty(), "{version} {name} is empty");
        }
    }
}

#[tokio::test]
async fn two_processes_that_migrate_at_once_take_turns() {
    let options = support::empty_database().await;
    let one = Db::connect(&settings(&options)).await.unwrap();
    let two = Db::connect(&settings(&options)).await.unwrap();
    let (first, second) = tokio::join!(migrate::up(&one), migrate::up(&two));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first.len() > 100 || second.len() > 100);
    assert!(first.is_empty() || second.is_empty(), "one of them found everything done");
}

#[tokio::test]
async fn a_yugabytedb_gets_its_own_set_too() {
    let settings = settings(&support::empty_database().await);
    let plain = Db::connect(&settings).await.unwrap();
    // By this function it is known.
    let function = format!(
        "create function yb_servers() returns table (host text, port bigint, node_type text, cloud text, region text,
           zone text) language sql as $$ values ('{}', {}::bigint, 'primary', 'c', 'r', 'z') $$",
        settings.hosts[0], settings.port
    );
    sqlx::query(sqlx::AssertSqlSafe(function)).execute(plain.pool()).await.unwrap();
    let db = Db::connect(&settings).await.unwrap();
    let applied = migrate::up(&db).await.unwrap();
    assert_eq!(applied.last().unwrap().name, "operations claim range idx");
    let reverted = migrate::down(&db, Some(3)).await.unwrap();
    assert_eq!(reverted[0].name, "operations claim range idx");
    assert_eq!(migrate::up(&db).await.unwrap().len(), 3);
    migrate::down(&db, None).await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let db = super::database().await;
    sqlx::query("insert into _sqlx_migrations values (9999, 'later', now(), true, '\\x00', 0)")
        .execute(db.pool())
        .await
        .unwrap();
    sqlx::query(
        "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations where version < 9999)",
    )
    .execute(db.pool())
    .await
    .unwrap();
    let refused = migrate::up(&db).await.unwrap_err();
    assert_eq!(refused.code(), Code::Conflict);
    assert!(refused.message().contains("9999"), "{refused}");
}

#[tokio::test]
async fn check_constraints_hold_the_domains_words() {
    fn words<T: IntoEnumIterator + Into<&'static str>>() -> BTreeSet<String> {
        T::iter().map(|word| Into::<&'static str>::into(word).to_owned()).collect()
    }
    let db = super::database().await;
    for (table, column, expected) in [
        ("stores", "status", words::<StoreStatus>()),
        ("operations", "status", words::<OperationStatus>()),
        ("operation_steps", "status", words::<StepStatus>()),
        ("applications", "status", words::<ApplicationStatus>()),
        ("applications", "strategy", words::<Strategy>()),
        ("deployments", "status", words::<DeploymentStatus>()),
        ("preview_environments", "status", words::<PreviewStatus>()),
        ("clusters", "status", words::<ClusterStatus>()),
        ("team_members", "role", words::<TeamRole>()),
    ] {
        let definition: String = sqlx::query_scalar(
            "select pg_get_constraintdef(oid) from pg_constraint where conrelid = $1::regclass and conname = $2",
        )
        .bind(table)
        .bind(format!("{table}_{column}_check"))
        .fetch_one(db.pool())
        .await
        .unwrap();
        let found: BTreeSet<String> = definition.split('\'').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(found, expected, "{table}.{column}");
    }
}
