//! A private PostgreSQL cluster.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, User, chown};
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::{Process, Program, Spec, ensure_directory, free_port, wait_until_ready};
use crate::domain::{Error, Redacted, Result};

const SUPERUSER: &str = "northstack";

/// Whether commits wait for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Commits survive a power failure.
    Durable,
    /// Commits survive a crash of the server, not of the machine: for tests.
    CrashSafeOnly,
}

/// A running private cluster. TCP on loopback only, SCRAM authentication.
pub struct Postgres {
    process: Process,
    port: u16,
    password: Redacted,
}

impl Postgres {
    /// Starts the cluster whose data lives in `directory`, making it first where there is none.
    ///
    /// PostgreSQL refuses to run as root: then it runs as the user `postgres` (or `nobody`), and where that
    /// user cannot reach `directory` its data lives under `/var/lib/northstack`, linked from `directory`.
    pub async fn start(directory: &Path, password: &Redacted, durability: Durability) -> Result<Self> {
        let run_as = other_user()?;
        let directory = ensure_directory(directory, false)?;
        let home = reachable_home(&directory, run_as)?;
        let data = home.join("data");
        if !data.join("PG_VERSION").is_file() {
            initialise(&home, &data, password, run_as).await?;
        }
        wait_for_predecessor(&data).await;
        let port = free_port()?;
        let mut args: Vec<OsString> = vec!["-D".into(), data.into(), "-p".into(), port.to_string().into()];
        let fsync = matches!(durability, Durability::Durable);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=128MB",
            "timezone=UTC",
            if fsync { "fsync=on" } else { "fsync=off" },
            if fsync { "synchronous_commit=on" } else { "synchronous_commit=off" },
        ] {
            args.extend(["-c".into(), setting.into()]);
        }
        let process = Process::spawn(Spec {
            name: "PostgreSQL",
            program: Program::Postgres.find()?,
            args,
            log: directory.join("postgres.log"),
            stop: Signal::SIGINT,
            run_as,
        })?;
        let mut server = Self { process, port, password: password.clone() };
        let options = server.options("postgres");
        wait_until_ready(&mut server.process, || async { options.connect().await.is_ok() }).await?;
        Ok(server)
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connection options for one of its databases, as the superuser.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new()
            .host("127.0.0.1")
            .port(self.port)
            .username(SUPERUSER)
            .password(self.password.expose())
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// The superuser's name.
    pub fn user(&self) -> &'static str {
        SUPERUSER
    }

    /// Creates a database unless it exists.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        let failed = |error| Error::internal("creating a private database", error);
        let mut connection: PgConnection = self.options("postgres").connect().await.map_err(failed)?;
        let exists: bool = sqlx::query_scalar("select exists (select 1 from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?;
        if !exists {
            let quoted = name.replace('"', "\"\"");
            connection.execute(AssertSqlSafe(format!("create database \"{quoted}\""))).await.map_err(failed)?;
        }
        connection.close().await.map_err(failed)
    }

    /// The process, to watch.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Fast shutdown: sessions are ended, nothing is lost.
    pub async fn stop(self) {
        self.process.stop().await;
    }
}

async fn initialise(home: &Path, data: &Path, password: &Redacted, run_as: Option<(Uid, Gid)>) -> Result<()> {
    let failed = |error: std::io::Error| Error::internal("making a private PostgreSQL cluster", error);
    // A half-made cluster of an interrupted first start is of no use to anybody.
    if data.exists() {
        std::fs::remove_dir_all(data).map_err(failed)?;
    }
    let password_file = home.join("initdb.password");
    let mut file = std::fs::File::create(&password_file).map_err(failed)?;
    file.write_all(password.expose().as_bytes()).map_err(failed)?;
    if let Some((uid, gid)) = run_as {
        chown(&password_file, Some(uid), Some(gid)).map_err(|error| failed(error.into()))?;
    }
    let mut initdb = Process::spawn(Spec {
        name: "initdb",
        program: Program::Initdb.find()?,
        args: ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-U", SUPERUSER]
            .map(OsString::from)
            .into_iter()
            .chain([
                "--pwfile".into(),
                password_file.clone().into_os_string(),
                "-D".into(),
                data.to_path_buf().into_os_string(),
            ])
            .collect(),
        log: home.join("initdb.log"),
        stop: Signal::SIGTERM,
        run_as,
    })?;
    let status = initdb.wait().await?;
    std::fs::remove_file(&password_file).map_err(failed)?;
    if status.success() { Ok(()) } else { Err(initdb.failure(&format!("ended with {status}"))) }
}

/// Waits for the server of a supervisor that was killed: it is shutting down, or is told to.
async fn wait_for_predecessor(data: &Path) {
    let Some(pid) = std::fs::read_to_string(data.join("postmaster.pid"))
        .ok()
        .and_then(|text| text.lines().next()?.trim().parse::<i32>().ok())
    else {
        return;
    };
    let is_ours = || {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&*data.to_string_lossy()))
    };
    for attempt in 0..500 {
        if !is_ours() {
            return;
        }
        if attempt == 0
            && let Err(error) = kill(Pid::from_raw(pid), Signal::SIGINT)
        {
            tracing::debug!(pid, %error, "predecessor_already_gone");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The user to run PostgreSQL as when this process is root.
fn other_user() -> Result<Option<(Uid, Gid)>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        let user = User::from_name(name).map_err(|error| Error::internal("looking up a user", error))?;
        if let Some(user) = user {
            return Ok(Some((user.uid, user.gid)));
        }
    }
    Err(Error::new(
        crate::domain::Code::Unavailable,
        "PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` to run it as",
    ))
}

/// `directory`, or where the other user cannot reach it, a directory under `/var/lib/northstack` linked from it.
fn reachable_home(directory: &Path, run_as: Option<(Uid, Gid)>) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let Some((uid, gid)) = run_as else { return Ok(directory.to_path_buf()) };
    let failed = |error: std::io::Error| Error::internal("preparing PostgreSQL's directory", error);
    let passable = directory
        .ancestors()
        .skip(1)
        .all(|ancestor| std::fs::metadata(ancestor).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0));
    let home = if passable {
        directory.join("cluster")
    } else {
        let digest = hex::encode(Sha256::digest(directory.as_os_str().as_encoded_bytes()));
        Path::new("/var/lib/northstack").join(digest.get(..16).unwrap_or(&digest))
    };
    ensure_directory(&home, true)?;
    chown(&home, Some(uid), Some(gid)).map_err(|error| failed(error.into()))?;
    let link = directory.join("elsewhere");
    if !passable && !link.exists() {
        std::os::unix::fs::symlink(&home, link).map_err(failed)?;
    }
    // The directory itself must be passable too for the cluster below it.
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o711)).map_err(failed)?;
    Ok(home)
}

/// Where the data of a cluster started with `directory` lives when that is not inside it.
pub(crate) fn outside_home(directory: &Path) -> Option<PathBuf> {
    std::fs::read_link(directory.join("elsewhere")).ok()
}
