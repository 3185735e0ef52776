//! `northstack dev`: the whole platform on this machine, in one foreground command.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::service::{Failpoints, Roles, Service};
use super::{Context, Exit, graphql_engine};
use crate::config::{Loader, Purpose};
use crate::dev::{self, Progress, Stack, StackOptions, State};
use crate::domain::Result;
use crate::sim::kubernetes::SimulatorTiming;

/// Arguments of `northstack dev`.
#[derive(Debug, Args)]
pub struct Dev {
    /// Forget the state of earlier runs first
    #[arg(long)]
    pub reset: bool,
    /// Where the state is kept between runs
    #[arg(long, env = "NORTHSTACK_DEV_STATE", default_value = ".northstack", value_name = "DIRECTORY")]
    pub state: PathBuf,
    /// Port of the portal
    #[arg(long, env = "NORTHSTACK_DEV_PORTAL_PORT", default_value_t = 3001, value_name = "PORT")]
    pub portal_port: u16,
    /// Port on which the stores answer
    #[arg(long, env = "NORTHSTACK_DEV_STORE_PORT", default_value_t = 8081, value_name = "PORT")]
    pub store_port: u16,
    /// How long the simulated cluster takes for what it does
    #[arg(long, env = "NORTHSTACK_DEV_TIMING", value_enum, default_value_t = Timing::People)]
    pub timing: Timing,
}

/// The simulated cluster's pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Timing {
    /// Slow enough to watch.
    People,
    /// As fast as it can, for tests.
    Fast,
}

impl Dev {
    /// Runs until Ctrl-C or a failure, and stops everything that it started.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let begun = Instant::now();
        graphql_engine::check(&context.settings()?)?;
        let progress = Progress::new();
        println!("NorthStack on this machine; its state is in {}", self.state.display());
        let mut state = State::open(&self.state, self.reset)?;
        let options = StackOptions {
            portal_port: self.portal_port,
            store_port: self.store_port,
            timing: match self.timing {
                Timing::People => SimulatorTiming::default(),
                Timing::Fast => SimulatorTiming::fast(),
            },
        };
        let (mut stack, loader) = Stack::start(context.loader()?, &mut state, &options, &progress).await?;
        let outcome = self.serve(&mut stack, loader, &state, &progress, begun).await;
        state.withdraw();
        println!("\n  Stopping");
        stack.stop().await;
        outcome
    }

    async fn serve(
        &self,
        stack: &mut Stack,
        loader: Loader,
        state: &State,
        progress: &Progress,
        begun: Instant,
    ) -> Result<Exit> {
        let settings = loader.load(Purpose::Service)?.explicit();
        let connecting = Service::connect(loader, Roles::ALL, Failpoints::Obeyed);
        let service = progress.phase("Database", connecting).await?;
        progress.phase("Demo data", dev::seed(service.app(), stack.cluster())).await?;
        // Before it answers: whoever sees that it is ready finds them.
        state.publish(&settings)?;
        let service = progress.phase("Service", service.start()).await?;
        self.greet(&service, begun);
        tokio::select! {
            outcome = service.run() => outcome.map(|()| Exit::Done),
            error = stack.failed() => Err(error),
        }
    }

    fn greet(&self, service: &Service, begun: Instant) {
        let config = service.config();
        let (host, port) = (config.server.host, config.server.port);
        println!("\nReady in {:.1} s\n", begun.elapsed().as_secs_f64());
        println!("  Portal     http://localhost:{}", self.portal_port);
        println!("  Log in as  {} / {}", dev::DEMO_EMAIL, dev::DEMO_PASSWORD);
        if config.server.explorer {
            println!("  Explorer   http://{host}:{port}/explorer");
        }
        println!("  GraphQL    http://{host}:{port}/v1/graphql");
        println!("  OpenAPI    http://{host}:{port}/api/openapi.json");
        let stores = config.stores.public_port.map(|port| format!(":{port}")).unwrap_or_default();
        println!("  Stores     {}://<store>.{}{stores}", config.stores.scheme, config.stores.base_domain);
        if let Some(directory) = off_the_path() {
            println!("\nThe command line is {}/northstack. To call it by its name:", directory.display());
            println!("  export PATH=\"{}:$PATH\"", directory.display());
        }
        println!("\nCtrl-C stops everything.");
    }
}

/// Where this program is, unless a shell finds it by its name.
fn off_the_path() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(|directory| directory.join("northstack").is_file());
    let same =
        found.and_then(|directory| directory.join("northstack").canonicalize().ok()).is_some_and(|it| it == program);
    (!same).then(|| program.parent().map(PathBuf::from)).flatten()
}
