//! `northstack open`: the address of an app or a store, in the browser.

use std::io::{self, IsTerminal};
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::json;

use super::api::Api;
use super::{Context, Exit, Output, apps, stores};
use crate::domain::{Code, Error, Result};

/// Arguments of `northstack open`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  northstack open my-app
  curl \"$(northstack open my-app --print)\"")]
pub struct Open {
    /// The app or store, by name or id
    pub name: String,
    /// The store's administration
    #[arg(long)]
    pub admin: bool,
    /// Print the address alone
    #[arg(long)]
    pub print: bool,
}

impl Open {
    /// Prints the address, and opens it for a person.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let api = Api::connect(context).await?;
        let url = self.address(&api).await?;
        context.output.print(&json!({ "url": url }), |_| url.clone())?;
        if !self.print && context.output == Output::Text && io::stdout().is_terminal() {
            browse(&url);
        }
        Ok(Exit::Done)
    }

    async fn address(&self, api: &Api) -> Result<String> {
        let none = |message: String| Error::new(Code::NotFound, message);
        let name = &self.name;
        match apps::find(api, name).await {
            Ok(app) if !self.admin => {
                return app.url.ok_or_else(|| {
                    none(format!("{name} has no address yet: northstack deploy {name} --image <image> --watch"))
                });
            }
            Err(error) if error.code() != Code::NotFound => return Err(error),
            Ok(_) if stores::find(api, name).await.is_err() => {
                return Err(none(format!("{name} is an app; stores alone have an administration")));
            }
            _ => {}
        }
        let store = match stores::find(api, name).await {
            Err(error) if error.code() == Code::NotFound => {
                return Err(none(format!("neither an app nor a store is called {name:?}")));
            }
            found => found?,
        };
        match self.admin {
            true => store.admin_url.ok_or_else(|| none(format!("{name} has no administration yet"))),
            false => Ok(store.url),
        }
    }
}

/// Best effort: the address stands on the screen.
fn browse(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let _ = Command::new(program).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}
