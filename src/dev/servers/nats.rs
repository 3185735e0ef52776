//! A private NATS server with JetStream.

use std::ffi::OsString;
use std::path::Path;

use async_nats::jetstream::context::GetStreamErrorKind;
use nix::sys::signal::Signal;

use super::{Process, Program, Spec, ensure_directory, free_port, wait_until_ready};
use crate::domain::{Error, Redacted, Result};

/// A running private NATS server on loopback, with a token and file storage.
pub struct Nats {
    process: Process,
    port: u16,
    token: Redacted,
}

impl Nats {
    /// Starts a server whose streams live in `directory`.
    pub async fn start(directory: &Path, token: &Redacted) -> Result<Self> {
        Self::start_at(directory, token, free_port()?).await
    }

    /// The same on a port of one's choice, so that clients find again a server that was started anew.
    pub async fn start_at(directory: &Path, token: &Redacted, port: u16) -> Result<Self> {
        let directory = ensure_directory(directory, true)?;
        let configuration = directory.join("nats.conf");
        // The token goes into a file: arguments can be read by every user of the machine.
        let text = format!(
            "host: 127.0.0.1\nport: {port}\nauthorization {{ token: \"{}\" }}\njetstream {{ store_dir: \"{}\" }}\n",
            token.expose(),
            directory.display()
        );
        std::fs::write(&configuration, text).map_err(|error| Error::internal("writing NATS's configuration", error))?;
        let process = Process::spawn(Spec {
            name: "NATS",
            program: Program::Nats.find()?,
            args: vec!["-c".into(), OsString::from(configuration)],
            log: directory.join("nats.log"),
            stop: Signal::SIGTERM,
            run_as: None,
        })?;
        let mut server = Self { process, port, token: token.clone() };
        let (url, token) = (server.url(), server.token.clone());
        wait_until_ready(&mut server.process, || async {
            let options = async_nats::ConnectOptions::with_token(token.expose().clone());
            match options.connect(&url).await {
                // A server without the stream answers so; one without JetStream does not answer.
                Ok(client) => async_nats::jetstream::new(client)
                    .get_stream("READY")
                    .await
                    .is_err_and(|error| matches!(error.kind(), GetStreamErrorKind::JetStream(_))),
                Err(_) => false,
            }
        })
        .await?;
        Ok(server)
    }

    /// `nats://127.0.0.1:port`, without the token.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The token that clients must give.
    pub fn token(&self) -> &Redacted {
        &self.token
    }

    /// The process, to watch.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it.
    pub async fn stop(self) {
        self.process.stop().await;
    }
}
