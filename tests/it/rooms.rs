//! The room table: which room of `src/` may use which, as `docs/architecture.md` prints it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms that may use every other.
const ANYTHING: &[&str] = &["cli"];

/// The rooms and what each may use.
fn table() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    BTreeMap::from(
        [
            ("domain", &[][..]),
            ("engine", &[]),
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
            ("sim", &["domain"]),
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
        table.keys().filter_map(|room| room.split('/').next()).chain(ANYTHING.iter().copied()).collect();
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let path = file.strip_prefix(&source).unwrap();
        let Some(room) = room_of(path) else { continue };
        assert!(
            ANYTHING.contains(&room) || table.contains_key(room),
            "src/{room} is no room: see docs/architecture.md"
        );
        let Some(allowed) = table.get(room) else { continue };
        for (line, used) in uses(&std::fs::read_to_string(&file).unwrap()) {
            let own = room.split('/').next() == Some(used.as_str());
            if rooms.contains(used.as_str()) && !own && !allowed.contains(used.as_str()) {
                wrong.push(format!("src/{}:{line} uses crate::{used}, which {room} may not", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_architecture_page_names_every_room() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    for room in table().keys().chain(ANYTHING) {
        assert!(page.contains(&format!("`{room}/`")), "docs/architecture.md does not name the room {room}");
    }
}

#[test]
fn uses_are_found_wherever_they_stand() {
    let text = "use crate::db::Db;\n// crate::http is not used here\nfn f() { crate::bus::publish() }\nuse crate::{app, vendors::hasura};\n";
    let found: Vec<String> = uses(text).into_iter().map(|(line, room)| format!("{line}:{room}")).collect();
    assert_eq!(found, ["1:db", "3:bus", "4:app", "4:vendors"]);
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

/// The rooms that a file names after `crate::`, with the line; comments do not count.
fn uses(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
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

fn rust_files(directory: &Path) -> Vec<PathBuf> {
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
