//! The Hasura CLI's metadata directory (config version 3).
//!
//! Values that are strings of the form `!include path` are replaced by the file, relative to the file that names it.
//! A fault is reported with the file, the line and the key.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::de::{Deserialize, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{LoadError, Metadata, actions_sdl};
use crate::json;

/// Largest file that is read, in bytes.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// Files of the directory and the section of the document that each holds.
const SECTIONS: &[(&str, &str)] = &[
    ("databases/databases.yaml", "sources"),
    ("remote_schemas.yaml", "remote_schemas"),
    ("query_collections.yaml", "query_collections"),
    ("allow_list.yaml", "allowlist"),
    ("cron_triggers.yaml", "cron_triggers"),
    ("rest_endpoints.yaml", "rest_endpoints"),
    ("inherited_roles.yaml", "inherited_roles"),
    ("api_limits.yaml", "api_limits"),
    ("graphql_schema_introspection.yaml", "graphql_schema_introspection"),
    ("network.yaml", "network"),
    ("backend_configs.yaml", "backend_configs"),
    ("metrics_config.yaml", "metrics_config"),
    ("opentelemetry.yaml", "opentelemetry"),
];

/// Files that are read apart from the sections.
const OTHERS: &[&str] = &["version.yaml", "actions.yaml"];

impl Metadata {
    /// Reads a metadata directory as the Hasura CLI writes it.
    pub fn from_directory(directory: &Path) -> Result<Self, LoadError> {
        let mut reader = Reader { root: directory, origins: Vec::new(), open: Vec::new() };
        let document = reader.document()?;
        Self::from_document(&document).map_err(|error| reader.locate(error))
    }
}

/// Where a part of the document came from.
struct Origin {
    /// The key in the document at which the file's content begins.
    key: String,
    /// The file, relative to the directory.
    file: PathBuf,
}

