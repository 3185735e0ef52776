//! The command line: `serve`, `worker`, `dev`, `migrate`, `metadata`, `config` and the user commands; the wiring of all rooms.

mod admin;
mod api;
mod apps;
mod ask;
mod audit;
mod completion;
mod config;
mod credentials;
#[cfg(feature = "dev")]
mod dev;
mod events;
mod exit;
mod fields;
mod graphql;
pub mod graphql_engine;
mod help;
mod id;
mod login;
mod metadata;
mod migrate;
mod open;
mod operations;
mod output;
mod projects;
mod schema;
mod secrets;
mod serve;
mod service;
mod stores;
mod suggest;
mod teams;
mod telemetry;
mod watch;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, FromArgMatches, Parser, Subcommand};
use telemetry::Telemetry;
use url::Url;

use crate::config::{Config, Loader, Purpose};
use crate::dev::{directory, running};
use crate::domain::{Code, Error, Redacted, Result};

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
    /// The API's address, also by NORTHSTACK_ENDPOINT [default: http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL", value_parser = address)]
    pub endpoint: Option<Url>,
    /// An access token; without it, the login of `northstack login` is used
    #[arg(long, global = true, env = "NORTHSTACK_TOKEN", hide_env_values = true, value_parser = token)]
    pub token: Option<Redacted>,
    /// Use the platform that `northstack dev` runs on this machine, with its state in .northstack or DIRECTORY
    #[arg(long, global = true, value_name = "DIRECTORY", num_args = 0..=1, require_equals = true,
          conflicts_with = "config")]
    pub dev: Option<Option<PathBuf>>,
}

/// The variable that names the API.
const ENDPOINT: &str = "NORTHSTACK_ENDPOINT";
/// Where the API is when nobody says.
const HERE: &str = "http://127.0.0.1:8080";
/// How long a command that does one thing looks for a system before it says that it is not there.
const PATIENCE: &str = "3s";

/// The address of an API.
fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| "must be an address such as https://api.example.com".to_owned())
}

fn token(text: &str) -> Result<Redacted, std::convert::Infallible> {
    Ok(Redacted::from(text))
}

impl Context {
    /// Where the settings are read from.
    ///
    /// # Errors
    /// `unavailable` when those of `northstack dev` are wanted and it does not run.
    pub fn loader(&self) -> Result<Loader> {
        let loader = Loader::from_process();
        Ok(match (&self.dev, &self.config) {
            (Some(state), _) => loader.file(running(&directory(state.as_deref()))?),
            (None, Some(file)) => loader.file(file),
            (None, None) => loader,
        })
    }

    /// The settings for a tool: what is given has to be right, but not everything has to be given.
    pub fn settings(&self) -> Result<Config> {
        let loader = self.loader()?;
        let given = loader.load(Purpose::Tool)?;
        let hasty = ["database.connect_timeout", "nats.connect_timeout"];
        let hasty = hasty.into_iter().filter(|setting| !given.origins.contains_key(*setting));
        Ok(hasty.fold(loader, |loader, setting| loader.set(setting, PATIENCE)).load(Purpose::Tool)?.config)
    }

