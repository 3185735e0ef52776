//! Running WP-CLI in the site's pod.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, Secret};

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

    /// Whether `wp` with arguments exits with 0: for `is-installed` and its like.
    pub async fn holds(&self, arguments: &[&str]) -> Result<bool> {
        Ok(self.run(arguments).await?.code == 0)
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

/// The error of a command that failed: the command without its values, and the last line that it wrote. It may pass
/// (a download, a database that restarts), so the step is tried again; its limit ends that.
fn refused(arguments: &[&str], output: &Output, secret: Option<&Redacted>) -> Error {
    let words: Vec<&str> = arguments.iter().copied().take_while(|word| !word.starts_with("--")).take(4).collect();
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
