//! What a watch has told of objects, as little of it as tells whether something has happened: an event that comes twice,
//! late, or about the status alone changes nothing.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use uuid::Uuid;

use crate::vendors::kubernetes::Sight;
use crate::workflow::flows::application::names::APPLICATION;

/// The objects of applications that are known.
#[derive(Debug, Default)]
pub(super) struct Known {
    kinds: HashMap<&'static str, Objects>,
}

/// Those of a kind, by their uids.
#[derive(Debug, Default)]
struct Objects {
    by_uid: HashMap<Box<str>, Object>,
    /// The number of the list that is told or was told last.
    list: u32,
    /// Whether a list has been told to its end.
    complete: bool,
}

/// What is kept of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Object {
    application: Uuid,
    state: u64,
    list: u32,
}

impl Known {
    /// Whether the objects of so many kinds are known.
    pub fn complete(&self, kinds: usize) -> bool {
        self.kinds.len() == kinds && self.kinds.values().all(|objects| objects.complete)
    }

    /// Takes in what a watch tells of a kind; gives the applications to which something has happened. The first list of
    /// a kind tells how things are, and nothing that has happened.
    pub fn learn(&mut self, kind: &'static str, sight: &Sight) -> Vec<Uuid> {
        let objects = self.kinds.entry(kind).or_default();
        match sight {
            Sight::Begun => {
                objects.list = objects.list.wrapping_add(1);
                Vec::new()
            }
            Sight::Listed(metadata) => {
                let happened = objects.put(metadata);
                if objects.complete { happened } else { Vec::new() }
            }
            Sight::Complete => {
                objects.complete = true;
                let list = objects.list;
                let gone = objects.by_uid.extract_if(|_, object| object.list != list);
                gone.map(|(_, object)| object.application).collect()
            }
            Sight::Changed(metadata) => objects.put(metadata),
            Sight::Gone(metadata) => {
                let gone = metadata.uid.as_deref().and_then(|uid| objects.by_uid.remove(uid));
                gone.into_iter().map(|object| object.application).collect()
            }
        }
    }
}

impl Objects {
    fn put(&mut self, metadata: &ObjectMeta) -> Vec<Uuid> {
        let labels = metadata.labels.as_ref();
        let application = labels.and_then(|labels| labels.get(APPLICATION)?.parse().ok());
        let (Some(uid), Some(application)) = (metadata.uid.as_deref(), application) else { return Vec::new() };
        let new = Object { application, state: state(metadata), list: self.list };
        match self.by_uid.insert(uid.into(), new) {
            Some(old) if old.application == application && old.state == new.state => Vec::new(),
            Some(old) if old.application != application => vec![old.application, application],
            _ => vec![application],
        }
    }
}

/// A number that changes with what an object is to be. The server counts that as `generation` for most kinds; of others
/// it tells who has written what, which leaves the status out; else every write counts.
fn state(metadata: &ObjectMeta) -> u64 {
    let mut hasher = DefaultHasher::new();
    metadata.labels.hash(&mut hasher);
    metadata.deletion_timestamp.is_some().hash(&mut hasher);
    let writers = metadata.managed_fields.iter().flatten();
    let of_status = |writer: &str| writer == "status";
    match metadata.generation {
        Some(generation) => generation.hash(&mut hasher),
        None if writers.clone().any(|writer| writer.subresource.as_deref().is_some_and(of_status)) => {
            for writer in writers.filter(|writer| !writer.subresource.as_deref().is_some_and(of_status)) {
                writer.manager.hash(&mut hasher);
                writer.operation.hash(&mut hasher);
                writer.time.as_ref().map(|time| time.0.as_nanosecond()).hash(&mut hasher);
                writer.fields_v1.as_ref().map(|fields| fields.0.to_string()).hash(&mut hasher);
            }
        }
        None => metadata.resource_version.hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const KIND: &str = "Deployment";

    fn object(application: Uuid, more: &Value) -> Box<ObjectMeta> {
        let mut metadata = json!({ "uid": "one", "generation": 1, "resourceVersion": "7",
            "labels": { APPLICATION: application.to_string() } });
        for (key, value) in more.as_object().unwrap() {
            metadata[key] = value.clone();
        }
        serde_json::from_value(metadata).unwrap()
    }

    /// A first list with that object.
    fn known(metadata: &ObjectMeta) -> Known {
        let mut known = Known::default();
        for sight in [Sight::Begun, Sight::Listed(Box::new(metadata.clone())), Sight::Complete] {
            assert!(!known.complete(1));
            assert_eq!(known.learn(KIND, &sight), [] as [Uuid; 0], "how things are is nothing that has happened");
        }
        assert!(known.complete(1) && !known.complete(2));
        known
    }

    #[test]
    fn an_event_that_comes_again_or_tells_of_the_status_is_nothing() {
        let one = Uuid::new_v4();
        let mut known = known(&object(one, &json!({})));
        let mut changed = |more: Value| known.learn(KIND, &Sight::Changed(object(one, &more)));
        assert!(changed(json!({})).is_empty());
        assert!(changed(json!({ "resourceVersion": "8" })).is_empty(), "a status");
        assert_eq!(changed(json!({ "generation": 2 })), [one]);
        assert!(changed(json!({ "generation": 2 })).is_empty());
        assert_eq!(changed(json!({ "generation": 2, "deletionTimestamp": "2026-01-01T00:00:00Z" })), [one]);
        // Without a generation every write counts.
        assert_eq!(changed(json!({ "generation": null })), [one]);
        assert_eq!(changed(json!({ "generation": null, "resourceVersion": "9" })), [one]);
    }

    #[test]
    fn of_a_kind_that_is_not_counted_the_writers_of_the_status_are_left_out() {
        let one = Uuid::new_v4();
        let written = |spec: &str, status: &str| {
            object(
                one,
                &json!({ "generation": null, "resourceVersion": format!("{spec}{status}"), "managedFields": [
                { "manager": "northstack", "operation": "Apply", "time": spec, "fieldsV1": { "f:spec": {} } },
                { "manager": "hpa", "operation": "Update", "time": status, "subresource": "status" } ] }),
            )
        };
        let mut known = known(&written("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"));
        let mut changed = |spec, status| known.learn(KIND, &Sight::Changed(written(spec, status)));
        assert!(changed("2026-01-01T00:00:00Z", "2026-01-01T00:00:15Z").is_empty());
        assert_eq!(changed("2026-01-01T00:00:20Z", "2026-01-01T00:00:15Z"), [one]);
    }

    #[test]
    fn what_is_gone_or_another_s_is_told() {
        let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
        let mut known = known(&object(one, &json!({})));
        assert_eq!(known.learn(KIND, &Sight::Changed(object(two, &json!({})))), [one, two]);
        assert_eq!(known.learn(KIND, &Sight::Gone(object(two, &json!({})))), [two]);
        assert!(known.learn(KIND, &Sight::Gone(object(two, &json!({})))).is_empty(), "once");
    }

    #[test]
    fn a_new_list_tells_what_has_happened_since() {
        let one = Uuid::new_v4();
        let mut known = known(&object(one, &json!({})));
        assert!(known.learn(KIND, &Sight::Begun).is_empty());
        assert_eq!(known.learn(KIND, &Sight::Listed(object(one, &json!({ "generation": 2 })))), [one]);
        assert!(known.learn(KIND, &Sight::Complete).is_empty());
        assert!(known.learn(KIND, &Sight::Begun).is_empty());
        assert_eq!(known.learn(KIND, &Sight::Complete), [one], "it was not listed any more");
    }
}
