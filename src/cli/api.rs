//! The user commands' way to the API: endpoint, token, typed operations.

use std::time::Duration;

use futures::StreamExt;
use graphql_client::{GraphQLQuery, QueryBody};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::Context;
use super::credentials::Store;
use crate::domain::{Code, Error, Redacted, Result};
use crate::vendors::hasura::{Client, Credentials, Request};

/// For how long a watched operation may be out of sight before the command gives up.
const PATIENCE: Duration = Duration::from_secs(120);
const RECONNECT: Duration = Duration::from_millis(500);
const RECONNECT_LONGEST: Duration = Duration::from_secs(5);

/// The API, signed in.
#[derive(Debug)]
pub struct Api {
    endpoint: Url,
    /// Whether a login that is stored is used, which is renewed before it ends.
    stored: bool,
    /// The token, and the client that sends it.
    signed_in: Mutex<(Option<Redacted>, Client)>,
}

impl Api {
    /// Calls the API as nobody, in order to sign in.
    pub fn anonymous(endpoint: &Url) -> Result<Self> {
        let client = Client::new(endpoint, &Credentials::None)?;
        Ok(Self { endpoint: endpoint.clone(), stored: false, signed_in: Mutex::new((None, client)) })
    }

    /// Calls the API with the given token or the stored login, renewing the latter when it has expired.
    pub async fn connect(context: &Context) -> Result<Self> {
        let endpoint = context.endpoint()?;
        let token = match &context.token {
            Some(token) => token.clone(),
            None => Store::open()?.token(&endpoint).await?,
        };
        let client = Client::new(&endpoint, &Credentials::Bearer(token.clone()))?;
        Ok(Self { endpoint, stored: context.token.is_none(), signed_in: Mutex::new((Some(token), client)) })
    }

    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// A client whose token has not ended: a command that follows something may outlive its first one.
    async fn client(&self) -> Result<Client> {
        let mut signed_in = self.signed_in.lock().await;
        if self.stored {
            let token = Store::open()?.token(&self.endpoint).await?;
            if signed_in.0.as_ref().is_none_or(|known| known.expose() != token.expose()) {
                let client = Client::new(&self.endpoint, &Credentials::Bearer(token.clone()))?;
                *signed_in = (Some(token), client);
            }
        }
        Ok(signed_in.1.clone())
    }

    /// Executes a query or mutation.
    pub async fn run<Q: GraphQLQuery>(&self, variables: Q::Variables) -> Result<Q::ResponseData> {
        let body = Q::build_query(variables);
        self.client().await?.execute(&request(&body)?).await.map_err(|error| self.explained(error.into()))
    }

    /// What is wrong with credentials, as whoever types commands has given them.
    fn explained(&self, error: Error) -> Error {
        match error.code() {
            Code::Unauthenticated | Code::InvalidToken if !self.stored => {
                let message = "the token of --token or NORTHSTACK_TOKEN is not valid here, or has expired; sign in with \
                               `northstack login`, or give another";
                Error::new(error.code(), message)
            }
            _ => error,
        }
    }

    /// Follows a subscription until `seen` says that it has seen enough, and gives what it then says.
    ///
    /// Reconnects when the connection breaks: each connection begins with the present state.
    pub async fn watch<Q, O>(
        &self,
        variables: Q::Variables,
        seen: impl FnMut(Q::ResponseData) -> Result<Option<O>>,
    ) -> Result<O>
    where
        Q: GraphQLQuery,
        Q::ResponseData: DeserializeOwned,
    {
        let request = request(&Q::build_query(variables))?;
        self.follow::<Q, O>(|| Ok(request.clone()), seen).await
    }

    /// The same for a subscription that goes on where the connection before broke: each connection is asked for with
    /// what `variables` gives then.
    pub async fn watch_on<Q, O>(
        &self,
        variables: impl Fn() -> Q::Variables,
        seen: impl FnMut(Q::ResponseData) -> Result<Option<O>>,
    ) -> Result<O>
    where
        Q: GraphQLQuery,
        Q::ResponseData: DeserializeOwned,
    {
        self.follow::<Q, O>(|| request(&Q::build_query(variables())), seen).await
    }

    async fn follow<Q, O>(
        &self,
        request: impl Fn() -> Result<Request<'static>>,
        mut seen: impl FnMut(Q::ResponseData) -> Result<Option<O>>,
    ) -> Result<O>
    where
        Q: GraphQLQuery,
        Q::ResponseData: DeserializeOwned,
    {
        let mut last_seen: Option<Instant> = None;
        let mut pause = RECONNECT;
        loop {
            let broken = match self.client().await?.subscribe::<Q::ResponseData>(&request()?).await {
                Ok(stream) => {
                    let opened = Instant::now();
                    let mut stream = std::pin::pin!(stream);
                    let broken = loop {
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
                    };
                    // One that stood for a while and had nothing to say was well.
                    if opened.elapsed() > RECONNECT_LONGEST {
                        (last_seen, pause) = (Some(Instant::now()), RECONNECT);
                    }
                    broken
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
