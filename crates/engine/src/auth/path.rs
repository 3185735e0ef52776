//! The small part of JSONPath that claims are picked by: `$`, `.name`, `['name']` and `[0]`.

use serde_json::Value;

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl JsonPath {
    /// Parses a path.
    ///
    /// # Errors
    /// The path itself, quoted in a sentence, where it is malformed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("invalid JSON path {text:?}: use $.name, $['name'] and $[0]");
        let mut rest = text.strip_prefix('$').ok_or_else(bad)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, tail) = after.split_at(end);
                if name.is_empty() {
                    return Err(bad());
                }
                steps.push(Step::Key(name.to_owned()));
                rest = tail;
            } else if let Some(after) = rest.strip_prefix('[') {
                let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'));
                let (inner, tail) = match quote {
                    Some(quote) => {
                        after.get(1..).and_then(|inside| inside.split_once(&format!("{quote}]")[..])).ok_or_else(bad)?
                    }
                    None => after.split_once(']').ok_or_else(bad)?,
                };
                steps.push(match quote {
                    Some(_) => Step::Key(inner.to_owned()),
                    None => Step::Index(inner.parse().map_err(|_| bad())?),
                });
                rest = tail;
            } else {
                return Err(bad());
            }
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value that the path leads to.
    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_through_objects_and_arrays() {
        let value = json!({"a": {"b-c": [10, {"https://x.y/z": "deep"}]}});
        for (path, expected) in [
            ("$.a.b-c[0]", Some(json!(10))),
            ("$.a['b-c'][1]['https://x.y/z']", Some(json!("deep"))),
            ("$[\"a\"].nope", None),
            ("$", Some(value.clone())),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap().find(&value).cloned(), expected, "{path}");
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for path in ["", "a.b", "$.", "$..a", "$[", "$['a'", "$[x]", "$a"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
