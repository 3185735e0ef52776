//! What of an answer is compared, and which recorded names stand for which of ours.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Letters of which generated names are made.
const ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";

/// A body without what differs between any two clusters.
pub fn normal(value: &Value, without_owners: bool) -> Value {
    walk(value, "", without_owners)
}

fn walk(value: &Value, field: &str, without_owners: bool) -> Value {
    match value {
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, inner) in map {
                if key == "managedFields" && without_owners {
                    continue;
                }
                let mut inner = walk(inner, key, without_owners);
                // Owners stand in the order of their times, in whole seconds: whether two writes fell into one second
                // is chance.
                if let ("managedFields", Value::Array(owners)) = (key.as_str(), &mut inner) {
                    owners
                        .sort_by_key(|owner| ["manager", "operation", "subresource"].map(|key| owner[key].to_string()));
                }
                out.insert(text(key), inner);
            }
            Value::Object(out)
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| walk(item, field, without_owners)).collect()),
        Value::String(_) if matches!(field, "uid" | "resourceVersion" | "continue" | "ca.crt" | "token") => {
            json!(format!("<{field}>"))
        }
        Value::String(content) => json!(text(content)),
        Value::Number(_) if field == "nodePort" => json!("<nodePort>"),
        other => other.clone(),
    }
}

/// A text with times, uids, addresses, long numbers and generated parts of names replaced.
fn text(content: &str) -> String {
    let mut out = String::new();
    let mut token = String::new();
    for c in content.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.') {
            token.push(c);
        } else {
            out.push_str(&word(&token));
            token.clear();
            out.push(c);
        }
    }
    out.push_str(&word(&token));
    out
}

fn word(token: &str) -> String {
    let trimmed = token.trim_end_matches(['.', ':']);
    let tail = token.get(trimmed.len()..).unwrap_or_default();
    if time::OffsetDateTime::parse(trimmed, &time::format_description::well_known::Rfc3339).is_ok() {
        return format!("<time>{tail}");
    }
    if uuid::Uuid::parse_str(trimmed).is_ok() && trimmed.contains('-') {
        return format!("<uid>{tail}");
    }
    if trimmed.starts_with("10.96.") {
        return format!("<address>{tail}");
    }
    if trimmed.len() >= 4 && trimmed.len() <= 6 && trimmed.parse::<u32>().is_ok() {
        return format!("<number>{tail}");
    }
    let parts: Vec<&str> = trimmed.split('-').collect();
    let renamed: Vec<String> = parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            let random =
                (part.len() == 5 || (8..=10).contains(&part.len())) && part.chars().all(|c| ALPHABET.contains(c));
            // An event's name ends in a dot and a time in hexadecimal digits.
            match part.rsplit_once('.') {
                Some((_, stamp)) if stamp.len() == 16 && stamp.chars().all(|c| c.is_ascii_hexdigit()) => {
                    "<event>".to_owned()
                }
                _ if random && (index > 0 || parts.len() == 1) => "<random>".to_owned(),
                _ => (*part).to_owned(),
            }
        })
        .collect();
    format!("{}{tail}", renamed.join("-"))
}

/// Recorded uids, revisions, tokens and generated names, and what they are here.
#[derive(Default)]
pub struct Names {
    exact: BTreeMap<String, String>,
    versions: BTreeMap<String, String>,
}

impl Names {
    /// Learns from two answers to the same request.
    pub fn learn(&mut self, recorded: &Value, ours: &Value) {
        self.pair(recorded, ours, "");
    }

    fn pair(&mut self, recorded: &Value, ours: &Value, field: &str) {
        match (recorded, ours) {
            (Value::Object(theirs), Value::Object(mine)) => {
                for (key, inner) in theirs {
                    if let Some(other) = mine.get(key) {
                        self.pair(inner, other, key);
                    }
                }
            }
            (Value::Array(theirs), Value::Array(mine)) => {
                for (inner, other) in theirs.iter().zip(mine) {
                    self.pair(inner, other, field);
                }
            }
            (Value::String(theirs), Value::String(mine)) if theirs != mine => match field {
                "resourceVersion" => {
                    self.versions.insert(theirs.clone(), mine.clone());
                }
                "uid" | "continue" | "clusterIP" => {
                    self.exact.insert(theirs.clone(), mine.clone());
                }
                "name" if text(theirs) == text(mine) => {
                    self.exact.insert(theirs.clone(), mine.clone());
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// A recorded path for this cluster.
    pub fn in_path(&self, path: &str) -> String {
        let mut path = self.replaced(path);
        if let Some((before, after)) = path.clone().split_once("resourceVersion=") {
            let end = after.find('&').unwrap_or(after.len());
            let (version, rest) = after.split_at(end);
            if let Some(ours) = self.versions.get(version) {
                path = format!("{before}resourceVersion={ours}{rest}");
            }
        }
        path
    }

    /// A recorded body for this cluster.
    pub fn in_body(&self, body: &Value) -> Value {
        match body {
            Value::Object(map) => map
                .iter()
                .map(|(key, inner)| {
                    let ours = match (key.as_str(), inner) {
                        ("resourceVersion", Value::String(version)) => {
                            json!(self.versions.get(version).unwrap_or(version))
                        }
                        _ => self.in_body(inner),
                    };
                    (key.clone(), ours)
                })
                .collect(),
            Value::Array(items) => items.iter().map(|item| self.in_body(item)).collect(),
            Value::String(content) => json!(self.replaced(content)),
            other => other.clone(),
        }
    }

    fn replaced(&self, content: &str) -> String {
        let mut out = content.to_owned();
        for (theirs, ours) in &self.exact {
            if out.contains(theirs.as_str()) {
                out = out.replace(theirs.as_str(), ours);
            }
        }
        out
    }
}
