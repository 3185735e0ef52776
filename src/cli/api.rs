//! The user commands' way to the API: endpoint, token, typed operations.

use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use graphql_client::{GraphQLQuery, QueryBody};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::credentials::Store;
use crate::domain::{Code, Error, Redacted, Result};
use crate::vendors::hasura::{Client, Credentials, Request};

/// For how long a watched operation may be out of sight before the command gives up.
const PATIENCE: Duration = Duration::from_secs(120);
const RECONNECT: Duration = Duration::from_millis(500);
const RECONNECT_LONGEST: Duration = Duration::from_secs(5);

/// Where the API is, and as whom to call it.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// The API's address
    #[arg(long, env = "NORTHSTACK_ENDPOINT", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub endpoint: Url,
    /// An access token; without it, the login of `northstack login` is used
    #[arg(long, env = "NORTHSTACK_TOKEN", hide_env_values = true, value_parser = token)]
    pub token: Option<Redacted>,
}

fn token(text: &str) -> Result<Redacted, std::convert::Infallible> {
    Ok(Redacted::from(text))
}

/// The API, signed in.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
}

impl Api {
    /// Calls the API as nobody, in order to sign in.
    pub fn anonymous(endpoint: &Url) -> Result<Self> {
        Ok(Self { client: Client::new(endpoint, &Credentials::None)? })
    }

    /// Calls the API with the given token or the stored login, renewing the latter when it has expired.
    pub async fn connect(connection: &Connection) -> Result<Self> {
        let token = match &connection.token {
            Some(token) => token.clone(),
            None => Store::open()?.token(&connection.endpoint).await?,
        };
        Ok(Self { client: Client::new(&connection.endpoint, &Credentials::Bearer(token))? })
    }

    /// Executes a query or mutation.
    pub async fn run<Q: GraphQLQuery>(&self, variables: Q::Variables) -> Result<Q::ResponseData> {
        let body = Q::build_query(variables);
        Ok(self.client.execute(&request(&body)?).await?)
    }

    /// Follows a subscription until `seen` says that it has seen enough, and gives what it then says.
    ///
    /// Reconnects when the connection breaks: each connection begins with the present state.
    pub async fn watch<Q, O>(
        &self,
        variables: Q::Variables,
        mut seen: impl FnMut(Q::ResponseData) -> Result<Option<O>>,
    ) -> Result<O>
    where
        Q: GraphQLQuery,
        Q::ResponseData: DeserializeOwned,
    {
        let body = Q::build_query(variables);
        let request = request(&body)?;
        let mut last_seen: Option<Instant> = None;
        let mut pause = RECONNECT;
        loop {
            let broken = match self.client.subscribe::<Q::ResponseData>(&request).await {
                Ok(stream) => {
                    let mut stream = std::pin::pin!(stream);
                    loop {
                        match stream.next().await {
                            Some(Ok(data)) => {
                                (last_seen, pause) = (Some(Instant::now()), RECONNECT);
                                if let Some(outcome) = seen(data)? {
                                    return Ok(outcome);
                                }
                            }
                            Some(Err(error)) => break error,
                            None => return Err(Error::new(Code::Unavailable, "the server ended the subscription")),
                        }
                    }
                }
                Err(error) => error,
            };
            // The server may be restarting; one that was never reached is not waited for.
            if !broken.transient() || last_seen.is_none_or(|seen| seen.elapsed() > PATIENCE) {
                return Err(broken.into());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RECONNECT_LONGEST);
        }
    }
}

/// The error of an action that answered nothing.
pub fn nothing() -> Error {
    Error::new(Code::VendorRejected, "the server answered without an operation")
}

fn request<V: Serialize>(body: &QueryBody<V>) -> Result<Request<'static>> {
    let variables = serde_json::to_value(&body.variables).map_err(|e| Error::internal("writing variables", e))?;
    Ok(Request { query: body.query, operation: Some(body.operation_name), variables })
}
