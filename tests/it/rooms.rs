//! The room table: which room of `src/` may use which, as `docs/architecture.md` prints it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The crates that `src/lib.rs` names as rooms: the compiler sees to what they use.
const CRATES: &[&str] = &["engine", "sim"];

/// The rooms that may use every other.
const ANYTHING: &[&str] = &["cli"];

/// The rooms and what each may use.
fn table() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    BTreeMap::from(
        [
            ("domain", &[][..]),
            ("config", &["domain"]),
            ("db", &["domain", "config"]),
            ("cache", &["domain", "config"]),
            ("auth", &["domain", "config", "cache"]),
            ("vendors", &["domain", "config"]),
            ("bus", &["domain", "config", "db"]),
            ("workflow", &["domain", "config", "db"]),
            ("workflow/flows", &["domain", "config", "db", "workflow", "vendors"]),
            ("app", &["domain", "config", "db", "cache", "bus", "workflow", "vendors", "auth"]),
            ("http", &["domain", "config", "app", "auth", "cache", "engine"]),
            (
                "dev",
                &[
                    "domain", "engine", "config", "db", "cache", "auth", "vendors", "bus", "workflow", "app", "http",
                    "sim",
                ],
            ),
        ]
        .map(|(room, uses)| (room, uses.iter().copied().collect())),
    )
}

#[test]
fn each_room_uses_only_what_the_table_allows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let table = table();
    let rooms: BTreeSet<&str> =
        table.keys().filter_map(|room| room.split('/').next()).chain(ANYTHING.iter().chain(CRATES).copied()).collect();
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let path = file.strip_prefix(&source).unwrap();
        let Some(room) = room_of(path) else { continue };
        assert!(
            ANYTHING.contains(&room) || table.contains_key(room),
            "src/{room} is no room: see docs/architecture.md"
        );
        let Some(allowed) = table.get(room) else { continue };
        for (line, used) in uses(&std::fs::read_to_string(&file).unwrap(), depth(path)) {
            let own = room.split('/').next() == Some(used.as_str());
            if rooms.contains(used.as_str()) && !own && !allowed.contains(used.as_str()) {
                wrong.push(format!("src/{}:{line} uses {used}, which {room} may not", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_architecture_page_names_every_room() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    for room in table().keys().chain(ANYTHING).chain(CRATES) {
        assert!(page.contains(&format!("`{room}/`")), "docs/architecture.md does not name the room {room}");
    }
}

#[test]
fn every_file_that_the_architecture_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let top =
        ["src/", "crates/", "tests/", "hasura/", "migrations/", "docs/", "scripts/", "web/", "deploy/", "benches/"];
    let quoted = page.split('`').skip(1).step_by(2);
    let paths: Vec<&str> =
        quoted.filter(|text| top.iter().any(|top| text.starts_with(top)) && !text.contains(['<', '*', ' '])).collect();
    assert!(paths.len() > 15, "the paths of docs/architecture.md are not read: {paths:?}");
    let missing: Vec<&&str> = paths.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "docs/architecture.md names files that are not there: {missing:?}");
}

#[test]
fn uses_are_found_wherever_they_stand() {
    let text = "use crate::db::Db;\n// crate::http is not used here\nfn f() { crate::bus::publish() }\nuse crate::{app, vendors::hasura};\n";
    let found = |text, depth| -> Vec<String> {
        uses(text, depth).into_iter().map(|(line, room)| format!("{line}:{room}")).collect()
    };
    assert_eq!(found(text, 1), ["1:db", "3:bus", "4:app", "4:vendors"]);
    // From src/app/teams.rs two steps up is the root, from src/app/background/drift.rs it is the room itself.
    let text = "use super::super::http::Router;\nuse super::{super::db, teams};\nuse super::caller;\n";
    assert_eq!(found(text, 2), ["1:http", "2:db"]);
    assert_eq!(found(text, 3), Vec::<String>::new());
    assert_eq!(found("use super::db;", 1), ["1:db"]);
}

/// The room of a file by its path below `src/`; none for the roots of the library and the binary.
fn room_of(path: &Path) -> Option<&'static str> {
    let first = path.iter().next()?.to_str()?;
    let first = match first.strip_suffix(".rs") {
        Some("lib" | "main") => return None,
        Some(room) => room,
        None => first,
    };
    if path.starts_with("workflow/flows") {
        return Some("workflow/flows");
    }
    // The names live in the table; an unknown one is reported under its own name.
    let known = table().into_keys().chain(ANYTHING.iter().copied()).find(|room| *room == first);
    Some(known.unwrap_or_else(|| String::leak(first.to_owned())))
}

/// How many steps up from the module of a file is the root of the crate.
fn depth(path: &Path) -> usize {
    path.iter().count() - usize::from(path.ends_with("mod.rs"))
}

/// The rooms that a file names after `crate::`, or after as many `super::` as lead to the root, with the line; comments
/// do not count.
fn uses(text: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default().replace("super::{super::", "super::super::");
        let code = code.replace(&"super::".repeat(depth), "crate::");
        for rest in code.split("crate::").skip(1) {
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => group.split(',').collect(),
                None => vec![rest],
            };
            for name in names {
                let name: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !name.is_empty() {
                    found.push((number + 1, name));
                }
            }
        }
    }
    found
}

pub(crate) fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => open.push(path),
                path if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}
