//! The streams: which subjects they keep, and for how long.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

use super::{Bus, subject};
use crate::config;
use crate::domain::{Error, Result};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A stream, as it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    pub name: &'static str,
    /// The subjects it keeps.
    pub subjects: &'static [&'static str],
    /// How long it keeps a message.
    pub max_age: Duration,
    /// Most messages it keeps; 0 for no limit.
    pub max_messages: i64,
    /// Whether a message is gone once a worker has taken it.
    pub work_queue: bool,
    pub description: &'static str,
}

/// Builds and deployments.
pub const DEPLOYMENTS: &str = "DEPLOYMENTS";
/// Applications and stores.
pub const APPLICATIONS: &str = "APPLICATIONS";
/// Clusters and their nodes.
pub const CLUSTERS: &str = "CLUSTERS";
/// The audit trail.
pub const AUDIT: &str = "AUDIT";
/// Alerts.
pub const ALERTS: &str = "ALERTS";
/// Nudges to workers.
pub const WORK: &str = "WORK";
/// What no consumer could handle.
pub const DEAD_LETTERS: &str = "DEAD_LETTERS";

/// All streams.
pub const ALL: [Spec; 7] = [
    Spec {
        name: DEPLOYMENTS,
        subjects: &["deployment.>", "build.>"],
        max_age: DAY.saturating_mul(30),
        max_messages: 0,
        work_queue: false,
        description: "Build and deployment events",
    },
    Spec {
        name: APPLICATIONS,
        subjects: &["application.>", "store.>"],
        max_age: DAY.saturating_mul(30),
        max_messages: 0,
        work_queue: false,
        description: "Life of applications and stores",
    },
    Spec {
        name: CLUSTERS,
        subjects: &["cluster.>"],
        max_age: DAY.saturating_mul(7),
        max_messages: 0,
        work_queue: false,
        description: "Changes of clusters",
    },
    Spec {
        name: AUDIT,
        subjects: &["audit.>"],
        max_age: DAY.saturating_mul(365),
        max_messages: 0,
        work_queue: false,
        description: "The audit trail",
    },
    Spec {
        name: ALERTS,
        subjects: &["alert.>"],
        max_age: DAY.saturating_mul(7),
        max_messages: 0,
        work_queue: false,
        description: "Alerts",
    },
    Spec {
        name: WORK,
        subjects: &["work.>"],
        max_age: Duration::from_secs(10 * 60),
        max_messages: 10_000,
        work_queue: true,
        description: "Nudges to workers; the table of operations is the truth",
    },
    Spec {
        name: DEAD_LETTERS,
        subjects: &["dead.>"],
        max_age: DAY.saturating_mul(30),
        max_messages: 0,
        work_queue: false,
        description: "What no consumer could handle, with the reason",
    },
];

/// The streams whose events become rows of `platform_events`.
pub(super) fn bridged() -> impl Iterator<Item = &'static Spec> {
    ALL.iter().filter(|spec| ![WORK, DEAD_LETTERS].contains(&spec.name))
}

/// The streams that keep subjects matched by `filter`.
pub(super) fn matching(filter: &str) -> impl Iterator<Item = &'static Spec> {
    ALL.iter().filter(move |spec| spec.subjects.iter().any(|kept| subject::overlap(kept, filter)))
}

/// Creates the streams that are missing and brings the others into the wanted form.
///
/// Servers older than a setting drop it without a word, so what the server answers is compared with what was asked.
pub async fn ensure(bus: &Bus) -> Result<()> {
    for spec in &ALL {
        let wanted = spec.config(&bus.0.config);
        let info =
            bus.jetstream().create_or_update_stream(wanted.clone()).await.map_err(|source| match source.kind() {
                async_nats::jetstream::context::CreateStreamErrorKind::JetStream(_) => Error::invalid(
                    "nats",
                    format!(
                        "the stream {} exists in another form and cannot be changed into the wanted one",
                        spec.name
                    ),
                )
                .caused_by(source),
                _ => Error::unavailable("creating the streams", source),
            })?;
        // A single server says yes to any number of copies when a stream exists, and keeps one (seen with 2.9.10).
        let copies = info.cluster.as_ref().map_or(1, |cluster| cluster.replicas.len() + 1);
        let alone = info.cluster.as_ref().is_none_or(|cluster| cluster.leader.is_none());
        if wanted.num_replicas > copies && alone {
            return Err(Error::invalid(
                "nats.replicas",
                format!("the event bus can keep {copies} copy, not {}", wanted.num_replicas),
            ));
        }
        if let Some(difference) = difference(&wanted, &info.config) {
            return Err(Error::invalid(
                "nats",
                format!("the event bus did not take the setting `{difference}` of the stream {}", spec.name),
            ));
        }
    }
    Ok(())
}

impl Spec {
    fn config(&self, config: &config::Nats) -> Config {
        Config {
            name: self.name.to_owned(),
            description: Some(self.description.to_owned()),
            subjects: self.subjects.iter().map(|subject| (*subject).to_owned()).collect(),
            retention: if self.work_queue { RetentionPolicy::WorkQueue } else { RetentionPolicy::Limits },
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            max_age: self.max_age,
            max_messages: if self.max_messages == 0 { -1 } else { self.max_messages },
            max_bytes: if config.max_stream_bytes == 0 { -1 } else { config.max_stream_bytes },
            max_messages_per_subject: -1,
            max_message_size: -1,
            max_consumers: -1,
            num_replicas: config.replicas,
            duplicate_window: config.duplicate_window.min(self.max_age),
            ..Config::default()
        }
    }
}

fn difference(wanted: &Config, got: &Config) -> Option<&'static str> {
    let (mut left, mut right) = (wanted.subjects.clone(), got.subjects.clone());
    left.sort();
    right.sort();
    [
        ("subjects", left == right),
        ("retention", wanted.retention == got.retention),
        ("max_age", wanted.max_age == got.max_age),
        ("duplicate_window", wanted.duplicate_window == got.duplicate_window),
        ("replicas", wanted.num_replicas == got.num_replicas),
        ("max_bytes", wanted.max_bytes == got.max_bytes),
    ]
    .into_iter()
    .find(|(_, equal)| !equal)
    .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_belongs_to_one_stream() {
        for spec in &ALL {
            for kept in spec.subjects {
                assert_eq!(matching(kept).map(|other| other.name).collect::<Vec<_>>(), [spec.name], "{kept}");
            }
        }
        assert_eq!(matching("store.ready.1").next().unwrap().name, APPLICATIONS);
        assert_eq!(matching(">").count(), 7);
        assert_eq!(bridged().count(), 5);
    }
}
