//! I14, F21: whatever is done to the audit trail by SQL is found.

use std::process::Command;

use northstack::app::audit::{Fault, verify};
use northstack::bus::Bus;
use northstack::db::{Audit, Db, audit};
use northstack::domain::Actor;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::bus::private;
use super::{database, settings};
use crate::support;

/// A database with three chains of records.
async fn trail() -> (Db, Uuid) {
    let db = database().await;
    let mut first = Uuid::nil();
    for name in ["one", "two"] {
        let team = sqlx::query_scalar("insert into teams (name, slug) values ($1, $1) returning id").bind(name);
        let team: Uuid = team.fetch_one(db.pool()).await.unwrap();
        first = if first.is_nil() { team } else { first };
        let by = &Audit { actor: Actor::User(Uuid::new_v4()), correlation_id: Some("request-1".into()) };
        for number in 0..8 {
            db.transaction(by, async |mut tx| {
                audit::append(&mut tx, team, "reveal", "secrets", team, &json!({ "number": number, "text": "ü\u{1}" }))
                    .await
            })
            .await
            .unwrap();
        }
    }
    let by = &Audit::system(None);
    db.transaction(by, async |mut tx| audit::append(&mut tx, None, "start", "platform", Uuid::nil(), &json!({})).await)
        .await
        .unwrap();
    for statement in [
        "create table kept_logs as table audit_logs",
        "create table kept_chains as table audit_chains",
        // What somebody with all rights would do first.
        "alter table audit_logs disable trigger user",
    ] {
        sqlx::query(statement).execute(db.pool()).await.unwrap();
    }
    (db, first)
}

async fn run(db: &Db, statement: &str) {
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(db.pool()).await.unwrap();
}

async fn restore(db: &Db) {
    for statement in [
        "truncate audit_logs",
        "insert into audit_logs select * from kept_logs",
        "truncate audit_chains",
        "insert into audit_chains select * from kept_chains",
    ] {
        run(db, statement).await;
    }
}

async fn faults(db: &Db, bus: Option<&Bus>) -> Vec<(Fault, i64)> {
    let report = verify(db.pool(), bus).await.unwrap();
    report.findings.iter().map(|finding| (finding.fault, finding.position)).collect()
}

/// Ends a team's chain at a place, and makes its head say so: by the database alone that is a whole, shorter chain.
const CUT_WITH_HEAD: [&str; 2] = [
    "delete from audit_logs where chain_id = $ and chain_position > 6",
    "update audit_chains set length = 6, head = (select hash from audit_logs where chain_id = $ and chain_position = 6)
     where id = $",
];

