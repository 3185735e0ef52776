//! `northstack logs`: what an application writes, and goes on to write.

use std::time::Duration;

use clap::Args;
use humantime_serde::re::humantime::parse_duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::find;
use crate::cli::api::Api;
use crate::cli::graphql::{self, application_logs};
use crate::cli::{Context, Exit, Output, output};
use crate::domain::{Code, Error, Result};

/// How often it is asked for more.
const AGAIN: Duration = Duration::from_secs(1);
/// Most lines of one answer.
const MOST: i64 = 5_000;
/// Answers that may fail one after the other while it is followed.
const PATIENCE: u32 = 60;

type Line = application_logs::ApplicationLogsApplicationLogs;

/// Arguments of `northstack logs`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  northstack logs my-app --follow
  northstack logs my-app --since 10m
  northstack logs my-app --previous       # of the containers before the last restart")]
pub struct Logs {
    /// The app, by name or id
    pub app: String,
    /// Go on until interrupted
    #[arg(long, short)]
    pub follow: bool,
    /// At most so many lines, the last ones
    #[arg(long, default_value_t = 100, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(1..=MOST))]
    pub tail: i64,
    /// Lines written since then: 10m, 2h, or a time such as 2026-01-31T12:00:00Z
    #[arg(long, value_parser = since)]
    pub since: Option<OffsetDateTime>,
    /// Lines of one pod
    #[arg(long)]
    pub pod: Option<String>,
    /// Lines of another container than the application's
    #[arg(long)]
    pub container: Option<String>,
    /// Lines of the containers that ran before the last restart
    #[arg(long, conflicts_with = "follow")]
    pub previous: bool,
}

fn since(text: &str) -> Result<OffsetDateTime, String> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(OffsetDateTime::now_utc() - ago);
    }
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "write 10m, 2h, or a time such as 2026-01-31T12:00:00Z".to_owned())
}

impl Logs {
    /// Prints the lines, each after its pod's name.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        let application = find(&api, &self.app).await?;
        let (id, name) = (application.id, application.name);
        if application.status == "created" {
            let message = format!("{name} was never deployed: northstack deploy {name} --image <image>");
            return Err(Error::new(Code::IllegalTransition, message));
        }
        let since = self.since.map(|since| since.format(&Rfc3339)).transpose();
        let mut since = since.map_err(|source| Error::internal("writing a time", source))?;
        let mut tail = self.tail;
        let (mut failed, mut first) = (0, true);
        loop {
            match self.read(&api, id, tail, since.clone()).await {
                Ok(lines) => {
                    print(&lines, context.output)?;
                    if std::mem::take(&mut first) && lines.is_empty() {
                        output::note(context.output, &self.nothing(&name));
                    }
                    // From now on what was written after the last line, and before one was written, everything.
                    since = lines.last().map(|line| line.timestamp.clone()).or(since);
                    (tail, failed) = (MOST, 0);
                }
                // The server may be restarting.
                Err(error) if self.follow && error.retryable() && failed < PATIENCE => failed += 1,
                Err(error) => return Err(error),
            }
            if !self.follow {
                return Ok(Exit::Done);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Why there may be no line.
    fn nothing(&self, name: &str) -> String {
        match (self.previous, self.since) {
            (true, _) => format!("No container of {name} has run before the present ones."),
            (false, Some(_)) => format!("{name} has written nothing since then."),
            (false, None) => format!("{name} has written nothing."),
        }
    }

    async fn read(&self, api: &Api, id: Uuid, tail: i64, since: Option<String>) -> Result<Vec<Line>> {
        let variables = application_logs::Variables {
            id,
            tail,
            since,
            pod: self.pod.clone(),
            container: self.container.clone(),
            previous: self.previous,
        };
        Ok(api.run::<graphql::ApplicationLogs>(variables).await?.application_logs)
    }
}

fn print(lines: &[Line], output: Output) -> Result<()> {
    for line in lines {
        output.print(line, |line| format!("{}  {}  {}", line.timestamp, line.pod, line.text))?;
    }
    Ok(())
}
