//! Compiled operations, kept for requests that differ only in values that are bound.
//!
//! A plan depends on the role's schema, the document, which variables are given and which of them are null, and on the
//! values of those variables that planning looked at. The cache belongs to one state, so new metadata empties it.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use serde_json::{Map, Value};

use super::plan::Compiled;
use super::request::Request;

/// Plans of one document that differ in the values that planning looked at.
const VARIANTS: usize = 32;

/// Compiled operations by role and request.
pub struct PlanCache {
    hasher: RandomState,
    buckets: DashMap<u64, Vec<Arc<Entry>>>,
    entries: AtomicU64,
    most: u64,
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
    /// A cache that holds at most so many plans.
    pub fn new(most: u64) -> Self {
        Self { hasher: RandomState::new(), buckets: DashMap::new(), entries: AtomicU64::new(0), most }
    }

    fn hash(&self, role: &str, backend: bool, request: &Request) -> u64 {
        self.hasher.hash_one((role, backend, &request.query, &request.operation_name))
    }

    /// The plan of a request, if it is known.
    pub fn get(&self, role: &str, backend: bool, request: &Request) -> Option<Arc<Compiled>> {
        let bucket = self.buckets.get(&self.hash(role, backend, request))?;
        bucket.iter().find(|entry| entry.serves(role, backend, request)).map(|entry| entry.compiled.clone())
    }

    /// Keeps the plan of a request. A full cache is emptied: what is in use comes back at once.
    pub fn put(&self, role: &str, backend: bool, request: &Request, compiled: Arc<Compiled>) {
        if self.entries.load(Ordering::Relaxed) >= self.most {
            self.buckets.clear();
            self.entries.store(0, Ordering::Relaxed);
        }
        let values: &Map<String, Value> = &request.variables;
        let entry = Arc::new(Entry {
            role: role.to_owned(),
            backend,
            query: request.query.clone(),
            operation: request.operation_name.clone(),
            given: values.iter().map(|(name, value)| (name.clone(), value.is_null())).collect(),
            inspected: compiled.inspected.iter().map(|name| (name.clone(), values.get(name).cloned())).collect(),
            compiled,
        });
        let mut bucket = self.buckets.entry(self.hash(role, backend, request)).or_default();
        if bucket.len() >= VARIANTS {
            bucket.remove(0);
        } else {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
        bucket.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::plan::Kind;

    fn compiled(inspected: &[&str]) -> Arc<Compiled> {
        let inspected = inspected.iter().map(|name| (*name).to_owned()).collect();
        Arc::new(Compiled { kind: Kind::Query, roots: Vec::new(), inspected, joins: None })
    }

    #[test]
    fn a_plan_serves_other_values_but_not_another_form() {
        let cache = PlanCache::new(10);
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
    fn the_number_of_plans_is_bounded() {
        let cache = PlanCache::new(10);
        for index in 0..1000 {
            cache.put("user", false, &Request::new(format!("query q{index} {{ x }}")), compiled(&[]));
            assert!(cache.entries.load(Ordering::Relaxed) <= 10);
        }
    }
}
