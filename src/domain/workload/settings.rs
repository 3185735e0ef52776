//! How an application is run beyond its image and size: `applications.settings`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MOST_REPLICAS, read};
use crate::domain::{Error, Result};

/// The keys of `applications.settings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Replaces the image's entry point.
    pub command: Vec<String>,
    /// The entry point's arguments.
    pub args: Vec<String>,
    /// Whether the application has an address outside the cluster.
    pub public: bool,
    /// The host name of that address; without it one under the platform's domain.
    pub host: Option<String>,
    /// How its health is asked for over HTTP; without it, by whether the port is open.
    pub health: Option<Health>,
    /// Between how many pods it scales itself; without it `replicas` holds.
    pub autoscaling: Option<Autoscaling>,
    /// How a canary goes on.
    pub canary: Canary,
    /// How blue and green change places.
    pub blue_green: BlueGreen,
    /// How long a rollout may take to become ready; without it the platform's default.
    pub ready_seconds: Option<u32>,
    /// How little its containers may do in the cluster.
    pub security: Security,
    /// Seconds for which a pod that is to go still answers: until nobody sends requests to it any more.
    pub drain_seconds: u32,
    /// Seconds after that in which it may come to its end by itself, once it is told to.
    pub grace_seconds: u32,
    /// Whether what was built is deployed by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub auto_deploy: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            args: Vec::new(),
            public: true,
            host: None,
            health: None,
            autoscaling: None,
            canary: Canary::default(),
            blue_green: BlueGreen::default(),
            ready_seconds: None,
            security: Security::default(),
            drain_seconds: 5,
            grace_seconds: 30,
            auto_deploy: false,
        }
    }
}

/// A level of Kubernetes' Pod Security Standards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// As an ordinary user and without any capability.
    #[default]
    Restricted,
    /// Also as root, with the capabilities that containers have by default: many public images need it.
    Baseline,
}

/// A question over HTTP; every answer below 400 is health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Health {
    pub path: String,
    /// Seconds before the first question.
    #[serde(default)]
    pub initial_delay_seconds: u32,
    /// Seconds between questions.
    #[serde(default = "five")]
    pub period_seconds: u32,
    /// Seconds for an answer.
    #[serde(default = "five")]
    pub timeout_seconds: u32,
    /// Wrong answers in a row that make it unhealthy.
    #[serde(default = "three")]
    pub failure_threshold: u32,
}

fn five() -> u32 {
    5
}

fn three() -> u32 {
    3
}

/// Bounds of the number of pods, and what it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Autoscaling {
    pub min_replicas: u32,
    pub max_replicas: u32,
    /// The share of the requested CPU that is aimed at.
    #[serde(default = "eighty")]
    pub cpu_percent: u32,
}

fn eighty() -> u32 {
    80
}

/// How a canary goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Canary {
    /// Growing shares of the pods, each with a pause after it.
    pub steps: Vec<CanaryStep>,
    /// Restarts of a canary pod beyond which the canary has failed.
    pub max_restarts: u32,
}

impl Default for Canary {
    fn default() -> Self {
        let step = |weight| CanaryStep { weight, pause_seconds: None };
        Self { steps: vec![step(20), step(50)], max_restarts: 0 }
    }
}

/// One share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanaryStep {
    /// The share of the pods, in percent.
    pub weight: u32,
    /// The pause after it is ready; without it the canary waits for a person's promotion.
    #[serde(default)]
    pub pause_seconds: Option<u32>,
}

/// How blue and green change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct BlueGreen {
    /// Whether the new colour takes over as soon as it is ready; without it a person promotes it.
    pub auto_promote: bool,
    /// Seconds for which the earlier colour stays after the switch: for requests that still find their way to it.
    pub scale_down_delay_seconds: u32,
}

impl Default for BlueGreen {
    fn default() -> Self {
        Self { auto_promote: false, scale_down_delay_seconds: 5 }
    }
}

const DAY: u32 = 86_400;

/// Names that lead nowhere in public: RFC 6761, 6762, 7686, 8375 and 9476, those of clusters, and what routers give.
const LOCAL: [&str; 16] = [
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "invalid",
    "onion",
    "alt",
    "arpa",
    "svc",
    "cluster",
    "test",
];

/// Whether a name can be that of a site on the internet. One that ends in a number is an IPv4 address to browsers.
pub(super) fn is_public(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    !last.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) && !LOCAL.contains(&last)
}

