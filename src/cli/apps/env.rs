//! `northstack env`: an application's variables.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::find;
use crate::cli::api::{Api, nothing};
use crate::cli::graphql::{self, environment_variables, set_environment_variables};
use crate::cli::{Context, Exit, output};
use crate::domain::{Error, Result};

/// Arguments of `northstack env`.
#[derive(Debug, Args)]
pub struct Env {
    /// What to do.
    #[command(subcommand)]
    pub command: EnvCommand,
}

/// What `northstack env` can do. APP is a name or an id.
#[derive(Debug, Subcommand)]
pub enum EnvCommand {
    /// List the variables of an app
    List {
        /// Which app
        app: String,
    },
    /// Set variables (NAME=VALUE), or remove them (NAME=); the next deployment takes them
    Set {
        /// Which app
        app: String,
        /// NAME=VALUE, or NAME= to remove
        #[arg(required_unless_present = "secrets", value_name = "NAME=VALUE")]
        variables: Vec<String>,
        /// Give a variable a secret's value, by the secret's name; again for more
        #[arg(long = "secret", value_name = "NAME=SECRET")]
        secrets: Vec<String>,
        /// Remove every variable that is not named
        #[arg(long)]
        replace: bool,
    },
}

impl Env {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        match self.command {
            EnvCommand::List { app } => {
                let id = find(&api, &app).await?.id;
                let variables = environment_variables::Variables { id };
                let found = api.run::<graphql::EnvironmentVariables>(variables).await?.environment_variables;
                context.output.print(&found, |found| {
                    let rows = found.iter().map(|one| {
                        let named = one.secret.as_ref().map(|secret| format!("(secret {})", secret.name));
                        // Its row is not there to see any more.
                        let secret = named.or_else(|| one.secret_id.map(|id| format!("(secret {id}, deleted)")));
                        [one.name.clone(), one.value.clone().or(secret).unwrap_or_default()]
                    });
                    output::table(["NAME", "VALUE"], rows)
                })?;
            }
            EnvCommand::Set { app, variables, secrets, replace } => {
                let id = find(&api, &app).await?.id;
                let (variables, secrets) =
                    (Some(Value::Object(read(&variables)?)), Some(Value::Object(read(&secrets)?)));
                let variables = set_environment_variables::Variables { id, variables, secrets, replace: Some(replace) };
                let answer = api.run::<graphql::SetEnvironmentVariables>(variables).await?;
                let set = answer.set_environment_variables.ok_or_else(nothing)?;
                context.output.print(&set, |set| {
                    let variables = if set.count == 1 { "variable" } else { "variables" };
                    let count = set.count;
                    format!("{app} has {count} {variables}. Deploy it for them to take effect: northstack deploy {app}")
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

/// `NAME=VALUE` as a member, `NAME=` as null.
fn read(pairs: &[String]) -> Result<Map<String, Value>> {
    let read = |pair: &String| match pair.split_once('=') {
        Some((name, "")) => Ok((name.to_owned(), Value::Null)),
        Some((name, value)) => Ok((name.to_owned(), Value::from(value))),
        None => Err(Error::invalid("NAME=VALUE", format!("{pair:?} has no `=`"))),
    };
    pairs.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_what_it_likes_and_an_empty_one_removes() {
        let read = read(&["A=x=y z".to_owned(), "B=".to_owned()]).unwrap();
        assert_eq!((&read["A"], &read["B"]), (&Value::from("x=y z"), &Value::Null));
        assert_eq!(super::read(&["A".to_owned()]).unwrap_err().field(), Some("NAME=VALUE"));
    }
}
