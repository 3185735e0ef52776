//! The state directory of the local platform: who holds it, and the secrets that its first start made.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::running::SETTINGS;
use super::servers::{ensure_directory, outside_home};
use crate::domain::{Code, Error, Redacted, Result};

/// The directory in which the local platform keeps everything between runs, held by one supervisor at a time.
pub struct State {
    root: PathBuf,
    secrets: BTreeMap<String, String>,
    _lock: Flock<File>,
}

impl State {
    /// Takes hold of `root`, making it where there is none; with `reset` what was in it is removed first.
    pub fn open(root: &Path, reset: bool) -> Result<Self> {
        let failed = |error: std::io::Error| Error::internal("opening the state directory", error);
        let root = ensure_directory(root, false)?;
        let lock = File::create(root.join("lock")).map_err(failed)?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|_| {
            Error::new(
                Code::Conflict,
                format!(
                    "another `northstack dev` runs on {}; stop it first, or set NORTHSTACK_DEV_STATE",
                    root.display()
                ),
            )
        })?;
        if reset {
            clear(&root).map_err(failed)?;
        }
        let secrets = read_secrets(&root.join("secrets.json"))?;
        Ok(Self { root, secrets, _lock: lock })
    }

    /// A path inside the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The secret called `name`: 32 random bytes in hex, made on first use and kept, readable by the owner alone.
    pub fn secret(&mut self, name: &str) -> Result<Redacted> {
        if let Some(secret) = self.secrets.get(name) {
            return Ok(Redacted::new(secret.clone()));
        }
        let secret = hex::encode(rand::random::<[u8; 32]>());
        self.secrets.insert(name.to_owned(), secret.clone());
        let failed = |error: std::io::Error| Error::internal("keeping the local platform's secrets", error);
        let text = serde_json::to_vec_pretty(&self.secrets).map_err(|error| failed(error.into()))?;
        self.keep("secrets.json", &text).map_err(failed)?;
        Ok(Redacted::new(secret))
    }

    /// Tells other commands the settings of the platform that runs, until [`State::withdraw`].
    pub fn publish(&self, settings: &serde_json::Value) -> Result<()> {
        let failed = |error: std::io::Error| Error::internal("keeping the local platform's settings", error);
        let text = serde_json::to_vec_pretty(settings).map_err(|error| failed(error.into()))?;
        self.keep(SETTINGS, &text).map_err(failed)
    }

    /// Takes them back: the platform runs no more.
    pub fn withdraw(&self) {
        // Who finds them without the lock does not believe them.
        let _ = std::fs::remove_file(self.path(SETTINGS));
    }

    /// Writes a file that the owner alone can read, whole or not at all.
    fn keep(&self, name: &str, text: &[u8]) -> std::io::Result<()> {
        let temporary = self.root.join(format!("{name}.new"));
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(text).and_then(|()| file.sync_all())?;
        std::fs::rename(&temporary, self.root.join(name))
    }
}

fn read_secrets(path: &Path) -> Result<BTreeMap<String, String>> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| {
            Error::new(Code::Internal, format!("{} is damaged; `northstack dev --reset` starts anew", path.display()))
                .caused_by(error)
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(Error::internal("reading the local platform's secrets", error)),
    }
}

/// Removes everything but the lock, and the database's home where it lies elsewhere.
fn clear(root: &Path) -> std::io::Result<()> {
    if let Some(home) = outside_home(&root.join("postgres")) {
        std::fs::remove_dir_all(home).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
    }
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_name() == "lock" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_are_kept_and_private_and_the_directory_has_one_holder() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut state = State::open(directory.path(), false).expect("free");
        let secret = state.secret("database").expect("made");
        assert_eq!(secret.expose().len(), 64);
        assert!(State::open(directory.path(), false).is_err_and(|error| error.code() == Code::Conflict));
        drop(state);
        let mode = std::fs::metadata(directory.path().join("secrets.json")).expect("kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut again = State::open(directory.path(), false).expect("free again");
        assert_eq!(again.secret("database").expect("kept"), secret);
        drop(again);
        let mut reset = State::open(directory.path(), true).expect("free again");
        assert_ne!(reset.secret("database").expect("made anew"), secret);
    }
}