struct Reader<'a> {
    root: &'a Path,
    origins: Vec<Origin>,
    open: Vec<PathBuf>,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Value, LoadError> {
        self.refuse_unknown_files()?;
        let mut document = Map::new();
        let version = self.file(Path::new("version.yaml"), String::new())?;
        document.insert("version".to_owned(), version.get("version").cloned().unwrap_or(Value::Null));
        for (file, section) in SECTIONS {
            if self.root.join(file).exists() {
                let value = self.file(Path::new(file), (*section).to_owned())?;
                if !value.is_null() {
                    document.insert((*section).to_owned(), value);
                }
            }
        }
        self.actions(&mut document)?;
        Ok(Value::Object(document))
    }

    fn actions(&mut self, document: &mut Map<String, Value>) -> Result<(), LoadError> {
        let (yaml, sdl) = (Path::new("actions.yaml"), Path::new("actions.graphql"));
        let mut sections = match self.root.join(yaml).exists() {
            true => match self.file(yaml, String::new())? {
                Value::Object(sections) => sections,
                Value::Null => Map::new(),
                _ => return Err(LoadError::at("", "expected actions and custom_types").in_file(yaml, Some(1))),
            },
            false => Map::new(),
        };
        if self.root.join(sdl).exists() {
            let text = self.read(sdl)?;
            actions_sdl::merge(&text, &mut sections).map_err(|(line, error)| match line {
                Some(line) => error.in_file(sdl, Some(line)),
                None => self.locate(error),
            })?;
        }
        for (name, value) in sections {
            if name != "actions" && name != "custom_types" {
                return Err(self.locate(LoadError::at(name, "unknown key, expected actions or custom_types")));
            }
            document.insert(name, value);
        }
        Ok(())
    }

    fn refuse_unknown_files(&self) -> Result<(), LoadError> {
        let entries = fs::read_dir(self.root).map_err(|error| {
            LoadError::at("", format!("cannot read the directory: {error}")).in_file(self.root, None)
        })?;
        let known: BTreeSet<&str> = SECTIONS.iter().map(|(file, _)| *file).chain(OTHERS.iter().copied()).collect();
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        match names.into_iter().find(|name| is_yaml(name) && !known.contains(name.as_str())) {
            Some(name) => {
                Err(LoadError::at("", "not a metadata file of config version 3").in_file(Path::new(&name), None))
            }
            None => Ok(()),
        }
    }

    fn read(&self, file: &Path) -> Result<String, LoadError> {
        let path = self.root.join(file);
        let fail = |reason: String| LoadError::at("", reason).in_file(file, None);
        let size = fs::metadata(&path).map_err(|error| fail(format!("cannot read the file: {error}")))?.len();
        if size > LARGEST_FILE {
            return Err(fail(format!("the file has {size} bytes; at most {LARGEST_FILE} are read")));
        }
        fs::read_to_string(&path).map_err(|error| fail(format!("cannot read the file: {error}")))
    }

    fn file(&mut self, file: &Path, key: String) -> Result<Value, LoadError> {
        if self.open.iter().any(|open| open == file) {
            let chain: Vec<String> = self.open.iter().map(|open| open.display().to_string()).collect();
            return Err(
                LoadError::at(key, format!("the files include each other: {}", chain.join(" → "))).in_file(file, None)
            );
        }
        let text = self.read(file)?;
        let value = yaml(&text).map_err(|error| {
            LoadError::at(key.clone(), error.to_string()).in_file(file, error.location().map(|at| at.line()))
        })?;
        self.origins.push(Origin { key: key.clone(), file: file.to_owned() });
        self.open.push(file.to_owned());
        let value = self.resolve(value, file, key)?;
        self.open.pop();
        Ok(value)
    }

    fn resolve(&mut self, value: Value, file: &Path, key: String) -> Result<Value, LoadError> {
        match value {
            Value::String(text) => match text.strip_prefix("!include ") {
                Some(target) => {
                    let target = normal(&file.parent().unwrap_or(Path::new("")).join(target.trim()));
                    let Some(target) = target else {
                        let error = LoadError::at(key, format!("{text:?} leads out of the metadata directory"));
                        return Err(self.locate(error));
                    };
                    if !self.root.join(&target).is_file() {
                        let error = LoadError::at(key, format!("the file {} does not exist", target.display()));
                        return Err(self.locate(error));
                    }
                    self.file(&target, key)
                }
                None => Ok(Value::String(text)),
            },
            Value::Array(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for (index, item) in items.into_iter().enumerate() {
                    resolved.push(self.resolve(item, file, format!("{key}[{index}]"))?);
                }
                Ok(Value::Array(resolved))
            }
            Value::Object(fields) => {
                let mut resolved = Map::with_capacity(fields.len());
                for (name, field) in fields {
                    let separator = if key.is_empty() { "" } else { "." };
                    let inner = format!("{key}{separator}{name}");
                    resolved.insert(name, self.resolve(field, file, inner)?);
                }
                Ok(Value::Object(resolved))
            }
            other => Ok(other),
        }
    }

    /// Adds the file and line to a fault at a key of the document.
    fn locate(&self, error: LoadError) -> LoadError {
        if error.file.is_some() {
            return error;
        }
        let origin = self
            .origins
            .iter()
            .filter(|origin| {
                error
                    .key
                    .strip_prefix(&origin.key)
                    .is_some_and(|rest| rest.is_empty() || origin.key.is_empty() || rest.starts_with(['.', '[']))
            })
            // Of files that begin at the same key the later one was included there. Files without a key of
            // their own are told apart by the section that the fault names.
            .filter(|origin| !origin.key.is_empty() || actions_section(&error.key) == is_actions(&origin.file))
            .max_by_key(|origin| origin.key.len());
        let Some(origin) = origin else { return error };
        let line = fs::read_to_string(self.root.join(&origin.file))
            .ok()
            .and_then(|text| line_of(&text, &steps(error.key.strip_prefix(&origin.key).unwrap_or_default())));
        error.in_file(&origin.file, line)
    }
}

/// Reads YAML with all the digits of its numbers.
fn yaml(text: &str) -> Result<Value, serde_norway::Error> {
    let long = |number: &[u8]| number.iter().filter(|byte| byte.is_ascii_digit()).count() >= 16;
    let numbers = |byte: &u8| !(byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E'));
    if !text.as_bytes().split(numbers).any(|number| long(number) || number.contains(&b'e') || number.contains(&b'E')) {
        return serde_norway::from_str(text);
    }
    // Once for what is a number, and again for how it is written.
    let shape = Shape.deserialize(serde_norway::Deserializer::from_str(text))?;
    Digits(&shape).deserialize(serde_norway::Deserializer::from_str(text))
}

/// Reads a value whose numbers may be any.
struct Shape;

impl<'de> DeserializeSeed<'de> for Shape {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shape {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E>(self, _: i128) -> Result<Value, E> {
        Ok(0.into())
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value, E> {
        Ok(0.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(if value.is_finite() { value.into() } else { 0.into() })
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            fields.insert(name, map.next_value_seed(Shape)?);
        }
        Ok(fields.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Shape)? {
            items.push(item);
        }
        Ok(items.into())
    }
}

/// Reads a value again that is known already: its numbers by their texts.
struct Digits<'a>(&'a Value);

impl<'de> DeserializeSeed<'de> for Digits<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.0 {
            Value::Object(_) => deserializer.deserialize_map(self),
            Value::Array(_) => deserializer.deserialize_seq(self),
            Value::Number(_) => deserializer.deserialize_str(self),
            other => {
                serde::de::IgnoredAny::deserialize(deserializer)?;
                Ok(other.clone())
            }
        }
    }
}