impl Settings {
    /// Reads and checks what an application's row says.
    ///
    /// # Errors
    /// `invalid-input` that names the field, such as `settings.health.path`.
    pub fn read(value: &Value) -> Result<Self> {
        let settings: Self = read("settings", value)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<()> {
        for (field, words) in [("settings.command", &self.command), ("settings.args", &self.args)] {
            let fine = words.len() <= 64 && words.iter().all(|word| word.len() <= 4096 && !word.contains('\0'));
            require(field, fine, "at most 64 words of at most 4096 bytes without NUL")?;
        }
        if let Some(host) = &self.host {
            let right = host.len() <= 253 && host.contains('.') && host.split('.').all(super::names::is_label);
            require("settings.host", right, "a host name in lower case, such as `shop.example.com`")?;
            require(
                "settings.host",
                is_public(host),
                "a public host name: no address, and no name of a local network",
            )?;
            require(
                "settings.host",
                psl::domain_str(host).is_some(),
                "a name of your own, such as `shop.example.com`: under this one anybody has theirs (publicsuffix.org)",
            )?;
        }
        if let Some(health) = &self.health {
            let path = &health.path;
            let right = path.starts_with('/') && path.len() <= 1024 && path.bytes().all(|byte| byte.is_ascii_graphic());
            require("settings.health.path", right, "a path such as `/healthz`")?;
            for (field, seconds, least) in [
                ("settings.health.initialDelaySeconds", health.initial_delay_seconds, 0),
                ("settings.health.periodSeconds", health.period_seconds, 1),
                ("settings.health.timeoutSeconds", health.timeout_seconds, 1),
                ("settings.health.failureThreshold", health.failure_threshold, 1),
            ] {
                require(field, (least..=600).contains(&seconds), "at most 600")?;
            }
        }
        if let Some(Autoscaling { min_replicas, max_replicas, cpu_percent }) = self.autoscaling {
            require("settings.autoscaling.minReplicas", (1..=MOST_REPLICAS).contains(&min_replicas), "1 to 100")?;
            let most = (min_replicas..=MOST_REPLICAS).contains(&max_replicas);
            require("settings.autoscaling.maxReplicas", most, "from minReplicas to 100")?;
            require("settings.autoscaling.cpuPercent", (1..=1_000).contains(&cpu_percent), "1 to 1000")?;
        }
        let steps = &self.canary.steps;
        let shares = steps.iter().all(|step| (1..=99).contains(&step.weight)) && steps.is_sorted_by_key(|it| it.weight);
        require(
            "settings.canary.steps",
            (1..=20).contains(&steps.len()) && shares,
            "1 to 20 growing weights of 1 to 99",
        )?;
        let pauses = steps.iter().all(|step| step.pause_seconds.is_none_or(|seconds| seconds <= 7 * DAY));
        require("settings.canary.steps", pauses, "pauses of at most 7 days")?;
        for (field, seconds, most) in [
            ("settings.drainSeconds", self.drain_seconds, 600),
            ("settings.graceSeconds", self.grace_seconds, 3600),
            ("settings.blueGreen.scaleDownDelaySeconds", self.blue_green.scale_down_delay_seconds, 3600),
        ] {
            require(field, seconds <= most, &format!("at most {most}"))?;
        }
        let ready = self.ready_seconds.is_none_or(|seconds| (1..=DAY).contains(&seconds));
        require("settings.readySeconds", ready, "1 to 86400")
    }
}

fn require(field: &str, holds: bool, right: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::invalid(field, format!("{field}: must be {right}"))) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_kept_and_what_is_wrong_is_named() {
        let settings = Settings::read(&json!({ "health": { "path": "/healthz" }, "public": false })).unwrap();
        assert_eq!(settings.health.as_ref().map(|health| health.period_seconds), Some(5));
        assert!(!settings.public && settings.canary.steps.len() == 2);
        assert_eq!(Settings::read(&json!({})).unwrap(), Settings::default());
        for own in ["shop.example.com", "shop.example", "example.co.uk", "ada.github.io"] {
            assert!(Settings::read(&json!({ "host": own })).is_ok(), "{own}");
        }
        for (wrong, named) in [
            (json!({ "healt": {} }), "settings.healt"),
            (json!({ "health": { "path": "healthz" } }), "settings.health.path"),
            (json!({ "health": { "path": "/a", "periodSeconds": 0 } }), "settings.health.periodSeconds"),
            (json!({ "host": "Shop.example.com" }), "settings.host"),
            (json!({ "host": "{{ .Values.host }}.com" }), "settings.host"),
            (json!({ "host": "co.uk" }), "settings.host"),
            (json!({ "host": "github.io" }), "settings.host"),
            (json!({ "autoscaling": { "minReplicas": 3, "maxReplicas": 2 } }), "settings.autoscaling.maxReplicas"),
            (json!({ "autoscaling": { "minReplicas": -1, "maxReplicas": 2 } }), "settings.autoscaling.minReplicas"),
            (json!({ "canary": { "steps": [] } }), "settings.canary.steps"),
            (json!({ "canary": { "steps": [{ "weight": 50 }, { "weight": 20 }] } }), "settings.canary.steps"),
            (json!({ "canary": { "steps": [{ "weight": 100 }] } }), "settings.canary.steps"),
            (json!({ "command": "sh" }), "settings.command"),
            (json!({ "security": "privileged" }), "settings.security"),
            (json!({ "drainSeconds": 601 }), "settings.drainSeconds"),
            (json!({ "drainSeconds": -1 }), "settings.drainSeconds"),
            (json!({ "graceSeconds": 3601 }), "settings.graceSeconds"),
            (json!({ "blueGreen": { "scaleDownDelaySeconds": 3601 } }), "settings.blueGreen.scaleDownDelaySeconds"),
        ] {
            let error = Settings::read(&wrong).unwrap_err();
            assert_eq!(error.field(), Some(named), "{wrong}");
            let words = error.message();
            assert!(!["invalid", "u32", "struct", "sequence"].iter().any(|word| words.contains(word)), "{words}");
        }
        let words = |wrong| Settings::read(&wrong).unwrap_err().message().to_owned();
        assert_eq!(words(json!({ "drainSeconds": -1 })), "settings.drainSeconds: must be a whole number, 0 or more");
        assert_eq!(words(json!({ "security": "x" })), "settings.security: must be `restricted` or `baseline`");
        assert_eq!(words(json!({ "health": 1 })), "settings.health: must be a JSON object");
    }
}
