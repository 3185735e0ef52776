//! Leases: a name that one holder at a time has, for as long as it renews it.
//!
//! All times are the database's. Each change of holder raises the generation; work done under a lease
//! carries it, so that a holder that lost the lease without noticing is recognised (fencing).

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::types::PgInterval;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::error;
use crate::domain::Result;

/// A name for this process as a holder: its host, its process id and a random part.
pub fn holder() -> String {
    let host = nix::sys::utsname::uname().ok().and_then(|name| name.nodename().to_str().map(str::to_owned));
    format!("{}/{}/{}", host.as_deref().unwrap_or("unknown"), std::process::id(), Uuid::new_v4().simple())
}

/// Whether a holder named by [`holder`] was a process of this host that has ended. Wrong at most for processes of several
/// containers that share one host name; whoever acts on it is fenced, so that costs work done twice, and nothing else.
pub fn has_ended(other: &str) -> bool {
    let mut parts = other.split('/');
    let host = nix::sys::utsname::uname().ok().and_then(|name| name.nodename().to_str().map(str::to_owned));
    let (Some(its_host), Some(pid)) = (parts.next(), parts.next().and_then(|pid| pid.parse().ok())) else {
        return false;
    };
    if host.as_deref() != Some(its_host) {
        return false;
    }
    // Under our own number there is nobody else: in a container that was started anew, it is the predecessor's.
    let ours = u32::try_from(pid).is_ok_and(|pid| pid == std::process::id());
    ours || nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH)
}

/// A lease that was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Who has it.
    pub holder: String,
    /// Raised with each change of holder.
    pub generation: i64,
}

/// Takes the lease `name` for `ttl` if it is free, has expired or is the holder's own; nothing otherwise.
pub async fn acquire(pool: &PgPool, name: &str, holder: &str, ttl: Duration) -> Result<Option<Lease>> {
    let generation = sqlx::query_scalar!(
        "insert into leases as held (name, holder, generation, expires_at)
         values ($1, $2, 1, clock_timestamp() + $3::interval)
         on conflict (name) do update
            set holder = excluded.holder, expires_at = excluded.expires_at,
                generation = held.generation + case when held.holder = excluded.holder then 0 else 1 end
            where held.holder = excluded.holder or held.expires_at < clock_timestamp()
         returning generation",
        name,
        holder,
        interval(ttl)
    )
    .fetch_optional(pool)
    .await
    .map_err(error::while_doing("taking a lease"))?;
    Ok(generation.map(|generation| Lease { name: name.to_owned(), holder: holder.to_owned(), generation }))
}

impl Lease {
    /// Extends the lease by `ttl` from now; `false` when somebody else has it.
    pub async fn renew(&self, pool: &PgPool, ttl: Duration) -> Result<bool> {
        let renewed = sqlx::query!(
            "update leases set expires_at = clock_timestamp() + $4::interval
             where name = $1 and holder = $2 and generation = $3",
            self.name,
            self.holder,
            self.generation,
            interval(ttl)
        )
        .execute(pool)
        .await
        .map_err(error::while_doing("renewing a lease"))?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Gives the lease back, so that others need not wait until it expires.
    pub async fn release(&self, pool: &PgPool) -> Result<()> {
        sqlx::query!(
            "update leases set expires_at = '-infinity' where name = $1 and holder = $2 and generation = $3",
            self.name,
            self.holder,
            self.generation
        )
        .execute(pool)
        .await
        .map_err(error::while_doing("giving a lease back"))?;
        Ok(())
    }

    /// Keeps renewing the lease in the background until the guard is dropped.
    pub fn keep(self, pool: &PgPool, ttl: Duration) -> Kept {
        let (lost, stop) = (CancellationToken::new(), CancellationToken::new());
        let (lease, pool, told, stopped) = (self.clone(), pool.clone(), lost.clone(), stop.clone());
        tokio::spawn(stopped.run_until_cancelled_owned(async move {
            let mut held_until = tokio::time::Instant::now() + ttl;
            loop {
                tokio::time::sleep(ttl / 3).await;
                let asked = tokio::time::Instant::now();
                match tokio::time::timeout_at(held_until, lease.renew(&pool, ttl)).await {
                    Ok(Ok(true)) => held_until = asked + ttl,
                    Ok(Err(error)) if asked < held_until => {
                        tracing::warn!(lease = lease.name, error = %error.chain(), "lease_renewal_failed");
                    }
                    Ok(Ok(false) | Err(_)) | Err(_) => break,
                }
            }
            tracing::warn!(lease = lease.name, "lease_lost");
            told.cancel();
        }));
        Kept { lease: self, lost, _stop: stop.drop_guard() }
    }
}

/// A lease that is renewed in the background.
#[derive(Debug)]
pub struct Kept {
    pub lease: Lease,
    lost: CancellationToken,
    _stop: DropGuard,
}

impl Kept {
    /// Cancelled when the lease was lost; whoever works under it stops then.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Stops the renewal and gives the lease back.
    pub async fn release(self, pool: &PgPool) -> Result<()> {
        let lease = self.lease.clone();
        drop(self);
        lease.release(pool).await
    }
}

fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_of_this_host_that_have_ended_are_known() {
        let mine = holder();
        let (host, _) = mine.split_once('/').unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let of_child = format!("{host}/{}/x", child.id());
        child.wait().unwrap();
        assert!(has_ended(&of_child), "its process is gone");
        assert!(has_ended(&mine), "another holder under our own number is our predecessor");
        let parent = nix::unistd::getppid();
        for living in [format!("{host}/{parent}/x"), "elsewhere/1/x".to_owned(), "worker-1".to_owned(), String::new()] {
            assert!(!has_ended(&living), "{living}");
        }
    }
}
