//! `northstack audit`: whether the audit trail is whole.

use clap::{Args, Subcommand};

use super::{Context, Exit, output};
use crate::app::audit;
use crate::bus::Bus;
use crate::db::Db;
use crate::domain::Result;

/// Arguments of `northstack audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What `northstack audit` can do.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Walk every chain, and compare it with the events of the last 365 days; fails when anything is wrong
    Verify {
        /// Look at the database alone. A chain that was cut off together with its head is not noticed then
        #[arg(long)]
        without_events: bool,
    },
}

impl AuditArgs {
    /// Verifies, on the database and the event bus themselves.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let AuditCommand::Verify { without_events } = self.command;
        let settings = context.settings()?;
        let db = Db::connect(&settings.database).await?;
        let bus = if without_events { None } else { Some(Bus::connect(&settings.nats).await?) };
        let report = audit::verify(db.pool(), bus.as_ref()).await?;
        db.close().await;
        context.output.print(&report, |report| {
            let mut text = format!("{} records in {} chains read", report.records, report.chains);
            if let Some(events) = report.events {
                text += &format!(", {events} compared with the events");
            }
            if report.findings.is_empty() {
                return text + ": all is as it was written";
            }
            let rows = report.findings.iter().map(|one| {
                let fault: &'static str = one.fault.into();
                let record = one.record.map(|id| id.to_string()).unwrap_or_default();
                [fault.to_owned(), one.chain.to_string(), one.position.to_string(), record]
            });
            text + &format!(": {} faults\n", report.findings.len())
                + &output::table(["FAULT", "CHAIN", "POSITION", "RECORD"], rows)
        })?;
        Ok(if report.findings.is_empty() { Exit::Done } else { Exit::Different })
    }
}
