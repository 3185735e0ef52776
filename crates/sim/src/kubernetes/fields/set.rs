//! A set of fields, in the tree shape of `FieldsV1`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Owned fields below one place. Keys are path elements as FieldsV1 writes them: `f:name`, `k:{"name":"web"}`,
/// `v:"text"`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Set {
    /// Whether the place itself is owned.
    pub(crate) owned: bool,
    pub(crate) children: BTreeMap<String, Set>,
}

impl Set {
    pub(crate) fn is_empty(&self) -> bool {
        !self.owned && self.children.values().all(Set::is_empty)
    }

    /// The set below a path element, made when absent.
    pub(crate) fn child(&mut self, element: String) -> &mut Set {
        self.children.entry(element).or_default()
    }

    pub(crate) fn union(&self, other: &Set) -> Set {
        let mut all = self.clone();
        all.owned |= other.owned;
        for (element, theirs) in &other.children {
            let mine = all.child(element.clone());
            *mine = mine.union(theirs);
        }
        all
    }

    pub(crate) fn difference(&self, other: &Set) -> Set {
        let children = self
            .children
            .iter()
            .map(|(element, mine)| match other.children.get(element) {
                Some(theirs) => (element.clone(), mine.difference(theirs)),
                None => (element.clone(), mine.clone()),
            })
            .filter(|(_, rest)| !rest.is_empty())
            .collect();
        Set { owned: self.owned && !other.owned, children }
    }

    /// What is left when everything at or below a place of `other` goes.
    pub(crate) fn without_below(&self, other: &Set) -> Set {
        if other.owned {
            return Set::default();
        }
        let children = self
            .children
            .iter()
            .map(|(element, mine)| match other.children.get(element) {
                Some(theirs) => (element.clone(), mine.without_below(theirs)),
                None => (element.clone(), mine.clone()),
            })
            .filter(|(_, rest)| !rest.is_empty())
            .collect();
        Set { owned: self.owned, children }
    }

    pub(crate) fn intersection(&self, other: &Set) -> Set {
        let children = self
            .children
            .iter()
            .filter_map(|(element, mine)| {
                let both = mine.intersection(other.children.get(element)?);
                (!both.is_empty()).then(|| (element.clone(), both))
            })
            .collect();
        Set { owned: self.owned && other.owned, children }
    }

    /// The owned places as paths, in order.
    pub(crate) fn paths(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        self.walk(&mut Vec::new(), &mut found);
        found
    }

    fn walk(&self, here: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        if self.owned {
            found.push(here.clone());
        }
        for (element, below) in &self.children {
            here.push(element.clone());
            below.walk(here, found);
            here.pop();
        }
    }

    /// As FieldsV1.
    pub(crate) fn to_json(&self) -> Value {
        let mut map = Map::new();
        if self.owned && self.children.values().any(|child| !child.is_empty()) {
            map.insert(".".to_owned(), json!({}));
        }
        for (element, child) in &self.children {
            if !child.is_empty() {
                map.insert(element.clone(), child.to_json());
            }
        }
        Value::Object(map)
    }

    /// From FieldsV1.
    pub(crate) fn from_json(value: &Value) -> Set {
        Self::read(value, false)
    }

    fn read(value: &Value, inner: bool) -> Set {
        let Some(map) = value.as_object() else { return Set::default() };
        let mut set = Set { owned: inner && (map.is_empty() || map.contains_key(".")), ..Set::default() };
        for (element, below) in map.iter().filter(|(element, _)| *element != ".") {
            set.children.insert(element.clone(), Self::read(below, true));
        }
        set
    }
}

/// A path as messages print it: `.spec.containers[name="web"].image`.
pub(crate) fn print(path: &[String]) -> String {
    path.iter()
        .map(|element| match element.split_once(':') {
            Some(("f", name)) => format!(".{name}"),
            Some(("k", keys)) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let pairs: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("[{}]", pairs.join(","))
            }
            Some(("v", value)) => format!("[={value}]"),
            _ => String::new(),
        })
        .collect()
}