    /// The API's address.
    pub fn endpoint(&self) -> Result<Url> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(endpoint.clone());
        }
        let address = match (&self.dev, std::env::var(ENDPOINT)) {
            (Some(_), _) => {
                let server = self.settings()?.server;
                format!("http://{}", std::net::SocketAddr::new(server.host, server.port))
            }
            (None, Ok(address)) if !address.is_empty() => address,
            (None, _) => HERE.to_owned(),
        };
        self::address(&address).map_err(|wrong| Error::invalid(ENDPOINT, wrong))
    }

    /// Says how a command for operators finds the platform that runs here, when it was not told where one is.
    pub fn hint(&self) {
        if self.dev.is_none() && self.config.is_none() && running(&directory(None)).is_ok() {
            output::note(self.output, "`northstack dev` runs on this machine: add --dev to use it.");
        }
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
    #[cfg(feature = "dev")]
    Dev(dev::Dev),
    /// Change the database schema
    Migrate(migrate::Migrate),
    /// Apply, compare, export and check Hasura metadata
    Metadata(metadata::MetadataArgs),
    /// Check and show the configuration
    Config(config::ConfigArgs),
    /// Print the GraphQL schema of a role
    Schema(schema::SchemaArgs),
    /// Sign in
    Login(login::Login),
    /// Sign out
    Logout(login::Logout),
    /// Say who is signed in, where, and in which teams
    Whoami(login::Whoami),
    /// Open an app or a store in the browser
    Open(open::Open),
    /// List and create teams
    Teams(teams::Teams),
    /// List and create projects, which hold apps
    Projects(projects::Projects),
    /// Create, list, show, delete and retry stores, and show their logins
    Stores(stores::Stores),
    /// List, show, create and delete apps
    Apps(apps::Apps),
    /// Deploy an app
    Deploy(apps::Deploy),
    /// List an app's revisions and what became of them
    Deployments(apps::Deployments),
    /// Bring an earlier revision of an app back
    Rollback(apps::Rollback),
    /// Let a deployment that waits go on: a canary's next share, or green in place of blue
    Promote(apps::Promote),
    /// End a deployment and take it back
    Abort(apps::Abort),
    /// Change an app's number of pods, or let it scale itself between two
    Scale(apps::Scale),
    /// Replace an app's pods
    Restart(apps::Restart),
    /// Give a stopped app its pods back
    Start(apps::Start),
    /// Take an app's pods away; all else stays
    Stop(apps::Stop),
    /// List, set and remove an app's variables
    Env(apps::Env),
    /// List, set, reveal and delete secrets
    Secrets(secrets::Secrets),
    /// List, make and remove preview environments
    Preview(apps::Preview),
    /// Print what an app writes
    Logs(apps::Logs),
    /// Say why an app is not live
    Why(apps::Why),
    /// List, show, watch, cancel and retry operations
    Operations(operations::Operations),
    /// Show and follow what happens to your apps and stores; for operators, also on the event bus
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
        match self {
            Command::Serve(_) | Command::Worker(_) => true,
            #[cfg(feature = "dev")]
            Command::Dev(_) => true,
            _ => false,
        }
    }

    /// Whether the command works on the platform's own systems, beside the API.
    fn operates(&self) -> bool {
        match self {
            Command::Migrate(_)
            | Command::Metadata(_)
            | Command::Config(_)
            | Command::Schema(_)
            | Command::Audit(_) => true,
            Command::Admin(_) => true,
            Command::Events(events) => events.command.is_some(),
            _ => false,
        }
    }

    async fn run(self, context: &Context) -> Result<Exit> {
        match self {
            Command::Serve(command) => command.run(context).await,
            Command::Worker(command) => command.run(context).await,
            #[cfg(feature = "dev")]
            Command::Dev(command) => command.run(context).await,
            Command::Migrate(command) => command.run(context).await,
            Command::Metadata(command) => command.run(context).await,
            Command::Config(command) => command.run(context),
            Command::Schema(command) => command.run(context).await,
            Command::Login(command) => command.run(context).await,
            Command::Logout(command) => command.run(context).await,
            Command::Whoami(command) => command.run(context).await,
            Command::Open(command) => command.run(context).await,
            Command::Teams(command) => command.run(context).await,
            Command::Projects(command) => command.run(context).await,
            Command::Stores(command) => command.run(context).await,
            Command::Apps(command) => command.run(context).await,
            Command::Deploy(command) => command.run(context).await,
            Command::Deployments(command) => command.run(context).await,
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
    let line = help::command();
    let arguments = line.clone().get_matches();
    let Cli { context, command } = Cli::from_arg_matches(&arguments).unwrap_or_else(|error| error.exit());
    let operates = command.operates();
    // The only other provider that could be installed is this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A configuration that cannot be read is the command's to refuse, in its own words.
    let observability = context.settings().map(|config| config.observability).unwrap_or_default();
    let telemetry = Telemetry::start(command.serves(), &observability);
    let outcome = telemetry.and_then(|telemetry| run(&context, command, &telemetry));
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            let error = fields::as_typed(error, &line, &arguments);
            context.output.error(&error);
            if operates && matches!(error.code(), Code::Unavailable | Code::InvalidInput) {
                context.hint();
            }
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
        help::command().debug_assert();
    }
}
