//! What runs inside containers: small interpreters that act on the state of the container's disks.

mod environment;
mod programs;
mod shell;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::cluster::Cluster;
use super::faults::Failing;
use super::json::{list, text};
use super::kinds;
use super::storage::State;
use super::wp;
pub(crate) use environment::{environment, expand};

/// What a command printed and how it ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i64,
    /// Why the command could not be started at all, in the words of the runtime.
    pub(crate) start_failure: Option<String>,
}

impl Output {
    /// Success with text for stdout; a last newline is added.
    pub(crate) fn ok(text: impl Into<String>) -> Self {
        Self { stdout: ended(text.into()), ..Self::default() }
    }

    /// Failure with text for stderr; a last newline is added.
    pub(crate) fn fail(code: i64, text: impl Into<String>) -> Self {
        Self { stderr: ended(text.into()), code, ..Self::default() }
    }

    /// An exit code without a word.
    pub(crate) fn silent(code: i64) -> Self {
        Self { code, ..Self::default() }
    }
}

fn ended(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// A container, seen from the outside.
pub(crate) struct Place<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) pod: &'a Value,
    pub(crate) container: &'a Value,
}

impl Place<'_> {
    /// The image's name.
    pub(crate) fn image(&self) -> &str {
        text(self.container, "/image")
    }

    /// The uid of the disk that is mounted at a path: of its claim, or of the pod for a disk that dies with it.
    pub(crate) fn disk(&self, state: &State, path: &str) -> String {
        let pod = text(self.pod, "/metadata/uid");
        let mount = list(self.container, "/volumeMounts")
            .iter()
            .find(|mount| text(mount, "/mountPath").trim_end_matches('/') == path.trim_end_matches('/'));
        let Some(mount) = mount else { return format!("{pod}/{}{path}", text(self.container, "/name")) };
        let name = text(mount, "/name");
        let volume = list(self.pod, "/spec/volumes").iter().find(|volume| text(volume, "/name") == name);
        let claim = volume.map_or("", |volume| text(volume, "/persistentVolumeClaim/claimName"));
        match state.find(kinds::PVCS, self.namespace, claim) {
            Some(claim) => text(claim, "/metadata/uid").to_owned(),
            None => format!("{pod}/{name}"),
        }
    }
}

/// A container to run commands in, by name.
pub(crate) struct Session {
    cluster: Arc<Cluster>,
    namespace: String,
    pod: String,
    container: String,
}

impl Session {
    pub(crate) fn new(cluster: Arc<Cluster>, namespace: &str, pod: &str, container: &str) -> Self {
        Self { cluster, namespace: namespace.to_owned(), pod: pod.to_owned(), container: container.to_owned() }
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, argv: &[String], stdin: &[u8]) -> Output {
        let line = argv.join(" ");
        let failing = self.cluster.faults.command(&self.namespace, &line);
        if let Some(Failing::Refused(code, message)) = failing {
            return Output::fail(i64::from(code), message);
        }
        if line.contains("wp ") || line.starts_with("mysql") {
            tokio::time::sleep(self.cluster.timing.command).await;
        }
        self.cluster.write(|state| {
            let Some(pod) = state.find(kinds::PODS, &self.namespace, &self.pod).cloned() else {
                return Output::silent(137);
            };
            let found = ["/spec/containers", "/spec/initContainers"]
                .iter()
                .flat_map(|pointer| list(&pod, pointer))
                .find(|container| text(container, "/name") == self.container);
            let Some(container) = found else { return Output::silent(137) };
            let place = Place { namespace: &self.namespace, pod: &pod, container };
            let output = execute(state, &place, argv, stdin);
            if failing.is_some() {
                wp::broken_off(state, &place, &line);
                return Output::silent(137);
            }
            output
        })
    }
}

/// Runs a command in a container; nothing else happens meanwhile.
pub(crate) fn execute(state: &mut State, place: &Place<'_>, argv: &[String], stdin: &[u8]) -> Output {
    let env = environment(state, place.namespace, place.pod, place.container).unwrap_or_default();
    let mut machine = Machine { state, place, env, depth: 0 };
    machine.run(argv, stdin)
}

/// The interpreter of one command.
pub(super) struct Machine<'a> {
    pub(super) state: &'a mut State,
    pub(super) place: &'a Place<'a>,
    pub(super) env: BTreeMap<String, String>,
    depth: usize,
}
