//! The store on disk: a snapshot, replaced atomically, and a journal of the writes since. Every write reaches the
//! file before its answer leaves, so that a kill at any moment loses nothing that was answered.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Key, State};
use crate::kubernetes::json::text;
use crate::kubernetes::kinds;
use crate::kubernetes::wp::Volume;

const SNAPSHOT: &str = "cluster.json";
const JOURNAL: &str = "cluster.journal";
/// Past this many bytes, and past the size of the last snapshot, the journal is folded into a new one.
const LONG: u64 = 32 << 20;

/// One line of the journal.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    Put { kind: String, namespace: String, name: String, object: Arc<Value> },
    Delete { kind: String, namespace: String, name: String, revision: u64 },
    Volume { uid: String, contents: Option<Volume> },
}

impl Line {
    pub(super) fn put(key: &Key, object: &Arc<Value>) -> Self {
        let (kind, namespace, name) = names(key);
        Self::Put { kind, namespace, name, object: object.clone() }
    }

    pub(super) fn delete(key: &Key, revision: u64) -> Self {
        let (kind, namespace, name) = names(key);
        Self::Delete { kind, namespace, name, revision }
    }

    pub(super) fn volume(uid: &str, contents: Option<&Volume>) -> Self {
        Self::Volume { uid: uid.to_owned(), contents: contents.cloned() }
    }
}

/// One object of a snapshot.
#[derive(Serialize, Deserialize)]
struct Entry {
    kind: String,
    namespace: String,
    name: String,
    object: Arc<Value>,
}

impl Entry {
    fn of((key, object): (&Key, &Arc<Value>)) -> Self {
        let (kind, namespace, name) = names(key);
        Self { kind, namespace, name, object: Arc::clone(object) }
    }
}

/// A snapshot as it is written: object by object, for a large cluster is there once only.
#[derive(Serialize)]
struct Written<'a> {
    revision: u64,
    token: &'a str,
    #[serde(serialize_with = "entries")]
    objects: &'a BTreeMap<Key, Arc<Value>>,
    volumes: &'a BTreeMap<String, Volume>,
}

fn entries<S: serde::Serializer>(objects: &BTreeMap<Key, Arc<Value>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(objects.iter().map(Entry::of))
}

/// A snapshot as it is read.
#[derive(Deserialize)]
struct Snapshot {
    revision: u64,
    token: String,
    objects: Vec<Entry>,
    volumes: BTreeMap<String, Volume>,
}

fn names(key: &Key) -> (String, String, String) {
    (key.kind.qualified(), key.namespace.clone(), key.name.clone())
}

/// The open journal of a store.
pub(super) struct Journal {
    dir: PathBuf,
    file: File,
    written: u64,
    /// How much may be written before the journal is folded.
    long: u64,
}

impl Journal {
    /// Writes a snapshot of `state` and starts an empty journal after it.
    pub(super) fn start(dir: &Path, state: &State) -> io::Result<Self> {
        let fresh = dir.join(format!("{SNAPSHOT}.new"));
        let mut file = BufWriter::new(private(&fresh)?);
        let State { revision, token, objects, volumes, .. } = state;
        serde_json::to_writer(&mut file, &Written { revision: *revision, token, objects, volumes })?;
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let long = file.stream_position()?.max(LONG);
        fs::rename(&fresh, dir.join(SNAPSHOT))?;
        let file = private(&dir.join(JOURNAL))?;
        Ok(Self { dir: dir.to_owned(), file, written: 0, long })
    }

    pub(super) fn append(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.written += bytes.len() as u64;
        self.file.write_all(&bytes)
    }

    pub(super) fn is_long(&self) -> bool {
        self.written > self.long
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

/// A new empty file that only its owner reads: the store holds secrets and the token.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Reads the snapshot and the journal of `dir` into an empty store.
pub(super) fn load(dir: &Path, state: &mut State) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    match File::open(dir.join(SNAPSHOT)) {
        Ok(file) => restore(serde_json::from_reader(BufReader::new(file))?, state),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let journal = match File::open(dir.join(JOURNAL)) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for line in journal.split(b'\n') {
        let line = line?;
        // A kill in the middle of a write leaves a torn last line; what it says was never answered.
        let Ok(line) = serde_json::from_slice::<Line>(&line) else { break };
        apply(line, state);
    }
    Ok(())
}

fn restore(snapshot: Snapshot, state: &mut State) {
    (state.revision, state.token, state.volumes) = (snapshot.revision, snapshot.token, snapshot.volumes);
    for Entry { kind, namespace, name, object } in snapshot.objects {
        insert(&kind, &namespace, &name, object, state);
    }
}

fn apply(line: Line, state: &mut State) {
    match line {
        Line::Put { kind, namespace, name, object } => insert(&kind, &namespace, &name, object, state),
        Line::Delete { kind, namespace, name, revision } => {
            if let Some(kind) = kinds::qualified(&kind) {
                state.objects.remove(&Key { kind, namespace, name });
            }
            state.revision = state.revision.max(revision);
        }
        Line::Volume { uid, contents: Some(contents) } => {
            state.volumes.insert(uid, contents);
        }
        Line::Volume { uid, contents: None } => {
            state.volumes.remove(&uid);
        }
    }
}

fn insert(kind: &str, namespace: &str, name: &str, object: Arc<Value>, state: &mut State) {
    let revision = text(&object, "/metadata/resourceVersion").parse().unwrap_or(0);
    state.revision = state.revision.max(revision);
    if let Some(kind) = kinds::qualified(kind) {
        state.objects.insert(Key::new(kind, namespace, name), object);
    }
}
