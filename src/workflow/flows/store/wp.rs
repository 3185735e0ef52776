//! Running WP-CLI in the site's pod.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, Secret};
use serde_json::Value;

use super::page::decoded;
use super::{Shop, names};
use crate::domain::{Code, Error, Redacted, Result};
use crate::vendors::kubernetes::{Command, Output};
use crate::vendors::{self};

/// WP-CLI in one pod.
pub(super) struct Wp {
    shop: Arc<Shop>,
    pod: String,
}

impl Wp {
    /// WP-CLI in the pod that runs now. `None` while there is none.
    pub async fn find(shop: Shop) -> Result<Option<Self>> {
        let pods: Vec<Pod> = shop.kubernetes().list(shop.namespace(), &format!("app={}", names::WOOCOMMERCE)).await?;
        let pod = pods.into_iter().find(usable).and_then(|pod| pod.metadata.name);
        Ok(pod.map(|pod| Self { shop: Arc::new(shop), pod }))
    }

    pub fn shop(&self) -> &Shop {
        &self.shop
    }

    /// Runs `wp` with arguments. Any exit code is an answer.
    pub async fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.run_with(arguments, None).await
    }

    /// Runs `wp` with arguments, which must succeed; gives what it printed, trimmed.
    pub async fn ok(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(arguments).await?;
        if output.code == 0 { Ok(output.stdout.trim().to_owned()) } else { Err(refused(arguments, &output, None)) }
    }

    /// Runs `wp` with arguments, which must succeed; gives the JSON that it printed. PHP may print its own remarks before.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let printed = self.ok(arguments).await?;
        let last = printed.lines().rev().find(|line| line.starts_with(['{', '[', '"']));
        last.and_then(|line| serde_json::from_str(line).ok()).ok_or_else(|| {
            Error::new(Code::Unavailable, format!("`wp {}` printed no JSON", shown(arguments).join(" ")))
        })
    }

    /// Whether it is so, for `is-installed` and its like, which answer yes by exit code 0 and no by 1. Any other code says
    /// that the question was not understood.
    pub async fn holds(&self, arguments: &[&str]) -> Result<bool> {
        let output = self.run(arguments).await?;
        match output.code {
            0 => Ok(true),
            1 => Ok(false),
            _ => Err(refused(arguments, &output, None)),
        }
    }

    /// Sets one of WordPress's options to a text, and reads it back. The text goes by standard input, never as an argument:
    /// WP-CLI takes whatever looks like an option for one, wherever it stands (`--exec=` runs PHP), and knows no `--`
    /// before its version 3.
    pub async fn set(&self, option: &str, text: &str) -> Result<()> {
        let arguments = ["option", "update", option];
        let output = self.run_with(&arguments, Some(&Redacted::from(text))).await?;
        if output.code != 0 {
            return Err(refused(&arguments, &output, None));
        }
        let kept = self.ok(&["option", "get", option]).await?;
        if decoded(&kept) == decoded(text) {
            return Ok(());
        }
        Err(Error::new(Code::Unavailable, format!("WordPress keeps {option} as `{kept}`, and not as `{text}`")))
    }

    /// Runs `wp`, which reads a secret from its standard input, and must succeed. What it prints is thrown away: WP-CLI
    /// may repeat what it was given.
    pub async fn ok_with_secret(&self, arguments: &[&str], secret: &Redacted) -> Result<()> {
        let line = Redacted::new(format!("{}\n", secret.expose()));
        let output = self.run_with(arguments, Some(&line)).await?;
        if output.code == 0 { Ok(()) } else { Err(refused(arguments, &output, Some(secret))) }
    }

    async fn run_with(&self, arguments: &[&str], input: Option<&Redacted>) -> Result<Output> {
        let arguments: Vec<String> =
            std::iter::once("wp").chain(arguments.iter().copied()).map(str::to_owned).collect();
        let command = Command {
            namespace: self.shop.namespace(),
            pod: &self.pod,
            container: names::WP_CLI_CONTAINER,
            arguments: &arguments,
            input,
            timeout: self.shop.settings().command_timeout,
        };
        match self.shop.kubernetes().exec(&command).await {
            // The pod was replaced between our look and the command: the next try finds the new one.
            Err(vendors::Error::NotFound(message)) => Err(Error::new(Code::Unavailable, message)),
            other => Ok(other?),
        }
    }

    /// A value of the shop administrator's Secret.
    pub async fn admin(&self, key: &str) -> Result<Redacted> {
        let secret: Option<Secret> = self.shop.kubernetes().get(self.shop.namespace(), names::ADMIN_SECRET).await?;
        secret
            .and_then(|secret| secret.data?.remove(key))
            .and_then(|value| String::from_utf8(value.0).ok())
            .map(Redacted::new)
            .ok_or_else(|| Error::new(Code::VendorRejected, format!("the Secret {} has no {key}", names::ADMIN_SECRET)))
    }
}

fn usable(pod: &Pod) -> bool {
    let running = pod.status.as_ref().is_some_and(|status| {
        status.phase.as_deref() == Some("Running")
            && status.container_statuses.iter().flatten().any(|it| it.name == names::WP_CLI_CONTAINER && it.ready)
    });
    running && pod.metadata.deletion_timestamp.is_none()
}

/// What of a command is shown: not its values.
fn shown<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    arguments.iter().copied().take_while(|word| !word.starts_with("--")).take(3).collect()
}

/// The error of a command that failed: the command without its values, and the last line that it wrote. It may pass
/// (a download, a database that restarts), so the step is tried again; its limit ends that.
fn refused(arguments: &[&str], output: &Output, secret: Option<&Redacted>) -> Error {
    let words = shown(arguments);
    let said = output.stderr.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given");
    let mut said: String = said.chars().take(300).collect();
    if let Some(secret) = secret {
        said = said.replace(secret.expose(), "[redacted]");
    }
    Error::new(Code::Unavailable, format!("`wp {}` failed with code {}: {said}", words.join(" "), output.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_neither_values_nor_secrets() {
        let output = Output { code: 1, stdout: "hunter2".into(), stderr: "noise\nError: bad hunter2\n\n".into() };
        let arguments = ["core", "install", "--admin_email=a@b.c", "--prompt=admin_password"];
        let error = refused(&arguments, &output, Some(&Redacted::from("hunter2")));
        assert_eq!(error.message(), "`wp core install` failed with code 1: Error: bad [redacted]");
    }
}
