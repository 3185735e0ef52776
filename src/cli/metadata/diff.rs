//! The differences between two sets of metadata files, as a unified diff of each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;
use similar::TextDiff;

/// A file that differs.
#[derive(Debug, Serialize)]
pub struct Change {
    /// Its path in the metadata directory.
    pub file: PathBuf,
    /// How it differs, as a unified diff from the server's to the directory's.
    pub diff: String,
}

/// What has to change on the server to become as the directory.
pub fn changes(server: &BTreeMap<PathBuf, String>, directory: &BTreeMap<PathBuf, String>) -> Vec<Change> {
    let files: BTreeSet<&PathBuf> = server.keys().chain(directory.keys()).collect();
    let text = |files: &BTreeMap<PathBuf, String>, file: &Path| files.get(file).cloned().unwrap_or_default();
    files
        .into_iter()
        .filter_map(|file| {
            let (old, new) = (text(server, file), text(directory, file));
            let name = file.display();
            let diff = TextDiff::from_lines(&old, &new)
                .unified_diff()
                .context_radius(5)
                .header(&format!("server/{name}"), &format!("directory/{name}"))
                .to_string();
            (old != new).then(|| Change { file: file.clone(), diff })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_differ_are_shown() {
        let files = |role: &str| {
            BTreeMap::from([
                (PathBuf::from("version.yaml"), "version: 3\n".to_owned()),
                (PathBuf::from("inherited_roles.yaml"), format!("- role_name: {role}\n")),
            ])
        };
        assert!(changes(&files("a"), &files("a")).is_empty());
        let changes = changes(&files("a"), &files("b"));
        assert_eq!(changes.len(), 1);
        assert!(changes[0].diff.contains("-- role_name: a\n+- role_name: b\n"), "{}", changes[0].diff);
    }
}
