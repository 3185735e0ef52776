//! The recordings that are replayed, how many transcripts of each must be equal, and which are known to differ.

use serde_json::{Value, json};

/// One recording.
pub struct Recording {
    pub file: &'static str,
    /// How many transcripts must be equal. It may only rise.
    pub floor: usize,
    /// What was there already, which no transcript creates: before which transcript, where, and as JSON.
    setup: &'static [(usize, &'static str, &'static str)],
    /// Transcripts that differ, and why.
    pub known: &'static [(&'static [usize], &'static str)],
    /// Transcripts that are not replayed, and why.
    excluded: &'static [(&'static [usize], &'static str)],
}

impl Recording {
    /// What stood there right before a transcript.
    pub fn before(&self, index: usize) -> Vec<(&'static str, Value)> {
        self.setup
            .iter()
            .filter(|(at, _, _)| *at == index)
            .map(|(_, path, object)| (*path, serde_json::from_str(object).unwrap()))
            .collect()
    }

    /// Whether a transcript is not replayed.
    pub fn excludes(&self, index: usize, transcript: &Value) -> bool {
        let request = transcript["request"].to_string();
        self.excluded.iter().any(|(indices, _)| indices.contains(&index))
            // Other users than the administrator need RBAC, which the simulator does not have.
            || (request.contains("<token of ") && !request.contains("<token of admin>"))
            || request.contains("Impersonate")
            // Watches are followed in `verbs`; a transcript's frames were caused by requests that it does not hold.
            || transcript.get("frames").is_some()
            // Tables: the simulator prints other columns.
            || transcript["name"].as_str().is_some_and(|name| name.starts_with("Table "))
            // Bodies that the recording only describes.
            || transcript["request"]["body"].as_str().is_some_and(|body| body.starts_with('<'))
    }

    /// An answer to a write as far as it is compared: how far a rollout had got at that moment is left out.
    pub fn settled(method: &str, body: &Value) -> Value {
        let mut body = body.clone();
        if method == "GET" || body["kind"] != "Deployment" {
            return body;
        }
        body["status"] = json!("<rollout>");
        if let Some(annotations) = body.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.remove("deployment.kubernetes.io/revision");
        }
        if let Some(entries) = body.pointer_mut("/metadata/managedFields").and_then(Value::as_array_mut) {
            entries.retain(|entry| entry["manager"] != "kube-controller-manager");
        }
        body
    }
}

const OTHER_BODY: &str = "the recording shows another body than the one that was answered";
const GO_TEXT: &str = "the message prints a Go value or a diff of two";
const SECURITY: &str = "depends on Pod Security, which is not simulated";

