//! Private PostgreSQL, Redis and NATS: children of this process, on free loopback ports, with state in one directory.
//!
//! Every child is asked by the kernel to end when its parent dies (`PR_SET_PDEATHSIG` through
//! `setpriv`), so that even `kill -9` of the supervisor leaves nothing running.

mod nats;
mod postgres;
mod process;
mod programs;
mod redis;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use nats::Nats;
pub(crate) use postgres::outside_home;
pub use postgres::{Durability, Postgres};
pub use process::{Process, Spec};
pub use programs::{Program, missing_programs};
pub use redis::Redis;

use crate::domain::{Code, Error, Result};

/// How long a server may take to answer before its start counts as failed.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A loopback port that was free a moment ago, below the range from which systems take ports for outgoing connections.
pub fn free_port() -> Result<u16> {
    (0..100)
        .map(|_| rand::random_range(15_000..30_000))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| Error::new(Code::Unavailable, "no free port between 15000 and 30000 was found on 127.0.0.1"))
}

/// Refuses a port on which something else listens, in a sentence that says what to do.
pub fn require_free(port: u16, purpose: &str, setting: &str) -> Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|error| {
        Error::new(
            Code::Conflict,
            format!(
                "port {port}, wanted for {purpose}, is in use; stop the program that listens there or set {setting} to another port"
            ),
        )
        .caused_by(error)
    })
}

/// Creates a directory with its parents, readable by its owner alone where `private`.
pub(crate) fn ensure_directory(path: &Path, private: bool) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |error| Error::internal("creating a state directory", error);
    std::fs::create_dir_all(path).map_err(failed)?;
    if private {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    path.canonicalize().map_err(failed)
}

/// Tries `probe` until it answers `true`, the child has ended, or [`READY_WITHIN`] has passed.
pub(crate) async fn wait_until_ready<F, Fut>(process: &mut Process, mut probe: F) -> Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let started = tokio::time::Instant::now();
    loop {
        if probe().await {
            return Ok(());
        }
        if let Some(status) = process.ended()? {
            return Err(process.failure(&format!("ended with {status} while starting")));
        }
        if started.elapsed() > READY_WITHIN {
            return Err(process.failure(&format!("did not answer within {} s", READY_WITHIN.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
