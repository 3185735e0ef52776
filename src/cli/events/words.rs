//! An event as a person reads it: when, what it is about, and what happened.

use std::collections::BTreeMap;

use serde_json::Value;

use super::feed::Line;
use crate::cli::{output, watch};

/// The names of apps and stores by their ids.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// Events of what is new say what it is called.
    pub fn learn(&mut self, line: &Line) {
        if let (Some(id), Some(name)) = (&line.entity_id, text(&line.data, "name"))
            && matches!(domain(&line.subject), "application" | "store")
        {
            self.0.insert(id.clone(), name);
        }
    }

    fn of(&self, line: &Line) -> String {
        let known = line.entity_id.as_ref().and_then(|id| self.0.get(id)).cloned();
        known.or_else(|| text(&line.data, "name")).or_else(|| line.entity_id.clone()).unwrap_or_default()
    }
}

/// One line for an event; `now` while they are followed, when it says the time of day.
pub fn line(line: &Line, names: &Names, now: bool) -> String {
    let at = match line.occurred_at.split_once('T').filter(|_| now) {
        Some((_, time)) => time.chars().take(8).collect(),
        None => output::ago(&line.occurred_at),
    };
    format!("{at:<9} {:<24} {}", names.of(line), what(line))
}

fn domain(subject: &str) -> &str {
    subject.split('.').next().unwrap_or_default()
}

fn what(line: &Line) -> String {
    let words: Vec<&str> = line.subject.split('.').collect();
    let row = |column| text(&line.data, column);
    match words.as_slice() {
        [_, "operation", action, _] => {
            let kind = row("kind").unwrap_or_else(|| "operation".to_owned());
            let action = if *action == "created" { "asked for" } else { action };
            let why = row("error_message").map(|why| format!(": {why}")).unwrap_or_default();
            format!("{} {action}{why}", watch::kind(&kind))
        }
        ["deployment", action, _] => {
            let revision = row("revision").map(|number| format!("revision {number}")).unwrap_or_default();
            let image = row("image").map(|image| format!(" ({image})")).unwrap_or_default();
            let why = row("error").map(|why| format!(": {why}")).unwrap_or_default();
            format!("{revision}{image} {}{why}", spaced(action))
        }
        ["audit", resource, action, _] => format!("{} {} by {}", spaced(resource), spaced(action), actor(line)),
        ["application", action, _] => format!("app {}", spaced(action)),
        [domain, action @ .., _] => format!("{domain} {}", spaced(&action.join(" "))),
        _ => line.subject.clone(),
    }
}

fn actor(line: &Line) -> String {
    text(&line.data, "actor_id").or_else(|| text(&line.data, "actor_type")).unwrap_or_else(|| "the platform".to_owned())
}

fn spaced(word: &str) -> String {
    word.replace(['_', '-'], " ")
}

/// A column of the row that changed.
fn text(data: &Value, column: &str) -> Option<String> {
    match data.get("row").unwrap_or(data).get(column)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(subject: &str, row: Value) -> String {
        let event = Line {
            sequence: 1,
            stream: "X".into(),
            subject: subject.into(),
            entity_id: Some("7".into()),
            data: json!({ "row": row }),
            correlation_id: None,
            occurred_at: "2026-01-31T12:00:01.5+00:00".into(),
        };
        line(&event, &Names::new([("7".to_owned(), "api".to_owned())]), true)
    }

    #[test]
    fn an_event_says_what_happened_to_what() {
        let started = told("deployment.started.7", json!({ "revision": 2, "image": "nginx:2" }));
        assert_eq!(started, format!("12:00:01  {:<24} revision 2 (nginx:2) started", "api"));
        let failed =
            told("application.operation.failed.7", json!({ "kind": "application.scale", "error_message": "no room" }));
        assert!(failed.ends_with("scale failed: no room"), "{failed}");
        assert!(told("application.deleted.7", json!({})).ends_with("app deleted"));
        assert!(!told("store.ready.7", json!({})).contains("store.ready"));
    }
}
