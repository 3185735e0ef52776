//! `northstack stores`: WooCommerce stores, by the same GraphQL that the portal uses.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use uuid::Uuid;

use super::api::{Api, nothing};
use super::graphql::{
    self, Store, create_store, delete_store, retry_store, reveal_store_credentials, store_by_id, store_events,
    stores_named,
};
use super::{Context, Exit, ask, output, suggest, teams, watch};
use crate::domain::{Code, Error, Result};

/// Arguments of `northstack stores`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  northstack stores create \"My Shop\" --watch
  northstack stores credentials \"My Shop\"
  northstack open \"My Shop\"")]
pub struct Stores {
    /// What to do.
    #[command(subcommand)]
    pub command: StoresCommand,
}

/// What `northstack stores` can do. STORE is a name or an id.
#[derive(Debug, Subcommand)]
pub enum StoresCommand {
    /// Create a store
    Create {
        /// Its name, 2 to 100 characters
        name: String,
        /// Its kind
        #[arg(long = "type", value_enum, default_value_t)]
        kind: StoreKind,
        /// The team that owns it, by name or id; needed when you belong to several
        #[arg(long)]
        team: Option<String>,
        /// How the request is begun and followed.
        #[command(flatten)]
        start: Start,
    },
    /// List the stores that you may see, newest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show a store and what happened to it
    Show {
        /// Which store
        store: String,
    },
    /// Print the login of a store's administration; the reading is audited
    Credentials {
        /// Which store
        store: String,
    },
    /// Delete a store with everything in it
    Delete {
        /// Which store
        store: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// How the request is begun and followed.
        #[command(flatten)]
        start: Start,
    },
    /// Resume the provisioning of a failed store
    Retry {
        /// Which store
        store: String,
        /// How the request is begun and followed.
        #[command(flatten)]
        start: Start,
    },
}

/// Which kind of store.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum StoreKind {
    /// WordPress with WooCommerce.
    #[default]
    Woocommerce,
}

/// How an operation is begun and followed.
#[derive(Debug, Args)]
pub struct Start {
    /// Follow the operation to its end; the exit code tells the outcome
    #[arg(long, short)]
    pub watch: bool,
    /// A repeated request with the same key gives the first one's operation
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

/// An operation that was begun, with its store.
#[derive(Debug, Serialize)]
struct Begun {
    #[serde(rename = "operationId")]
    operation: Uuid,
    store: Option<Store>,
}

impl Stores {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        match self.command {
            StoresCommand::Create { name, kind, team, start } => {
                let StoreKind::Woocommerce = kind;
                let team_id = match &team {
                    Some(team) => Some(teams::find(&api, Some(team)).await?),
                    None => None,
                };
                let variables = create_store::Variables {
                    name,
                    type_: Some(create_store::StoreType::woocommerce),
                    team_id,
                    idempotency_key: start.idempotency_key,
                };
                let begun = api.run::<graphql::CreateStore>(variables).await?.create_store.ok_or_else(nothing)?;
                let begun = Begun { operation: begun.operation_id, store: begun.store.map(Store::from) };
                follow(&api, begun, start.watch, "is being provisioned", context).await
            }
            StoresCommand::List { limit } => list(&api, limit, context).await,
            StoresCommand::Show { store } => show(&api, &store, context).await,
            StoresCommand::Credentials { store } => {
                let id = find(&api, &store).await?.id;
                let answer = api.run::<graphql::RevealStoreCredentials>(reveal_store_credentials::Variables { id });
                let found = answer.await?.reveal_store_credentials.ok_or_else(nothing)?;
                context.output.print(&found, |found| {
                    let reveal_store_credentials::RevealStoreCredentialsRevealStoreCredentials {
                        admin_url,
                        username,
                        password,
                    } = found;
                    format!("Address:   {admin_url}\nUser:      {username}\nPassword:  {password}")
                })?;
                Ok(Exit::Done)
            }
            StoresCommand::Delete { store, yes, start } => {
                let store = find(&api, &store).await?;
                let lost = format!(
                    "This deletes {} ({}): its namespace, database, uploads and storefront.",
                    store.name, store.store_id
                );
                ask::confirm(yes, &store.name, &lost)?;
                let variables = delete_store::Variables { id: store.id, idempotency_key: start.idempotency_key };
                let begun = api.run::<graphql::DeleteStore>(variables).await?.delete_store.ok_or_else(nothing)?;
                let begun = Begun { operation: begun.operation_id, store: begun.store.map(Store::from) };
                follow(&api, begun, start.watch, "is being deleted", context).await
            }
            StoresCommand::Retry { store, start } => {
                let store = find(&api, &store).await?;
                let variables = retry_store::Variables { id: store.id, idempotency_key: start.idempotency_key };
                let begun = api.run::<graphql::RetryStore>(variables).await?.retry_store.ok_or_else(nothing)?;
                let begun = Begun { operation: begun.operation_id, store: begun.store.map(Store::from) };
                follow(&api, begun, start.watch, "is being provisioned again", context).await
            }
        }
    }
}

