//! Every rule of the database on what users write is said in words.

use northstack::domain::{Broken, Code};
use northstack::engine::metadata::Metadata;
use serde_json::json;

use super::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_constraint_of_what_users_write_has_a_sentence() {
    let world = World::new().await;
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("hasura/metadata");
    let document = Metadata::from_directory(&directory).unwrap().to_document();
    let written: Vec<&str> = document["sources"][0]["tables"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|table| table["insert_permissions"].is_array() || table["update_permissions"].is_array())
        .map(|table| table["table"]["name"].as_str().unwrap())
        .collect();
    assert!(written.len() > 8, "{written:?}");
    let constraints: Vec<(String, String)> = sqlx::query_as(
        "select conrelid::regclass::text, conname::text from pg_constraint
         where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'u')
           and conrelid::regclass::text = any($1)
         union all
         select indrelid::regclass::text, indexrelid::regclass::text from pg_index
         where indisunique and not indisprimary and indrelid::regclass::text = any($1)",
    )
    .bind(&written)
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert!(constraints.len() > 50, "{}", constraints.len());
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select table_name::text, column_name::text from information_schema.columns where table_schema = 'public'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    for (table, constraint) in constraints {
        let broken = Broken::by_name(&constraint);
        let broken = broken.unwrap_or_else(|| panic!("{constraint}: say in src/domain/constraints.rs what is right"));
        let column = broken.field.split('.').next().unwrap_or_default().to_owned();
        assert!(columns.contains(&(table, column)), "{constraint}: {} is no column", broken.field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_answers_leads_to_the_sentence() {
    let world = World::new().await;
    let (bob, project) = (world.b.owner, world.b.project);
    for (object, code, field, words) in [
        (json!({ "name": "My App" }), Code::InvalidInput, "name", "must have 1 to 63 characters"),
        (json!({ "name": "a", "strategy": "yolo" }), Code::InvalidInput, "strategy", "must be one of `rolling`"),
        (json!({ "name": "a", "replicas": -1 }), Code::InvalidInput, "replicas", "must be from 0 to 100"),
        (json!({ "name": "first" }), Code::AlreadyExists, "name", "of this name in this environment already"),
        (json!({ "name": "a", "cluster_id": project }), Code::InvalidInput, "cluster_id", "has no such cluster"),
    ] {
        let mut object = object;
        object["project_id"] = json!(project);
        let answer = world.insert(bob, "applications", object).await;
        let said = answer["errors"][0]["message"].as_str().unwrap();
        let broken = Broken::by_words(said.split_once("violation. ").unwrap().1).unwrap();
        assert_eq!((broken.code, broken.field.as_str()), (code, field), "{said}");
        assert!(broken.message.contains(words), "{}", broken.message);
    }
    let answer = world.insert(bob, "projects", json!({ "name": "x" })).await;
    let said = answer["errors"][0]["message"].as_str().unwrap();
    let broken = said.split_once("violation. ").and_then(|(_, words)| Broken::by_words(words));
    assert_eq!(broken.map(|it| it.message).as_deref(), Some("team_id: is required"), "{said}");
}
