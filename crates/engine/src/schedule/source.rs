//! Cron events and one-off events as a source of deliveries.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::admin::Kind;
use super::record;
use super::target::{Due, ScheduledTarget, lease};
use super::worker::Worker;
use crate::json;
use crate::metadata::CronTrigger;
use crate::outbound::OutboundError;
use crate::webhook::{Found, Look, Outcome, Slot, Source};

/// An event that was claimed, and where it goes.
pub struct Claimed {
    kind: Kind,
    event: Due,
    target: Result<Arc<ScheduledTarget>, OutboundError>,
}

impl Source for Worker {
    type Call = Claimed;

    fn slots(&self, _: &Claimed) -> Arc<Semaphore> {
        self.slots.clone()
    }

    /// Cron events go before one-off events.
    async fn claim(&self, _: Look) -> sqlx::Result<Found<Claimed>> {
        let free = self.slots.available_permits();
        if !self.ready.load(Ordering::Relaxed) || free == 0 {
            return Ok(Found::Nothing(None));
        }
        self.write_ahead_when_due().await;
        let mut claimed = self.claim_cron(free).await?;
        claimed.extend(self.claim_one_off(free.saturating_sub(claimed.len())).await?);
        Ok(match claimed.is_empty() {
            true => Found::Nothing(self.until_due().await),
            false => Found::Calls(claimed, None),
        })
    }

    async fn deliver(&self, claimed: Claimed, _slot: Slot) {
        let Claimed { kind, event, target } = claimed;
        let outcome = match target {
            Ok(target) => target.deliver(&self.outbound.http, &event, self.now()).await,
            Err(error) => {
                tracing::warn!(event = event.id, reason = %error, "scheduled_event_not_deliverable");
                Some(Outcome::unsent())
            }
        };
        record::write(&self.pool, kind, &event.id, outcome.as_ref(), self.now()).await;
    }
}

impl Worker {
    async fn claim_cron(&self, limit: usize) -> sqlx::Result<Vec<Claimed>> {
        let triggers = self.triggers.load_full();
        if triggers.is_empty() {
            return Ok(Vec::new());
        }
        let (names, leases): (Vec<&str>, Vec<f64>) =
            triggers.iter().map(|(name, trigger)| (name.as_str(), trigger.target.lease())).unzip();
        let rows = sqlx::query(
            "update hdb_catalog.hdb_cron_events e set status = 'locked', locked = now() where e.id in ( \
               select c.id from hdb_catalog.hdb_cron_events c \
               join unnest($1::text[], $2::float8[]) t(name, lease) on t.name = c.trigger_name \
               where (c.status = 'scheduled' and coalesce(c.next_retry_at, c.scheduled_time) <= $3) \
                 or (c.status = 'locked' and coalesce(c.locked, c.scheduled_time) < now() - t.lease * interval '1 second') \
               order by c.scheduled_time limit $4 for update of c skip locked) \
             returning e.id, e.trigger_name, e.scheduled_time, e.tries",
        )
        .bind(names)
        .bind(leases)
        .bind(self.now())
        .bind(i64::try_from(limit).unwrap_or(1))
        .fetch_all(&self.pool)
        .await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            let name: String = row.try_get(1)?;
            let Some(trigger) = triggers.get(&name) else { continue };
            let event = Due {
                id: row.try_get(0)?,
                trigger: Some(name),
                scheduled_time: row.try_get(2)?,
                created_at: None,
                tries: row.try_get(3)?,
            };
            claimed.push(Claimed { kind: Kind::Cron, event, target: Ok(trigger.target.clone()) });
        }
        Ok(claimed)
    }

    async fn claim_one_off(&self, limit: usize) -> sqlx::Result<Vec<Claimed>> {
        let rows = sqlx::query(
            "update hdb_catalog.hdb_scheduled_events e set status = 'locked', locked = now() where e.id in ( \
               select c.id from hdb_catalog.hdb_scheduled_events c \
               where (c.status = 'scheduled' and coalesce(c.next_retry_at, c.scheduled_time) <= $1) \
                 or (c.status = 'locked' and coalesce(c.locked, c.scheduled_time) < now() - ($3 + \
                   coalesce((c.retry_conf ->> 'timeout_seconds')::float8, 60)) * interval '1 second') \
               order by c.scheduled_time limit $2 for update of c skip locked) \
             returning e.id, e.scheduled_time, e.created_at, e.tries, e.webhook_conf, coalesce(e.retry_conf, 'null'), \
               coalesce(e.header_conf, 'null'), coalesce(e.payload, 'null')::text, e.comment, \
               coalesce(e.request_transform, 'null'), coalesce(e.response_transform, 'null')",
        )
        .bind(self.now())
        .bind(i64::try_from(limit).unwrap_or(1))
        .bind(lease(0.0))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let event = Due {
                    id: row.try_get(0)?,
                    trigger: None,
                    scheduled_time: row.try_get(1)?,
                    created_at: row.try_get(2)?,
                    tries: row.try_get(3)?,
                };
                // One row that cannot be read does not keep the others from being delivered.
                let unreadable = |_| Err(OutboundError::Untransformed("the stored event is malformed".to_owned()));
                let target = self.one_off_target(row).unwrap_or_else(unreadable).map(Arc::new);
                Ok(Claimed { kind: Kind::OneOff, event, target })
            })
            .collect()
    }

    /// A one-off event goes where a cron trigger of its own would send it.
    fn one_off_target(&self, row: &PgRow) -> sqlx::Result<Result<ScheduledTarget, OutboundError>> {
        fn read<T: serde::de::DeserializeOwned>(row: &PgRow, index: usize) -> sqlx::Result<T> {
            serde_json::from_value(row.try_get(index)?).map_err(|error| sqlx::Error::Decode(error.into()))
        }
        let payload: &str = row.try_get(7)?;
        let trigger = CronTrigger {
            name: row.try_get(0)?,
            webhook: read(row, 4)?,
            schedule: String::new(),
            include_in_metadata: false,
            payload: Some(json::read(payload.as_bytes()).map_err(|error| sqlx::Error::Decode(error.into()))?),
            retry_conf: read(row, 5)?,
            headers: read::<Option<_>>(row, 6)?.unwrap_or_default(),
            request_transform: read(row, 9)?,
            response_transform: read(row, 10)?,
            comment: row.try_get(8)?,
        };
        Ok(ScheduledTarget::new(&trigger, &self.outbound))
    }

    /// Time until the next event falls due, at most the poll interval.
    async fn until_due(&self) -> Option<Duration> {
        let next: Option<OffsetDateTime> = sqlx::query_scalar(
            "select min(at) from (select min(coalesce(next_retry_at, scheduled_time)) as at \
               from hdb_catalog.hdb_cron_events where status = 'scheduled' and trigger_name = any($1) union all \
             select min(coalesce(next_retry_at, scheduled_time)) from hdb_catalog.hdb_scheduled_events \
               where status = 'scheduled') d",
        )
        .bind(self.triggers.load().keys().cloned().collect::<Vec<_>>())
        .fetch_one(&self.pool)
        .await
        .ok()?;
        let until = (next? - self.now()).as_seconds_f64();
        let until = Duration::try_from_secs_f64(until.max(0.001)).ok()?;
        Some(until.min(self.options.poll))
    }
}
