//! The command line: `serve`, `worker`, `dev`, `migrate`, `metadata`, `config` and the user commands; the wiring of all rooms.

mod admin;
mod api;
mod apps;
mod audit;
mod completion;
mod config;
mod credentials;
mod dev;
mod events;
mod exit;
mod graphql;
pub mod graphql_engine;
mod login;
mod metadata;
mod migrate;
mod operations;
mod output;
mod schema;
mod secrets;
mod serve;
mod service;
mod stores;
mod telemetry;
mod watch;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use telemetry::Telemetry;

use crate::config::{Config, Loader, Purpose};
use crate::domain::{Error, Result};

pub use exit::Exit;
pub use output::Output;

/// NorthStack: a platform-as-a-service control plane behind one live GraphQL API.
#[derive(Debug, Parser)]
#[command(name = "northstack", version, propagate_version = true, after_help = exit::HELP)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub context: Context,
    /// Which command.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Debug, Clone, Args)]
pub struct Context {
    /// Read this configuration file (YAML) below the NORTHSTACK_ environment
    #[arg(long, global = true, env = "NORTHSTACK_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the result as text or as JSON
    #[arg(long, short, global = true, value_enum, default_value_t)]
    pub output: Output,
}

impl Context {
    /// Where the settings are read from.
    pub fn loader(&self) -> Loader {
        let loader = Loader::from_process();
        match &self.config {
            Some(file) => loader.file(file),
            None => loader,
        }
    }

    /// The settings for a tool: what is given has to be right, but not everything has to be given.
    pub fn settings(&self) -> Result<Config> {
        Ok(self.loader().load(Purpose::Tool)?.config)
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API, and with --worker run operations too
    Serve(serve::Serve),
    /// Run operations
    Worker(worker::Worker),
    /// Run the whole platform on this machine
    Dev(dev::Dev),
    /// Change the database schema
    Migrate(migrate::Migrate),
    /// Apply, compare, export and check Hasura metadata
    Metadata(metadata::MetadataArgs),
    /// Check and show the configuration
    Config(config::ConfigArgs),
    /// Print the GraphQL schema of a role
    Schema(schema::SchemaArgs),
    /// Sign in, for the commands below
    Login(login::Login),
    /// Create, list, show, delete and retry stores
    Stores(stores::Stores),
    /// List, show and create applications
    Apps(apps::Apps),
    /// Deploy an application
    Deploy(apps::Deploy),
    /// Bring an earlier revision of an application back
    Rollback(apps::Rollback),
    /// Let a deployment that waits go on: a canary's next share, or green in place of blue
    Promote(apps::Promote),
    /// End a deployment and take it back
    Abort(apps::Abort),
    /// Change an application's number of pods, or the bounds between which it scales itself
    Scale(apps::Scale),
    /// Replace an application's pods
    Restart(apps::Restart),
    /// Give a stopped application its pods back
    Start(apps::Start),
    /// Take an application's pods away; all else stays
    Stop(apps::Stop),
    /// List, set and remove an application's variables
    Env(apps::Env),
    /// List, set, reveal and delete secrets
    Secrets(secrets::Secrets),
    /// List, make and remove preview environments
    Preview(apps::Preview),
    /// Print what an application writes
    Logs(apps::Logs),
    /// Say why an application is not live
    Why(apps::Why),
    /// List, show, watch, cancel and retry operations
    Operations(operations::Operations),
    /// Read events again, follow them, and drive those again that no handler could handle
    Events(events::Events),
    /// Prove that the audit trail is whole
    Audit(audit::AuditArgs),
    /// What operators and tests need to know of this binary
    Admin(admin::Admin),
    /// Print a shell's completion script
    Completion(completion::Completion),
}

impl Command {
    /// Whether the command runs until it is told to stop, and so logs what it does.
    fn serves(&self) -> bool {
        matches!(self, Command::Serve(_) | Command::Worker(_) | Command::Dev(_))
    }

    async fn run(self, context: &Context) -> Result<Exit> {
        match self {
            Command::Serve(command) => command.run(context).await,
            Command::Worker(command) => command.run(context).await,
            Command::Dev(command) => command.run(context).await,
            Command::Migrate(command) => command.run(context).await,
            Command::Metadata(command) => command.run(context).await,
            Command::Config(command) => command.run(context),
            Command::Schema(command) => command.run(context).await,
            Command::Login(command) => command.run(context).await,
            Command::Stores(command) => command.run(context).await,
            Command::Apps(command) => command.run(context).await,
            Command::Deploy(command) => command.run(context).await,
            Command::Rollback(command) => command.run(context).await,
            Command::Promote(command) => command.run(context).await,
            Command::Abort(command) => command.run(context).await,
            Command::Scale(command) => command.run(context).await,
            Command::Restart(command) => command.run(context).await,
            Command::Start(command) => command.run(context).await,
            Command::Stop(command) => command.run(context).await,
            Command::Env(command) => command.run(context).await,
            Command::Secrets(command) => command.run(context).await,
            Command::Preview(command) => command.run(context).await,
            Command::Logs(command) => command.run(context).await,
            Command::Why(command) => command.run(context).await,
            Command::Operations(command) => command.run(context).await,
            Command::Events(command) => command.run(context).await,
            Command::Audit(command) => command.run(context).await,
            Command::Admin(command) => command.run(context).await,
            Command::Completion(command) => command.run(),
        }
    }
}

/// Runs the command named on the command line and gives the process's exit code.
///
/// The process-wide pieces are set up here and nowhere else: TLS provider, log subscriber, runtime.
pub fn main() -> ExitCode {
    let Cli { context, command } = Cli::parse();
    // The only other provider that could be installed is this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A configuration that cannot be read is the command's to refuse, in its own words.
    let observability = context.settings().map(|config| config.observability).unwrap_or_default();
    let telemetry = Telemetry::start(command.serves(), &observability);
    let outcome = telemetry.and_then(|telemetry| run(&context, command, &telemetry));
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            context.output.error(&error);
            Exit::from(&error).into()
        }
    }
}

/// Runs the command to its end; `_telemetry` outlives the runtime.
fn run(context: &Context, command: Command, _telemetry: &Telemetry) -> Result<Exit> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::internal("starting the runtime", source))
        .and_then(|runtime| runtime.block_on(command.run(context)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
