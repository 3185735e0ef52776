//! Which of the engine's own statements are tried again, and how often.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

/// Tries after the first.
const MORE: usize = 3;

/// Makes what instances share, such as tables. Two that start together may both find a thing missing; the next try of
/// the one that comes second finds it there.
///
/// # Errors
/// What the database said last.
pub(super) async fn shared<T, F: Future<Output = sqlx::Result<T>>>(make: impl FnMut() -> F) -> sqlx::Result<T> {
    let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(10)).with_max_times(MORE);
    make.retry(pauses).when(is_race).await
}

/// Writes down what came of a call. What cannot be written by then is given up, with a warning that names it: its claim
/// ends by itself, and the call is made once more.
pub(super) async fn outcome<F: Future<Output = sqlx::Result<()>>>(what: &'static str, write: impl FnMut() -> F) {
    let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(100)).with_max_times(MORE);
    let written = write.retry(pauses).notify(|error, _| tracing::warn!(%error, what, "outcome_write_retried")).await;
    if let Err(error) = written {
        tracing::warn!(%error, what, "outcome_not_written");
    }
}

/// Whether another instance made the same object at the same moment.
fn is_race(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| {
        matches!(code.as_ref(), "23505" | "42P06" | "42P07" | "42710" | "42723" | "XX000" | "40001" | "40P01")
    })
}
