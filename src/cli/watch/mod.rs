//! An operation's steps, live: spinners on a terminal, a line for each change elsewhere.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use uuid::Uuid;

use super::api::Api;
use super::graphql::{Operation, Step, WatchOperation, watch_operation};
use super::{Exit, Output, output};
use crate::domain::{Error, Result};

/// Follows an operation to its end and gives the exit code that its outcome deserves.
pub async fn operation(api: &Api, id: Uuid, output: Output) -> Result<Exit> {
    until(api, id, output, "succeeded").await
}

/// The same for an operation whose end was asked for.
pub async fn cancelled(api: &Api, id: Uuid, output: Output) -> Result<Exit> {
    until(api, id, output, "cancelled").await
}

async fn until(api: &Api, id: Uuid, output: Output, wanted: &str) -> Result<Exit> {
    let mut view = View::new(output);
    let end = api
        .watch::<WatchOperation, _>(watch_operation::Variables { id }, |data| {
            let row = data.operations_by_pk.ok_or_else(|| Error::not_found("operation"))?;
            let operation = Operation::from(row);
            view.show(&operation)?;
            Ok(terminal(&operation.status).then_some(operation))
        })
        .await?;
    view.finish();
    if output == Output::Text {
        output::line(&outcome(&end))?;
    }
    Ok(if end.status == wanted { Exit::Done } else { Exit::Failed })
}

fn terminal(status: &str) -> bool {
    matches!(status, "succeeded" | "failed" | "cancelled")
}

/// The last sentence: where the store or the application is, or why there is none.
fn outcome(operation: &Operation) -> String {
    if let ("succeeded", Some(application)) = (operation.status.as_str(), &operation.application) {
        let url = application.url.as_ref().map(|url| format!(": {url}")).unwrap_or_default();
        return format!("{} is {}{url}", application.name, application.status);
    }
    let store = operation.store.as_ref();
    match (operation.status.as_str(), store) {
        ("succeeded", Some(store)) => match &store.admin_url {
            Some(admin) => format!("{} is {}: {}\nAdministration: {admin}", store.name, store.status, store.url),
            None => format!("{} is {}: {}", store.name, store.status, store.url),
        },
        ("succeeded", None) => format!("{} is done.", operation.kind),
        ("cancelled", _) => format!("{} was cancelled, and what it had begun was taken back.", operation.kind),
        (status, _) => {
            let why = operation.error_message.as_deref().unwrap_or("no reason was given");
            format!("{} has {status}: {why}", operation.kind)
        }
    }
}

/// How the steps are shown.
enum View {
    /// One spinner a step.
    Bars { all: MultiProgress, bars: BTreeMap<i64, ProgressBar> },
    /// A line for each change of a step.
    Lines { last: BTreeMap<i64, Step> },
    /// The operation as one JSON line for each change.
    Json,
}

impl View {
    fn new(output: Output) -> Self {
        match output {
            Output::Json => View::Json,
            Output::Text if io::stderr().is_terminal() => {
                View::Bars { all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()), bars: BTreeMap::new() }
            }
            Output::Text => View::Lines { last: BTreeMap::new() },
        }
    }

    fn show(&mut self, operation: &Operation) -> Result<()> {
        match self {
            View::Json => Output::Json.print(operation, |_| String::new()),
            View::Lines { last } => {
                for step in &operation.steps {
                    let changed = last.get(&step.ordinal) != Some(step);
                    if changed && step.status != "pending" {
                        output::line(&line(step))?;
                    }
                    last.insert(step.ordinal, step.clone());
                }
                Ok(())
            }
            View::Bars { all, bars } => {
                for step in &operation.steps {
                    let bar = bars.entry(step.ordinal).or_insert_with(|| all.add(ProgressBar::new_spinner()));
                    draw(bar, step);
                }
                Ok(())
            }
        }
    }

    fn finish(&self) {
        if let View::Bars { bars, .. } = self {
            for bar in bars.values().filter(|bar| !bar.is_finished()) {
                bar.abandon();
            }
        }
    }
}

fn draw(bar: &ProgressBar, step: &Step) {
    if bar.is_finished() {
        return;
    }
    let (mark, active, done) = match step.status.as_str() {
        "succeeded" => ("✔", false, true),
        "failed" | "undo_failed" => ("✘", false, true),
        "skipped" | "undone" => ("–", false, true),
        "pending" => ("·", false, false),
        _ => ("{spinner}", true, false),
    };
    let template = format!("{mark} {{msg}}{}", if active { "  {elapsed}" } else { "" });
    // The template is one of the few above; should it be refused, the default style does.
    bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_message(text(step));
    if active {
        bar.enable_steady_tick(Duration::from_millis(100));
    } else {
        bar.disable_steady_tick();
    }
    if done {
        bar.abandon();
    }
    bar.tick();
}

fn line(step: &Step) -> String {
    format!("{:<10} {}", step.status, text(step))
}

fn text(step: &Step) -> String {
    let title = if step.title.is_empty() { &step.name } else { &step.title };
    match step.detail.as_deref().filter(|detail| !detail.is_empty() && step.status != "succeeded") {
        Some(detail) => format!("{title}: {detail}"),
        None => title.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::graphql::OperationStore;

    fn ended(status: &str) -> Operation {
        Operation {
            id: Uuid::nil(),
            kind: "store.create".into(),
            status: status.into(),
            subject_type: "store".into(),
            subject_id: Uuid::nil(),
            error_code: None,
            error_message: (status == "failed").then(|| "the database did not start".into()),
            stuck_reason: None,
            created_at: String::new(),
            finished_at: None,
            store: (status == "succeeded").then(|| OperationStore {
                store_id: "store-abcdefgh".into(),
                name: "My Shop".into(),
                status: "ready".into(),
                url: "http://store-abcdefgh.example.com".into(),
                admin_url: None,
            }),
            application: None,
            steps: Vec::new(),
        }
    }

    #[test]
    fn the_outcome_says_where_the_store_is_or_why_there_is_none() {
        assert_eq!(outcome(&ended("succeeded")), "My Shop is ready: http://store-abcdefgh.example.com");
        assert_eq!(outcome(&ended("cancelled")), "store.create was cancelled, and what it had begun was taken back.");
        assert_eq!(outcome(&ended("failed")), "store.create has failed: the database did not start");
    }
}
