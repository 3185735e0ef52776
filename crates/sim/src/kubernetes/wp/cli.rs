//! The `wp` command: dispatch, and the failures that every command shares.

use std::collections::BTreeMap;

use super::args::Args;
use super::connect::{Failure, Site, open};
use super::globals::{no_files, obey};
use super::site::Site as Tables;
use super::{core, extensions, options, products, shop, users};
use crate::kubernetes::exec::{Output, Place};
use crate::kubernetes::network::reaches_internet;
use crate::kubernetes::storage::State;

/// A command's result: what to print, or the text of an error.
pub(super) type Answer = Result<Output, String>;

/// One call of `wp` on a site whose files and database are reachable.
pub(super) struct Call {
    pub(super) args: Args,
    pub(super) site: Site,
    /// Whether the pod reaches the Internet.
    pub(super) online: bool,
    /// What was given on standard input.
    pub(super) stdin: String,
    /// The active plugins when the call began: a plugin's commands exist only then.
    booted: Vec<String>,
}

impl Call {
    /// The site's tables; an error for a site that is not installed.
    pub(super) fn tables(&mut self) -> Result<&mut Tables, String> {
        self.site.tables.as_mut().ok_or_else(|| NOT_INSTALLED.to_owned())
    }

    /// A required positional argument.
    pub(super) fn need(&self, index: usize, usage: &str) -> Result<String, String> {
        self.args.word(index).map(str::to_owned).ok_or_else(|| format!("usage: wp {usage}"))
    }
}

const NOT_INSTALLED: &str =
    "The site you have requested is not installed.\nRun `wp core install` to create database tables.";

/// Runs `wp` with these arguments.
pub(crate) fn run(
    state: &mut State,
    place: &Place<'_>,
    env: &BTreeMap<String, String>,
    arguments: &[String],
    stdin: &[u8],
) -> Output {
    let mut args = Args::new(arguments);
    args.prompt(stdin);
    let command: Vec<&str> = args.words.iter().map(String::as_str).take(3).collect();
    if let Some(output) = obey(state, place, &args) {
        return output;
    }
    match command.as_slice() {
        [] => return Output::ok("NAME\n\n  wp\n\nDESCRIPTION\n\n  Manage WordPress through the command-line."),
        ["cli", "version"] => return Output::ok("WP-CLI 2.12.0"),
        _ => {}
    }
    if args.has("version") && command.is_empty() {
        return Output::ok("WP-CLI 2.12.0");
    }
    if command.as_slice() == ["core", "version"] {
        return match version(state, place) {
            Some(version) => Output::ok(version),
            None => error(no_files(super::start::HTML)),
        };
    }
    let mut site = match open(state, place, env) {
        Ok(site) => site,
        // `is-installed` answers by its exit code alone once there are files.
        Err(Failure::NoFiles) => return error(no_files(super::start::HTML)),
        Err(Failure::NoDatabase { address }) => return error(no_database(&address)),
    };
    let booted = site.tables.as_ref().map(|tables| tables.active().map(str::to_owned).collect()).unwrap_or_default();
    if let Some(tables) = &mut site.tables {
        shop::booted(tables, site.files.plugins.get("woocommerce"));
    }
    let stdin = String::from_utf8_lossy(stdin).into_owned();
    let online = reaches_internet(state, place.namespace, place.pod);
    let mut call = Call { args, site, online, stdin, booted };
    let answer = known_user(&mut call).and_then(|()| understood(&call)).and_then(|()| dispatch(&mut call));
    match answer {
        Ok(output) => {
            call.site.save(state);
            output
        }
        Err(message) => error(message),
    }
}

/// `--user` is looked up before any command of an installed site.
fn known_user(call: &mut Call) -> Result<(), String> {
    if call.site.tables.is_none() { Ok(()) } else { super::users::privileged(call).map(drop) }
}

