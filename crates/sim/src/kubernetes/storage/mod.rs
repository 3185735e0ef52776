//! The ordered store behind the API: one revision counter for all kinds, a bounded history for watches and for lists
//! at an older revision, and a journal on disk.

mod journal;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::json::set;
use super::kinds::{self, KindId};
use super::wp::Volume;
use journal::Journal;

/// How many changes are kept for watches that resume.
const HISTORY: usize = 8192;
/// The revision of a cluster that nobody has written to.
const FIRST_REVISION: u64 = 1000;

/// Where an object lives: in the order in which lists give objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) kind: KindId,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    /// The key of an object; cluster-scoped objects have an empty namespace.
    pub(crate) fn new(kind: KindId, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// One write, as watches see it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) key: Key,
    pub(crate) object: Arc<Value>,
    /// What stood there before; `None` for a creation.
    pub(crate) previous: Option<Arc<Value>>,
    pub(crate) deleted: bool,
}

/// All that the cluster remembers.
pub(crate) struct State {
    objects: BTreeMap<Key, Arc<Value>>,
    revision: u64,
    /// Watches that start before this revision are too old.
    floor: u64,
    history: VecDeque<Change>,
    /// The contents of disks, by the uid of the claim (or of the pod, for a disk that dies with it).
    volumes: BTreeMap<String, Volume>,
    /// The bearer token of the administrator; kept so that a kubeconfig stays good over a restart.
    token: String,
    journal: Option<Journal>,
}

impl State {
    /// A store that is kept in `dir`, or in memory alone.
    pub(crate) fn open(dir: Option<&Path>) -> std::io::Result<Self> {
        let mut state = Self {
            objects: BTreeMap::new(),
            revision: FIRST_REVISION,
            floor: FIRST_REVISION,
            history: VecDeque::new(),
            volumes: BTreeMap::new(),
            token: format!("sim.{}", uuid::Uuid::new_v4().simple()),
            journal: None,
        };
        if let Some(dir) = dir {
            journal::load(dir, &mut state)?;
            state.floor = state.revision;
            state.journal = Some(Journal::start(dir, &state)?);
        }
        Ok(state)
    }

    /// The administrator's bearer token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The newest revision.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The oldest revision from which a watch may start.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// The object at a key.
    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// The object of a kind by namespace and name.
    pub(crate) fn find(&self, kind: KindId, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.objects.get(&Key::new(kind, namespace, name))
    }

    /// Every object of a kind in a namespace (in all namespaces when it is empty), in order.
    pub(crate) fn list<'a>(
        &'a self,
        kind: KindId,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> + 'a {
        self.objects
            .range(Key::new(kind, namespace, "")..)
            .take_while(move |(key, _)| key.kind == kind && (namespace.is_empty() || key.namespace == namespace))
    }

    /// Every object of a namespace; those of none when it is empty.
    pub(crate) fn contents<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> + 'a {
        let concerned = kinds::all().filter(move |kind| kind.namespaced != namespace.is_empty());
        concerned.flat_map(move |kind| self.list(kind, namespace))
    }

    /// The objects of a kind and namespace as they stood at a revision; `None` when that is no longer known.
    pub(crate) fn list_at(&self, kind: KindId, namespace: &str, revision: u64) -> Option<Vec<Arc<Value>>> {
        if revision < self.floor {
            return None;
        }
        let mut then: BTreeMap<Key, Arc<Value>> =
            self.list(kind, namespace).map(|(key, object)| (key.clone(), object.clone())).collect();
        for change in self.history.iter().rev().take_while(|change| change.revision > revision) {
            let concerned = change.key.kind == kind && (namespace.is_empty() || change.key.namespace == namespace);
            if concerned {
                match &change.previous {
                    Some(previous) => then.insert(change.key.clone(), previous.clone()),
                    None => then.remove(&change.key),
                };
            }
        }
        Some(then.into_values().collect())
    }

    /// The changes after a revision, oldest first.
    pub(crate) fn since(&self, revision: u64) -> impl Iterator<Item = &Change> {
        let start = self.history.partition_point(|change| change.revision <= revision);
        self.history.range(start..)
    }

    /// Writes an object and gives it the next revision.
    pub(crate) fn put(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        set(&mut object, &["metadata", "resourceVersion"], self.revision.to_string());
        let object = Arc::new(object);
        self.log(|| journal::Line::put(&key, &object));
        let previous = self.objects.insert(key.clone(), object.clone());
        self.record(Change { revision: self.revision, key, object: object.clone(), previous, deleted: false });
        object
    }

    /// Puts an object in place of another without a revision of its own, right before its removal.
    pub(crate) fn replace_unseen(&mut self, key: &Key, object: Arc<Value>) {
        self.objects.insert(key.clone(), object);
    }

    /// Removes an object; a watch sees its last state with the revision of the removal.
    pub(crate) fn delete(&mut self, key: &Key) -> Option<Arc<Value>> {
        let previous = self.objects.remove(key)?;
        self.revision += 1;
        let mut last = (*previous).clone();
        set(&mut last, &["metadata", "resourceVersion"], self.revision.to_string());
        let last = Arc::new(last);
        let revision = self.revision;
        self.log(|| journal::Line::delete(key, revision));
        self.record(Change {
            revision,
            key: key.clone(),
            object: last.clone(),
            previous: Some(previous),
            deleted: true,
        });
        Some(last)
    }

    /// The contents of a disk.
    pub(crate) fn volume(&self, uid: &str) -> Option<&Volume> {
        self.volumes.get(uid)
    }

    /// Writes the contents of a disk.
    pub(crate) fn set_volume(&mut self, uid: &str, volume: Volume) {
        let line = journal::Line::volume(uid, Some(&volume));
        self.log(|| line);
        self.volumes.insert(uid.to_owned(), volume);
    }

    /// Forgets a disk.
    pub(crate) fn drop_volume(&mut self, uid: &str) {
        if self.volumes.remove(uid).is_some() {
            self.log(|| journal::Line::volume(uid, None));
        }
    }

    /// The uids of all disks.
    pub(crate) fn volume_ids(&self) -> Vec<String> {
        self.volumes.keys().cloned().collect()
    }

    /// Forgets history up to the newest revision, as a compaction of etcd and a restart do.
    pub(crate) fn compact(&mut self) {
        self.history.clear();
        self.floor = self.revision;
    }

    fn record(&mut self, change: Change) {
        self.history.push_back(change);
        while self.history.len() > HISTORY {
            if let Some(old) = self.history.pop_front() {
                self.floor = old.revision;
            }
        }
    }

    fn log(&mut self, line: impl FnOnce() -> journal::Line) {
        let Some(journal) = self.journal.as_mut() else { return };
        if let Err(error) = journal.append(&line()) {
            tracing::error!(%error, "simulated cluster: cannot write its journal");
        }
        if self.journal.as_ref().is_some_and(Journal::is_long) {
            let fresh = self.journal.take().map(|journal| Journal::start(journal.dir(), self));
            match fresh {
                Some(Ok(journal)) => self.journal = Some(journal),
                Some(Err(error)) => tracing::error!(%error, "simulated cluster: cannot write its snapshot"),
                None => {}
            }
        }
    }
}