async fn follow(api: &Api, begun: Begun, wait: bool, doing: &str, context: &Context) -> Result<Exit> {
    if wait {
        return match begun.store {
            Some(store) => watch::named(api, begun.operation, context.output, store.name).await,
            None => watch::operation(api, begun.operation, context.output).await,
        };
    }
    context.output.print(&begun, |begun| {
        let name =
            begun.store.as_ref().map_or("The store".to_owned(), |store| format!("{} ({})", store.name, store.store_id));
        format!("{name} {doing}.\nFollow it: northstack operations watch {}", begun.operation)
    })?;
    Ok(Exit::Done)
}

async fn list(api: &Api, limit: u32, context: &Context) -> Result<Exit> {
    let answer = api.run::<graphql::Stores>(graphql::stores::Variables { limit: limit.into() }).await?;
    let stores: Vec<Store> = answer.stores.into_iter().map(Store::from).collect();
    context.output.print(&stores, |stores| {
        let rows =
            stores.iter().map(|store| [&store.store_id, &store.name, &store.status, &store.url].map(String::clone));
        output::table(["STORE", "NAME", "STATUS", "URL"], rows)
    })?;
    if stores.is_empty() {
        output::note(context.output, "No store yet. Create one: northstack stores create \"My Shop\" --watch");
    }
    Ok(Exit::Done)
}

/// A store with what happened to it, oldest first.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    store: Store,
    events: Vec<store_events::StoreEventsStoreEvents>,
}

async fn show(api: &Api, store: &str, context: &Context) -> Result<Exit> {
    let store = find(api, store).await?;
    let events = api.run::<graphql::StoreEvents>(store_events::Variables { id: store.id }).await?.store_events;
    context.output.print(&Shown { store, events }, |shown| {
        let Store { store_id, name, status, url, admin_url, error, created_at, .. } = &shown.store;
        let mut text = format!("Store:    {store_id}\nName:     {name}\nStatus:   {status}\nURL:      {url}\n");
        for (label, value) in [("Admin:    ", admin_url), ("Error:    ", error)] {
            text.extend(value.iter().flat_map(|value| [label, value, "\n"]));
        }
        text.push_str(&format!("Created:  {}\n\n", output::when(created_at)));
        let rows = shown.events.iter().map(|event| {
            [output::ago(&event.created_at), event.severity.clone(), event.event_type.clone(), event.message.clone()]
        });
        text + &output::table(["TIME", "SEVERITY", "EVENT", "MESSAGE"], rows)
    })?;
    Ok(Exit::Done)
}

/// The store with that primary key, store id or name.
pub(super) async fn find(api: &Api, text: &str) -> Result<Store> {
    if let Ok(id) = text.parse::<Uuid>() {
        let found = api.run::<graphql::StoreById>(store_by_id::Variables { id }).await?.stores_by_pk;
        return found.map(Store::from).ok_or_else(|| Error::not_found("store"));
    }
    let found = api.run::<graphql::StoresNamed>(stores_named::Variables { text: text.to_owned() }).await?.stores;
    let mut found: Vec<Store> = found.into_iter().map(Store::from).collect();
    match (found.pop(), found.is_empty()) {
        (Some(store), true) => Ok(store),
        (None, _) => {
            let known = api.run::<graphql::Stores>(graphql::stores::Variables { limit: 200 }).await?.stores;
            let meant = suggest::meant(text, known.iter().map(|one| one.name.as_str()));
            let message = format!("no store is called {text:?};{meant} `northstack stores list` shows yours");
            Err(Error::new(Code::NotFound, message))
        }
        (Some(last), false) => {
            let ids: Vec<&str> = found.iter().chain([&last]).map(|one| one.store_id.as_str()).collect();
            Err(Error::invalid("store", format!("several stores are called {text:?}: give an id: {}", ids.join(", "))))
        }
    }
}
