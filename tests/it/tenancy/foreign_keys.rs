//! Every foreign key that a user may write stays within one team: by insert, upsert, update and nested insert, whoever
//! asks. The list of them is the metadata's; one that is new here has to be told what a row of it looks like.

use std::collections::{BTreeMap, BTreeSet};

use northstack::engine::metadata::Metadata;
use serde_json::{Value, json};
use sqlx::Row;
use uuid::Uuid;

use super::world::Team;
use super::{World, refused};

/// Foreign keys to people, by table: these lead to no team.
pub(super) const TO_PEOPLE: &str = "users";

/// A foreign key of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub table: String,
    pub column: String,
    pub parent: String,
}

/// What a user may write in a table.
#[derive(Debug, Default)]
pub(super) struct Writable {
    pub insert: BTreeSet<String>,
    pub update: BTreeSet<String>,
    /// Array relationships: (name, table, column).
    children: Vec<(String, String, String)>,
}

pub(super) async fn keys(world: &World) -> Vec<Key> {
    let query = "select c.conrelid::regclass::text, a.attname::text, c.confrelid::regclass::text
                 from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any(c.conkey)
                 where c.contype = 'f' and c.connamespace = 'public'::regnamespace order by 1, 2";
    let rows = sqlx::query(query).fetch_all(&world.pool).await.unwrap();
    rows.iter().map(|row| Key { table: row.get(0), column: row.get(1), parent: row.get(2) }).collect()
}

pub(super) fn writable() -> BTreeMap<String, Writable> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("hasura/metadata");
    let document = Metadata::from_directory(&directory).unwrap().to_document();
    let texts = |value: &Value| -> BTreeSet<String> {
        value.as_array().into_iter().flatten().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
    };
    let mut all = BTreeMap::new();
    for table in document["sources"][0]["tables"].as_array().unwrap() {
        let mut found = Writable::default();
        for (kind, into) in [("insert_permissions", &mut found.insert), ("update_permissions", &mut found.update)] {
            for permission in table[kind].as_array().into_iter().flatten() {
                into.extend(texts(&permission["permission"]["columns"]));
            }
        }
        for relationship in table["array_relationships"].as_array().into_iter().flatten() {
            let key = &relationship["using"]["foreign_key_constraint_on"];
            if let (Some(child), Some(column)) = (key["table"]["name"].as_str(), key["column"].as_str()) {
                let name = relationship["name"].as_str().unwrap();
                found.children.push((name.to_owned(), child.to_owned(), column.to_owned()));
            }
        }
        all.insert(table["table"]["name"].as_str().unwrap().to_owned(), found);
    }
    all
}

/// The row of a team that a key of a table may name.
pub(super) fn parent(team: &Team, table: &str) -> Uuid {
    match table {
        "teams" => team.id,
        "projects" => team.project,
        "clusters" => team.cluster,
        "applications" => team.application,
        "secrets" => team.secret,
        other => panic!("a user may write a key to {other}: say here which row of a team it may name"),
    }
}

/// A new row of a table, without its foreign keys.
pub(super) fn new(table: &str) -> Value {
    let name = format!("n{}", Uuid::new_v4().simple());
    match table {
        "projects" | "applications" => json!({ "name": name }),
        "teams" => json!({ "name": name, "slug": name }),
        "environment_variables" => json!({ "name": name }),
        "team_members" => json!({ "role": "viewer" }),
        other => panic!("a user may insert into {other}: say here what a row of it looks like"),
    }
}

/// A new row with the keys of a team.
pub(super) fn whole(keys: &[&Key], team: &Team, table: &str, member: Uuid) -> Value {
    let mut row = new(table);
    for key in keys {
        row[&key.column] = if key.parent == TO_PEOPLE { json!(member) } else { json!(parent(team, &key.parent)) };
    }
    row
}

