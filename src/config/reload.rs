//! Changes of the configuration file while the service runs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, watch};

use super::fields::fields;
use super::layers::assemble;
use super::{Config, Live, Loaded, Loader, Problems, Purpose};
use crate::domain::{Error, Result};

/// How long a file has to be quiet before it is read: editors write in several steps.
const QUIET: Duration = Duration::from_millis(200);

/// What a changed file led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Settings that have their new value from now on.
    pub applied: Vec<String>,
    /// Settings whose new value needs a restart; the old one stays in force until then.
    pub needs_restart: Vec<String>,
}

/// Follows the configuration file for as long as it lives.
pub struct Reloader {
    state: Arc<State>,
    _watcher: Option<RecommendedWatcher>,
}

struct State {
    loader: Loader,
    current: Mutex<Loaded>,
    sender: watch::Sender<Arc<Config>>,
}

impl Reloader {
    /// Begins to follow the file that `loader` reads, if any. The other half gives the configuration in force.
    ///
    /// # Errors
    /// When the operating system cannot watch the file's directory.
    pub fn start(loader: Loader, loaded: Loaded) -> Result<(Self, Live)> {
        let path = loader.path();
        let (sender, receiver) = watch::channel(Arc::new(loaded.config.clone()));
        let state = Arc::new(State { loader, current: Mutex::new(loaded), sender });
        let watcher = path.map(|path| follow(&path, Arc::clone(&state))).transpose()?;
        Ok((Self { state, _watcher: watcher }, Live::new(receiver)))
    }

    /// Reads the file again now. A file with problems changes nothing.
    pub fn reload(&self) -> Result<Reloaded, Problems> {
        self.state.reload()
    }
}

impl State {
    fn reload(&self) -> Result<Reloaded, Problems> {
        let new = self.loader.load(Purpose::Service)?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let mut given = current.given.clone();
        let mut reloaded = Reloaded::default();
        for field in fields() {
            let path = field.path();
            let (was, is) = (current.given.get(&path), new.given.get(&path));
            // A value knows where it came from; only the value counts here.
            if was.and_then(plain) == is.and_then(plain) {
                continue;
            }
            if !field.live {
                reloaded.needs_restart.push(path);
                continue;
            }
            match is {
                Some(value) => given.insert(path.clone(), value.clone()),
                None => given.remove(&path),
            };
            reloaded.applied.push(path);
        }
        if !reloaded.applied.is_empty() {
            let config = assemble(&given)?;
            current.given = given;
            current.origins = new.origins;
            current.config = config.clone();
            self.sender.send_replace(Arc::new(config));
        }
        Ok(reloaded)
    }

    fn reload_and_tell(&self) {
        match self.reload() {
            Ok(reloaded) => {
                for setting in &reloaded.needs_restart {
                    tracing::warn!(setting, "configuration_needs_restart");
                }
                for setting in &reloaded.applied {
                    tracing::info!(setting, "configuration_applied");
                }
            }
            Err(problems) => {
                for problem in &problems.0 {
                    tracing::error!(%problem, "configuration_refused");
                }
            }
        }
    }
}

/// The value without its tags; nothing for what has none.
fn plain(value: &figment::value::Value) -> Option<serde_json::Value> {
    serde_json::to_value(value).ok().filter(|value| !value.is_null())
}

/// Watches the file's directory: editors and Kubernetes replace the file rather than change it.
fn follow(path: &Path, state: Arc<State>) -> Result<RecommendedWatcher> {
    let failed = |source: notify::Error| Error::internal("watching the configuration file", source);
    let (changes, mut changed) = mpsc::channel::<()>(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // A full channel has a change in it already.
            changes.try_send(()).ok();
        }
    })
    .map_err(failed)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    watcher.watch(directory, RecursiveMode::NonRecursive).map_err(failed)?;
    let (path, mut read) = (path.to_owned(), std::fs::read(path).ok());
    tokio::spawn(async move {
        while changed.recv().await.is_some() {
            while let Ok(Some(())) = tokio::time::timeout(QUIET, changed.recv()).await {}
            let now = tokio::fs::read(&path).await.ok();
            if now.is_some() && now != read {
                read = now;
                state.reload_and_tell();
            }
        }
    });
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Loader {
        let key = "-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n";
        Loader::new()
            .set("actions.secret", "0123456789abcdef")
            .set("hasura.admin_secret", "0123456789abcdef")
            .set("auth.signing_key", key)
    }

    #[tokio::test]
    async fn a_changed_file_changes_what_may_change_and_tells_of_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("northstack.yaml");
        std::fs::write(&path, "rate_limits: {per_user: 5}\nserver: {port: 9000}\n").unwrap();
        let loader = secrets().file(&path);
        let loaded = loader.load(Purpose::Service).unwrap();
        let (reloader, mut configs) = Reloader::start(loader, loaded).unwrap();
        assert_eq!(reloader.reload().unwrap(), Reloaded::default());

        std::fs::write(&path, "rate_limits: {per_user: 6}\nserver: {port: 9001}\n").unwrap();
        let config =
            tokio::time::timeout(Duration::from_secs(10), configs.changed()).await.expect("the file is followed");
        assert_eq!((config.rate_limits.per_user, config.server.port), (6, 9000));
        assert_eq!(config.actions.secret.as_ref().unwrap().expose(), "0123456789abcdef");
        let again = reloader.reload().unwrap();
        assert_eq!((again.applied, again.needs_restart), (vec![], vec!["server.port".to_owned()]));

        std::fs::write(&path, "rate_limits: {per_user: 0}\n").unwrap();
        let refused = reloader.reload().unwrap_err();
        assert_eq!(refused.0[0].field, "rate_limits.per_user");
        assert_eq!(configs.get().rate_limits.per_user, 6);
    }
}
