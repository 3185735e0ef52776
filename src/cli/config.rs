//! `northstack config`: what is set, where it was set, and whether it is right.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::{Context, Exit, output};
use crate::config::{self, Loaded, Purpose};
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
    /// Print an example with every setting, its purpose and its default
    Example {
        /// In which form
        #[arg(value_enum)]
        form: Form,
    },
}

/// The forms of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Environment variables, as in `.env.example`.
    Env,
    /// A configuration file, as `config/config.example.yaml`.
    Yaml,
    /// The JSON Schema of the configuration file, for editors.
    Schema,
}

impl ConfigArgs {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<Exit> {
        match self.command {
            ConfigCommand::Check => check(context),
            ConfigCommand::Show => show(&context.loader()?.load(Purpose::Tool)?, context),
            ConfigCommand::Example { form } => example(form),
        }
    }
}

fn check(context: &Context) -> Result<Exit> {
    let problems = match context.loader()?.load(Purpose::Service) {
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
    if problems.is_empty() {
        return Ok(Exit::Done);
    }
    context.hint();
    Ok(Exit::Usage)
}

fn show(loaded: &Loaded, context: &Context) -> Result<Exit> {
    let shown = config::show(loaded);
    let result: Map<String, Value> = shown
        .iter()
        .map(|one| (one.setting.clone(), json!({"value": one.value, "origin": one.origin, "live": one.live})))
        .collect();
    context.output.print(&result, |_| {
        let rows = shown.iter().map(|one| {
            let value = match &one.value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            [one.setting.clone(), value, one.origin.clone()]
        });
        output::table(["SETTING", "VALUE", "SET BY"], rows)
    })?;
    Ok(Exit::Done)
}

fn example(form: Form) -> Result<Exit> {
    let text = match form {
        Form::Env => config::example_env(),
        Form::Yaml => config::example_yaml(),
        Form::Schema => serde_json::to_string_pretty(&config::schema())
            .map_err(|source| Error::internal("printing the schema of the settings", source))?,
    };
    output::line(text.trim_end())?;
    Ok(Exit::Done)
}
