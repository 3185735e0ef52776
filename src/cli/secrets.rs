//! `northstack secrets`: values that are sealed at rest and given to pods. A value comes from standard input or from the
//! terminal, never from an argument, which others could see.

use std::io::{self, IsTerminal, Read};

use clap::{Args, Subcommand};
use serde::Serialize;
use uuid::Uuid;

use super::api::{Api, nothing};
use super::graphql::{
    self, Secret, delete_secret, reveal_secret, secret_by_id, secrets, secrets_named, secrets_of_application,
    set_secret,
};
use super::{Context, Exit, apps, ask, output, teams};
use crate::domain::{Code, Error, Redacted, Result};

/// Arguments of `northstack secrets`.
#[derive(Debug, Args)]
pub struct Secrets {
    /// What to do.
    #[command(subcommand)]
    pub command: SecretsCommand,
}

/// What `northstack secrets` can do. SECRET is a name or an id; with --app, of the application's own.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// List the secrets that you may see, without their values
    List {
        /// Those of this application alone, by its name or id
        #[arg(long)]
        app: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Make a secret, or give it a new version; the value is read from standard input, or asked for
    Set {
        /// Its name
        name: String,
        /// The application that it is for; without one it is for the whole team
        #[arg(long)]
        app: Option<String>,
        /// The team that owns it, by name or id; needed when you belong to several and name no app
        #[arg(long, conflicts_with = "app")]
        team: Option<String>,
        /// Keep the line end at the end of standard input
        #[arg(long)]
        exact: bool,
        /// A repeated request with the same key gives the first one's version
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// Print a secret's value; the reading is audited
    Reveal {
        /// Which secret
        secret: String,
        /// The application whose own it is
        #[arg(long)]
        app: Option<String>,
        /// The team whose own it is, by name or id; needed when several of yours have one of that name
        #[arg(long, conflicts_with = "app")]
        team: Option<String>,
    },
    /// Delete a secret that no variable uses
    Delete {
        /// Which secret
        secret: String,
        /// The application whose own it is
        #[arg(long)]
        app: Option<String>,
        /// The team whose own it is, by name or id; needed when several of yours have one of that name
        #[arg(long, conflicts_with = "app")]
        team: Option<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// A secret's value, printed because it was asked for.
#[derive(Serialize)]
struct Revealed {
    id: Uuid,
    name: String,
    version: i64,
    value: String,
}

impl Secrets {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        match self.command {
            SecretsCommand::List { app, limit } => list(&api, app.as_deref(), limit.into(), context).await?,
            SecretsCommand::Set { name, app, team, exact, idempotency_key } => {
                let application = application(&api, app.as_deref()).await?;
                let team = team_of(&api, team.as_deref()).await?;
                let value = read_value(exact)?.expose().clone();
                let variables = set_secret::Variables { team, application, name: name.clone(), value, idempotency_key };
                let set = api.run::<graphql::SetSecret>(variables).await?.set_secret.ok_or_else(nothing)?;
                context.output.print(&set, |set| format!("{name} has version {}.", set.version))?;
            }
            SecretsCommand::Reveal { secret, app, team } => {
                let id = find(&api, &secret, app.as_deref(), team.as_deref()).await?.id;
                let answer = api.run::<graphql::RevealSecret>(reveal_secret::Variables { id }).await?;
                let found = answer.reveal_secret.ok_or_else(nothing)?;
                let reveal_secret::RevealSecretRevealSecret { secret_id, name, version, value } = found;
                let revealed = Revealed { id: secret_id, name, version, value };
                context.output.print(&revealed, |revealed| revealed.value.clone())?;
            }
            SecretsCommand::Delete { secret, app, team, yes } => {
                let secret = find(&api, &secret, app.as_deref(), team.as_deref()).await?;
                ask::confirm(yes, &secret.name, &format!("This deletes {} with its value.", secret.name))?;
                let variables = delete_secret::Variables { id: secret.id };
                api.run::<graphql::DeleteSecret>(variables).await?.delete_secret.ok_or_else(nothing)?;
                context.output.print(&secret, |secret| format!("{} is deleted.", secret.name))?;
            }
        }
        Ok(Exit::Done)
    }
}

async fn application(api: &Api, app: Option<&str>) -> Result<Option<Uuid>> {
    match app {
        Some(app) => Ok(Some(apps::find(api, app).await?.id)),
        None => Ok(None),
    }
}

async fn team_of(api: &Api, team: Option<&str>) -> Result<Option<Uuid>> {
    match team {
        Some(team) => Ok(Some(teams::find(api, Some(team)).await?)),
        None => Ok(None),
    }
}

async fn list(api: &Api, app: Option<&str>, limit: i64, context: &Context) -> Result<()> {
    let found: Vec<Secret> = match application(api, app).await? {
        Some(application) => {
            let variables = secrets_of_application::Variables { application, limit };
            let answer = api.run::<graphql::SecretsOfApplication>(variables).await?;
            answer.secrets.into_iter().map(Secret::from).collect()
        }
        None => {
            let answer = api.run::<graphql::Secrets>(secrets::Variables { limit }).await?;
            answer.secrets.into_iter().map(Secret::from).collect()
        }
    };
    context.output.print(&found, |found| {
        let rows = found.iter().map(|one| {
            let of = one.application.clone().unwrap_or_else(|| "(team)".to_owned());
            [one.name.clone(), of, one.version.to_string(), output::ago(&one.updated_at), one.used_by.join(", ")]
        });
        output::table(["SECRET", "APP", "VERSION", "UPDATED", "USED BY"], rows)
    })
}

/// The secret with that primary key; or with that name, of an application or else of a team.
async fn find(api: &Api, text: &str, app: Option<&str>, team: Option<&str>) -> Result<Secret> {
    if let Ok(id) = text.parse::<Uuid>() {
        let found = api.run::<graphql::SecretById>(secret_by_id::Variables { id }).await?.secrets_by_pk;
        return found.map(Secret::from).ok_or_else(|| Error::not_found("secret"));
    }
    let (application, team) = (application(api, app).await?, team_of(api, team).await?);
    let found = api.run::<graphql::SecretsNamed>(secrets_named::Variables { name: text.to_owned() }).await?.secrets;
    let found = found.into_iter().map(Secret::from);
    let mut found: Vec<Secret> = found
        .filter(|secret| secret.application_id == application && team.is_none_or(|team| secret.team_id == team))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(secret), true) => Ok(secret),
        (None, _) if application.is_none() => {
            let message = "no team of yours has a secret of that name; one of an application needs --app";
            Err(Error::new(Code::NotFound, message))
        }
        (None, _) => Err(Error::not_found("secret")),
        (Some(_), false) => {
            Err(Error::invalid("--team", format!("several of your teams have a secret {text:?}: give --team")))
        }
    }
}

/// The value: asked for on a terminal, without showing it, and otherwise all of standard input.
fn read_value(exact: bool) -> Result<Redacted> {
    if io::stdin().is_terminal() {
        return ask::secret("it on standard input", "Value: ").map(Redacted::new);
    }
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => Error::invalid("value", "must be text in UTF-8"),
        _ => Error::internal("reading the value", source),
    })?;
    if !exact && text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(Redacted::new(text))
}