#[tokio::test]
async fn every_change_deletion_exchange_and_cut_is_found() {
    let (db, team) = trail().await;
    let report = verify(db.pool(), None).await.unwrap();
    assert_eq!((report.chains, report.records, report.findings.len()), (3, 2 * 9 + 1, 0), "{report:?}");

    let of = format!("chain_id = '{team}'");
    for (what, statement, expected) in [
        (
            "details",
            format!("update audit_logs set details = '{{}}' where {of} and chain_position = 4"),
            vec![(Fault::Changed, 4)],
        ),
        (
            "actor",
            format!("update audit_logs set actor_id = null where {of} and chain_position = 4"),
            vec![(Fault::Changed, 4)],
        ),
        (
            "time",
            format!(
                "update audit_logs set created_at = created_at + interval '1 microsecond' where {of} and chain_position = 9"
            ),
            vec![(Fault::Changed, 9)],
        ),
        (
            "after",
            format!("update audit_logs set after = '{{}}' where {of} and chain_position = 1"),
            vec![(Fault::Changed, 1)],
        ),
        (
            "a new hash for what was changed",
            format!(
                "update audit_logs r set action = 'x', hash = northstack_audit_hash(row(r.id, r.chain_id, r.chain_position, \
                 r.team_id, r.actor_id, r.actor_role, 'x', r.resource_type, r.resource_id, r.before, r.after, r.details, \
                 r.correlation_id, r.previous_hash, r.hash, r.created_at, r.updated_at)::audit_logs) \
                 where {of} and chain_position = 4"
            ),
            vec![(Fault::Unlinked, 5)],
        ),
        ("deletion", format!("delete from audit_logs where {of} and chain_position = 4"), vec![(Fault::Missing, 5)]),
        (
            "deletion of the first",
            format!("delete from audit_logs where {of} and chain_position = 1"),
            vec![(Fault::Missing, 2)],
        ),
        ("the end cut", format!("delete from audit_logs where {of} and chain_position > 6"), vec![(Fault::Cut, 6)]),
        ("all gone", format!("delete from audit_logs where {of}"), vec![(Fault::Cut, 0)]),
        ("the head gone", format!("delete from audit_chains where id = '{team}'"), vec![(Fault::Headless, 9)]),
    ] {
        run(&db, &statement).await;
        assert_eq!(faults(&db, None).await, expected, "{what}");
        restore(&db).await;
    }

    // Two records change places.
    run(&db, &format!("update audit_logs set chain_position = -1 where {of} and chain_position = 3")).await;
    run(&db, &format!("update audit_logs set chain_position = 3 where {of} and chain_position = 4")).await;
    run(&db, &format!("update audit_logs set chain_position = 4 where {of} and chain_position = -1")).await;
    let found = faults(&db, None).await;
    assert!(found.contains(&(Fault::Changed, 3)) && found.contains(&(Fault::Unlinked, 3)), "{found:?}");
    assert!(found.contains(&(Fault::Changed, 4)) && found.contains(&(Fault::Unlinked, 4)), "{found:?}");
    restore(&db).await;

    // A record is put in.
    run(
        &db,
        &format!(
            "insert into audit_logs select gen_random_uuid(), chain_id, 10, team_id, actor_id, actor_role, 'forged', \
         resource_type, resource_id, before, after, details, correlation_id, hash, hash, created_at, updated_at \
         from audit_logs where {of} and chain_position = 9"
        ),
    )
    .await;
    assert_eq!(faults(&db, None).await, [(Fault::Changed, 10)]);
    restore(&db).await;
    assert_eq!(faults(&db, None).await, []);
    db.close().await;
}

#[tokio::test]
async fn a_cut_with_its_head_and_a_chain_made_anew_are_found_by_the_events() {
    let (db, team) = trail().await;
    let private = private().await;
    let bus = Bus::connect(&private.config).await.unwrap();
    let rows: Vec<Value> = sqlx::query_scalar("select to_jsonb(r) from audit_logs r order by created_at")
        .fetch_all(db.pool())
        .await
        .unwrap();
    for row in &rows {
        let trigger = json!({
            "id": Uuid::new_v4(), "created_at": "2026-11-21T21:02:59.418862",
            "table": { "schema": "public", "name": "audit_logs" },
            "event": { "op": "INSERT", "data": { "old": null, "new": row } },
        });
        bus.publish_trigger(&serde_json::from_value(trigger).unwrap()).await.unwrap();
    }
    let report = verify(db.pool(), Some(&bus)).await.unwrap();
    assert_eq!((report.events, report.findings.len()), (Some(rows.len()), 0), "{report:?}");

    for statement in CUT_WITH_HEAD {
        run(&db, &statement.replace('$', &format!("'{team}'"))).await;
    }
    assert_eq!(faults(&db, None).await, [], "the database alone cannot know");
    assert_eq!(faults(&db, Some(&bus)).await, [(Fault::Forgotten, 7), (Fault::Forgotten, 8), (Fault::Forgotten, 9)]);
    restore(&db).await;

    // The whole chain is written anew from a changed record on, hashes and head included.
    let of = format!("chain_id = '{team}'");
    run(&db, &format!("update audit_logs set action = 'nothing' where {of} and chain_position = 5")).await;
    for position in 5..=9 {
        run(&db, &format!(
            "update audit_logs set previous_hash = (select hash from audit_logs where {of} and chain_position = {position} - 1) \
             where {of} and chain_position = {position}"
        ))
        .await;
        run(
            &db,
            &format!(
                "update audit_logs r set hash = northstack_audit_hash(r) where {of} and chain_position = {position}"
            ),
        )
        .await;
    }
    run(&db, &format!(
        "update audit_chains set head = (select hash from audit_logs where {of} and chain_position = 9) where id = '{team}'"
    ))
    .await;
    assert_eq!(faults(&db, None).await, []);
    let rewritten: Vec<(Fault, i64)> = (5..=9).map(|position| (Fault::Rewritten, position)).collect();
    assert_eq!(faults(&db, Some(&bus)).await, rewritten);
    db.close().await;
}

