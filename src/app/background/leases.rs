//! The lease sweep: leases of workers that died are given back, and operations that need a person are reported.

use std::time::Duration;

use super::findings::{Changes, Finding, Kind, reconcile};
use crate::app::App;
use crate::db::upkeep::{self, Stuck};
use crate::db::{Audit, event_effects, idempotency, lanes};
use crate::domain::Result;

/// An operation that was due this long ago, and that nobody has claimed, is reported: no worker runs, or none knows its
/// flow.
const OVERDUE: Duration = Duration::from_secs(5 * 60);

const NOT_UNDONE: Kind = Kind {
    title: "An operation could not be taken back",
    severity: "critical",
    subject_type: "operation",
    logged: None,
};

const UNCLAIMED: Kind =
    Kind { title: "An operation waits for a worker", severity: "warning", subject_type: "operation", logged: None };

/// What a sweep did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Lapsed leases that were given back.
    pub released: u64,
    /// Operations whose undo failed.
    pub not_undone: Changes,
    /// Operations that nobody claims.
    pub unclaimed: Changes,
}

/// One pass.
///
/// # Errors
/// `unavailable` when the database is.
pub async fn sweep(app: &App) -> Result<Swept> {
    let pool = app.db.pool();
    let released = upkeep::sweep_lapsed(pool).await?;
    if released > 0 {
        tracing::warn!(released, "leases_lapsed");
    }
    let audit = Audit::system(None);
    let passed_on = app.db.transaction(&audit, async |mut tx| lanes::repair(&mut tx).await).await?;
    if passed_on > 0 {
        tracing::error!(passed_on, "lanes_without_a_front");
    }
    event_effects::forget(pool).await?;
    idempotency::forget(pool).await?;
    for (status, open) in upkeep::open_by_status(pool).await? {
        // A count of operations is far below 2^52.
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("northstack_operations_open", "status" => status).set(open as f64);
    }
    let not_undone = findings(upkeep::not_undone(pool).await?);
    let unclaimed = findings(upkeep::unclaimed(pool, OVERDUE).await?);
    for (kind, found) in [("not_undone", &not_undone), ("unclaimed", &unclaimed)] {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("northstack_operations_stuck", "kind" => kind).set(found.len() as f64);
    }
    Ok(Swept {
        released,
        not_undone: reconcile(app, &NOT_UNDONE, &not_undone).await?,
        unclaimed: reconcile(app, &UNCLAIMED, &unclaimed).await?,
    })
}

fn findings(stuck: Vec<Stuck>) -> Vec<Finding> {
    let finding = |stuck: Stuck| Finding {
        team: stuck.team_id,
        subject: stuck.id,
        detail: format!("{}: {}", stuck.kind, stuck.reason),
    };
    stuck.into_iter().map(finding).collect()
}
