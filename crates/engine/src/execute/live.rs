//! Refreshes many subscribers of one plan with one statement.

use bytes::Bytes;
use sqlx::Arguments;
use sqlx::postgres::{PgArguments, PgRow};

use super::wire::{Cells, Elements};
use super::{Executor, errors, texts};
use crate::error::{GraphqlError, Result};
use crate::plan::{Answer, LivePlan, Values};

/// The values of one cohort of subscribers.
pub type Member = Values;

/// A cohort's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    /// The value of the root field.
    pub data: Bytes,
    /// How many rows it has, of a list.
    pub rows: usize,
    /// Of a stream, the cursor after the last row; none when there were no rows.
    pub cursor: Option<String>,
}

/// Refreshes cohorts: one statement for all, an answer for each in their order.
///
/// # Errors
/// Of the database; one member's bad value fails all, so callers try members one by one then.
pub async fn refresh(executor: &Executor, plan: &LivePlan, members: &[&Member]) -> Result<Vec<Refreshed>> {
    if let Some(odd) = members.iter().find(|member| member.len() != plan.params.len()) {
        let message = format!("a member with {} values of a plan with {}", odd.len(), plan.params.len());
        return Err(GraphqlError::unexpected(message));
    }
    if plan.is_alone() {
        let mut answers = Vec::with_capacity(members.len());
        for member in members {
            let rows = executor.reading(&plan.sql, plan.calls_functions, || texts(&plan.params, member)).await?;
            answers.extend(answers_of(executor, plan, &rows, 1)?);
        }
        return Ok(answers);
    }
    let places: Vec<i32> = (0..members.len()).map(|place| place as i32).collect();
    let arguments = || {
        let mut arguments = PgArguments::default();
        arguments.add(&places).map_err(sqlx::Error::Encode)?;
        for index in 0..plan.params.len() {
            let column: Vec<Option<&str>> =
                members.iter().map(|member| member.get(index).and_then(Option::as_deref)).collect();
            arguments.add(column).map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    };
    let rows = executor.reading(&plan.sql, plan.calls_functions, arguments).await?;
    answers_of(executor, plan, &rows, members.len())
}

/// The answers to so many members, by the places in a statement's rows.
fn answers_of(executor: &Executor, plan: &LivePlan, rows: &[PgRow], members: usize) -> Result<Vec<Refreshed>> {
    let empty: &[u8] = match plan.answer {
        Answer::List(_) => b"[]",
        Answer::First(_) => b"null",
    };
    let nothing = Refreshed { data: Bytes::from_static(empty), rows: 0, cursor: None };
    let mut answers = vec![nothing; members];
    for row in rows {
        let cells = Cells::of_row(row).map_err(errors::malformed)?;
        let place = cells.bytes(0).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map(i32::from_be_bytes);
        let slot = place.and_then(|place| answers.get_mut(usize::try_from(place).ok()?));
        let slot =
            slot.ok_or_else(|| GraphqlError::unexpected(format!("an answer for member {place:?} of {members}")))?;
        let records: Vec<&[u8]> = match cells.bytes(1) {
            Some(bytes) => Elements::of(bytes).and_then(Iterator::collect).map_err(errors::malformed)?,
            None => Vec::new(),
        };
        let mut out = Vec::with_capacity(256);
        executor.writer.records(&mut out, &plan.answer, &records).map_err(errors::malformed)?;
        let cursor = match (plan.cursor.is_empty(), records.last()) {
            (false, Some(last)) => Cells::of_record(last).map_err(errors::malformed)?.last_text(),
            _ => None,
        };
        *slot = Refreshed { data: out.into(), rows: records.len(), cursor };
    }
    Ok(answers)
}
