//! `northstack login`, `logout` and `whoami`: the login that the user commands use.

use std::io::{self, BufRead};

use clap::Args;
use serde_json::json;

use super::api::{Api, nothing};
use super::credentials::{self, Store};
use super::graphql::{self, Login as Mutation, login, logout, who_am_i};
use super::{Context, Exit, ask};
use crate::domain::{Code, Error, Result};

/// Arguments of `northstack login`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  northstack login --email you@example.com
  pass show northstack | northstack login --email you@example.com --password-stdin
  northstack login --endpoint https://api.example.com")]
pub struct Login {
    /// Your e-mail address; asked for when absent
    #[arg(long)]
    pub email: Option<String>,
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    pub password_stdin: bool,
}

impl Login {
    /// Signs in.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let endpoint = context.endpoint()?;
        let email = match self.email {
            Some(email) => email,
            None => ask::line("--email", "E-mail: ")?,
        };
        let password = match self.password_stdin {
            true => first_line_of_stdin()?,
            false => ask::secret("--password-stdin", "Password: ")?,
        };
        let variables = login::Variables { email: email.clone(), password };
        let answer = Api::anonymous(&endpoint)?.run::<Mutation>(variables).await?;
        let none = || Error::new(Code::InvalidCredentials, "the server gave no session");
        let session = answer.login.ok_or_else(none)?;
        let refresh_token = session.refresh_token.ok_or_else(none)?;
        let store = Store::open()?;
        let user = session.user_id;
        let kept = credentials::Login::new(session.access_token, refresh_token, session.expires_in);
        store.keep(&endpoint, kept)?;
        let result = json!({"endpoint": endpoint, "userId": user, "file": store.path()});
        context.output.print(&result, |_| format!("Signed in at {endpoint} as {email}."))?;
        Ok(Exit::Done)
    }
}

fn first_line_of_stdin() -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|source| Error::internal("reading the password", source))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Arguments of `northstack logout`.
#[derive(Debug, Args)]
pub struct Logout {}

impl Logout {
    /// Ends the stored login, here and at the server. That there is none is no error.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let endpoint = context.endpoint()?;
        let forgotten = Store::open()?.forget(&endpoint)?;
        if let Some(login) = &forgotten {
            let variables = logout::Variables { refresh_token: login.refresh_token.clone() };
            let ended = Api::anonymous(&endpoint)?.run::<graphql::Logout>(variables).await;
            // It is forgotten here whatever the server says; that it may go on there has to be told.
            ended.map_err(|error| {
                let message = "the login is forgotten here, but the server could not be told to end it";
                Error::new(error.code(), message).caused_by(error)
            })?;
        }
        let result = json!({ "endpoint": endpoint, "signedOut": forgotten.is_some() });
        context.output.print(&result, |_| match forgotten {
            Some(_) => format!("Signed out at {endpoint}."),
            None => format!("Nobody was signed in at {endpoint}."),
        })?;
        Ok(Exit::Done)
    }
}

/// Arguments of `northstack whoami`.
#[derive(Debug, Args)]
pub struct Whoami {}

impl Whoami {
    /// Says who is signed in, where, and in which teams.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        let answer = api.run::<graphql::WhoAmI>(who_am_i::Variables {}).await?;
        let me = answer.me.ok_or_else(nothing)?;
        let memberships = answer.team_members.into_iter().filter(|one| one.user_id == me.id);
        let teams: Vec<_> =
            memberships.map(|one| json!({ "id": one.team.id, "name": one.team.name, "role": one.role })).collect();
        let result = json!({
            "endpoint": api.endpoint(), "id": me.id, "email": me.email, "name": me.name, "role": me.role, "teams": teams,
        });
        context.output.print(&result, |_| {
            let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let teams: Vec<String> =
                teams.iter().map(|team| format!("{} ({})", word(&team["name"]), word(&team["role"]))).collect();
            let teams = if teams.is_empty() { "none".to_owned() } else { teams.join(", ") };
            format!("{} <{}>\nAt:     {}\nTeams:  {teams}", me.name, me.email, api.endpoint())
        })?;
        Ok(Exit::Done)
    }
}
