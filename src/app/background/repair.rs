//! Operations that reconcilers begin: one at a time for an application, in its lane, and ever more rarely while the same
//! fails.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::app::applications::lane;
use crate::app::requests::{self, Asked, Key};
use crate::app::{App, Caller, Provisioning};
use crate::db::PgTx;
use crate::db::repairs::{self, Ended};
use crate::domain::{Actor, Error, OperationStatus, Result};
use crate::workflow::flows::application::OBJECTS;

/// In the input: how many operations in a row have failed at the same before.
const FAILED_BEFORE: &str = "failedBefore";
/// So many failures in a row are followed by another try at once: what was in the way is mostly gone by then.
const AT_ONCE: u64 = 2;
/// The rest after the failure that follows these.
const FIRST_REST: Duration = Duration::from_secs(30);
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

/// How long an operation's end is waited for; it goes on without.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first pause between two looks at an operation.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_millis(250);

/// What is to be done.
#[derive(Debug)]
pub(super) struct Repair<'a, T> {
    pub kind: &'static str,
    pub team: Uuid,
    pub application: Uuid,
    /// The flow's input: what was found, and what is to be there.
    pub input: &'a T,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Begun {
    /// An operation is at it, or waits for its turn.
    Operation(Uuid),
    /// The same has failed again and again, last with these words, and is left alone for a while.
    Resting(String),
}

/// Begins an operation, unless one is open or the same has failed too often. The application's row is locked: of two at
/// once, the second sees the first. Nudge after the commit.
pub(super) async fn begin<T: Serialize + Sync>(
    tx: &mut PgTx,
    provisioning: &Provisioning,
    repair: Repair<'_, T>,
) -> Result<Begun> {
    let mut input =
        serde_json::to_value(repair.input).map_err(|source| Error::internal("write an operation's input", source))?;
    let mut failed = 0;
    if let Some(last) = repairs::last(&mut **tx, OBJECTS, repair.application).await? {
        let Some(ended) = last.ended else { return Ok(Begun::Operation(last.id)) };
        let (before, same) = took(last.input);
        if ended.status == OperationStatus::Failed && last.kind == repair.kind && same == input {
            failed = before + 1;
            if last.since.is_some_and(|since| since < rest(failed)) {
                return Ok(Begun::Resting(words(ended.error)));
            }
        }
    }
    input[FAILED_BEFORE] = json!(failed);
    let caller = Caller { actor: Actor::System, correlation_id: repair.kind.to_owned(), address: None };
    let key = Key::of(&caller, None, repair.kind, &Value::Null)?;
    let asked = Asked {
        kind: repair.kind,
        team: repair.team,
        subject_type: OBJECTS,
        subject: repair.application,
        lane: Some(lane(repair.application)),
        supersedes: &[],
    };
    requests::start(tx, provisioning, &caller, asked, &input, &key).await.map(Begun::Operation)
}

/// How often the same had failed before an operation, and its input without that.
fn took(mut input: Value) -> (u64, Value) {
    let before = input.as_object_mut().and_then(|input| input.remove(FAILED_BEFORE));
    (before.and_then(|before| before.as_u64()).unwrap_or_default(), input)
}

/// How long the same is left alone after so many failures in a row.
fn rest(failed: u64) -> Duration {
    match failed.checked_sub(AT_ONCE + 1) {
        None => Duration::ZERO,
        Some(more) => FIRST_REST.saturating_mul(1 << more.min(16)).min(LONGEST_REST),
    }
}

fn words(error: Option<String>) -> String {
    error.unwrap_or_else(|| "no reason was given".to_owned())
}

/// Waits for an operation's end, for a while.
///
/// # Errors
/// What the operation has failed by, in words; that it has not ended; and `unavailable` when the database is for as long.
pub(super) async fn ended(app: &App, operation: Uuid) -> Result<std::result::Result<Ended, String>> {
    let (begun, mut pause) = (Instant::now(), FIRST_LOOK);
    loop {
        match repairs::ended(app.db.pool(), operation).await {
            Ok(Some(ended)) if ended.status == OperationStatus::Failed => return Ok(Err(words(ended.error))),
            Ok(Some(ended)) => return Ok(Ok(ended)),
            Ok(None) => {}
            // It goes on whether or not its end can be seen at this moment.
            Err(error) if error.retryable() && begun.elapsed() < PATIENCE => {}
            Err(error) => return Err(error),
        }
        if begun.elapsed() >= PATIENCE {
            return Ok(Err(format!("the operation {operation} has not ended after {} s", PATIENCE.as_secs())));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_is_begun_ever_more_rarely() {
        let rests: Vec<u64> = (0..12).map(|failed| rest(failed).as_secs()).collect();
        assert_eq!(rests, [0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(rest(u64::MAX), LONGEST_REST);
    }

    #[test]
    fn the_number_of_failures_is_no_part_of_what_failed() {
        let input = json!({ "differences": ["a"], FAILED_BEFORE: 4 });
        assert_eq!(took(input), (4, json!({ "differences": ["a"] })));
        assert_eq!(took(json!({ "differences": [] })), (0, json!({ "differences": [] })));
    }
}
