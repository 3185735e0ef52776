//! What the supervisor tells the person in front of it: one line a phase, with how long it took.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::domain::Result;

/// Shows phases on standard output: a spinner on a terminal, plain lines elsewhere.
pub struct Progress {
    terminal: bool,
}

impl Progress {
    /// Looks at where the output goes.
    pub fn new() -> Self {
        Self { terminal: std::io::stdout().is_terminal() }
    }

    /// Runs one phase and says how it ended.
    pub async fn phase<T>(&self, name: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let started = Instant::now();
        let spinner = self.terminal.then(|| {
            let bar = ProgressBar::new_spinner().with_message(name.to_owned());
            if let Ok(style) = ProgressStyle::with_template("  {spinner:.blue} {msg} {elapsed:.dim}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(80));
            bar
        });
        let outcome = work.await;
        if let Some(bar) = spinner {
            bar.finish_and_clear();
        }
        let mark = if outcome.is_ok() { "✓" } else { "✗" };
        println!("  {mark} {name} ({:.1} s)", started.elapsed().as_secs_f64());
        outcome
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
