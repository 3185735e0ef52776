//! Metadata: the API's document and the CLI's directory, parsed, refused or resolved, and shown as schemas.

use std::path::Path;
use std::sync::OnceLock;

use northstack::engine::metadata::Metadata;
use northstack::engine::{Limits, State};

use super::schema;

/// A document when it begins with a brace; else a directory, each file after a line `=== path`.
pub fn run(data: &[u8]) {
    let metadata = match data.first() {
        Some(b'{') => {
            let Ok(document) = serde_json::from_slice(data) else { return };
            Metadata::from_document(&document)
        }
        _ => directory(data),
    };
    let Ok(metadata) = metadata else { return };
    let again = Metadata::from_document(&metadata.to_document()).expect("what is exported can be read");
    assert!(again == metadata, "what is exported means the same");
    let state = State::detached(metadata, schema::catalog(), &schema::enums(), Limits::default());
    for role in ["user", "admin"] {
        let document = state.schema(role, false).document();
        assert_eq!(document.validate(), None, "the schema of {role} is valid");
    }
}

fn directory(data: &[u8]) -> Result<Metadata, northstack::engine::metadata::LoadError> {
    static ROOT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let root = ROOT.get_or_init(|| tempfile::tempdir().unwrap()).path().join("metadata");
    std::fs::remove_dir_all(&root).ok();
    std::fs::create_dir(&root).unwrap();
    let text = String::from_utf8_lossy(data);
    for part in text.split("=== ").filter(|part| !part.is_empty()).take(20) {
        let (path, content) = part.split_once('\n').unwrap_or((part, ""));
        let inside = Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        let file = root.join(path);
        if inside && std::fs::create_dir_all(file.parent().unwrap_or(&root)).is_ok() {
            // A name that is too long or that of a directory is no file of a metadata directory either.
            std::fs::write(file, content).ok();
        }
    }
    Metadata::from_directory(&root)
}
