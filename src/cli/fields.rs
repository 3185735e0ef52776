//! What the API calls a field, as whoever types a command knows it: by the command's option or argument.

use clap::{ArgMatches, Command};

use crate::domain::Error;

/// The arguments that are called otherwise than the API's field; of several, the first that a command has.
const OTHERWISE: &[(&str, &[&str])] = &[
    ("id", &["secret", "store", "app"]),
    ("applicationId", &["app"]),
    ("project_id", &["project"]),
    ("team_id", &["team"]),
    ("teamId", &["team"]),
    ("minReplicas", &["min"]),
    ("maxReplicas", &["max"]),
    ("revision", &["to"]),
    ("ttlSeconds", &["ttl"]),
    ("type", &["kind"]),
    ("password", &["password_stdin"]),
];

/// The same error, with the field by its name on the command line that `matches` came from.
pub fn as_typed(error: Error, command: &Command, matches: &ArgMatches) -> Error {
    let (mut command, mut matches) = (command, matches);
    while let Some((name, below)) = matches.subcommand() {
        let Some(found) = command.find_subcommand(name) else { break };
        (command, matches) = (found, below);
    }
    match error.field().and_then(|field| name(command, field)) {
        Some(name) => error.at(&name),
        None => error,
    }
}

/// A field's name in the help of a command: `--team`, or the argument's own where it has no option.
fn name(command: &Command, field: &str) -> Option<String> {
    let own = snake(field);
    let others = OTHERWISE.iter().find(|(name, _)| *name == field).map_or(&[][..], |(_, others)| *others);
    let wanted = [own.as_str()].into_iter().chain(others.iter().copied());
    let found = wanted.filter_map(|id| command.get_arguments().find(|arg| arg.get_id() == id)).next()?;
    Some(found.get_long().map_or_else(|| found.get_id().to_string(), |long| format!("--{long}")))
}

fn snake(field: &str) -> String {
    let mut text = String::new();
    for letter in field.chars() {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::convert::Infallible;

    use async_graphql::Value;
    use async_graphql::parser::parse_query;
    use async_graphql::parser::types::{OperationType, Selection};
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// Which command sends which mutation.
    const SENT_BY: &[(&str, &[&str])] = &[
        ("insert_applications_one", &["apps", "create"]),
        ("deleteApplication", &["apps", "delete"]),
        ("deployApplication", &["deploy"]),
        ("rollbackDeployment", &["rollback"]),
        ("promoteDeployment", &["promote"]),
        ("abortDeployment", &["abort"]),
        ("scaleApplication", &["scale"]),
        ("restartApplication", &["restart"]),
        ("startApplication", &["start"]),
        ("stopApplication", &["stop"]),
        ("setEnvironmentVariables", &["env", "set"]),
        ("createPreviewEnvironment", &["preview", "create"]),
        ("deletePreviewEnvironment", &["preview", "delete"]),
        ("login", &["login"]),
        ("refreshToken", &["login"]),
        ("logout", &["logout"]),
        ("cancelOperation", &["operations", "cancel"]),
        ("retryOperation", &["operations", "retry"]),
        ("setSecret", &["secrets", "set"]),
        ("revealSecret", &["secrets", "reveal"]),
        ("deleteSecret", &["secrets", "delete"]),
        ("createStore", &["stores", "create"]),
        ("deleteStore", &["stores", "delete"]),
        ("retryStore", &["stores", "retry"]),
        ("revealStoreCredentials", &["stores", "credentials"]),
        ("insert_teams_one", &["teams", "create"]),
        ("insert_projects_one", &["projects", "create"]),
    ];

    /// What the command fills in by itself, or reads from standard input: nobody types it.
    const NOT_TYPED: &[(&str, &str)] = &[
        ("refreshToken", "refreshToken"),
        ("logout", "refreshToken"),
        ("setSecret", "value"),
        ("insert_teams_one", "members"),
        ("createPreviewEnvironment", "idempotencyKey"),
        ("deletePreviewEnvironment", "idempotencyKey"),
    ];

    /// Every mutation that the commands send, with the names of the fields that it takes.
    fn sent() -> BTreeMap<String, BTreeSet<String>> {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/graphql");
        let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let mut sent = BTreeMap::<String, BTreeSet<String>>::new();
        for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "graphql")) {
            let document = parse_query(std::fs::read_to_string(file).unwrap()).unwrap();
            for (_, operation) in document.operations.iter() {
                if operation.node.ty != OperationType::Mutation {
                    continue;
                }
                for selection in &operation.node.selection_set.node.items {
                    let Selection::Field(field) = &selection.node else { panic!("a mutation's own field") };
                    let fields = sent.entry(field.node.name.node.to_string()).or_default();
                    for (name, value) in &field.node.arguments {
                        let value = value.node.clone().into_const_with(|_| Ok::<_, Infallible>(Value::Null));
                        match (name.node.as_str(), value.unwrap()) {
                            ("object", Value::Object(columns)) => {
                                fields.extend(columns.keys().map(ToString::to_string));
                            }
                            (name, _) => {
                                fields.insert(name.to_owned());
                            }
                        }
                    }
                }
            }
        }
        sent
    }

    fn command<'a>(root: &'a Command, path: &[&str]) -> &'a Command {
        path.iter().fold(root, |command, name| command.find_subcommand(name).unwrap())
    }

    #[test]
    fn every_field_that_a_command_sends_has_a_name_on_its_command_line() {
        let root = Cli::command();
        let sent = sent();
        let known: BTreeSet<&str> = SENT_BY.iter().map(|(mutation, _)| *mutation).collect();
        assert_eq!(known, sent.keys().map(String::as_str).collect(), "which command sends each mutation");
        for (mutation, path) in SENT_BY {
            for field in &sent[*mutation] {
                let typed = name(command(&root, path), field).is_some();
                let untyped = NOT_TYPED.contains(&(mutation, field.as_str()));
                assert_ne!(typed, untyped, "{mutation} {field} in {path:?}");
            }
        }
    }

    #[test]
    fn an_error_names_the_option_also_at_its_beginning() {
        let root = Cli::command();
        let told = |line: &str, field: &str, message: &str| {
            let matches = root.clone().try_get_matches_from(line.split(' ')).unwrap();
            let error = as_typed(Error::invalid(field, message), &root, &matches);
            (error.field().unwrap().to_owned(), error.message().to_owned())
        };
        let pair = |field: &str, message: &str| (field.to_owned(), message.to_owned());
        assert_eq!(
            told("northstack stores create shop", "teamId", "teamId: name one of a, b"),
            pair("--team", "--team: name one of a, b")
        );
        assert_eq!(told("northstack scale a --replicas 2", "minReplicas", "too few"), pair("--min", "too few"));
        assert_eq!(told("northstack rollback a", "revision", "none"), pair("--to", "none"));
        assert_eq!(told("northstack promote a", "revision", "none"), pair("--revision", "none"));
        assert_eq!(told("northstack apps create a", "name", "short"), pair("name", "short"));
        assert_eq!(told("northstack secrets reveal a --app b", "id", "none"), pair("secret", "none"));
        assert_eq!(told("northstack apps list", "somethingElse", "no"), pair("somethingElse", "no"));
    }
}
