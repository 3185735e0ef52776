//! How statements reach the database: merged where one scan serves several fields, and again where a connection or a
//! table is no longer what it was.

use northstack::engine::execute::refresh;
use northstack::engine::plan::{CompiledRoot, Planned};
use northstack::engine::{Engine, Request, Session};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::{ask, engine};

async fn parcels() -> Engine {
    let setup = "create table depot (id int primary key, city text not null);
        create table parcel (id int primary key, depot int not null references depot, status text, weight numeric);
        insert into depot values (1, 'Gent'), (2, 'Brugge');
        insert into parcel select n, 1 + n % 2, (array['new', 'sent', 'lost', null])[1 + n % 4], n * 0.5
        from generate_series(1, 40) n";
    let table = |name: &str| json!({"schema": "public", "name": name});
    let metadata = json!({"version": 3, "sources": [{"name": "default", "kind": "postgres",
    "configuration": {"connection_info": {"database_url": "x"}},
    "tables": [
        {"table": table("depot")},
        {"table": table("parcel"),
         "object_relationships": [{"name": "at", "using": {"foreign_key_constraint_on": "depot"}}],
         "select_permissions": [{"role": "clerk", "permission": {"columns": "*", "allow_aggregations": true,
            "filter": {"at": {"city": {"_eq": "X-Hasura-City"}}}}}]},
    ]}]});
    engine(setup, &metadata).await
}

fn clerk() -> Session {
    Session::new("clerk", [("x-hasura-city", "Gent")])
}

/// How many statements an operation takes.
fn statements(engine: &Engine, session: &Session, request: &Request) -> usize {
    let Planned::Query(roots) = engine.state().plan(session, request).unwrap() else { panic!("a query") };
    roots.iter().filter(|root| matches!(root.field, CompiledRoot::Query(_))).count()
}