/// Refuses flags and words that a command does not know, as WP-CLI does by its synopsis.
fn understood(call: &Call) -> Result<(), String> {
    let words: Vec<&str> = call.args.words.iter().map(String::as_str).collect();
    let (known, most): (&[&str], usize) = match words.as_slice() {
        ["option", "update" | "set" | "add", ..] => (&["format", "autoload"], 4),
        ["option", "get", ..] => (&["format"], 3),
        ["core", "is-installed", ..] => (&["network"], 2),
        ["core", "install", ..] => {
            (&["title", "admin_user", "admin_password", "admin_email", "locale", "skip-email", "skip-config"], 2)
        }
        ["rewrite", "structure", ..] => (&["category-base", "tag-base", "hard"], 3),
        ["theme", "activate", ..] => (&[], 3),
        ["plugin" | "theme", "install", ..] => {
            (&["version", "force", "activate", "activate-network", "insecure", "ignore-requirements"], usize::MAX)
        }
        _ => return Ok(()),
    };
    if let Some(extra) = words.get(most..).filter(|extra| !extra.is_empty()) {
        return Err(format!("Too many positional arguments: {}", extra.join(" ")));
    }
    let unknown: Vec<String> =
        call.args.unknown(known).iter().map(|name| format!("unknown --{name} parameter")).collect();
    if unknown.is_empty() { Ok(()) } else { Err(format!("Parameter errors:\n {}", unknown.join("\n "))) }
}

fn version(state: &State, place: &Place<'_>) -> Option<String> {
    let disk = place.disk(state, super::start::HTML);
    state.volume(&disk).and_then(|volume| volume.files.as_ref()).map(|files| files.version.clone())
}

fn no_database(address: &str) -> String {
    format!(
        "Error establishing a database connection. This either means that the username and password information in \
         your `wp-config.php` file is incorrect or that contact with the database server at `{address}` could not be \
         established. This could mean your host\u{2019}s database server is down."
    )
}

/// WP-CLI's way to fail.
fn error(message: impl AsRef<str>) -> Output {
    let message = message.as_ref();
    if message.starts_with("usage: ") {
        return Output { stdout: format!("{message}\n"), code: 1, ..Output::default() };
    }
    // Warnings come before the error that sums them up.
    match message.rsplit_once("\u{0}") {
        Some((warnings, error)) => Output::fail(1, format!("{warnings}\nError: {error}")),
        None => Output::fail(1, format!("Error: {message}")),
    }
}

fn dispatch(call: &mut Call) -> Answer {
    let words: Vec<String> = call.args.words.iter().take(3).cloned().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["core", "is-installed", ..] => Ok(Output::silent(i64::from(call.site.tables.is_none()))),
        ["core", "install", ..] => core::install(call),
        ["db", "check", ..] => Ok(Output::ok("Success: Database checked.")),
        ["db", "query", ..] => core::query(call),
        ["plugin", action, ..] => extensions::plugin(call, action),
        ["theme", action, ..] => extensions::theme(call, action),
        ["option", action, ..] => options::option(call, action),
        ["rewrite", "structure", ..] => core::rewrite(call),
        ["rewrite", "flush", ..] => {
            call.tables()?;
            Ok(Output::ok("Success: Rewrite rules flushed."))
        }
        ["cache", "flush", ..] => {
            call.tables()?;
            Ok(Output::ok("Success: The cache was flushed."))
        }
        ["cron", "event", "run", ..] => {
            call.tables()?;
            Ok(Output::ok("Success: Executed a total of 0 cron events."))
        }
        ["user", action, ..] => users::user(call, action),
        ["transient", action, ..] => shop::transient(call, action),
        ["post", "list", ..] => core::pages(call),
        ["wc", rest @ ..] => {
            call.tables()?;
            if !call.booted.iter().any(|plugin| plugin == "woocommerce") {
                return Err("'wc' is not a registered wp command. See 'wp help' for available commands.".to_owned());
            }
            match rest {
                ["product", action, ..] => products::product(call, action),
                _ => shop::command(call, rest),
            }
        }
        [name, ..] => Err(format!("'{name}' is not a registered wp command. See 'wp help' for available commands.")),
        [] => Err("no command".to_owned()),
    }
}