/// Everything in the database that a refused request could have changed.
async fn state(world: &World) -> String {
    let query = "select md5(string_agg(t, ',' order by t)) from (
        select x::text t from projects x union all select x::text from applications x
        union all select x::text from environment_variables x union all select x::text from team_members x) all_rows";
    sqlx::query_scalar(query).fetch_one(&world.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_that_a_user_writes_leads_into_another_team() {
    let world = World::new().await;
    let (all, tables) = (keys(&world).await, writable());
    let bob = world.b.owner;
    let mut tried = BTreeSet::new();
    for (table, may) in &tables {
        let of_table: Vec<&Key> =
            all.iter().filter(|key| key.table == *table && may.insert.contains(&key.column)).collect();
        if of_table.is_empty() {
            continue;
        }
        let stranger = world.person(&format!("s{}", Uuid::new_v4().simple())).await;
        // A stranger, with the keys of a team, all or one of them.
        let before = state(&world).await;
        let foreign = whole(&of_table, &world.a, table, stranger);
        let answer = world.insert(world.eve, table, foreign).await;
        assert!(refused(&answer), "{table}: {answer}");
        assert_eq!(before, state(&world).await, "{table}");

        // Whoever may write in both teams, with one key of the other.
        let teams: Vec<&&Key> = of_table.iter().filter(|key| key.parent != TO_PEOPLE).collect();
        for key in &teams {
            tried.insert(format!("{table}.{}", key.column));
            if teams.len() < 2 {
                continue;
            }
            let own = whole(&of_table, &world.b, table, stranger);
            let mut mixed = own.clone();
            mixed[&key.column] = json!(parent(&world.a, &key.parent));
            let before = state(&world).await;
            let answer = world.insert(bob, table, mixed.clone()).await;
            assert!(refused(&answer), "insert {table}.{}: {answer}", key.column);
            for (name, child, column) in tables.values().flat_map(|it| &it.children).filter(|it| it.1 == *table) {
                nested(&world, &tables, &all, (name, child, column), key, &mixed).await;
            }
            assert_eq!(before, state(&world).await, "{table}.{}", key.column);

            // The same for a row that is there.
            assert!(!refused(&world.insert(bob, table, own.clone()).await), "{table}: {own}");
            let before = state(&world).await;
            if may.update.contains(&key.column) {
                let document = format!(
                    "mutation ($name: String!, $set: {table}_set_input!) {{
                       update_{table}(where: {{ name: {{ _eq: $name }} }}, _set: $set) {{ affected_rows }} }}"
                );
                let set = json!({ &key.column: parent(&world.a, &key.parent) });
                let answer = world.ask(bob, &document, json!({ "name": own["name"], "set": set })).await;
                assert!(refused(&answer), "update {table}.{}: {answer}", key.column);
                let document = format!(
                    "mutation ($object: {table}_insert_input!) {{
                       insert_{table}_one(object: $object, on_conflict: {{
                         constraint: {table}_pkey, update_columns: [{}] }}) {{ __typename }} }}",
                    key.column
                );
                let answer = world.ask(bob, &document, json!({ "object": mixed })).await;
                let said = answer["errors"][0]["message"].as_str().unwrap();
                assert!(said.contains(&key.column), "it is refused for the key: {said}");
                assert!(refused(&answer), "upsert {table}.{}: {answer}", key.column);
            }
            assert_eq!(before, state(&world).await, "{table}.{}", key.column);

            // Whoever may do anything: the database itself refuses.
            let document =
                format!("mutation ($o: {table}_insert_input!) {{ insert_{table}_one(object: $o) {{ id }} }}");
            let answer = world.administer(&document, json!({ "o": mixed })).await;
            assert!(answer["errors"].is_array(), "{table}.{} by the administrator: {answer}", key.column);
        }
    }
    let expected = [
        "applications.cluster_id",
        "applications.project_id",
        "environment_variables.application_id",
        "environment_variables.secret_id",
        "projects.team_id",
        "team_members.team_id",
    ];
    assert_eq!(tried, expected.map(str::to_owned).into(), "each of them was tried");
}

/// A row with a key of the other team inside a new parent of one's own.
async fn nested(
    world: &World,
    tables: &BTreeMap<String, Writable>,
    all: &[Key],
    (name, table, column): (&str, &str, &str),
    key: &Key,
    mixed: &Value,
) {
    let (parent_table, may) =
        tables.iter().find(|(_, it)| it.children.iter().any(|it| it.0 == name && it.1 == table)).unwrap();
    if may.insert.is_empty() || key.column == column {
        return;
    }
    let of_parent: Vec<&Key> = all
        .iter()
        .filter(|it| it.table == *parent_table && may.insert.contains(&it.column) && it.parent != TO_PEOPLE)
        .collect();
    let mut child = mixed.clone();
    child.as_object_mut().unwrap().remove(column);
    let mut object = whole(&of_parent, &world.b, parent_table, world.b.owner);
    object[name] = json!({ "data": [child] });
    let answer = world.insert(world.b.owner, parent_table, object).await;
    assert!(refused(&answer), "{parent_table}.{name} with {table}.{}: {answer}", key.column);
}
