//! The product's own metadata over the product's own schema.

use std::path::Path;
use std::sync::Arc;

use northstack::engine::execute::refresh;
use northstack::engine::plan::{CompiledRoot, Planned};
use northstack::engine::{Engine, EngineOptions, MetadataSource, Request, Session};
use serde_json::{Value, json};

use super::ask;
use super::introspected::Sdl;
use crate::support::database;

const ANNA: &str = "20000000-0000-4000-8000-000000000001";
const BRAM: &str = "20000000-0000-4000-8000-000000000002";
const TEAM_OF_ANNA: &str = "10000000-0000-4000-8000-000000000001";
const TEAM_OF_BRAM: &str = "10000000-0000-4000-8000-000000000002";

async fn engine() -> Engine {
    let pool = sqlx::PgPool::connect_with(database().await).await.unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("hasura/metadata");
    let options = EngineOptions::new(pool, MetadataSource::Directory(directory));
    let remote = include_str!("../../../hasura/remote-schema.graphql").to_owned();
    let engine = Engine::start(&options, Arc::new(Sdl(remote))).await.unwrap();
    for (user, team, name) in [(ANNA, TEAM_OF_ANNA, "Anna"), (BRAM, TEAM_OF_BRAM, "Bram")] {
        let document = "mutation ($user: users_insert_input!, $team: teams_insert_input!) {
            insert_users_one(object: $user) { id }
            insert_teams_one(object: $team) { id }
        }";
        let slug = name.to_lowercase();
        let variables = json!({
            "user": {"id": user, "email": format!("{slug}@example.com"), "name": name},
            "team": {"id": team, "name": name, "slug": slug,
                "members": {"data": [{"user_id": user, "role": "owner"}]}},
        });
        let answer = ask(&engine, &Session::admin(), &Request::new(document).with_variables(variables)).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
    }
    engine
}

fn user(id: &str) -> Session {
    Session::new("user", [("x-hasura-user-id", id)])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_products_metadata_fits_its_schema_and_every_role_has_a_valid_graph() {
    let engine = engine().await;
    let state = engine.state();
    let faults: Vec<String> =
        state.inconsistencies.iter().map(|fault| format!("{}: {}", fault.name, fault.reason)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    for role in &state.model.roles {
        assert_eq!(state.schema(role, false).document().validate(), None, "role {role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_see_their_own_rows_in_every_position() {
    let engine = engine().await;
    let everything = Request::new(
        "{
            teams(order_by: {name: asc}) {
                name
                members(where: {role: {_eq: \"owner\"}}) { user { name } }
                members_aggregate { aggregate { count max { role } } nodes { user_id } }
            }
            users(order_by: {name: desc}, limit: 10) { name }
            mine: teams_by_pk(id: \"10000000-0000-4000-8000-000000000001\") { name }
        }",
    );
    let anna = ask(&engine, &user(ANNA), &everything).await;
    assert_eq!(anna["errors"], Value::Null, "{anna}");
    assert!(!anna.to_string().contains("Bram") && !anna.to_string().contains(BRAM), "{anna}");
    assert_eq!(anna["data"]["mine"]["name"], "Anna");
    let bram = ask(&engine, &user(BRAM), &everything).await;
    assert!(!bram.to_string().contains("Anna") && !bram.to_string().contains(ANNA), "{bram}");
    assert_eq!(bram["data"]["mine"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_subscribers_are_refreshed_by_one_statement() {
    let engine = engine().await;
    let state = engine.state();
    let request =
        Request::new("subscription ($name: String!) { teams(where: {name: {_eq: $name}}) { name members { role } } }");
    let mut plans = Vec::new();
    for (session, name) in [(user(ANNA), "Anna"), (user(BRAM), "Bram"), (user(ANNA), "Bram")] {
        let request = request.clone().with_variables(json!({"name": name}));
        let Planned::Subscription(root) = state.plan(&session, &request).unwrap() else { panic!("a subscription") };
        let CompiledRoot::Live(plan) = root.field else { panic!("a live query") };
        plans.push((plan, root.values));
    }
    let (first, _) = &plans[0];
    assert!(plans.iter().all(|(plan, _)| plan.sql == first.sql), "members share one statement");
    let members: Vec<_> = plans.iter().map(|(_, values)| values).collect();
    let answers = refresh(engine.executor(), first, &members).await.unwrap();
    let texts: Vec<Value> = answers.iter().map(|answer| serde_json::from_slice(&answer.data).unwrap()).collect();
    assert_eq!(texts[0], json!([{"name": "Anna", "members": [{"role": "owner"}]}]));
    assert_eq!(texts[1], json!([{"name": "Bram", "members": [{"role": "owner"}]}]));
    assert_eq!(texts[2], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_after_its_cursor() {
    let engine = engine().await;
    let state = engine.state();
    let request = Request::new(
        "subscription { users_stream(batch_size: 1, cursor: {initial_value: {name: \"A\"}, ordering: ASC}) { name } }",
    );
    let Planned::Subscription(root) = state.plan(&Session::admin(), &request).unwrap() else {
        panic!("a subscription")
    };
    let CompiledRoot::Live(plan) = &root.field else { panic!("a stream") };
    let first = refresh(engine.executor(), plan, &[&root.values]).await.unwrap().remove(0);
    assert_eq!(first.data, br#"[{"name":"Anna"}]"#.as_slice());
    assert_eq!((first.rows, first.cursor.as_deref()), (1, Some("Anna")));

    let cursor = [first.cursor];
    let variables = serde_json::Map::new();
    let session = Session::admin();
    let binder = northstack::engine::plan::Binder {
        cursor: &cursor,
        ..northstack::engine::plan::Binder::new(&session, &variables)
    };
    let values = binder.bind(&plan.params).unwrap();
    let second = refresh(engine.executor(), plan, &[&values]).await.unwrap().remove(0);
    assert_eq!(second.data, br#"[{"name":"Bram"}]"#.as_slice());
}
