//! Events, as controllers record them; equal ones are counted.

use serde_json::{Value, json};

use super::World;
use crate::kubernetes::clock;
use crate::kubernetes::json::{at, int, set, text};
use crate::kubernetes::kinds;

/// Something worth telling about an object.
pub(super) struct Event<'a> {
    /// `Normal` or `Warning`.
    pub(super) kind: &'a str,
    pub(super) reason: &'a str,
    pub(super) message: String,
    /// Who tells it.
    pub(super) component: &'a str,
    /// The part of the object concerned, such as `spec.containers{web}`.
    pub(super) field: String,
}

impl<'a> Event<'a> {
    pub(super) fn normal(component: &'a str, reason: &'a str, message: impl Into<String>) -> Self {
        Self { kind: "Normal", reason, message: message.into(), component, field: String::new() }
    }

    pub(super) fn warning(component: &'a str, reason: &'a str, message: impl Into<String>) -> Self {
        Self { kind: "Warning", ..Self::normal(component, reason, message) }
    }

    pub(super) fn about(mut self, container: &str) -> Self {
        self.field = format!("spec.containers{{{container}}}");
        self
    }
}

impl World<'_> {
    /// Records an event about an object of this namespace.
    pub(super) fn tell(&mut self, object: &Value, event: Event<'_>) {
        let uid = text(object, "/metadata/uid");
        let known = self
            .state
            .list(kinds::EVENTS, self.namespace)
            .find(|(_, old)| {
                text(old, "/involvedObject/uid") == uid
                    && text(old, "/reason") == event.reason
                    && text(old, "/message") == event.message
            })
            .map(|(key, old)| (key.clone(), (**old).clone()));
        if let Some((key, mut old)) = known {
            let count = int(&old, "/count").unwrap_or(1) + 1;
            set(&mut old, &["count"], count);
            set(&mut old, &["lastTimestamp"], clock::now());
            self.put(&key, old);
            return;
        }
        let name = text(object, "/metadata/name");
        let stamp = time::OffsetDateTime::now_utc().unix_timestamp_nanos();
        let mut about = json!({
            "kind": text(object, "/kind"), "namespace": self.namespace, "name": name, "uid": uid,
            "apiVersion": text(object, "/apiVersion"),
            "resourceVersion": at(object, "/metadata/resourceVersion"),
        });
        if !event.field.is_empty() {
            set(&mut about, &["fieldPath"], event.field.as_str());
        }
        let scheduler = event.component == "default-scheduler";
        let now = clock::now();
        let mut body = json!({
            "metadata": {"name": format!("{name}.{stamp:x}"), "namespace": self.namespace},
            "involvedObject": about,
            "reason": event.reason,
            "message": event.message,
            "source": if scheduler { json!({}) } else { json!({"component": event.component}) },
            "firstTimestamp": if scheduler { Value::Null } else { json!(now) },
            "lastTimestamp": if scheduler { Value::Null } else { json!(now) },
        });
        if scheduler {
            set(&mut body, &["type"], event.kind);
            set(&mut body, &["eventTime"], clock::now_micros());
            set(&mut body, &["action"], if event.reason == "Scheduled" { "Binding" } else { "Scheduling" });
            set(&mut body, &["reportingInstance"], "default-scheduler-simulator");
        } else {
            set(&mut body, &["count"], 1);
            set(&mut body, &["type"], event.kind);
            set(&mut body, &["eventTime"], Value::Null);
            set(&mut body, &["reportingInstance"], if event.component == "kubelet" { super::NODE } else { "" });
            if event.component == "kubelet" {
                set(&mut body, &["source", "host"], super::NODE);
            }
        }
        set(&mut body, &["reportingComponent"], event.component);
        // An event of a namespace that is going away is lost there too.
        let _ = self.create(kinds::EVENTS, body);
    }
}
