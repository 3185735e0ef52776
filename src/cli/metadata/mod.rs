//! `northstack metadata`: the metadata directory against a running Hasura, or the embedded engine.

mod diff;
mod directory;
mod normal;
mod sdl;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Context, Exit};
use crate::domain::{Error, Redacted, Result};
use crate::engine::metadata::Metadata;
use crate::vendors::hasura::{Client, Consistency, Credentials};

/// Arguments of `northstack metadata`. The Hasura or engine is that of --endpoint, or of the configuration
/// (hasura.endpoint).
#[derive(Debug, Args)]
pub struct MetadataArgs {
    /// Its admin secret; by default the configuration's hasura.admin_secret
    #[arg(long, global = true, value_parser = secret, value_name = "SECRET")]
    pub admin_secret: Option<Redacted>,
    /// The metadata directory; by default the configuration's hasura.metadata_dir
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub dir: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: MetadataCommand,
}

fn secret(text: &str) -> Result<Redacted, std::convert::Infallible> {
    Ok(Redacted::from(text))
}

/// What `northstack metadata` can do.
#[derive(Debug, Subcommand)]
pub enum MetadataCommand {
    /// Replace the server's metadata by the directory's
    Apply {
        /// Keep metadata that does not fit the database, and say what does not
        #[arg(long)]
        allow_inconsistent: bool,
    },
    /// Print what apply would change; exit code 6 when there is something
    Diff,
    /// Write the server's metadata into the directory
    Export,
    /// Check the directory without a server
    Check,
    /// Rewrite the directory in the form that export gives it
    Format {
        /// Only say which files would change; exit code 6 when there are some
        #[arg(long)]
        check: bool,
    },
}

impl MetadataArgs {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let configured = context.settings()?.hasura;
        let directory = self.dir.unwrap_or(configured.metadata_dir);
        let connect = || {
            let missing = || Error::invalid("--admin-secret", "give it, or set NORTHSTACK_HASURA__ADMIN_SECRET");
            let secret = self.admin_secret.or(configured.admin_secret).ok_or_else(missing)?;
            // The platform of --dev has its engine where its API is.
            let endpoint = match (&context.endpoint, &context.dev) {
                (None, None) => configured.endpoint.clone(),
                _ => context.endpoint()?,
            };
            Client::new(&endpoint, &Credentials::AdminSecret(secret))
        };
        match self.command {
            MetadataCommand::Apply { allow_inconsistent } => {
                apply(&connect()?, &directory, allow_inconsistent, context).await
            }
            MetadataCommand::Diff => diff(&connect()?, &directory, context).await,
            MetadataCommand::Export => export(&connect()?, &directory, context).await,
            MetadataCommand::Check => check(&directory, context),
            MetadataCommand::Format { check } => format(&directory, check, context),
        }
    }
}

/// Reads the directory; a fault names its file, line and key.
fn load(directory: &Path) -> Result<Value> {
    let metadata = Metadata::from_directory(directory);
    let document = metadata.map_err(|fault| Error::invalid(directory.display().to_string(), fault.to_string()))?;
    Ok(document.to_document())
}

async fn apply(client: &Client, directory: &Path, allow_inconsistent: bool, context: &Context) -> Result<Exit> {
    let wanted = load(directory)?;
    let present = client.export_metadata().await?;
    let directory = normal::normal(&wanted);
    let consistency = if normal::aligned(&normal::normal(&present.metadata), &directory) == directory {
        client.inconsistent_metadata().await?
    } else {
        client.apply_metadata(&wanted, Some(present.resource_version), allow_inconsistent).await?
    };
    context.output.print(&consistency, words)?;
    Ok(if consistency.is_consistent { Exit::Done } else { Exit::Different })
}

fn words(consistency: &Consistency) -> String {
    if consistency.is_consistent {
        return "The server's metadata is that of the directory, and consistent.".to_owned();
    }
    let mut text = "The server's metadata is that of the directory, but inconsistent:".to_owned();
    for object in &consistency.inconsistent_objects {
        text.push_str(&format!("\n  {object}"));
    }
    text
}

async fn diff(client: &Client, directory: &Path, context: &Context) -> Result<Exit> {
    let wanted = normal::normal(&load(directory)?);
    let present = normal::aligned(&normal::normal(&client.export_metadata().await?.metadata), &wanted);
    let changes = diff::changes(&directory::files(&present)?, &directory::files(&wanted)?);
    context.output.print(&changes, |changes| match changes.is_empty() {
        true => "The server's metadata is that of the directory.".to_owned(),
        false => changes.iter().map(|change| change.diff.as_str()).collect(),
    })?;
    Ok(if changes.is_empty() { Exit::Done } else { Exit::Different })
}

async fn export(client: &Client, directory: &Path, context: &Context) -> Result<Exit> {
    let files = directory::files(&normal::normal(&client.export_metadata().await?.metadata))?;
    directory::write(directory, &files)?;
    let result = json!({"directory": directory, "files": files.len()});
    context.output.print(&result, |_| format!("Wrote {} files below {}.", files.len(), directory.display()))?;
    Ok(Exit::Done)
}

fn check(directory: &Path, context: &Context) -> Result<Exit> {
    let document = load(directory)?;
    let count = |pointer: &str| document.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len);
    let result = json!({
        "directory": directory,
        "tables": count("/sources/0/tables"),
        "actions": count("/actions"),
        "remoteSchemas": count("/remote_schemas"),
        "restEndpoints": count("/rest_endpoints"),
    });
    context.output.print(&result, |result| {
        format!(
            "{} is sound: {} tables, {} actions, {} remote schemas, {} REST endpoints.",
            directory.display(),
            result["tables"],
            result["actions"],
            result["remoteSchemas"],
            result["restEndpoints"],
        )
    })?;
    Ok(Exit::Done)
}

fn format(directory: &Path, check: bool, context: &Context) -> Result<Exit> {
    let files = directory::files(&normal::normal(&load(directory)?))?;
    let stale: Vec<&PathBuf> = files
        .iter()
        .filter(|(file, text)| std::fs::read_to_string(directory.join(file)).ok().as_ref() != Some(*text))
        .map(|(file, _)| file)
        .collect();
    if !check && !stale.is_empty() {
        directory::write(directory, &files)?;
    }
    context.output.print(&stale, |stale| match (stale.is_empty(), check) {
        (true, _) => "Every file is in form.".to_owned(),
        (false, true) => stale.iter().map(|file| format!("{} is not in form\n", file.display())).collect(),
        (false, false) => stale.iter().map(|file| format!("wrote {}\n", file.display())).collect(),
    })?;
    Ok(if check && !stale.is_empty() { Exit::Different } else { Exit::Done })
}
