//! Whether the audit trail is whole: every record unchanged, linked to its predecessor, and none missing; and whether
//! it still holds what the event bus was told of it.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

use crate::bus::{Bus, Replay, streams};
use crate::db::audit_chain::{self, Chain, Record};
use crate::domain::Result;

/// Records and events read in one go.
const PAGE: usize = 1_000;

/// What is wrong with a record or a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Fault {
    /// The record's content is not what was hashed.
    Changed,
    /// The record does not follow on the one before it.
    Unlinked,
    /// Records between the one before and this one are gone.
    Missing,
    /// The chain ends before its head says so, or with another record.
    Cut,
    /// The chain has no head.
    Headless,
    /// The event bus was told of a record that is not there.
    Forgotten,
    /// The record is not the one that the event bus was told of.
    Rewritten,
}

/// One fault, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub fault: Fault,
    /// The chain: a team's id, or nil for the platform's.
    pub chain: Uuid,
    /// The place in the chain.
    pub position: i64,
    /// The record, where there is one.
    pub record: Option<Uuid>,
}

/// What a verification saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Chains walked.
    pub chains: usize,
    /// Records read.
    pub records: usize,
    /// Records that the event bus was told of and that were compared; none when it was not asked.
    pub events: Option<usize>,
    /// What is wrong, by chain and place.
    pub findings: Vec<Finding>,
}

/// Walks every chain, and compares it with the stream of audit events where a bus is given: without one, the end of a
/// chain that was cut off together with its head is not noticed.
///
/// # Errors
/// `unavailable` when the database or the bus is.
pub async fn verify(pool: &PgPool, bus: Option<&Bus>) -> Result<Report> {
    let mut report = Report::default();
    for chain in audit_chain::chains(pool).await? {
        walk(pool, &chain, &mut report).await?;
        report.chains += 1;
    }
    if let Some(bus) = bus {
        compare(pool, bus, &mut report).await?;
    }
    Ok(report)
}

async fn walk(pool: &PgPool, chain: &Chain, report: &mut Report) -> Result<()> {
    let (mut position, mut hash, mut after) = (0, Vec::new(), i64::MIN);
    loop {
        let page = audit_chain::records(pool, chain.id, after, PAGE as i64).await?;
        for record in &page {
            report.findings.extend(faults(chain.id, record, position, &hash));
            (position, hash, after) = (record.position, record.hash.clone(), record.position);
        }
        report.records += page.len();
        if page.len() < PAGE {
            break;
        }
    }
    // Records may be appended between the look at the head and the look at them.
    let end = match (chain.length, &chain.head) {
        (Some(length), Some(head)) if position == length && *head != hash => Some(Fault::Cut),
        (Some(length), _) if position < length => Some(Fault::Cut),
        (None, _) => Some(Fault::Headless),
        _ => None,
    };
    let end = end.map(|fault| Finding { fault, chain: chain.id, position, record: None });
    report.findings.extend(end);
    Ok(())
}

/// What is wrong with a record that comes after the one at `position` with `hash`.
fn faults(chain: Uuid, record: &Record, position: i64, hash: &[u8]) -> Vec<Finding> {
    let missing = record.position != position + 1;
    let found = [
        (missing, Fault::Missing),
        (!missing && record.previous_hash != hash, Fault::Unlinked),
        (record.hash != record.computed, Fault::Changed),
    ];
    let found = found.into_iter().filter(|(is, _)| *is);
    found.map(|(_, fault)| Finding { fault, chain, position: record.position, record: Some(record.id) }).collect()
}

/// A record, as an event told of it.
struct Told {
    id: Uuid,
    chain: Uuid,
    position: i64,
    hash: String,
}

async fn compare(pool: &PgPool, bus: &Bus, report: &mut Report) -> Result<()> {
    let (mut next, mut compared) = (1, 0);
    loop {
        let replay = Replay { from_sequence: Some(next), ..Replay::all("audit.>", PAGE) };
        let events = bus.get_history(&replay).await?;
        let Some(last) = events.last() else { break };
        next = last.sequence + 1;
        let told: Vec<Told> = events
            .iter()
            .filter(|event| event.stream == streams::AUDIT)
            .filter_map(|event| told(&event.event.data))
            .collect();
        let ids: Vec<Uuid> = told.iter().map(|one| one.id).collect();
        let kept: HashMap<Uuid, String> =
            audit_chain::hashes(pool, &ids).await?.into_iter().map(|(id, hash)| (id, hex::encode(hash))).collect();
        for one in &told {
            let fault = match kept.get(&one.id) {
                None => Fault::Forgotten,
                Some(hash) if *hash != one.hash => Fault::Rewritten,
                Some(_) => continue,
            };
            let finding = Finding { fault, chain: one.chain, position: one.position, record: Some(one.id) };
            report.findings.push(finding);
        }
        compared += told.len();
    }
    report.events = Some(compared);
    Ok(())
}

fn told(data: &serde_json::Map<String, serde_json::Value>) -> Option<Told> {
    let row = data.get("row")?;
    let id = |column: &str| row.get(column)?.as_str()?.parse().ok();
    Some(Told {
        id: id("id")?,
        chain: id("chain_id")?,
        position: row.get("chain_position")?.as_i64()?,
        hash: row.get("hash")?.as_str()?.trim_start_matches("\\x").to_owned(),
    })
}
