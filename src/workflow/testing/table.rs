//! Outcomes as Markdown.

use std::fmt::Write;

use super::{Disturbance, Matrix};
use crate::workflow::flow::Flow;

const WAYS: &str = "killed before | killed during | killed after | fails | done twice | overtaken";

/// Writes what became of a flow's disturbed steps as a Markdown table.
pub fn table(flow: &Flow, matrix: &Matrix) -> String {
    let mut text = format!("| step | {WAYS} | ended by a person |\n|---|---|---|---|---|---|---|---|\n");
    for (ordinal, step) in flow.steps.iter().enumerate() {
        let _ = write!(text, "| `{}`", step.name);
        for way in Disturbance::ALL {
            let absent = if way == Disturbance::Cancel && !flow.cancellable { "refused" } else { "not tested" };
            let _ = write!(text, " | {}", matrix.get(&(ordinal, way)).unwrap_or(&absent));
        }
        text.push_str(" |\n");
    }
    text
}

/// Writes what became of a flow's disturbed undos as a Markdown table.
pub fn undo_table(flow: &Flow, matrix: &Matrix) -> String {
    let mut text = format!("| undo of | {WAYS} |\n|---|---|---|---|---|---|---|\n");
    for (ordinal, step) in flow.steps.iter().enumerate().filter(|(_, step)| step.undo.is_some()) {
        let _ = write!(text, "| `{}`", step.name);
        for way in Disturbance::UNDO {
            let _ = write!(text, " | {}", matrix.get(&(ordinal, way)).unwrap_or(&"not tested"));
        }
        text.push_str(" |\n");
    }
    text
}
