//! The events of the caller's teams, from the API: those of the past, and those that come, none left out.

use std::cell::Cell;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::time;
use super::words::{self, Names};
use crate::cli::api::Api;
use crate::cli::graphql::{self, event_names, events, follow_events, newest_event};
use crate::cli::{Context, Exit, Output};
use crate::domain::{Error, Result, subject};

/// Which events to show.
#[derive(Debug, Args)]
pub struct Feed {
    /// The subjects: `*` stands for one word and `>` for the rest, such as `deployment.*.<id>`
    #[arg(long, default_value = ">", value_name = "PATTERN")]
    pub subject: String,
    /// Go on with the events that come, until stopped; without --since, with these alone
    #[arg(long, short)]
    pub follow: bool,
    /// From this time on, such as 2026-01-31T12:00:00Z
    #[arg(long, value_parser = time)]
    pub since: Option<OffsetDateTime>,
    /// At most so many, the newest
    #[arg(long, default_value_t = 50, conflicts_with = "follow")]
    pub limit: u32,
    /// Print the subjects themselves, as --subject takes them
    #[arg(long)]
    pub raw: bool,
}

/// An event, as it is printed.
#[derive(Debug, Serialize)]
pub struct Line {
    pub sequence: i64,
    pub stream: String,
    pub subject: String,
    pub entity_id: Option<String>,
    pub data: Value,
    pub correlation_id: Option<String>,
    pub occurred_at: String,
}

macro_rules! line_from {
    ($($row:ty),+) => {$(
        impl From<$row> for Line {
            fn from(row: $row) -> Self {
                Self {
                    sequence: row.sequence,
                    stream: row.stream,
                    subject: row.subject,
                    entity_id: row.entity_id,
                    data: row.data,
                    correlation_id: row.correlation_id,
                    occurred_at: row.occurred_at,
                }
            }
        }
    )+};
}

line_from!(events::EventFields, follow_events::EventFields);

/// How events are printed.
struct Printer {
    output: Output,
    names: Names,
    /// The subjects as they are, for programs and for --subject.
    raw: bool,
    follow: bool,
}

impl Printer {
    fn print(&mut self, line: &Line) -> Result<()> {
        self.names.learn(line);
        self.output.print(line, |line| match self.raw {
            true => {
                let correlation = line.correlation_id.as_deref().unwrap_or_default();
                format!("{}  {}  {}  {correlation}", line.occurred_at, line.sequence, line.subject)
            }
            false => words::line(line, &self.names, self.follow),
        })
    }
}

impl Feed {
    /// Prints events, one a line.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let subject = subject::pattern("--subject", &self.subject)?;
        let api = Api::connect(context).await?;
        let since = self.since.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let since = since.format(&Rfc3339).map_err(|source| Error::internal("writing a time", source))?;
        let names = api.run::<graphql::EventNames>(event_names::Variables {}).await?;
        let apps = names.applications.into_iter().map(|one| (one.id.to_string(), one.name));
        let stores = names.stores.into_iter().map(|one| (one.id.to_string(), one.name));
        let names = Names::new(apps.chain(stores));
        let mut printer = Printer { output: context.output, names, raw: self.raw, follow: self.follow };
        if self.follow {
            return self.follow(&api, subject, since, printer).await;
        }
        let variables = events::Variables { subject, since, limit: self.limit.into() };
        let newest_first = api.run::<graphql::Events>(variables).await?.platform_events;
        for event in newest_first.into_iter().rev() {
            printer.print(&Line::from(event))?;
        }
        Ok(Exit::Done)
    }

    async fn follow(&self, api: &Api, subject: String, since: String, mut printer: Printer) -> Result<Exit> {
        let first = match self.since {
            Some(_) => 0,
            None => {
                let newest = api.run::<graphql::NewestEvent>(newest_event::Variables {}).await?.platform_events;
                newest.first().map_or(0, |event| event.sequence)
            }
        };
        let after = Cell::new(first);
        let variables =
            || follow_events::Variables { subject: subject.clone(), since: since.clone(), after: after.get() };
        let following = api.watch_on::<graphql::FollowEvents, Exit>(variables, |data| {
            for event in data.platform_events_stream {
                after.set(event.sequence);
                printer.print(&Line::from(event))?;
            }
            Ok(None)
        });
        tokio::select! {
            ended = following => ended,
            _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
        }
    }
}
