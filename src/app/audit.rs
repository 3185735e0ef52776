//! Whether the audit trail is whole: every record unchanged, linked to its predecessor, and none missing; and whether
//! it still holds what the event bus was told of it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::bus::{Bus, Replay, streams};
use crate::db::audit_chain::{self, Chain, Record};
use crate::domain::Result;

/// Records and events read in one go.
const PAGE: usize = 1_000;
/// How long a record may be on its way to the bus where nobody knows of deliveries.
const UNDER_WAY: Duration = Duration::from_secs(5);

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
    /// The event bus was never told of the record.
    Untold,
}

/// One fault, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
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
    let since = OffsetDateTime::now_utc();
    let mut told = Told::default();
    let compared = match bus {
        Some(bus) => compare(pool, bus, &mut told, &mut report).await?,
        None => Vec::new(),
    };
    let chains = audit_chain::chains(pool).await?;
    report.chains = chains.len();
    let mut untold = walk(pool, &chains, &told, &mut report).await?;
    untold.retain(|(_, written)| *written + UNDER_WAY < since);
    let ids: Vec<Uuid> = untold.iter().filter_map(|(finding, _)| finding.record).collect();
    let under_way: HashSet<Uuid> = audit_chain::under_way(pool, &ids).await?.into_iter().collect();
    let untold = untold.into_iter().map(|(finding, _)| finding);
    report.findings.extend(untold.filter(|it| it.record.is_none_or(|record| !under_way.contains(&record))));
    report.findings.extend(compared);
    Ok(report)
}

/// Walks all chains, one after the other, in pages over all of them: there are many, and most are short. Gives the
/// records of which the bus was not told, each with when it was written.
async fn walk(
    pool: &PgPool,
    chains: &[Chain],
    told: &Told,
    report: &mut Report,
) -> Result<Vec<(Finding, OffsetDateTime)>> {
    let mut untold = Vec::new();
    let mut ends: HashMap<Uuid, (i64, Vec<u8>)> = HashMap::new();
    let mut after = (Uuid::nil(), i64::MIN);
    loop {
        let page = audit_chain::records(pool, after, PAGE as i64).await?;
        for record in &page {
            let chain = record.chain;
            let (position, hash) = ends.remove(&chain).unwrap_or_default();
            report.findings.extend(faults(chain, record, position, &hash));
            if told.lacks(record) {
                let at = Finding { fault: Fault::Untold, chain, position: record.position, record: Some(record.id) };
                untold.push((at, record.created_at));
            }
            ends.insert(chain, (record.position, record.hash.clone()));
            after = (chain, record.position);
        }
        report.records += page.len();
        if page.len() < PAGE {
            break;
        }
    }
    for chain in chains {
        let (position, hash) = ends.remove(&chain.id).unwrap_or_default();
        // Records may be appended between the look at the head and the look at them.
        let end = match (chain.length, &chain.head) {
            (Some(length), Some(head)) if position == length && *head != hash => Some(Fault::Cut),
            (Some(length), _) if position < length => Some(Fault::Cut),
            (None, _) => Some(Fault::Headless),
            _ => None,
        };
        let end = end.map(|fault| Finding { fault, chain: chain.id, position, record: None });
        report.findings.extend(end);
    }
    Ok(untold)
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

/// What the bus was told: of which records, and since when it is told of any.
#[derive(Default)]
struct Told {
    records: HashSet<Uuid>,
    since: Option<OffsetDateTime>,
}

impl Told {
    /// Whether the bus was to be told of a record and was not. It forgets after a time, and was told of nothing before
    /// the first.
    fn lacks(&self, record: &Record) -> bool {
        self.since.is_some_and(|since| record.created_at >= since) && !self.records.contains(&record.id)
    }
}

/// A record, as an event told of it.
struct Event {
    id: Uuid,
    chain: Uuid,
    position: i64,
    hash: String,
    written: Option<OffsetDateTime>,
}

async fn compare(pool: &PgPool, bus: &Bus, all: &mut Told, report: &mut Report) -> Result<Vec<Finding>> {
    let (mut next, mut compared, mut findings) = (1, 0, Vec::new());
    loop {
        let replay = Replay { from_sequence: Some(next), ..Replay::all("audit.>", PAGE) };
        let events = bus.get_history(&replay).await?;
        let Some(last) = events.last() else { break };
        next = last.sequence + 1;
        let told: Vec<Event> = events
            .iter()
            .filter(|event| event.stream == streams::AUDIT)
            .filter_map(|event| told(&event.event.data))
            .collect();
        let ids: Vec<Uuid> = told.iter().map(|one| one.id).collect();
        let kept: HashMap<Uuid, String> =
            audit_chain::hashes(pool, &ids).await?.into_iter().map(|(id, hash)| (id, hex::encode(hash))).collect();
        for one in &told {
            all.records.insert(one.id);
            all.since = [all.since, one.written].into_iter().flatten().min();
            let fault = match kept.get(&one.id) {
                None => Fault::Forgotten,
                Some(hash) if *hash != one.hash => Fault::Rewritten,
                Some(_) => continue,
            };
            findings.push(Finding { fault, chain: one.chain, position: one.position, record: Some(one.id) });
        }
        compared += told.len();
    }
    report.events = Some(compared);
    Ok(findings)
}

fn told(data: &serde_json::Map<String, serde_json::Value>) -> Option<Event> {
    let row = data.get("row")?;
    let id = |column: &str| row.get(column)?.as_str()?.parse().ok();
    let written = row.get("created_at").and_then(|at| OffsetDateTime::parse(at.as_str()?, &Rfc3339).ok());
    Some(Event {
        written,
        id: id("id")?,
        chain: id("chain_id")?,
        position: row.get("chain_position")?.as_i64()?,
        hash: row.get("hash")?.as_str()?.trim_start_matches("\\x").to_owned(),
    })
}
