//! Compiled operations, kept for requests that differ only in values that are bound.
//!
//! A plan depends on the role's schema, the document, which variables are given and which of them are null, and on the
//! values of those variables that planning looked at. The cache belongs to one state, so new metadata empties it.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use serde_json::{Map, Value};

use super::plan::{Compiled, CompiledRoot};
use super::request::Request;

/// Plans of one document that differ in the values that planning looked at.
const VARIANTS: usize = 32;

/// Compiled operations by role and request.
pub struct PlanCache {
    hasher: RandomState,
    buckets: DashMap<u64, Vec<Arc<Entry>>>,
    entries: AtomicU64,
    bytes: AtomicUsize,
    most: u64,
    most_bytes: usize,
}

struct Entry {
    role: String,
    backend: bool,
    query: Arc<str>,
    operation: Option<String>,
    /// Names of the variables that were given, and whether each was null.
    given: Vec<(String, bool)>,
    /// Values that planning looked at; nothing where the variable was not given.
    inspected: Vec<(String, Option<Value>)>,
    compiled: Arc<Compiled>,
    /// An estimate of what it takes.
    bytes: usize,
}

impl Entry {
    fn serves(&self, role: &str, backend: bool, request: &Request) -> bool {
        self.query == request.query
            && self.role == role
            && self.backend == backend
            && self.operation == request.operation_name
            && self.given.len() == request.variables.len()
            && self
                .given
                .iter()
                .all(|(name, null)| request.variables.get(name).is_some_and(|value| value.is_null() == *null))
            && self.inspected.iter().all(|(name, value)| request.variables.get(name) == value.as_ref())
    }
}

impl PlanCache {
    /// A cache that holds at most so many plans, which take about so many bytes.
    pub fn new(most: u64, most_bytes: usize) -> Self {
        let (entries, bytes) = (AtomicU64::new(0), AtomicUsize::new(0));
        Self { hasher: RandomState::new(), buckets: DashMap::new(), entries, bytes, most, most_bytes }
    }

    fn hash(&self, role: &str, backend: bool, request: &Request) -> u64 {
        self.hasher.hash_one((role, backend, &request.query, &request.operation_name))
    }

    /// The plan of a request, if it is known.
    pub fn get(&self, role: &str, backend: bool, request: &Request) -> Option<Arc<Compiled>> {
        let bucket = self.buckets.get(&self.hash(role, backend, request))?;
        bucket.iter().find(|entry| entry.serves(role, backend, request)).map(|entry| entry.compiled.clone())
    }

    /// Keeps the plan of a request, unless it alone would take a good part of the room. A full cache is emptied: what
    /// is in use comes back at once.
    pub fn put(&self, role: &str, backend: bool, request: &Request, compiled: Arc<Compiled>) {
        let values: &Map<String, Value> = &request.variables;
        let bytes = estimate(request, &compiled);
        if bytes > self.most_bytes / 8 {
            return;
        }
        let taken = self.bytes.load(Ordering::Relaxed).saturating_add(bytes);
        if self.entries.load(Ordering::Relaxed) >= self.most || taken > self.most_bytes {
            self.buckets.clear();
            self.entries.store(0, Ordering::Relaxed);
            self.bytes.store(0, Ordering::Relaxed);
        }
        let entry = Arc::new(Entry {
            role: role.to_owned(),
            backend,
            query: request.query.clone(),
            operation: request.operation_name.clone(),
            given: values.iter().map(|(name, value)| (name.clone(), value.is_null())).collect(),
            inspected: compiled.inspected.iter().map(|name| (name.clone(), values.get(name).cloned())).collect(),
            compiled,
            bytes,
        });
        let mut bucket = self.buckets.entry(self.hash(role, backend, request)).or_default();
        if bucket.len() >= VARIANTS {
            self.bytes.fetch_sub(bucket.remove(0).bytes, Ordering::Relaxed);
        } else {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        bucket.push(entry);
    }
}

/// About how many bytes a plan takes: its text twice (literals are bound), what its fields come to, fixed answers such
/// as introspection's, and the values that planning looked at.
fn estimate(request: &Request, compiled: &Compiled) -> usize {
    let constants = compiled.roots.iter().map(|(_, root)| match root {
        CompiledRoot::Constant(text) => text.len(),
        _ => 0,
    });
    let inspected = compiled.inspected.iter().filter_map(|name| request.variables.get(name)).map(size);
    let values: usize = constants.chain(inspected).sum();
    1024 + request.query.len().saturating_mul(2) + compiled.nodes.saturating_mul(512) + values
}

/// About how many bytes a JSON value takes.
fn size(value: &Value) -> usize {
    let own = size_of::<Value>();
    own + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, item)| own + name.len() + size(item)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::Kind;

    fn compiled(inspected: &[&str]) -> Arc<Compiled> {
        let inspected = inspected.iter().map(|name| (*name).to_owned()).collect();
        Arc::new(Compiled { kind: Kind::Query, roots: Vec::new(), inspected, joins: None, nodes: 1 })
    }

    #[test]
    fn a_plan_serves_other_values_but_not_another_form() {
        let cache = PlanCache::new(10, 1 << 20);
        let request = |variables| Request::new("query ($id: Int, $limit: Int) { x }").with_variables(variables);
        cache.put("user", false, &request(json!({"id": 1, "limit": 5})), compiled(&["limit"]));
        let hit = |role, variables| cache.get(role, false, &request(variables)).is_some();
        assert!(hit("user", json!({"id": 2, "limit": 5})), "bound values may differ");
        assert!(!hit("user", json!({"id": 2, "limit": 6})), "a value that was looked at");
        assert!(!hit("user", json!({"id": null, "limit": 5})), "null is another form");
        assert!(!hit("user", json!({"limit": 5})), "so is absence");
        assert!(!hit("admin", json!({"id": 1, "limit": 5})), "roles share nothing");
        assert!(cache.get("user", true, &request(json!({"id": 1, "limit": 5}))).is_none());
    }

    #[test]
    fn what_plans_take_is_bounded() {
        let cache = PlanCache::new(1000, 100_000);
        for index in 0..100 {
            let long = "x".repeat(index * 100);
            cache.put("user", false, &Request::new(format!("query q{index} {{ x }} # {long}")), compiled(&[]));
            let kept: usize = cache.buckets.iter().flat_map(|bucket| bucket.clone()).map(|entry| entry.bytes).sum();
            assert_eq!(kept, cache.bytes.load(Ordering::Relaxed));
            assert!(kept <= 100_000, "{kept} bytes");
        }
        let huge = Request::new(format!("{{ x }} # {}", "x".repeat(100_000)));
        cache.put("user", false, &huge, compiled(&[]));
        assert!(cache.get("user", false, &huge).is_none(), "it would take the room of many");
        assert!(cache.entries.load(Ordering::Relaxed) > 0, "and does not push them out");
    }

    #[test]
    fn the_number_of_plans_is_bounded() {
        let cache = PlanCache::new(10, 1 << 20);
        for index in 0..1000 {
            cache.put("user", false, &Request::new(format!("query q{index} {{ x }}")), compiled(&[]));
            assert!(cache.entries.load(Ordering::Relaxed) <= 10);
        }
    }
}
