//! `northstack events`: what happened and what happens, as the API shows it; for operators also on the event bus itself,
//! with its dead letters.

mod feed;
mod words;

use std::pin::pin;

use clap::{Args, Subcommand};
use futures::StreamExt;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Context, Exit, output};
use crate::bus::{Bus, Recorded, Replay};
use crate::domain::{Error, Result};

/// Arguments of `northstack events`.
#[derive(Debug, Args)]
pub struct Events {
    /// Which events to show.
    #[command(flatten)]
    pub feed: feed::Feed,
    /// What to do on the event bus.
    #[command(subcommand)]
    pub command: Option<EventsCommand>,
}

/// What `northstack events` can do on the event bus.
#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Read kept events of the event bus again, oldest first
    Replay(ReplayArgs),
    /// Events that no handler could handle
    Dead {
        /// What to do.
        #[command(subcommand)]
        command: DeadCommand,
    },
}

/// Which events to read.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The subjects: `*` stands for one word and `>` for the rest, such as `deployment.*.<id>`
    #[arg(default_value = ">")]
    pub subject: String,
    /// From this time on, such as 2026-01-31T12:00:00Z
    #[arg(long, conflicts_with = "from_sequence", value_parser = time)]
    pub since: Option<OffsetDateTime>,
    /// Until this time
    #[arg(long, conflicts_with = "follow", value_parser = time)]
    pub until: Option<OffsetDateTime>,
    /// From this place in the stream on; the subjects must lie in one stream
    #[arg(long)]
    pub from_sequence: Option<u64>,
    /// At most so many
    #[arg(long, default_value_t = 100, conflicts_with = "follow")]
    pub limit: usize,
    /// Go on with the events that come, until stopped; without --since and --from-sequence, with these alone
    #[arg(long, short)]
    pub follow: bool,
}

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadCommand {
    /// List them, oldest first, with their errors
    List {
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Let the handler that gave up try again
    Redrive {
        /// Places of letters, as the list gives them
        #[arg(required_unless_present = "all")]
        places: Vec<u64>,
        /// All that are there
        #[arg(long, conflicts_with = "places")]
        all: bool,
    },
}

fn time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "must be a time such as 2026-01-31T12:00:00Z".to_owned())
}

impl Events {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let Some(command) = self.command else { return self.feed.run(context).await };
        let bus = Bus::connect(&context.settings()?.nats).await?;
        match command {
            EventsCommand::Replay(replay) if replay.follow => follow(&bus, replay, context).await?,
            EventsCommand::Replay(wanted) => {
                let ReplayArgs { subject, since, until, from_sequence, limit, .. } = wanted;
                let replay = Replay { subject, since, from_sequence, until, limit };
                for event in bus.get_history(&replay).await? {
                    print(&event, context)?;
                }
            }
            EventsCommand::Dead { command: DeadCommand::List { limit } } => list(&bus, limit, context).await?,
            EventsCommand::Dead { command: DeadCommand::Redrive { places, all } } => {
                redrive(&bus, places, all, context).await?;
            }
        }
        bus.close().await;
        Ok(Exit::Done)
    }
}

/// Prints events one a line, until the reader of the output has gone or the process is stopped.
async fn follow(bus: &Bus, wanted: ReplayArgs, context: &Context) -> Result<()> {
    let from_now = wanted.since.is_none() && wanted.from_sequence.is_none();
    let replay = Replay {
        subject: wanted.subject,
        since: if from_now { Some(OffsetDateTime::now_utc()) } else { wanted.since },
        from_sequence: wanted.from_sequence,
        until: None,
        limit: usize::MAX,
    };
    let mut events = pin!(bus.follow(&replay).await?);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(event) => print(&event?, context)?,
                None => return Err(Error::unavailable("following events", "the stream has ended")),
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

fn print(recorded: &Recorded, context: &Context) -> Result<()> {
    let Recorded { event, stream, sequence, .. } = recorded;
    context.output.print(&json!({ "stream": stream, "sequence": sequence, "event": event }), |_| {
        let at = event.timestamp.format(&Rfc3339).unwrap_or_default();
        format!("{at}  {stream}/{sequence}  {}  {}", event.subject, event.metadata.correlation_id)
    })
}

async fn list(bus: &Bus, limit: usize, context: &Context) -> Result<()> {
    let letters = bus.dead_letters(limit).await?;
    let as_json: Vec<_> = letters.iter().map(|(place, letter)| json!({ "place": place, "letter": letter })).collect();
    context.output.print(&as_json, |_| {
        let rows = letters.iter().map(|(place, letter)| {
            let reason = format!("{}: {}", letter.error_code, letter.error_message);
            let tries = letter.deliveries.to_string();
            [place.to_string(), letter.consumer.clone(), letter.subject.clone(), tries, reason]
        });
        output::table(["PLACE", "HANDLER", "SUBJECT", "TRIES", "REASON"], rows)
    })
}

async fn redrive(bus: &Bus, places: Vec<u64>, all: bool, context: &Context) -> Result<()> {
    let places =
        if all { bus.dead_letters(usize::MAX).await?.into_iter().map(|(place, _)| place).collect() } else { places };
    for place in &places {
        bus.redrive(*place).await?;
    }
    context.output.print(&json!({ "redriven": places }), |_| format!("{} driven again", places.len()))
}