impl<'de> Visitor<'de> for Digits<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the value that was read before")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        // What JSON does not write so is as it was read (`0x10`, `.5`), and nothing where it is no number (`.inf`).
        let read = json::read(text.as_bytes()).ok().filter(|value| json::digits(value).is_some());
        Ok(read.unwrap_or_else(|| if text.contains(['n', 'N']) { Value::Null } else { self.0.clone() }))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let known = self.0.get(&name).unwrap_or(&Value::Null);
            let value = map.next_value_seed(Digits(known))?;
            fields.insert(name, value);
        }
        Ok(fields.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Digits(self.0.get(items.len()).unwrap_or(&Value::Null)))? {
            items.push(item);
        }
        Ok(items.into())
    }
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

fn actions_section(key: &str) -> bool {
    !key.starts_with("version")
}

fn is_actions(file: &Path) -> bool {
    file == Path::new("actions.yaml")
}

/// The path without `.` and `..`; nothing when it leads out of the directory.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => normal.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}

/// A step from a value to one inside it.
#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

fn steps(key: &str) -> Vec<Step> {
    key.split(['.', '['])
        .filter(|part| !part.is_empty())
        .map(|part| match part.strip_suffix(']').map(str::parse) {
            Some(Ok(index)) => Step::Index(index),
            _ => Step::Key(part.to_owned()),
        })
        .collect()
}

/// The line, from 1, at which the value at the end of the steps begins, or the deepest one on the way to it.
fn line_of(yaml: &str, steps: &[Step]) -> Option<usize> {
    (0..=steps.len()).rev().find_map(|depth| {
        let walk = Walk(steps.get(..depth)?);
        let error = walk.deserialize(serde_norway::Deserializer::from_str(yaml)).err()?;
        error.to_string().contains(FOUND).then(|| error.location().map(|at| at.line())).flatten()
    })
}

const FOUND: &str = "the value that was looked for";

/// Walks to a value and fails there, so that the YAML reader's error carries the place.
struct Walk<'a>(&'a [Step]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { FOUND } else { "a list or an object" })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom(FOUND));
        };
        while let Some(key) = map.next_key::<String>()? {
            if key == *wanted {
                return map.next_value_seed(Walk(rest));
            }
            map.next_value::<serde::de::IgnoredAny>()?;
        }
        Err(A::Error::custom("no such key"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom(FOUND));
        };
        for _ in 0..*wanted {
            list.next_element::<serde::de::IgnoredAny>()?;
        }
        list.next_element_seed(Walk(rest)).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_yaml_keep_their_digits() {
        let read = |text: &str| json::write(&yaml(text).unwrap());
        assert_eq!(
            read(
                "a: 18446744073709551616\nb: [1.0000000000000000001, -5, '123456789012345678901', 0.5]\nc: &x {d: 1.00000000000000000001}\ne: *x"
            ),
            r#"{"a":18446744073709551616,"b":[1.0000000000000000001,-5,"123456789012345678901",0.5],"c":{"d":1.00000000000000000001},"e":{"d":1.00000000000000000001}}"#
        );
        assert_eq!(
            read("a: 12345678901234567\nb: 0x10\nc: ~\nd: true"),
            r#"{"a":12345678901234567,"b":16,"c":null,"d":true}"#
        );
        assert_eq!(read("- 1\n- a"), r#"[1,"a"]"#);
        assert_eq!(
            read("- .inf\n- 1e3\n- '!include some.yaml'\n- '1e400'"),
            r#"[null,1000.0,"!include some.yaml","1e400"]"#
        );
    }
}
