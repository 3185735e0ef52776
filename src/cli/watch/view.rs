//! How an operation's steps are shown: spinners on a terminal, a line for each change elsewhere.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Pause, words};
use crate::cli::graphql::{Operation, Step};
use crate::cli::{Output, output};
use crate::domain::Result;

/// What was shown.
pub struct View {
    form: Form,
    /// Whether it says that the operation waits for a person: it does not where that is the end.
    pauses: bool,
    /// For what it was last said to wait.
    waiting: Option<String>,
}

enum Form {
    /// One spinner a step.
    Bars { all: MultiProgress, bars: BTreeMap<i64, ProgressBar> },
    /// A line for each change of a step.
    Lines { last: BTreeMap<i64, (String, String)> },
    /// The operation as one JSON line for each change.
    Json,
}

impl View {
    pub fn new(output: Output, pauses: bool) -> Self {
        let form = match output {
            Output::Json => Form::Json,
            Output::Text if io::stderr().is_terminal() && io::stdout().is_terminal() => {
                Form::Bars { all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()), bars: BTreeMap::new() }
            }
            Output::Text => Form::Lines { last: BTreeMap::new() },
        };
        Self { form, pauses, waiting: None }
    }

    pub fn show(&mut self, operation: &Operation) -> Result<()> {
        let news = self.news(operation);
        match &mut self.form {
            Form::Json => Output::Json.print(operation, |_| String::new()),
            Form::Lines { last } => {
                if let Some(news) = news {
                    output::line(&format!("{:<10} {news}", operation.status))?;
                }
                for step in &operation.steps {
                    let now = (step.status.clone(), still(&text(step)));
                    if last.get(&step.ordinal) != Some(&now) && step.status != "pending" {
                        output::line(&line(step))?;
                    }
                    last.insert(step.ordinal, now);
                }
                Ok(())
            }
            Form::Bars { all, bars } => {
                if let Some(news) = news {
                    // A terminal that has gone away is nobody to tell.
                    let _ = all.println(news);
                }
                for step in &operation.steps {
                    let bar = bars.entry(step.ordinal).or_insert_with(|| all.add(ProgressBar::new_spinner()));
                    draw(bar, step);
                }
                Ok(())
            }
        }
    }

    /// For what the operation waits, when that was not said before.
    fn news(&mut self, operation: &Operation) -> Option<String> {
        let name = words::name(operation).unwrap_or_default();
        let paused = || Pause::of(operation).filter(|_| self.pauses).map(|_| words::paused(operation));
        let now = words::queued(operation, &name).or_else(paused);
        let news = now.clone().filter(|_| now != self.waiting);
        self.waiting = now;
        news
    }

    /// What led to a pause is past, and what is said next tells the rest.
    pub fn rest(&self, operation: &Operation) {
        let Form::Bars { bars, .. } = &self.form else { return };
        for step in operation.steps.iter().filter(|step| matches!(step.status.as_str(), "running" | "waiting")) {
            if let Some(bar) = bars.get(&step.ordinal) {
                bar.disable_steady_tick();
                bar.set_style(style("… {msg}"));
                bar.set_message(title(step).to_owned());
            }
        }
    }

    pub fn finish(&self) {
        if let Form::Bars { bars, .. } = &self.form {
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
        "succeeded" => (output::mark(true), false, true),
        "failed" | "undo_failed" => (output::mark(false), false, true),
        "skipped" | "undone" => ("–".to_owned(), false, true),
        "pending" => ("·".to_owned(), false, false),
        _ => ("{spinner}".to_owned(), true, false),
    };
    let template = format!("{mark} {{msg}}{}", if active { "  {elapsed}" } else { "" });
    bar.set_style(style(&template));
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

/// The template is one of the few above; should it be refused, the default style does.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn title(step: &Step) -> &str {
    if step.title.is_empty() { &step.name } else { &step.title }
}

fn line(step: &Step) -> String {
    format!("{:<10} {}", step.status, text(step))
}

fn text(step: &Step) -> String {
    let title = title(step);
    match step.detail.as_deref().filter(|detail| !detail.is_empty() && step.status != "succeeded") {
        Some(detail) => format!("{title}: {detail}"),
        None => title.to_owned(),
    }
}

/// A text without the time that it tells: that a second has passed is no change.
fn still(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let unit = |word: &str| {
        matches!(
            word.trim_matches(|it: char| !it.is_alphanumeric()),
            "ms" | "s" | "sec" | "seconds" | "min" | "minutes" | "h"
        )
    };
    let number = |word: &str| word.trim_matches(|it: char| !it.is_alphanumeric()).parse::<f64>().is_ok();
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if number(word) && words.get(at + 1).is_some_and(|next| unit(next)) {
            at += 2;
        } else {
            kept.push(*word);
            at += 1;
        }
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_that_has_passed_is_no_change() {
        assert_eq!(still("mysql: 0/1 ready, 1 s"), still("mysql: 0/1 ready, 27 s"));
        assert_eq!(still("2 pods (failing for 3 s): x"), still("2 pods (failing for 45 s): x"));
        assert_ne!(still("mysql: 0/1 ready, 1 s"), still("mysql: 1/1 ready, 1 s"));
        assert_ne!(still("1 of 4 steps"), still("2 of 4 steps"));
    }
}
