//! `northstack --help`: the commands by what one wants, those of every day first.

use clap::{Command, CommandFactory};

use super::Cli;

/// Every command, once, under what it is for.
const GROUPS: &[(&str, &[&str])] = &[
    ("Begin", &["login", "whoami", "logout", "open"]),
    (
        "Apps",
        &[
            "apps",
            "deploy",
            "deployments",
            "promote",
            "rollback",
            "abort",
            "scale",
            "restart",
            "start",
            "stop",
            "logs",
            "why",
            "env",
            "secrets",
            "preview",
        ],
    ),
    ("Stores", &["stores"]),
    ("Teams", &["teams", "projects"]),
    ("What happens", &["operations", "events"]),
    ("Shell", &["completion", "help"]),
    ("For operators", &["dev", "serve", "worker", "migrate", "metadata", "config", "schema", "audit", "admin"]),
];

const EXAMPLES: &str = "Examples:
  northstack login --email you@example.com
  northstack apps create my-app --replicas 2
  northstack deploy my-app --image nginx:1 --watch
  northstack logs my-app --follow
  northstack stores create \"My Shop\" --watch";

/// The command line with its help.
pub fn command() -> Command {
    let command = Cli::command();
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{}\n\n{{options}}{{after-help}}",
        groups(&command),
        heading("Options")
    );
    command.help_template(template).override_usage("northstack <COMMAND> [OPTIONS]")
}

fn heading(title: &str) -> String {
    // What clap writes its own headings with; it takes the style away where nobody looks.
    format!("\u{1b}[1m\u{1b}[4m{title}:\u{1b}[0m")
}

fn groups(command: &Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        text += &format!("{}\n", heading(title));
        for name in *names {
            let about = match command.find_subcommand(name).and_then(Command::get_about) {
                Some(about) => about.to_string(),
                None => "Print this, or the help of a command".to_owned(),
            };
            text += &format!("  {name:<12} {about}\n");
        }
        text.push('\n');
    }
    format!("{text}{EXAMPLES}\n\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let mut shown: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        shown.sort_unstable();
        let mut there: BTreeSet<String> = Cli::command().get_subcommands().map(|it| it.get_name().to_owned()).collect();
        there.insert("help".to_owned());
        assert_eq!(shown, there.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn the_daily_commands_come_before_the_operators() {
        let help = command().render_help().to_string();
        let place = |name: &str| help.find(&format!("\n  {name} ")).unwrap_or_else(|| panic!("{name} in {help}"));
        assert!(place("login") < place("deploy") && place("deploy") < place("serve"), "{help}");
        assert!(help.contains("Exit codes:") && help.contains("Examples:"), "{help}");
    }
}
