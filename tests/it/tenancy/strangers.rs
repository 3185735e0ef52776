//! What is not one's own answers as what is not there, whatever a row says of it, and a refused row makes nobody wait.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::foreign_keys::{Key, TO_PEOPLE, keys, new, parent, whole, writable};
use super::world::Team;
use super::{World, refused};

/// A name that a row of the team has in each table.
fn taken(table: &str) -> Value {
    match table {
        "projects" => json!({ "name": "shop" }),
        "applications" => json!({ "name": "first" }),
        "environment_variables" => json!({ "name": "TAKEN" }),
        "team_members" => json!({}),
        other => panic!("a user may insert into {other}: say here which name is taken"),
    }
}

fn with(mut row: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

/// What a person is answered for a row, plainly and with every conflict that the table has.
async fn answers(world: &World, user: Uuid, table: &str, row: &Value) -> Vec<String> {
    let plain = world.insert(user, table, row.clone()).await;
    assert!(refused(&plain), "{table} {row}: {plain}");
    let mut said = vec![plain.to_string()];
    let constraints: Vec<String> = sqlx::query_scalar(
        "select indexrelid::regclass::text from pg_index where indisunique and indrelid::regclass::text = $1 order by 1",
    )
    .bind(table)
    .fetch_all(&world.pool)
    .await
    .unwrap();
    for constraint in constraints {
        let document = format!(
            "mutation ($objects: [{table}_insert_input!]!) {{ insert_{table}(objects: $objects, on_conflict: {{
               constraint: {constraint}, update_columns: [] }}) {{ affected_rows }} }}"
        );
        let answer = world.ask(user, &document, json!({ "objects": [row] })).await;
        assert!(answer["errors"].is_array(), "{table} {row}: {answer}");
        said.push(answer.to_string());
    }
    said
}

