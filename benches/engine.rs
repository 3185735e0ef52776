//! What the engine itself costs, without network and database: planning, printing, writing.
//!
//! `DATABASE_URL=postgres://… cargo bench --bench engine`
//!
//! The database is asked once for its catalogue, so it needs the migrations. `METADATA` (default `hasura/metadata`) and
//! `QUERIES` (a JSON object of `{"hasura": document, "vars": {name: …}}` by name) measure other schemas and documents.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use northstack::engine::execute::{Elements, Writer};
use northstack::engine::plan::{Answer, Shape};
use northstack::engine::sql::{Alias, Expr, From, Join, Order, Origin, Parameters, Select, Statement, print};
use northstack::engine::{Engine, EngineOptions, MetadataSource, NoCallers, Request, Session, State};
use serde_json::{Map, Value, json};
use sqlx::Row;
use sqlx::postgres::{PgPoolOptions, PgRow};

/// Two documents of the portal.
const DOCUMENTS: [(&str, &str); 2] = [
    ("store by key", "query ($id: uuid!) { stores_by_pk(id: $id) { id name status url created_at } }"),
    (
        "stores with steps",
        "query ($status: String!) { stores(where: {status: {_eq: $status}}, order_by: {created_at: desc}, limit: 20) {
           id name status url operations(order_by: {created_at: desc}, limit: 1) {
             id status steps(order_by: {ordinal: asc}) { title status detail } } } }",
    ),
];

/// Rows of the list that is written.
const ROWS: usize = 500;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    printing(&mut criterion);
    let Some(url) = std::env::var_os("DATABASE_URL") else {
        println!("planning and writing are skipped: DATABASE_URL is not set");
        return Ok(());
    };
    let pool = PgPoolOptions::new().connect(&url.to_string_lossy()).await?;
    let row = sqlx::query(
        "select array(select row(n, 'deployment ' || n, gen_random_uuid(), now(), n * 1.5, n % 2 = 0)
         from generate_series(1, $1) n)",
    );
    writing(&mut criterion, &row.bind(i32::try_from(ROWS)?).fetch_one(&pool).await?)?;
    let metadata = std::env::var("METADATA").unwrap_or_else(|_| "hasura/metadata".to_owned());
    let options = EngineOptions::new(pool, MetadataSource::Directory(metadata.into()));
    let engine = Engine::start(&options, Arc::new(NoCallers)).await?;
    planning(&mut criterion, &engine.state())?;
    criterion.final_summary();
    Ok(())
}

/// A statement of the shape of a list with an object and a list under it.
fn printing(criterion: &mut Criterion) {
    let column = |alias, name: &str| Expr::Column(Alias(alias), name.to_owned());
    let table = |name: &str| Origin::Table(northstack::engine::metadata::QualifiedName::new("public", name));
    let events = Select {
        outputs: vec![(Expr::Row(["seq", "kind", "message"].map(|name| column(2, name)).to_vec()), None)],
        from: Some(From { origin: table("events"), alias: Alias(2) }),
        filter: Some(column(2, "deployment_id").binary("=", column(0, "id"))),
        order: vec![Order { expr: column(2, "seq"), direction: "ASC NULLS LAST" }],
        limit: Some(Expr::Number(5)),
        ..Select::default()
    };
    let mut outputs: Vec<_> =
        ["id", "number", "status", "created_at"].map(|name| (column(0, name), None)).into_iter().collect();
    outputs.extend([(column(1, "name"), None), (Expr::ArrayOf(Box::new(events)), None)]);
    let statement = Statement::Select(Select {
        outputs,
        from: Some(From { origin: table("deployments"), alias: Alias(0) }),
        joins: vec![Join {
            lateral: false,
            from: From { origin: table("applications"), alias: Alias(1) },
            on: column(1, "id").binary("=", column(0, "application_id")),
        }],
        filter: Some(column(0, "status").binary("=", Expr::Param(0, "text".to_owned()))),
        ..Select::default()
    });
    criterion.bench_function("print", |bencher| {
        bencher.iter(|| print(black_box(&statement), Parameters::Direct));
    });
}

/// Records of six columns as a JSON list.
fn writing(criterion: &mut Criterion, row: &PgRow) -> Result<(), Box<dyn Error>> {
    let value = row.try_get_raw(0)?;
    let records = Elements::of(value.as_bytes().map_err(|error| error.to_string())?)?.collect::<Result<Vec<_>, _>>()?;
    let fields = ["number", "name", "id", "at", "cost", "even"];
    let fields = fields.iter().enumerate().map(|(place, name)| (format!("\"{name}\":"), Shape::Value(place)));
    let answer = Answer::List(Shape::Object(None, fields.collect()));
    let writer = Writer { stringify: false };
    criterion.bench_function(&format!("write {ROWS} records"), |bencher| {
        bencher.iter(|| {
            let mut out = Vec::with_capacity(64 * 1024);
            writer.records(&mut out, &answer, black_box(&records)).map(|()| out)
        });
    });
    Ok(())
}

/// Planning a document that is not known, and finding the plan of one that is.
fn planning(criterion: &mut Criterion, state: &State) -> Result<(), Box<dyn Error>> {
    let session = Session::admin();
    for (name, request) in requests()? {
        state.compile(&session, &request)?;
        criterion.bench_function(&format!("plan miss: {name}"), |bencher| {
            bencher.iter(|| state.compile(&session, black_box(&request)));
        });
        criterion.bench_function(&format!("plan hit: {name}"), |bencher| {
            bencher.iter(|| state.plan(&session, black_box(&request)));
        });
    }
    Ok(())
}

fn requests() -> Result<BTreeMap<String, Request>, Box<dyn Error>> {
    let Some(file) = std::env::var_os("QUERIES") else {
        let variables = json!({"id": "0190a0a0-0000-7000-8000-000000000000", "status": "ready"});
        let used = |document: &str| {
            let used =
                variables.as_object().into_iter().flatten().filter(|(name, _)| document.contains(&format!("${name}")));
            Value::Object(used.map(|(name, value)| (name.clone(), value.clone())).collect())
        };
        let requests =
            DOCUMENTS.map(|(name, document)| (name.to_owned(), Request::new(document).with_variables(used(document))));
        return Ok(BTreeMap::from(requests));
    };
    let given: BTreeMap<String, Value> = serde_json::from_slice(&std::fs::read(file)?)?;
    let request = |value: &Value| {
        let document = value["hasura"].as_str().unwrap_or_default();
        let names = value["vars"].as_object().into_iter().flatten().map(|(name, _)| name);
        let example = |name: &String| match document.contains(&format!("${name}: timestamptz")) {
            true => json!("2026-01-01T00:00:00Z"),
            false => json!("0190a0a0-0000-7000-8000-000000000000"),
        };
        let variables: Map<String, Value> = names
            .filter(|name| document.contains(&format!("${name}")))
            .map(|name| (name.clone(), example(name)))
            .collect();
        Request::new(document).with_variables(Value::Object(variables))
    };
    Ok(given.iter().map(|(name, value)| (name.clone(), request(value))).collect())
}
