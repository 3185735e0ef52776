//! One child process: started with its output in a log file, ended with its parent, stopped politely.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid};
use tokio::process::{Child, Command};

use crate::domain::{Error, Result};

/// What to start.
pub struct Spec {
    /// What people call it, in messages.
    pub name: &'static str,
    /// The program's file.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// Where its output goes (appended).
    pub log: PathBuf,
    /// The signal that asks it to end cleanly; the kernel sends it too when this process dies.
    pub stop: Signal,
    /// Another user to run as (only root can).
    pub run_as: Option<(Uid, Gid)>,
}

/// A running child.
pub struct Process {
    name: &'static str,
    child: Child,
    stop: Signal,
    log: PathBuf,
}

impl Process {
    /// Starts the child. Call it from a thread that lives as long as the child should:
    /// the kernel's parent-death signal follows the thread.
    pub fn spawn(spec: Spec) -> Result<Self> {
        let failed = |error: std::io::Error| Error::internal("starting a private server", error);
        let log = std::fs::File::options().create(true).append(true).open(&spec.log).map_err(failed)?;
        let mut command = std::process::Command::new(wrapper().unwrap_or(&spec.program));
        if wrapper().is_some() {
            command.arg("--pdeathsig").arg(spec.stop.as_str().trim_start_matches("SIG"));
            if let Some((uid, gid)) = spec.run_as {
                command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups");
            }
            command.arg("--").arg(&spec.program);
        } else if let Some((uid, gid)) = spec.run_as {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command
            .args(&spec.args)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            // Out of the terminal's process group: Ctrl-C reaches the supervisor, which stops its children in order.
            .process_group(0);
        let child = Command::from(command).kill_on_drop(true).spawn().map_err(failed)?;
        Ok(Self { name: spec.name, child, stop: spec.stop, log: spec.log })
    }

    /// The child's exit status, once it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(|error| Error::internal("watching a private server", error))
    }

    /// Resolves when the child ends by itself.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.map_err(|error| Error::internal("watching a private server", error))
    }

    /// The child's process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks the child to end, and kills it when it has not within ten seconds.
    pub async fn stop(mut self) {
        let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
        if let Err(error) = kill(Pid::from_raw(pid), self.stop) {
            tracing::debug!(server = self.name, %error, "server_already_gone");
        }
        if tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await.is_err() {
            tracing::warn!(server = self.name, "server_killed");
            if let Err(error) = self.child.kill().await {
                tracing::warn!(server = self.name, %error, "server_not_killed");
            }
        }
    }

    /// An error that names the server, what happened, and the end of its log.
    pub fn failure(&self, what: &str) -> Error {
        let tail = last_lines(&self.log, 12);
        Error::new(
            crate::domain::Code::Unavailable,
            format!("{} {what}; its log {} ends:\n{tail}", self.name, self.log.display()),
        )
    }
}

/// `setpriv` of util-linux, which binds a child's life to ours and drops privileges.
fn wrapper() -> Option<&'static Path> {
    let path = Path::new("/usr/bin/setpriv");
    path.is_file().then_some(path)
}

fn last_lines(path: &Path, count: usize) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}
