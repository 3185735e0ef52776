//! What the manifests name is used: a dependency that nothing needs costs every build and every audit.

use std::path::Path;

use crate::rooms::rust_files;

#[test]
fn every_dependency_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut unused = Vec::new();
    for (krate, sources) in [
        (".", &["src", "tests", "benches", "fuzz"][..]),
        ("crates/engine", &["crates/engine"]),
        ("crates/sim", &["crates/sim"]),
    ] {
        let manifest = std::fs::read_to_string(root.join(krate).join("Cargo.toml")).unwrap();
        let text: String = sources
            .iter()
            .flat_map(|directory| rust_files(&root.join(directory)))
            .map(|file| std::fs::read_to_string(file).unwrap())
            .collect();
        let dependencies = dependencies(&manifest);
        assert!(dependencies.len() > 10, "the dependencies of {krate} are not read");
        unused.extend(
            dependencies
                .into_iter()
                .filter(|name| !names(&text, &name.replace('-', "_")))
                .map(|name| format!("{krate}: {name}")),
        );
    }
    assert!(unused.is_empty(), "nothing names these dependencies: {unused:?}");
}

#[test]
fn a_name_inside_another_is_not_a_use() {
    assert!(names("use url::Url;", "url"));
    assert!(names("    http::StatusCode::OK", "http"));
    assert!(!names("curl::get(); axum::http::StatusCode::OK; let url = 1;", "url"));
    assert!(!names("axum::http::StatusCode::OK", "http"));
    assert_eq!(dependencies("[dependencies]\na-b.workspace = true\nc = \"1\"\n[lints]\nd = 1\n"), ["a-b", "c"]);
}

/// The names in the tables `dependencies` and `dev-dependencies`.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = matches!(line, "[dependencies]" | "[dev-dependencies]");
        } else if inside && !line.trim().is_empty() && !line.starts_with('#') {
            let name: String = line.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
            found.push(name);
        }
    }
    found
}

/// Whether `krate` stands at the head of a path.
fn names(text: &str, krate: &str) -> bool {
    text.match_indices(krate).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = &text[at + krate.len()..];
        let head = !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '.'));
        head && ["::", ";", " as "].iter().any(|end| after.starts_with(end))
    })
}
