//! What WP-CLI does with its own options before a command runs.

use super::args::Args;
use super::site::Files;
use super::start::HTML;
use crate::kubernetes::exec::{Output, Place};
use crate::kubernetes::storage::State;

/// Obeys `--ssh`, `--http`, `--path`, `--require` and `--exec`. An output ends the call.
pub(super) fn obey(state: &mut State, place: &Place<'_>, args: &Args) -> Option<Output> {
    if args.has("ssh") {
        // The command is to run on another machine; the image has no client for that.
        return Some(Output::fail(127, "sh: ssh: not found"));
    }
    if args.has("http") {
        let message = "Error: RESTful WP-CLI needs to be installed. Try 'wp package install wp-cli/restful'.";
        return Some(Output::fail(1, message));
    }
    if args.has("path") {
        match args.value("path") {
            None | Some("") => {
                return Some(Output::fail(1, "Error: The --path parameter cannot be empty when provided."));
            }
            Some(path) if path.trim_end_matches('/') != HTML => {
                return Some(Output::fail(1, format!("Error: {}", no_files(path))));
            }
            Some(_) => {}
        }
    }
    for (name, value) in args.values() {
        match name {
            "require" if super::file(state, place, value).is_none() => {
                return Some(Output::fail(1, format!("Error: Required file '{}' doesn't exist.", base(value))));
            }
            "exec" => run(state, place, value),
            _ => {}
        }
    }
    args.has("help").then(|| Output::ok("NAME\n\n  wp\n\nDESCRIPTION\n\n  Manage WordPress through the command-line."))
}

/// What is said where there is no WordPress.
pub(super) fn no_files(path: &str) -> String {
    format!(
        "This does not seem to be a WordPress installation.\nThe used path is: {}/\nPass --path=`path/to/wordpress` or \
         run `wp core download`.",
        path.trim_end_matches('/')
    )
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Runs PHP, as far as it is `file_put_contents('path', 'text')` within the site's files.
fn run(state: &mut State, place: &Place<'_>, php: &str) {
    let uid = place.disk(state, HTML);
    let Some((path, text)) = written(php) else { return };
    let mut volume = state.volume(&uid).cloned().unwrap_or_default();
    let files: &mut Files = volume.files.get_or_insert_default();
    files.written.insert(path, text);
    state.set_volume(&uid, volume);
}

fn written(php: &str) -> Option<(String, String)> {
    let call = php.split_once("file_put_contents(")?.1.split_once(')')?.0;
    let (path, text) = call.split_once(',')?;
    let plain = |text: &str| text.trim().trim_matches(['\'', '"']).to_owned();
    let path = plain(path);
    Some((path.trim_start_matches(HTML).trim_start_matches('/').to_owned(), plain(text)))
}