/// Each field, asked alone and together with the others, gives the same; together they take so many statements.
async fn same_together(engine: &Engine, session: &Session, fields: &[&str], wanted: usize) {
    let ask_for = |fields: &str| {
        let document = format!("query ($depot: Int!) {{ {fields} }}");
        let used = fields.contains("$depot");
        let document = if used { document } else { document.replace(" ($depot: Int!)", "") };
        Request::new(document).with_variables(if used { json!({"depot": 1}) } else { json!({}) })
    };
    let together = ask_for(&fields.join(" "));
    let answer = ask(engine, session, &together).await;
    assert_eq!(statements(engine, session, &together), wanted, "{fields:#?}");
    for field in fields {
        let alone = ask(engine, session, &ask_for(field)).await;
        let (key, value) =
            alone["data"].as_object().unwrap_or_else(|| panic!("{field}: {alone}")).iter().next().unwrap();
        assert_eq!(&answer["data"][key], value, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_of_one_table_share_a_scan_and_give_what_each_gives_alone() {
    let engine = parcels().await;
    let by_status = [
        "total: parcel_aggregate(where: {depot: {_eq: $depot}}) { aggregate { count } }",
        "fresh: parcel_aggregate(where: {depot: {_eq: $depot}, status: {_eq: \"new\"}}) {
            aggregate { n: count(columns: [status], distinct: true) sum { weight } max { status } } __typename }",
        "none: parcel_aggregate(where: {depot: {_eq: $depot}, status: {_eq: \"none\"}}) {
            aggregate { count avg { weight } min { weight } } }",
        "far: parcel_aggregate(where: {depot: {_eq: $depot}, at: {city: {_like: \"B%\"}}}) { aggregate { count } }",
    ];
    for session in [Session::admin(), clerk()] {
        // The clerk does not see depots, and so cannot ask for their city.
        let fields = if session.is_admin() { &by_status[..] } else { &by_status[..3] };
        same_together(&engine, &session, fields, 1).await;
    }
    let apart = [
        "a: parcel_aggregate(where: {id: {_eq: 1}}) { aggregate { count } }",
        "b: parcel_aggregate(where: {id: {_eq: 2}}) { aggregate { count } }",
    ];
    same_together(&engine, &Session::admin(), &apart, 2).await;
    let other_forms = [
        "a: parcel_aggregate { aggregate { count } }",
        "b: parcel_aggregate(limit: 3, order_by: {id: asc}) { aggregate { sum { id } } }",
        "c: parcel_aggregate(where: {id: {_lt: 3}}, order_by: {id: asc}) { nodes { id } aggregate { count } }",
        "d: parcel_aggregate(where: {status: {_is_null: true}}) { aggregate { count } }",
    ];
    same_together(&engine, &Session::admin(), &other_forms, 3).await;
}

/// Ends every connection of the database but the one that asks.
async fn cut(engine: &Engine) {
    let mut other = sqlx::PgPool::connect_with(engine.pool().connect_options().as_ref().clone())
        .await
        .unwrap()
        .acquire()
        .await
        .unwrap()
        .detach();
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    let ended: i64 = sqlx::query_scalar(end).fetch_one(&mut other).await.unwrap();
    assert!(ended > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_replaced_and_no_request_notices() {
    let engine = parcels().await;
    let read = Request::new("{ parcel_by_pk(id: 3) { weight } }");
    let write = Request::new("mutation { update_parcel_by_pk(pk_columns: {id: 3}, _inc: {weight: 1}) { weight } }");
    assert_eq!(ask(&engine, &Session::admin(), &read).await["data"]["parcel_by_pk"]["weight"], json!(1.5));
    cut(&engine).await;
    assert_eq!(ask(&engine, &Session::admin(), &read).await["data"]["parcel_by_pk"]["weight"], json!(1.5));
    cut(&engine).await;
    let answer = ask(&engine, &Session::admin(), &write).await;
    assert_eq!(answer["data"]["update_parcel_by_pk"]["weight"], json!(2.5), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_statement_gives_way_when_its_table_changes() {
    let engine = parcels().await;
    let read = Request::new("{ parcel(where: {id: {_eq: 3}}) { weight } }");
    let write = Request::new("mutation { update_parcel_by_pk(pk_columns: {id: 3}, _inc: {weight: 1}) { weight } }");
    let change = async |ty: &str| {
        let sql = format!("alter table parcel alter weight type {ty}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(engine.pool()).await.unwrap();
    };
    let weight = async |request: &Request| {
        let answer = ask(&engine, &Session::admin(), request).await;
        let found = answer.pointer("/data/parcel/0/weight").or(answer.pointer("/data/update_parcel_by_pk/weight"));
        found.cloned().unwrap_or_else(|| panic!("{answer}"))
    };
    assert_eq!([weight(&read).await, weight(&write).await], [json!(1.5), json!(2.5)]);
    change("float8").await;
    assert_eq!(weight(&read).await, json!(2.5));
    change("numeric").await;
    assert_eq!(weight(&write).await, json!(3.5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_mutation_holds_no_lock() {
    let engine = parcels().await;
    let refused = Request::new(
        "mutation { update_parcel_by_pk(pk_columns: {id: 3}, _set: {weight: 9}) { id }
            insert_depot_one(object: {id: 1, city: \"Gent\"}) { id } }",
    );
    let answer = ask(&engine, &Session::admin(), &refused).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "constraint-violation", "{answer}");
    // Would wait for the row's lock, and be refused at once, if the transaction were still open.
    let free = "select weight::text from parcel where id = 3 for update nowait";
    let weight: String = sqlx::query_scalar(free).fetch_one(engine.pool()).await.unwrap();
    assert_eq!(weight, "1.5");
    assert_eq!(ask(&engine, &Session::admin(), &refused).await["data"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn live_queries_outlast_lost_connections_and_changed_tables() {
    let engine = parcels().await;
    let document = Request::new("subscription { parcel(where: {id: {_eq: 3}}) { weight } }");
    let Planned::Subscription(root) = engine.state().plan(&Session::admin(), &document).unwrap() else {
        panic!("a subscription")
    };
    let CompiledRoot::Live(plan) = &root.field else { panic!("a live query") };
    let read = async || {
        let refreshed = refresh(engine.executor(), plan, &[&root.values]).await;
        serde_json::from_slice::<Value>(&refreshed.unwrap().remove(0).data).unwrap()
    };
    assert_eq!(read().await, json!([{"weight": 1.5}]));
    cut(&engine).await;
    assert_eq!(read().await, json!([{"weight": 1.5}]));
    let change = "alter table parcel drop weight, add weight text not null default 'heavy'";
    sqlx::raw_sql(change).execute(engine.pool()).await.unwrap();
    assert_eq!(read().await, json!([{"weight": "heavy"}]));
}
