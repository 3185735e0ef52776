//! Where the platform of `northstack dev` keeps its state, and whether it runs: for every other command.

use std::fs::File;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::domain::{Code, Error, Result};

/// The settings of the platform that runs, for the other commands.
pub(super) const SETTINGS: &str = "config.json";
/// Where the state is unless somebody says otherwise.
const DIRECTORY: &str = ".northstack";
/// The variable that says otherwise.
pub const DIRECTORY_VARIABLE: &str = "NORTHSTACK_DEV_STATE";

/// The state directory: the given one, if it has a name, else that of the environment, else the usual one.
pub fn directory(given: Option<&Path>) -> PathBuf {
    let given = given.filter(|path| !path.as_os_str().is_empty()).map(Path::to_owned);
    let named = || std::env::var_os(DIRECTORY_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    given.or_else(named).unwrap_or_else(|| DIRECTORY.into())
}

/// The settings file of the `northstack dev` that runs on a state directory.
///
/// # Errors
/// `unavailable` when none does.
pub fn running(directory: &Path) -> Result<PathBuf> {
    let settings = directory.join(SETTINGS);
    // A process that was killed leaves its settings behind, but not its lock.
    let held =
        File::open(directory.join("lock")).is_ok_and(|lock| Flock::lock(lock, FlockArg::LockSharedNonblock).is_err());
    if held && settings.exists() {
        return Ok(settings);
    }
    let message =
        format!("no `northstack dev` runs on {}; start it, or name its directory by --dev=", directory.display());
    Err(Error::new(Code::Unavailable, message))
}
