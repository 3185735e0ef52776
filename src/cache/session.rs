//! Sessions: values of one kind that live for a time.

use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cache, Result};

/// Sessions of type `T` under a common prefix, each by its id.
pub struct SessionStore<T> {
    cache: Cache,
    prefix: String,
    ttl: Duration,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for SessionStore<T> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), prefix: self.prefix.clone(), ttl: self.ttl, kind: PhantomData }
    }
}

impl Cache {
    /// Sessions under `prefix`, each living for `ttl` since it was last written or touched.
    pub fn session_store<T: Serialize + DeserializeOwned>(&self, prefix: &str, ttl: Duration) -> SessionStore<T> {
        SessionStore { cache: self.clone(), prefix: format!("session:{prefix}"), ttl, kind: PhantomData }
    }
}

impl<T: Serialize + DeserializeOwned> SessionStore<T> {
    fn key(&self, id: &str) -> String {
        format!("{}:{id}", self.prefix)
    }

    /// Begins a session; `false` when there is one with that id.
    pub async fn create(&self, id: &str, session: &T) -> Result<bool> {
        self.cache.set_new(&self.key(id), session, self.ttl).await
    }

    /// The session, if it lives.
    pub async fn get(&self, id: &str) -> Result<Option<T>> {
        self.cache.get(&self.key(id)).await
    }

    /// Writes the session, which then lives for the full time.
    pub async fn put(&self, id: &str, session: &T) -> Result<()> {
        self.cache.set(&self.key(id), session, self.ttl).await
    }

    /// Lets the session live for the full time from now; whether it lives.
    pub async fn touch(&self, id: &str) -> Result<bool> {
        self.cache.expire(&self.key(id), self.ttl).await
    }

    /// Ends the session and returns it: of several callers at once, one gets it.
    pub async fn take(&self, id: &str) -> Result<Option<T>> {
        self.cache.take(&self.key(id)).await
    }

    /// Ends the session; whether it lived.
    pub async fn delete(&self, id: &str) -> Result<bool> {
        Ok(self.cache.delete(&[&self.key(id)]).await? == 1)
    }
}