pub const RECORDINGS: &[Recording] = &[
    Recording {
        file: "02-objects.json",
        floor: 126,
        setup: &[],
        known: &[
            (&[6], "no warning about the content of a TLS Secret"),
            (&[50], "the ingress controller answers here and gives an address"),
            (&[52], "admission's own writes of the quota's status are not told apart"),
            (&[56], "an autoscaler acts at once and not after its first interval"),
        ],
        excluded: &[
            (&[72, 73], "the random parts of Event names decide the order and the page"),
            (&[84, 85, 86], OTHER_BODY),
        ],
    },
    Recording {
        file: "03-server-side-apply.json",
        floor: 46,
        setup: &[
            (0, "/api/v1/namespaces", r#"{"metadata": {"name": "ssa"}}"#),
            (
                42,
                "/api/v1/namespaces/ssa/configmaps?fieldManager=creator",
                r#"{"metadata": {"name": "z"}, "data": {"a": "1"}}"#,
            ),
        ],
        known: &[(&[13], "how far the rollout had got"), (&[34], "YAML 1.1 booleans are read as text")],
        excluded: &[],
    },
    Recording {
        file: "04-patch-and-subresources.json",
        floor: 46,
        setup: &[
            (0, "/api/v1/namespaces", r#"{"metadata": {"name": "pat"}}"#),
            (0, "/api/v1/namespaces/pat/configmaps", r#"{"metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}}"#),
            (
                0,
                "/apis/apps/v1/namespaces/pat/deployments",
                r#"{"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {
                    "replicas": 1, "selector": {"matchLabels": {"app": "web"}},
                    "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                        {"name": "web", "image": "registry.local/web:1", "ports": [{"containerPort": 8080}]}
                    ]}}}}"#,
            ),
            (
                53,
                "/api/v1/namespaces/pat/secrets",
                r#"{"metadata": {"name": "im"}, "data": {"a": "YQ=="}, "immutable": true}"#,
            ),
        ],
        known: &[
            (&[11, 20, 21, 57], "the order of keys in the object that the message prints"),
            (&[17], "a changed kind is refused in other words"),
            (&[40, 41, 44, 46], "how far the scaling had got"),
            (&[47, 48], "the order of managedFields, which is that of their times"),
        ],
        excluded: &[],
    },
    Recording {
        file: "05-errors.json",
        floor: 124,
        setup: &[
            (0, "/api/v1/namespaces", r#"{"metadata": {"name": "err"}}"#),
            (5, "/api/v1/namespaces/err/configmaps", r#"{"metadata": {"name": "a"}}"#),
            (
                38,
                "/apis/apps/v1/namespaces/err/deployments",
                r#"{"metadata": {"name": "imm", "labels": {"app": "imm"}}, "spec": {
                    "replicas": 1, "selector": {"matchLabels": {"app": "imm"}},
                    "template": {"metadata": {"labels": {"app": "imm"}}, "spec": {"containers": [
                        {"name": "web", "image": "registry.local/web:1", "ports": [{"containerPort": 8080}]}
                    ]}}}}"#,
            ),
            (
                42,
                "/api/v1/namespaces/err/services",
                r#"{"metadata": {"name": "p"}, "spec": {"ports": [{"port": 80}]}}"#,
            ),
            (
                46,
                "/api/v1/namespaces/err/persistentvolumeclaims",
                r#"{"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}}}}"#,
            ),
            (
                59,
                "/apis/apps/v1/namespaces/err/statefulsets",
                r#"{"metadata": {"name": "s"}, "spec": {"serviceName": "s", "selector": {"matchLabels": {"app": "s"}},
                    "template": {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": [
                        {"name": "m", "image": "registry.local/web:1"}
                    ]}}}}"#,
            ),
            (
                60,
                "/api/v1/namespaces/err/pods",
                r#"{"metadata": {"name": "p"}, "spec": {"containers": [{"name": "m", "image": "registry.local/web:1"}]}}"#,
            ),
            (
                128,
                "/apis/batch/v1/namespaces/err/jobs",
                r#"{"metadata": {"name": "j"}, "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [
                    {"name": "m", "image": "x"}
                ]}}}}"#,
            ),
            (
                128,
                "/api/v1/namespaces/err/resourcequotas",
                r#"{"metadata": {"name": "quota"}, "spec": {"hard": {"count/secrets": "1", "persistentvolumeclaims": "1",
                    "pods": "1", "requests.cpu": "1", "requests.memory": "1Gi", "requests.storage": "5Gi", "services": "1"}}}"#,
            ),
            (129, "/api/v1/namespaces/err/secrets", r#"{"metadata": {"name": "s1"}}"#),
            (
                134,
                "/apis/apps/v1/namespaces/err/deployments",
                r#"{"metadata": {"name": "quotaed", "labels": {"app": "quotaed"}}, "spec": {
                    "replicas": 2, "selector": {"matchLabels": {"app": "quotaed"}},
                    "template": {"metadata": {"labels": {"app": "quotaed"}}, "spec": {"containers": [
                        {"name": "web", "image": "registry.local/web:1", "ports": [{"containerPort": 8080}]}
                    ]}}}}"#,
            ),
            (
                137,
                "/api/v1/namespaces/err/limitranges",
                r#"{"metadata": {"name": "limits"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}}"#,
            ),
            (143, "/api/v1/namespaces", r#"{"metadata": {"name": "term"}}"#),
            (
                143,
                "/api/v1/namespaces/term/configmaps",
                r#"{"metadata": {"name": "h", "finalizers": ["example.com/hold"]}}"#,
            ),
        ],
        known: &[(&[71], "doubled keys in YAML are not found"), (&[134], "the order of the conditions")],
        excluded: &[
            (&[55, 56, 133], OTHER_BODY),
            (&[46, 47, 48, 57, 60], GO_TEXT),
            (&[138, 139, 140], SECURITY),
            (&[7, 8, 43, 44], "the body names a revision or an address that no transcript shows"),
            (&[135, 136], "names a generated name that no transcript shows"),
        ],
    },
    Recording {
        file: "06-list-and-watch.json",
        floor: 35,
        setup: &[
            (0, "/api/v1/namespaces", r#"{"metadata": {"name": "ctl"}}"#),
            (0, "/api/v1/namespaces", r#"{"metadata": {"name": "err"}}"#),
            (0, "/api/v1/namespaces", r#"{"metadata": {"name": "lw"}}"#),
            (
                0,
                "/api/v1/namespaces/lw/configmaps",
                r#"{"metadata": {"name": "c0", "labels": {"even": "yes", "n": "0"}}}"#,
            ),
            (
                0,
                "/api/v1/namespaces/lw/configmaps",
                r#"{"metadata": {"name": "c1", "labels": {"even": "no", "n": "1"}}}"#,
            ),
            (
                0,
                "/api/v1/namespaces/lw/configmaps",
                r#"{"metadata": {"name": "c2", "labels": {"even": "yes", "n": "2"}}}"#,
            ),
            (
                0,
                "/api/v1/namespaces/lw/configmaps",
                r#"{"metadata": {"name": "c3", "labels": {"even": "no", "n": "3"}}}"#,
            ),
            (
                0,
                "/api/v1/namespaces/lw/configmaps",
                r#"{"metadata": {"name": "c4", "labels": {"even": "yes", "n": "4"}}}"#,
            ),
            (
                0,
                "/api/v1/namespaces/lw/configmaps",
                r#"{"metadata": {"name": "c5", "labels": {"even": "no", "n": "5"}}}"#,
            ),
            (
                0,
                "/api/v1/namespaces/lw/configmaps",
                r#"{"metadata": {"name": "c6", "labels": {"even": "yes", "n": "6"}}}"#,
            ),
            (2, "/api/v1/namespaces/lw/configmaps", r#"{"metadata": {"name": "c00-after-first-page"}}"#),
        ],
        known: &[
            (&[36], "a bookmark ends the initial events even where none were allowed"),
            (&[44], "the deprecated watch path is not served"),
        ],
        excluded: &[(&[16], "other namespaces stood there")],
    },
];
