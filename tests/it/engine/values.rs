//! Values of enum tables under both naming conventions, and comparisons of values cast to another type.

use northstack::engine::{Engine, Request, Session};
use serde_json::{Value, json};

use super::{ask, engine};

async fn admin(engine: &Engine, query: &str, variables: Value) -> Value {
    ask(engine, &Session::admin(), &Request::new(query).with_variables(variables)).await
}

fn document(tables: Value, naming: Option<&str>) -> Value {
    let configuration = json!({"connection_info": {"database_url": {"from_env": "DATABASE"}}});
    let mut source = json!({"name": "default", "kind": "postgres", "tables": tables, "configuration": configuration});
    if let Some(naming) = naming {
        source["customization"] = json!({"naming_convention": naming});
    }
    json!({"version": 3, "sources": [source]})
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_enum_tables_are_in_upper_case_under_the_graphql_convention_and_stored_as_they_are() {
    let setup = "create table paint_colour (value text primary key, comment text);
        insert into paint_colour values ('red', 'Like blood'), ('dark_blue', null);
        create table car_body (id int primary key, body_colour text references paint_colour (value));
        insert into car_body values (1, 'red'), (2, 'dark_blue');";
    let tables = json!([
        {"table": "paint_colour", "is_enum": true},
        {"table": "car_body"},
    ]);
    let engine = engine(setup, &document(tables, Some("graphql-default"))).await;
    assert!(engine.state().inconsistencies.is_empty(), "{:?}", engine.state().inconsistencies);
    let shown =
        admin(&engine, "{ __type(name: \"PaintColourEnum\") { enumValues { name description } } }", json!({})).await;
    let values = json!([{"name": "DARK_BLUE", "description": null}, {"name": "RED", "description": "Like blood"}]);
    assert_eq!(shown["data"]["__type"]["enumValues"], values, "{shown}");
    let one = json!({"data": {"carBody": [{"id": 2, "bodyColour": "dark_blue"}]}});
    for (query, variables) in [
        ("{ carBody(where: {bodyColour: {_eq: DARK_BLUE}}) { id bodyColour } }", json!({})),
        ("{ carBody(where: {bodyColour: {_in: [DARK_BLUE]}}, orderBy: {id: DESC}) { id bodyColour } }", json!({})),
        (
            "query ($c: PaintColourEnum!) { carBody(where: {bodyColour: {_eq: $c}}) { id bodyColour } }",
            json!({"c": "DARK_BLUE"}),
        ),
    ] {
        assert_eq!(admin(&engine, query, variables).await, one, "{query}");
    }
    let insert = "mutation { insertCarBodyOne(object: {id: 3, bodyColour: DARK_BLUE}) { bodyColour } }";
    let got = admin(&engine, insert, json!({})).await;
    assert_eq!(got, json!({"data": {"insertCarBodyOne": {"bodyColour": "dark_blue"}}}));
    let update = "mutation ($c: PaintColourEnum) { updateCarBodyByPk(pkColumns: {id: 3}, _set: {bodyColour: $c}) { bodyColour } }";
    let got = admin(&engine, update, json!({"c": "RED"})).await;
    assert_eq!(got, json!({"data": {"updateCarBodyByPk": {"bodyColour": "red"}}}));
    let got = admin(&engine, "{ carBody(where: {bodyColour: {_eq: red}}) { id } }", json!({})).await;
    let message = "expected one of the values ['DARK_BLUE', 'RED'] for type 'PaintColourEnum', but found 'red'";
    let path = "$.selectionSet.carBody.args.where.bodyColour._eq";
    assert_eq!(
        got,
        json!({"errors": [{"message": message, "extensions": {"path": path, "code": "validation-failed"}}]})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_compared_as_text_by_a_cast() {
    let setup = "create table docs (id int primary key, body jsonb);
        insert into docs values (1, '{\"a\": \"found\"}'), (2, '[1, 2]'), (3, null);";
    let engine = engine(setup, &document(json!([{"table": "docs"}]), None)).await;
    for (filter, ids) in [
        ("{_cast: {String: {_like: \"%found%\"}}}", json!([{"id": 1}])),
        ("{_cast: {String: {_eq: \"[1, 2]\"}}}", json!([{"id": 2}])),
        ("{_cast: {String: {_is_null: true}}}", json!([{"id": 3}])),
        ("{_cast: {String: {_like: \"%1%\", _nlike: \"%found%\"}}, _contains: 1}", json!([{"id": 2}])),
        ("{_cast: {}}", json!([{"id": 1}, {"id": 2}, {"id": 3}])),
    ] {
        let query = format!("{{ docs(where: {{body: {filter}}}, order_by: {{id: asc}}) {{ id }} }}");
        assert_eq!(admin(&engine, &query, json!({})).await, json!({"data": {"docs": ids}}), "{filter}");
    }
    let query = "query ($cast: jsonb_cast_exp!) { docs(where: {body: {_cast: $cast}}) { id } }";
    let got = admin(&engine, query, json!({"cast": {"String": {"_ilike": "%FOUND%"}}})).await;
    assert_eq!(got, json!({"data": {"docs": [{"id": 1}]}}));
    let got = admin(&engine, "{ docs(where: {body: {_cast: {text: {}}}}) { id } }", json!({})).await;
    assert_eq!(got["errors"][0]["message"], "field 'text' not found in type: 'jsonb_cast_exp'", "{got}");
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_compared_as_the_other_kind_of_place_by_a_cast() {
    let empty = engine("", &document(json!([]), None)).await;
    let available: bool =
        sqlx::query_scalar("select exists (select from pg_available_extensions where name = 'postgis')")
            .fetch_one(empty.pool())
            .await
            .unwrap();
    if !available {
        println!("skipped: PostGIS is not installed beside this database");
        return;
    }
    let setup = "create extension postgis;
        create table places (id int primary key, flat geometry(Point, 4326), round geography(Point));
        insert into places values (1, 'SRID=4326;POINT(0 0)', 'POINT(0 0)'), (2, 'SRID=4326;POINT(1 0)', 'POINT(1 0)');";
    let engine = engine(setup, &document(json!([{"table": "places"}]), None)).await;
    let crs = json!({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4326"}});
    let point = json!({"type": "Point", "coordinates": [0, 0], "crs": crs});
    let square =
        json!({"type": "Polygon", "coordinates": [[[-1, -1], [0.5, -1], [0.5, 1], [-1, 1], [-1, -1]]], "crs": crs});
    let first = json!({"data": {"places": [{"id": 1}]}});
    for (query, variables) in [
        // A degree is some 111 km: flat distances are in degrees, round ones in metres.
        (
            "query ($p: geography!) { places(where: {flat: {_cast: {geography: {_st_d_within: {from: $p, distance: 1000}}}}}) { id } }",
            json!({"p": point}),
        ),
        (
            "query ($s: geometry!) { places(where: {round: {_cast: {geometry: {_st_within: $s}}}}) { id } }",
            json!({"s": square}),
        ),
    ] {
        assert_eq!(admin(&engine, query, variables).await, first, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rasters_are_found_by_what_they_meet() {
    let empty = engine("", &document(json!([]), None)).await;
    let available: bool =
        sqlx::query_scalar("select exists (select from pg_available_extensions where name = 'postgis_raster')")
            .fetch_one(empty.pool())
            .await
            .unwrap();
    if !available {
        println!("skipped: PostGIS's rasters are not installed beside this database");
        return;
    }
    // Ten by ten, from (0, 10) and from (100, 10); the second's band has values in its lower left pixel only.
    let setup = "create extension postgis; create extension postgis_raster;
        create table scans (id int primary key, scan raster);
        insert into scans
        select 1, st_addband(st_makeemptyraster(10, 10, 0, 10, 1, -1, 0, 0, 4326), '8BUI'::text, 1, 0)
        union all
        select 2, st_setvalue(st_addband(st_makeemptyraster(10, 10, 100, 10, 1, -1, 0, 0, 4326), '8BUI'::text, 0, 0), 1, 1, 10, 7);";
    let permission =
        json!({"_st_intersects_nband_geom": {"nband": 1, "geommin": {"type": "Point", "coordinates": [5, 5]}}});
    let tables = json!([{"table": "scans", "select_permissions": [
        {"role": "user", "permission": {"columns": ["id"], "filter": {"scan": permission}}}]}]);
    let engine = engine(setup, &document(tables, None)).await;
    let raster: String =
        sqlx::query_scalar("select scan::text from scans where id = 1").fetch_one(engine.pool()).await.unwrap();
    let point = |x: f64, y: f64| json!({"type": "Point", "coordinates": [x, y]});
    let ids = |ids: &[i32]| json!({"data": {"scans": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()}});
    let nband =
        "query ($g: geometry!) { scans(where: {scan: {_st_intersects_nband_geom: {nband: 1, geommin: $g}}}) { id } }";
    let hull = "query ($g: geometry!) { scans(where: {scan: {_st_intersects_geom_nband: {geommin: $g}}}) { id } }";
    let meets = "query ($r: raster) { scans(where: {scan: {_st_intersects_rast: $r}}) { id } }";
    for (query, variables, found) in [
        (meets, json!({"r": raster}), &[1][..]),
        (nband, json!({"g": point(5.0, 5.0)}), &[1]),
        (nband, json!({"g": point(105.0, 5.0)}), &[]),
        (nband, json!({"g": point(100.5, 0.5)}), &[2]),
        (hull, json!({"g": point(105.0, 5.0)}), &[2]),
    ] {
        assert_eq!(admin(&engine, query, variables.clone()).await, ids(found), "{query} {variables}");
    }
    let user = Session::new("user", [] as [(&str, &str); 0]);
    let seen = ask(&engine, &user, &Request::new("{ scans { id } }")).await;
    assert_eq!(seen, ids(&[1]));
    let refused =
        admin(&engine, "{ scans(where: {scan: {_st_intersects_nband_geom: {geommin: {}}}}) { id } }", json!({})).await;
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("nband"), "{refused}");
}
