//! `northstack config`: what is set, where it was set, and whether it is right.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{Context, Exit, output};
use crate::config::{Loaded, Purpose, fields};
use crate::domain::{Error, Result};

/// Arguments of `northstack config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What `northstack config` can do.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check that a service could start with the present settings, and say all that is wrong
    Check,
    /// Print every setting with its value and where it came from; secrets are redacted
    Show,
}

impl ConfigArgs {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<Exit> {
        match self.command {
            ConfigCommand::Check => check(context),
            ConfigCommand::Show => show(&context.loader().load(Purpose::Tool)?, context),
        }
    }
}

fn check(context: &Context) -> Result<Exit> {
    let problems = match context.loader().load(Purpose::Service) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0,
    };
    let result: Vec<Value> = problems
        .iter()
        .map(|problem| json!({"field": problem.field, "message": problem.message, "origin": problem.origin}))
        .collect();
    context.output.print(&result, |_| match problems.is_empty() {
        true => "The configuration is right.".to_owned(),
        false => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    })?;
    Ok(if problems.is_empty() { Exit::Done } else { Exit::Usage })
}

fn show(loaded: &Loaded, context: &Context) -> Result<Exit> {
    // Secrets serialise as `[redacted]`.
    let config = serde_json::to_value(&loaded.config).map_err(|e| Error::internal("writing the settings", e))?;
    let rows: Vec<[String; 3]> = fields()
        .iter()
        .map(|field| {
            let value = match config.get(&field.section).and_then(|section| section.get(&field.name)) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            let origin = loaded.origins.get(&field.path()).map_or("default", String::as_str);
            [field.path(), value, origin.to_owned()]
        })
        .collect();
    let result: Map<String, Value> =
        rows.iter().map(|[path, value, origin]| (path.clone(), json!({"value": value, "origin": origin}))).collect();
    context.output.print(&result, |_| output::table(["SETTING", "VALUE", "SET BY"], rows))?;
    Ok(Exit::Done)
}
