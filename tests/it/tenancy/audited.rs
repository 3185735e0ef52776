//! What people change in rows is audited under their request, and is done again where another was in the way.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use northstack::engine::{Request, RequestContext, Session};
use serde_json::json;

use super::World;
use crate::stores::at_once::waiting_for_locks;

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_record_of_a_row_names_the_request() {
    let world = World::new().await;
    let owner = world.a.owner.to_string();
    let session = Session::new("user", [("x-hasura-user-id", owner.as_str())]);
    let change = |name: &str| {
        Request::new(format!(
            "mutation {{ update_projects_by_pk(pk_columns: {{ id: \"{}\" }}, _set: {{ name: \"{name}\" }}) {{ id }} }}",
            world.a.project
        ))
    };
    let correlation = async || -> Option<String> {
        let last = "select correlation_id from audit_logs where resource_id = $1 order by chain_position desc limit 1";
        sqlx::query_scalar(last).bind(world.a.project).fetch_one(&world.pool).await.unwrap()
    };
    for (name, id, written) in
        [("one", Some("request-7"), Some("request-7")), ("two", None, None), ("three", Some(&*"x".repeat(129)), None)]
    {
        let request = change(name);
        let mut headers = HeaderMap::new();
        headers.extend(
            id.map(|id| (http::header::HeaderName::from_static("x-request-id"), HeaderValue::from_str(id).unwrap())),
        );
        let planned = world.engine.state().plan(&session, &request).unwrap();
        let context = RequestContext { headers: Arc::new(headers), ..RequestContext::local(session.clone()) };
        world.engine.executor().run(&context, &planned).await.unwrap();
        assert_eq!(correlation().await.as_deref(), written, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_that_a_deadlock_broke_off_is_done_again() {
    let world = World::new().await;
    // Of the two, only the engine's notices that they wait for each other.
    let database: String = sqlx::query_scalar("select current_database()").fetch_one(&world.pool).await.unwrap();
    let mut other = world.pool.begin().await.unwrap();
    sqlx::query("set local deadlock_timeout = '1h'").execute(&mut *other).await.unwrap();
    let patient = format!("alter database \"{database}\" set deadlock_timeout = '5s'");
    sqlx::query(sqlx::AssertSqlSafe(patient)).execute(&world.pool).await.unwrap();
    sqlx::query("select 1 from audit_chains where id = $1 for update")
        .bind(world.a.id)
        .execute(&mut *other)
        .await
        .unwrap();
    let change = world.update(world.a.owner, "applications", world.a.application, json!({ "replicas": 3 }));
    let (changed, ()) = tokio::join!(change, async {
        waiting_for_locks(&world.pool, 1).await;
        sqlx::query("update applications set status = 'failed' where id = $1")
            .bind(world.a.application)
            .execute(&mut *other)
            .await
            .unwrap();
        other.commit().await.unwrap();
    });
    assert_eq!(changed["data"]["update_applications"]["affected_rows"], 1, "{changed}");
    let row: (String, i32) = sqlx::query_as("select status, replicas from applications where id = $1")
        .bind(world.a.application)
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(row, ("failed".to_owned(), 3));
}
