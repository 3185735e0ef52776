//! Locks that several processes share. They save work; where correctness hangs on it, the fencing
//! token goes with every write, or a database lease is used instead.

use std::sync::LazyLock;
use std::time::Duration;

use rand::RngExt;
use redis::Script;
use uuid::Uuid;

use super::value::milliseconds;
use super::{Cache, Error, Result};

/// Takes the lock and draws a token that is larger than every earlier one: one more than the last, and
/// at least the server's time in microseconds, so that it also grows after the cache was emptied.
static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
            local time = redis.call('TIME')
            local token = tonumber(time[1]) * 1000000 + tonumber(time[2])
            local last = tonumber(redis.call('GET', KEYS[2]) or '0')
            if last >= token then token = last + 1 end
            redis.call('SET', KEYS[2], string.format('%.0f', token), 'PX', 86400000)
            return string.format('%.0f', token)
        end
        return false",
    )
});
static EXTEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0",
    )
});
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(r"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0")
});

/// A lock by name.
pub struct Lock {
    cache: Cache,
    held: String,
    fence: String,
    ttl: Duration,
}

/// A lock that is held until released or until its time has passed. Dropping it releases it in the background.
pub struct LockGuard {
    cache: Cache,
    held: String,
    owner: String,
    ttl: Duration,
    token: u64,
    released: bool,
}

impl Cache {
    /// The lock `name`, which its holder loses after `ttl` unless it extends it.
    pub fn lock(&self, name: &str, ttl: Duration) -> Lock {
        // The braces keep both keys on one server of a cluster.
        let base = self.key(&format!("{{lock:{name}}}"));
        Lock { cache: self.clone(), held: format!("{base}:held"), fence: format!("{base}:fence"), ttl }
    }
}

impl Lock {
    /// Takes the lock now.
    ///
    /// # Errors
    /// [`Error::Locked`] when somebody else holds it.
    pub async fn try_acquire(&self) -> Result<LockGuard> {
        let owner = Uuid::new_v4().simple().to_string();
        let mut call = ACQUIRE.prepare_invoke();
        call.key(&self.held).key(&self.fence).arg(&owner).arg(milliseconds(self.ttl));
        let token: Option<u64> =
            self.cache.bounded("lock", async |mut connection| call.invoke_async(&mut connection).await).await?;
        let token = token.ok_or(Error::Locked)?;
        let (cache, held) = (self.cache.clone(), self.held.clone());
        Ok(LockGuard { cache, held, owner, ttl: self.ttl, token, released: false })
    }

    /// Takes the lock, waiting for at most `patience`.
    ///
    /// # Errors
    /// [`Error::Locked`] when somebody else held it all the while.
    pub async fn acquire(&self, patience: Duration) -> Result<LockGuard> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            match self.try_acquire().await {
                Err(Error::Locked) if tokio::time::Instant::now() < deadline => {
                    let pause = rand::rng().random_range(10..=50);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                other => return other,
            }
        }
    }
}

impl LockGuard {
    /// The fencing token: larger than that of every earlier holder. What is written under the lock
    /// carries it, so that a holder whose time had passed unnoticed is refused.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Holds the lock for its full time from now.
    ///
    /// # Errors
    /// [`Error::Locked`] when it was lost.
    pub async fn extend(&self) -> Result<()> {
        let mut call = EXTEND.prepare_invoke();
        call.key(&self.held).arg(&self.owner).arg(milliseconds(self.ttl));
        let extended: bool =
            self.cache.bounded("lock", async |mut connection| call.invoke_async(&mut connection).await).await?;
        if extended { Ok(()) } else { Err(Error::Locked) }
    }

    /// Gives the lock back.
    pub async fn release(mut self) -> Result<()> {
        self.released = true;
        release(&self.cache, &self.held, &self.owner).await
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if let (false, Ok(runtime)) = (self.released, tokio::runtime::Handle::try_current()) {
            let (cache, held, owner) = (self.cache.clone(), self.held.clone(), self.owner.clone());
            runtime.spawn(async move {
                if let Err(error) = release(&cache, &held, &owner).await {
                    tracing::debug!(%error, "cache_lock_left_to_expire");
                }
            });
        }
    }
}

async fn release(cache: &Cache, held: &str, owner: &str) -> Result<()> {
    let mut call = RELEASE.prepare_invoke();
    call.key(held).arg(owner);
    cache.bounded("lock", async |mut connection| call.invoke_async::<()>(&mut connection).await).await
}