/// A row of one's own with the values of one or of all keys that another team has, or nobody.
fn rows(table: &str, of_table: &[&Key], key: &Key, own: &Team, other: &Team, member: Uuid) -> [Vec<Value>; 2] {
    let there = |key: &Key| if key.parent == TO_PEOPLE { other.owner } else { parent(other, &key.parent) };
    let whole_of = |team: &Team| whole(of_table, team, table, member);
    let mut found = [Vec::new(), Vec::new()];
    for name in [new(table), taken(table)] {
        let one = |value: Uuid| with(with(whole_of(own), &name), &json!({ &key.column: value }));
        found[0].push(one(there(key)));
        found[1].push(one(Uuid::new_v4()));
        let first = |value: Uuid| with(with(whole_of(other), &name), &json!({ &key.column: value }));
        found[0].push(first(there(key)));
        found[1].push(first(Uuid::new_v4()));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_answered_alike_for_what_is_another_teams_and_for_what_is_not_there() {
    let world = World::new().await;
    let mine = world.team("carl").await;
    let (carl, a) = (mine.owner, world.a);
    sqlx::query("insert into environment_variables (application_id, name, value) values ($1, 'TAKEN', 'v')")
        .bind(a.application)
        .execute(&world.pool)
        .await
        .unwrap();
    // Who belongs to a team of Carl's without a right there.
    let vera = world.person("vera").await;
    world.join(mine.id, vera, "viewer").await;
    let all = keys(&world).await;
    let mut tried = BTreeSet::new();
    for most in [1000, 0] {
        sqlx::query("update row_limits set most = $1").bind(most).execute(&world.pool).await.unwrap();
        for (table, may) in &writable() {
            let of_table: Vec<&Key> =
                all.iter().filter(|key| key.table == *table && may.insert.contains(&key.column)).collect();
            let (first, last): (Vec<&Key>, Vec<&Key>) =
                of_table.iter().copied().partition(|key| ["teams", "projects", "applications"].contains(&&*key.parent));
            for key in first.into_iter().chain(last) {
                tried.insert(format!("{table}.{}", key.column));
                // Whoever may invite may name anybody.
                let who = if key.parent == TO_PEOPLE { vera } else { carl };
                let stranger = world.person(&format!("s{}", Uuid::new_v4().simple())).await;
                let [there, not_there] = rows(table, &of_table, key, &mine, &a, stranger);
                for (there, not_there) in there.iter().zip(&not_there) {
                    let (there, not_there) =
                        (answers(&world, who, table, there).await, answers(&world, who, table, not_there).await);
                    assert_eq!(there, not_there, "{table}.{}", key.column);
                    if most > 0 && key.parent != TO_PEOPLE {
                        assert!(there[0].contains(&*key.column) || there[0].contains("there is no such"), "{there:?}");
                    }
                }
            }
        }
    }
    let expected = [
        "applications.cluster_id",
        "applications.project_id",
        "environment_variables.application_id",
        "environment_variables.secret_id",
        "projects.team_id",
        "team_members.team_id",
        "team_members.user_id",
    ];
    assert_eq!(tried, expected.map(str::to_owned).into(), "each of them was tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_moved_tells_no_more() {
    let world = World::new().await;
    let mine = world.team("carl").await;
    let variable: Uuid = sqlx::query_scalar(
        "insert into environment_variables (application_id, name, secret_id) values ($1, 'OWN', $2) returning id",
    )
    .bind(mine.application)
    .bind(mine.secret)
    .fetch_one(&world.pool)
    .await
    .unwrap();
    let mut tried = BTreeSet::new();
    let all = keys(&world).await;
    for (table, may) in &writable() {
        for key in all.iter().filter(|key| key.table == *table && may.update.contains(&key.column)) {
            tried.insert(format!("{table}.{}", key.column));
            let row = match table.as_str() {
                "applications" => mine.application,
                "environment_variables" => variable,
                other => panic!("a user may move a row of {other}: say here which"),
            };
            let moved = async |to: Uuid| world.update(mine.owner, table, row, json!({ &key.column: to })).await;
            let (there, not_there) = (moved(parent(&world.a, &key.parent)).await, moved(Uuid::new_v4()).await);
            assert!(refused(&there), "{there}");
            assert_eq!(there, not_there, "{table}.{}", key.column);
        }
    }
    assert_eq!(tried, ["applications.cluster_id", "environment_variables.secret_id"].map(str::to_owned).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_that_judges_a_new_row_is_whether_its_place_is_seen() {
    let world = World::new().await;
    for (table, may) in &writable() {
        if may.insert.is_empty() || table == "teams" {
            continue;
        }
        // Of the type of a trigger, 2 is before and 4 is on insert.
        let first: String = sqlx::query_scalar(
            "select tgname::text from pg_trigger where tgrelid::regclass::text = $1 and tgtype & 6 = 6 order by tgname limit 1",
        )
        .bind(table)
        .fetch_one(&world.pool)
        .await
        .unwrap();
        assert_eq!(first, format!("{table}_access"), "a user may insert into {table}");
    }
}

const FAILED: &str = "check constraint of an insert/update permission has failed";

/// The rows that a person who knows the ids of a team would put there.
fn of_team(team: &Team, stranger: Uuid) -> [(&'static str, Value); 4] {
    [
        ("projects", json!({ "team_id": team.id, "name": "n" })),
        ("applications", json!({ "project_id": team.project, "name": "n" })),
        ("environment_variables", json!({ "application_id": team.application, "name": "N", "value": "v" })),
        ("team_members", json!({ "team_id": team.id, "user_id": stranger, "role": "viewer" })),
    ]
}

/// Inserts a row as Hasura does, with what a person's session says, and gives the SQLSTATE of a refusal.
async fn put(connection: &mut PgConnection, user: Uuid, table: &str, row: &Value) -> Option<String> {
    let session = json!({ "x-hasura-role": "user", "x-hasura-user-id": user }).to_string();
    sqlx::query("begin").execute(&mut *connection).await.unwrap();
    sqlx::query("select set_config('hasura.user', $1, true), set_config('lock_timeout', '50ms', true)")
        .bind(session)
        .execute(&mut *connection)
        .await
        .unwrap();
    let columns: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
    let columns = columns.join(", ");
    let insert =
        format!("insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, $1)");
    let done = sqlx::query(sqlx::AssertSqlSafe(insert)).bind(row).execute(&mut *connection).await;
    sqlx::query("rollback").execute(connection).await.unwrap();
    done.err().map(|error| error.as_database_error().unwrap().code().unwrap().into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_refused_waits_for_nobody_who_writes_in_the_team() {
    let world = World::new().await;
    let (vera, carol) = (world.person("vera").await, world.person("carol").await);
    world.join(world.a.id, vera, "viewer").await;
    let mut connection = world.pool.acquire().await.unwrap();
    // As those do who write in the team just now.
    let mut held = world.pool.begin().await.unwrap();
    for table in ["teams", "projects", "applications", "users"] {
        let lock = format!("select 1 from {table} for no key update");
        sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut *held).await.unwrap();
    }
    for (table, row) in of_team(&world.a, carol) {
        let put = async |connection: &mut PgConnection, user| put(connection, user, table, &row).await;
        // Whoever may write there waits for them.
        assert_eq!(put(&mut connection, world.a.owner).await.as_deref(), Some("55P03"), "{table}");
        assert_eq!(put(&mut connection, world.eve).await.as_deref(), Some("23514"), "{table}");
        // The permission refuses it once it is written.
        let unseen = (table == "team_members").then_some("23514");
        assert_eq!(put(&mut connection, vera).await.as_deref(), unseen, "{table}");
    }
    let fellow = json!({ "team_id": world.a.id, "user_id": world.b.owner, "role": "viewer" });
    assert_eq!(put(&mut connection, vera, "team_members", &fellow).await.as_deref(), Some("23505"));
    drop(held);
    drop(connection);
    for (table, row) in of_team(&world.a, carol) {
        let said = world.insert(vera, table, row).await;
        let expected = if table == "team_members" { "user_id: there is no such user" } else { FAILED };
        assert!(said["errors"][0]["message"].as_str().unwrap().ends_with(expected), "{table}: {said}");
    }
}
