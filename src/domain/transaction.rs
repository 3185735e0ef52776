//! Whether a database transaction is open in the work at hand: nothing may be asked of another system meanwhile, for a
//! slow answer would hold the rows that the transaction has locked, and a connection.

use std::cell::Cell;

tokio::task_local! {
    static OPEN: Cell<u32>;
}

/// Does work whose transactions are counted. What it spawns is work of its own.
pub async fn counted<F: Future>(work: F) -> F::Output {
    // Counted work within counted work: a transaction of the outer one is open for the inner one too.
    let open = open();
    OPEN.scope(Cell::new(open), work).await
}

/// An open transaction of counted work, until it is dropped.
#[derive(Debug)]
pub struct OpenTransaction(());

impl OpenTransaction {
    /// A transaction was begun.
    pub fn begin() -> Self {
        count(|open| open + 1);
        Self(())
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        count(|open| open.saturating_sub(1));
    }
}

/// Says that something is asked of another system now.
///
/// # Panics
/// In a debug build, when a transaction is open. A release writes that to the log and goes on.
pub fn asks_outside(system: &'static str) {
    if open() > 0 {
        tracing::error!(system, "asked_outside_within_a_transaction");
        debug_assert!(false, "{system} is asked for something while a database transaction is open");
    }
}

fn open() -> u32 {
    OPEN.try_with(Cell::get).unwrap_or_default()
}

fn count(change: impl FnOnce(u32) -> u32) {
    // Work that is not counted has nothing to keep in mind.
    let _ = OPEN.try_with(|open| open.set(change(open.get())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn transactions_are_counted_in_the_work_that_opens_them() {
        counted(async {
            asks_outside("a vendor");
            let one = OpenTransaction::begin();
            let two = OpenTransaction::begin();
            drop(one);
            assert_eq!((open(), counted(async { open() }).await), (1, 1));
            assert_eq!(tokio::spawn(async { open() }).await.unwrap(), 0, "another task has its own");
            drop(two);
            asks_outside("a vendor");
        })
        .await;
        let _nobody_counts = OpenTransaction::begin();
        assert_eq!(open(), 0);
    }

    #[tokio::test]
    #[should_panic(expected = "a vendor is asked for something while a database transaction is open")]
    async fn nothing_is_asked_outside_while_one_is_open() {
        counted(async {
            let _open = OpenTransaction::begin();
            asks_outside("a vendor");
        })
        .await;
    }
}
