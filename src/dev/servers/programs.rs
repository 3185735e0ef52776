//! The system programs that the private servers need, and what to install where one is missing.

use std::path::PathBuf;

use crate::domain::{Code, Error, Result};

/// A system program that the stack starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// PostgreSQL's server.
    Postgres,
    /// Makes a PostgreSQL data directory.
    Initdb,
    /// Redis, in DragonflyDB's place.
    Redis,
    /// NATS with JetStream.
    Nats,
}

impl Program {
    const ALL: [Self; 4] = [Self::Postgres, Self::Initdb, Self::Redis, Self::Nats];

    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Initdb => "initdb",
            Self::Redis => "redis-server",
            Self::Nats => "nats-server",
        }
    }

    /// Debian's package that holds it.
    fn package(self) -> &'static str {
        match self {
            Self::Postgres | Self::Initdb => "postgresql",
            Self::Redis => "redis-server",
            Self::Nats => "nats-server",
        }
    }

    /// Where it is: on PATH, in Debian's versioned PostgreSQL directories (newest first), or in the usual `sbin`s.
    pub fn find(self) -> Result<PathBuf> {
        let on_path = std::env::var_os("PATH").unwrap_or_default();
        let mut directories: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
        let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        directories.extend(versions.into_iter().map(|(_, path)| path));
        directories.extend(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from));
        directories.into_iter().map(|directory| directory.join(self.name())).find(|path| path.is_file()).ok_or_else(
            || {
                Error::new(
                    Code::Unavailable,
                    format!(
                        "the program `{}` is missing; install it with `apt-get install {}` (or run `make setup`)",
                        self.name(),
                        self.package()
                    ),
                )
            },
        )
    }
}

/// The Debian packages that must be installed before the stack can start.
pub fn missing_programs() -> Vec<&'static str> {
    let mut packages: Vec<&'static str> =
        Program::ALL.into_iter().filter(|program| program.find().is_err()).map(Program::package).collect();
    packages.dedup();
    packages
}
