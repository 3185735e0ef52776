//! What a role may not see is answered as what is not there.

use northstack::engine::Session;
use serde_json::{Value, json};

use super::World;
use super::generate::Chance;
use super::model::{ID, LOOSE, Model, ROLES, TENANT, TENANTS};
use super::query::literal;
use super::reference::{Reference, Viewer};

/// Seeds whose schemas are probed.
const SEEDS: std::ops::Range<u64> = 1..4;

/// A name that no schema has.
const ABSENT: &str = "nothing_of_this_name";

/// The answers to a document and to the same about something that does not exist, which then takes its name.
async fn both(world: &World, session: &Session, document: &str, hidden: &str) -> (Value, Value) {
    let ask = |name: &str| world.ask(session, (document.replace("HIDDEN", name), json!({})));
    let (shown, absent) = (ask(hidden).await, ask(ABSENT).await);
    let absent = absent.to_string().replace(ABSENT, hidden);
    (shown, serde_json::from_str(&absent).unwrap())
}

fn viewer(role: usize, tenant: usize) -> Viewer {
    Chance::new(0).viewer(role, tenant)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_column_is_answered_as_one_that_does_not_exist() {
    let mut probed = 0;
    for seed in SEEDS {
        let world = World::new(seed).await;
        for (role, role_name) in ROLES.iter().enumerate() {
            let session = viewer(role, 0).session();
            for (place, table) in world.model.tables.iter().enumerate() {
                let Some(permission) = world.model.permission(role, place) else { continue };
                let name = &table.name;
                let mut documents = vec![
                    format!("{{ {name} {{ HIDDEN }} }}"),
                    format!("{{ {name}_by_pk(id: 1) {{ HIDDEN }} }}"),
                    format!("{{ {name}(where: {{HIDDEN: {{_is_null: true}}}}) {{ id }} }}"),
                    format!("{{ {name}(where: {{_not: {{_or: [{{HIDDEN: {{_is_null: true}}}}]}}}}) {{ id }} }}"),
                    format!("{{ {name}(order_by: {{HIDDEN: asc}}) {{ id }} }}"),
                    format!("{{ {name}(distinct_on: HIDDEN) {{ id }} }}"),
                    format!("mutation {{ delete_{name}(where: {{HIDDEN: {{_is_null: true}}}}) {{ affected_rows }} }}"),
                    format!("mutation {{ delete_{name}(where: {{id: {{_eq: 0}}}}) {{ returning {{ HIDDEN }} }} }}"),
                    format!("subscription {{ {name}(where: {{HIDDEN: {{_is_null: true}}}}) {{ id }} }}"),
                ];
                if permission.aggregations {
                    documents.push(format!("{{ {name}_aggregate {{ aggregate {{ max {{ HIDDEN }} }} }} }}"));
                    documents.push(format!("{{ {name}_aggregate {{ aggregate {{ count(columns: HIDDEN) }} }} }}"));
                    documents.push(format!("{{ {name}_aggregate {{ nodes {{ HIDDEN }} }} }}"));
                }
                for relationship in &table.relationships {
                    if relationship.array || world.model.permission(role, relationship.table).is_none() {
                        continue;
                    }
                    // The same through a relationship, when the column is hidden there too.
                    if relationship.table == place {
                        let by = &relationship.name;
                        documents
                            .push(format!("{{ {name}(where: {{{by}: {{HIDDEN: {{_is_null: true}}}}}}) {{ id }} }}"));
                        documents.push(format!("{{ {name}(order_by: {{{by}: {{HIDDEN: asc}}}}) {{ id }} }}"));
                    }
                }
                for (column, _) in permission.columns.iter().enumerate().filter(|(_, visible)| !**visible) {
                    for document in &documents {
                        let hidden = &table.columns[column].name;
                        let (shown, absent) = both(&world, &session, document, hidden).await;
                        assert_eq!(shown, absent, "seed {seed}, {} of {name}: {document}", role_name);
                        assert!(absent["errors"].is_array(), "seed {seed}: {document}: {absent}");
                        probed += 1;
                    }
                }
            }
        }
    }
    assert!(probed > 50, "{probed} probes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_table_and_its_aggregates_are_answered_as_if_they_did_not_exist() {
    let mut probed = 0;
    for seed in SEEDS {
        let world = World::new(seed).await;
        for (role, role_name) in ROLES.iter().enumerate() {
            let session = viewer(role, 0).session();
            for (place, table) in world.model.tables.iter().enumerate() {
                let aggregates = world.model.permission(role, place).map(|permission| permission.aggregations);
                let mut probes = Vec::new();
                if aggregates.is_none() {
                    probes.push((table.name.clone(), "{ HIDDEN { id } }".to_owned()));
                    probes.push((
                        format!("delete_{}", table.name),
                        "mutation { HIDDEN(where: {}) { affected_rows } }".to_owned(),
                    ));
                }
                if aggregates != Some(true) {
                    probes.push((format!("{}_aggregate", table.name), "{ HIDDEN { aggregate { count } } }".to_owned()));
                }
                for (from, other) in world.model.tables.iter().enumerate() {
                    if world.model.permission(role, from).is_none() {
                        continue;
                    }
                    for relationship in other.relationships.iter().filter(|relationship| relationship.table == place) {
                        let name = &other.name;
                        if aggregates.is_none() {
                            for document in [
                                format!("{{ {name} {{ HIDDEN {{ id }} }} }}"),
                                format!("{{ {name}(where: {{HIDDEN: {{}}}}) {{ id }} }}"),
                            ] {
                                probes.push((relationship.name.clone(), document));
                            }
                        }
                        if relationship.array && aggregates != Some(true) {
                            for document in [
                                format!("{{ {name} {{ HIDDEN {{ aggregate {{ count }} }} }} }}"),
                                format!(
                                    "{{ {name}(where: {{HIDDEN: {{count: {{predicate: {{_gt: 0}}}}}}}}) {{ id }} }}"
                                ),
                            ] {
                                probes.push((format!("{}_aggregate", relationship.name), document));
                            }
                        }
                    }
                }
                for (hidden, document) in probes {
                    let (shown, absent) = both(&world, &session, &document, &hidden).await;
                    assert_eq!(shown, absent, "seed {seed}, {}: {hidden} in {document}", role_name);
                    assert!(absent["errors"].is_array(), "seed {seed}: {document}: {absent}");
                    probed += 1;
                }
            }
        }
    }
    assert!(probed > 10, "{probed} probes");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_row_is_answered_as_one_that_does_not_exist() {
    let mut probed = 0;
    for seed in SEEDS {
        let world = World::new(seed).await;
        for (role, role_name) in ROLES.iter().enumerate().take(LOOSE) {
            for (tenant, own) in TENANTS.iter().enumerate() {
                let viewer = viewer(role, tenant);
                let session = viewer.session();
                for (place, table) in world.model.tables.iter().enumerate() {
                    if world.model.permission(role, place).is_none() {
                        continue;
                    }
                    let name = &table.name;
                    let theirs = table.rows.iter().filter(|row| row[TENANT] != *own);
                    for row in theirs {
                        assert!(!Reference { model: &world.model, viewer: &viewer }.sees(place, row));
                        for document in [
                            format!("{{ {name}_by_pk(id: HIDDEN) {{ id }} }}"),
                            format!("{{ {name}(where: {{id: {{_eq: HIDDEN}}}}) {{ id }} }}"),
                            format!("mutation {{ delete_{name}_by_pk(id: HIDDEN) {{ id }} }}"),
                            format!(
                                "mutation {{ update_{name}_by_pk(pk_columns: {{id: HIDDEN}}, \
                                 _set: {{tenant: \"{}\"}}) {{ id }} }}",
                                own
                            ),
                            format!(
                                "mutation {{ update_{name}(where: {{id: {{_eq: HIDDEN}}}}, \
                                 _set: {{tenant: \"{}\"}}) {{ affected_rows returning {{ id }} }} }}",
                                own
                            ),
                        ] {
                            let shown =
                                world.ask(&session, (document.replace("HIDDEN", &row[ID].to_string()), json!({})));
                            let absent = world.ask(&session, (document.replace("HIDDEN", "4000"), json!({})));
                            assert_eq!(shown.await, absent.await, "seed {seed}, {}: {document}", role_name);
                            probed += 1;
                        }
                    }
                }
            }
        }
        world.rows_agree().await;
    }
    assert!(probed > 50, "{probed} probes");
}

/// A new row of a tenant as GraphQL writes it, with more fields behind.
fn new_row(
    chance: &mut Chance,
    model: &Model,
    role: usize,
    (table, id, tenant): (usize, &Value, usize),
    more: &str,
) -> String {
    let preset = model.permission(role, table).is_some_and(|permission| permission.preset);
    let mut fields = format!("id: {id}");
    for (place, column) in model.tables[table].columns.iter().enumerate().skip(TENANT) {
        let value = match place {
            TENANT if preset => continue,
            TENANT => TENANTS[tenant].into(),
            _ if column.references.is_some() => continue,
            _ => chance.value(column.kind, tenant),
        };
        fields += &format!(", {}: {}", column.name, literal(&value));
    }
    format!("{{{fields}{more}}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_row_is_neither_taken_over_nor_told_of_by_an_insert() {
    let (mut probed, mut nested) = (0, 0);
    for seed in SEEDS {
        let world = World::new(seed).await;
        let mut chance = Chance::new(seed);
        for (role, tenant) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let session = viewer(role, tenant).session();
            for (place, table) in world.model.tables.iter().enumerate() {
                if world.model.permission(role, place).is_none() {
                    continue;
                }
                let name = &table.name;
                for row in table.rows.iter().filter(|row| row[TENANT] != TENANTS[tenant]) {
                    let object = new_row(&mut chance, &world.model, role, (place, &row[ID], tenant), "");
                    let columns: Vec<&str> =
                        table.columns.iter().skip(TENANT).map(|column| column.name.as_str()).collect();
                    let conflict = format!("{{constraint: {name}_pkey, update_columns: [{}]}}", columns.join(", "));
                    let upsert = format!(
                        "mutation {{ insert_{name}(objects: [{object}], on_conflict: {conflict}) \
                         {{ affected_rows returning {{ id }} }} }}"
                    );
                    let got = world.ask(&session, (upsert.clone(), json!({}))).await;
                    let nothing = json!({"affected_rows": 0, "returning": []});
                    assert_eq!(got["data"][format!("insert_{name}")], nothing, "seed {seed}: {upsert}: {got}");
                    // A key that is taken cannot be hidden, but nothing of its row is told.
                    let insert = format!("mutation {{ insert_{name}_one(object: {object}) {{ id }} }}");
                    let got = world.ask(&session, (insert.clone(), json!({}))).await;
                    assert_eq!(got["errors"][0]["extensions"]["code"], "constraint-violation", "{insert}: {got}");
                    assert!(!got.to_string().contains(TENANTS[1 - tenant]), "seed {seed}: {insert}: {got}");
                    probed += 1;
                }
                for relationship in &table.relationships {
                    let other = world.model.permission(role, relationship.table);
                    if other.is_none_or(|permission| permission.preset) {
                        continue;
                    }
                    let key = json!(900);
                    let inner =
                        new_row(&mut chance, &world.model, role, (relationship.table, &json!(901), 1 - tenant), "");
                    let more = format!(", {}: {{data: {inner}}}", relationship.name);
                    let object = new_row(&mut chance, &world.model, role, (place, &key, tenant), &more);
                    let insert = format!("mutation {{ insert_{name}_one(object: {object}) {{ id }} }}");
                    let got = world.ask(&session, (insert.clone(), json!({}))).await;
                    assert_eq!(
                        got["errors"][0]["extensions"]["code"], "permission-error",
                        "seed {seed}: {insert}: {got}"
                    );
                    nested += 1;
                }
            }
        }
        world.rows_agree().await;
    }
    assert!(probed > 20 && nested > 3, "{probed} keys, {nested} nested inserts");
}