#[tokio::test]
async fn a_record_that_the_bus_was_never_told_of_is_named() {
    let (db, team) = trail().await;
    let private = private().await;
    let bus = Bus::connect(&private.config).await.unwrap();
    // As long ago as no event is still under way.
    run(&db, "update audit_logs set created_at = created_at - interval '1 hour'").await;
    let rows: Vec<(Uuid, i64, Value)> = sqlx::query_as(
        "select chain_id, chain_position, to_jsonb(r) from audit_logs r order by created_at, chain_position",
    )
    .fetch_all(db.pool())
    .await
    .unwrap();
    let told = async |row: &Value| {
        let trigger = json!({
            "id": Uuid::new_v4(), "created_at": "2026-11-21T21:02:59.418862",
            "table": { "schema": "public", "name": "audit_logs" },
            "event": { "op": "INSERT", "data": { "old": null, "new": row } },
        });
        bus.publish_trigger(&serde_json::from_value(trigger).unwrap()).await.unwrap();
    };
    let lost = |chain: &Uuid, position: &i64| *chain == team && [4, 7].contains(position);
    for (chain, position, row) in &rows {
        if !lost(chain, position) {
            told(row).await;
        }
    }
    let untold = async || {
        let report = verify(db.pool(), Some(&bus)).await.unwrap();
        let untold = report.findings.into_iter().filter(|finding| finding.fault == Fault::Untold);
        untold.map(|finding| finding.position).collect::<Vec<_>>()
    };
    assert_eq!(untold().await, [4, 7]);
    for (chain, position, row) in &rows {
        if lost(chain, position) {
            told(row).await;
        }
    }
    assert_eq!(untold().await, [] as [i64; 0]);
    db.close().await;
}

#[tokio::test]
async fn many_short_chains_are_walked_together() {
    let db = database().await;
    // More than a page of them, so that one page ends within what the next goes on with.
    run(&db, "insert into teams (name, slug) select 'team', 'team-' || n from generate_series(1, 700) n").await;
    run(&db, "update teams set name = 'renamed'").await;
    let report = verify(db.pool(), None).await.unwrap();
    assert_eq!((report.chains, report.records, report.findings.len()), (700, 1_400, 0));
    let team: Uuid =
        sqlx::query_scalar("select max(chain_id::text)::uuid from audit_logs").fetch_one(db.pool()).await.unwrap();
    run(&db, "alter table audit_logs disable trigger user").await;
    run(&db, &format!("delete from audit_logs where chain_id = '{team}' and chain_position = 1")).await;
    assert_eq!(faults(&db, None).await, [(Fault::Missing, 2)]);
    db.close().await;
}

#[tokio::test]
async fn the_command_line_tells_by_its_exit_code() {
    let options = support::database().await;
    let db = Db::connect(&settings(&options)).await.unwrap();
    run(&db, "insert into teams (name, slug) values ('one', 'one')").await;
    let verify = || {
        let output = Command::new(env!("CARGO_BIN_EXE_northstack"))
            .args(["audit", "verify", "--without-events", "--output", "json"])
            .env("NORTHSTACK_DATABASE__HOSTS", options.get_host())
            .env("NORTHSTACK_DATABASE__PORT", options.get_port().to_string())
            .env("NORTHSTACK_DATABASE__DATABASE", options.get_database().unwrap())
            .env("NORTHSTACK_DATABASE__USER", options.get_username())
            .env("NORTHSTACK_DATABASE__PASSWORD", "integration-test")
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), report)
    };
    let (code, report) = verify();
    assert_eq!((code, &report["records"], &report["findings"]), (Some(0), &json!(1), &json!([])), "{report}");
    run(&db, "alter table audit_logs disable trigger user").await;
    run(&db, "update audit_logs set action = 'nothing'").await;
    let (code, report) = verify();
    assert_eq!((code, &report["findings"][0]["fault"]), (Some(6), &json!("changed")), "{report}");
    db.close().await;
}
