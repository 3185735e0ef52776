//! A private Redis, in DragonflyDB's place.

use std::ffi::OsString;
use std::path::Path;

use nix::sys::signal::Signal;

use super::{Process, Program, Spec, ensure_directory, free_port, wait_until_ready};
use crate::domain::{Redacted, Result};

/// A running private Redis on loopback, with a password and an append-only file.
pub struct Redis {
    process: Process,
    port: u16,
    password: Redacted,
}

impl Redis {
    /// Starts a server whose data lives in `directory`.
    pub async fn start(directory: &Path, password: &Redacted) -> Result<Self> {
        let directory = ensure_directory(directory, true)?;
        let port = free_port()?;
        let configuration = directory.join("redis.conf");
        // The password goes into a file: arguments can be read by every user of the machine.
        let text = format!(
            "bind 127.0.0.1\nport {port}\nrequirepass {}\ndir \"{}\"\nappendonly yes\nsave \"\"\ndaemonize no\n",
            password.expose(),
            directory.display()
        );
        std::fs::write(&configuration, text)
            .map_err(|error| crate::domain::Error::internal("writing Redis's configuration", error))?;
        let process = Process::spawn(Spec {
            name: "Redis",
            program: Program::Redis.find()?,
            args: vec![OsString::from(configuration)],
            log: directory.join("redis.log"),
            stop: Signal::SIGTERM,
            run_as: None,
        })?;
        let mut server = Self { process, port, password: password.clone() };
        let client = redis::Client::open(server.url().expose().as_str())
            .map_err(|error| crate::domain::Error::internal("addressing the private Redis", error))?;
        wait_until_ready(&mut server.process, || async {
            match client.get_multiplexed_async_connection().await {
                Ok(mut connection) => redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok(),
                Err(_) => false,
            }
        })
        .await?;
        Ok(server)
    }

    /// `redis://:password@127.0.0.1:port/`.
    pub fn url(&self) -> Redacted {
        Redacted::new(format!("redis://:{}@127.0.0.1:{}/", self.password.expose(), self.port))
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process, to watch.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it after it has written its file.
    pub async fn stop(self) {
        self.process.stop().await;
    }
}
