//! `northstack login`: signs in and keeps the login for the user commands.

use std::io::{self, BufRead, IsTerminal};

use clap::Args;
use console::Term;
use serde_json::json;
use url::Url;

use super::api::Api;
use super::credentials::{self, Store};
use super::graphql::{Login as Mutation, login};
use super::{Context, Exit};
use crate::domain::{Code, Error, Result};

/// Arguments of `northstack login`.
#[derive(Debug, Args)]
pub struct Login {
    /// The API's address
    #[arg(long, env = "NORTHSTACK_ENDPOINT", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub endpoint: Url,
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
        let email = match self.email {
            Some(email) => email,
            None => ask("--email", |term| {
                term.write_str("E-mail: ")?;
                term.read_line()
            })?,
        };
        let password = match self.password_stdin {
            true => first_line_of_stdin()?,
            false => ask("--password-stdin", |term| {
                term.write_str("Password: ")?;
                term.read_secure_line()
            })?,
        };
        let answer = Api::anonymous(&self.endpoint)?.run::<Mutation>(login::Variables { email, password }).await?;
        let session = answer.login.ok_or_else(|| Error::new(Code::InvalidCredentials, "the server gave no session"))?;
        let store = Store::open()?;
        let user = session.user_id;
        let kept = credentials::Login::new(session.access_token, session.refresh_token, session.expires_in);
        store.keep(&self.endpoint, kept)?;
        let result = json!({"endpoint": self.endpoint, "userId": user, "file": store.path()});
        context.output.print(&result, |_| format!("Signed in at {}.", self.endpoint))?;
        Ok(Exit::Done)
    }
}

/// Asks on the terminal; where there is none, names the argument to give instead.
fn ask(argument: &str, read: impl FnOnce(&Term) -> io::Result<String>) -> Result<String> {
    if !io::stdin().is_terminal() {
        return Err(Error::invalid(argument, "give it: there is no terminal to ask on"));
    }
    read(&Term::stderr()).map_err(|source| Error::internal("reading from the terminal", source))
}

fn first_line_of_stdin() -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|source| Error::internal("reading the password", source))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
