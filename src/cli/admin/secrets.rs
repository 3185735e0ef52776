//! `northstack admin secrets`: the keys that secrets are sealed with, and their rotation, on the database itself.

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use crate::app::secrets::{self, KeyUse};
use crate::cli::{Context, Exit, output};
use crate::db::{Audit, Db};
use crate::domain::sealing::KeyRing;
use crate::domain::{Actor, Error, Result};

/// Arguments of `northstack admin secrets`.
#[derive(Debug, Args)]
pub struct Secrets {
    /// What to do.
    #[command(subcommand)]
    pub command: SecretsCommand,
}

/// What `northstack admin secrets` can do.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Say how many secrets are sealed with each key; fails when one of the keys is not configured
    Status,
    /// Seal the data key of every secret anew with the active key (secrets.active_key), so that the others can go.
    /// Nothing stops meanwhile, and what is interrupted goes on when it is begun again
    Rewrap,
}

impl Secrets {
    /// Does what was asked, with the keys of this process's settings.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let settings = context.settings()?;
        let ring = settings.secrets.ring()?;
        let db = Db::connect(&settings.database).await?;
        let exit = match self.command {
            SecretsCommand::Status => status(&db, &ring, context).await,
            SecretsCommand::Rewrap => rewrap(&db, &ring, context).await,
        };
        db.close().await;
        exit
    }
}

async fn status(db: &Db, ring: &KeyRing, context: &Context) -> Result<Exit> {
    let keys = secrets::keys(db, ring).await?;
    context.output.print(&keys, |keys| {
        let rows = keys.iter().map(|one| [one.key_id.clone(), one.secrets.to_string(), word(one).to_owned()]);
        output::table(["KEY", "SECRETS", "STATE"], rows)
    })?;
    let whole = keys.iter().all(|key| key.configured || key.secrets == 0);
    Ok(if whole { Exit::Done } else { Exit::Different })
}

fn word(key: &KeyUse) -> &'static str {
    match (key.active, key.configured, key.secrets) {
        (true, ..) => "active",
        (_, true, 0) => "not needed any more",
        (_, true, _) => "needed until they are rewrapped",
        (_, false, _) => "NOT CONFIGURED: these secrets cannot be read",
    }
}

async fn rewrap(db: &Db, ring: &KeyRing, context: &Context) -> Result<Exit> {
    let others = secrets::keys(db, ring).await?.iter().filter(|key| !key.active).map(|key| key.secrets).sum::<i64>();
    // On a terminal alone: it draws nothing elsewhere.
    let bar = ProgressBar::new(others.unsigned_abs());
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} secrets")
        .map_err(|source| Error::internal("drawing progress", source))?;
    bar.set_style(style);
    let by = Audit { actor: Actor::Admin(None), correlation_id: Some(format!("admin-{}", Uuid::new_v4())) };
    let done = secrets::rewrap(db, ring, &by, |report| {
        bar.set_position(report.rewrapped + report.failed.len() as u64);
    });
    let done = done.await?;
    bar.finish_and_clear();
    context.output.print(&done, |done| {
        let mut text = format!("{} secrets were sealed anew with {}", done.rewrapped, done.active);
        match done.remaining {
            0 => text.push_str("; none needs another key"),
            count => text += &format!("; {count} still need another key"),
        }
        for (id, reason) in &done.failed {
            text += &format!("\n{id}: {reason}");
        }
        text
    })?;
    Ok(if done.remaining == 0 { Exit::Done } else { Exit::Different })
}
