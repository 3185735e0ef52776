//! `northstack dev` as a person runs it: the real binary, in a state directory of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use northstack::dev::servers::free_port;
use serde_json::{Value, json};

/// How long the stack may take to answer on a loaded machine.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// One state directory with its ports, and the process that runs on it now.
pub struct Stack {
    state: tempfile::TempDir,
    api: u16,
    portal: u16,
    stores: u16,
    timing: &'static str,
    environment: Vec<(&'static str, String)>,
    process: Option<Child>,
    http: reqwest::Client,
}

impl Stack {
    /// Starts on a fresh state directory, with a simulated cluster as fast as it can be, and waits until it is ready.
    pub async fn start() -> Self {
        Self::paced("fast").await
    }

    /// The same with more in its environment.
    pub async fn configured(environment: Vec<(&'static str, String)>) -> Self {
        let mut stack = Self::new("fast");
        stack.environment = environment;
        stack.run().await;
        stack
    }

    /// The same with a simulated cluster of another pace (`people` or `fast`).
    pub async fn paced(timing: &'static str) -> Self {
        let mut stack = Self::new(timing);
        stack.run().await;
        stack
    }

    fn new(timing: &'static str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            state: tempfile::tempdir().unwrap(),
            api: free_port().unwrap(),
            portal: free_port().unwrap(),
            stores: free_port().unwrap(),
            timing,
            environment: Vec::new(),
            process: None,
            http: reqwest::Client::new(),
        }
    }

    /// Starts the process on the state that is there, and waits until it is ready.
    pub async fn run(&mut self) {
        self.launch(&[]);
        self.wait_until_ready().await;
    }

    /// Starts the process on the state that is there, with more variables in its environment.
    pub fn launch(&mut self, variables: &[(&str, &str)]) {
        assert!(self.process.is_none(), "runs already");
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_northstack"))
            .arg("dev")
            .arg("--state")
            .arg(self.state.path())
            .args([
                "--timing",
                self.timing,
                "--portal-port",
                &self.portal.to_string(),
                "--store-port",
                &self.stores.to_string(),
            ])
            .env("NORTHSTACK_SERVER__PORT", self.api.to_string())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(variables.iter().copied())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
    }

    /// Waits until the process answers.
    pub async fn wait_until_ready(&mut self) {
        let started = Instant::now();
        while !self.ready().await {
            if let Some(status) = self.process.as_mut().unwrap().try_wait().unwrap() {
                panic!("northstack dev ended with {status}:\n{}", self.log());
            }
            assert!(started.elapsed() < READY_WITHIN, "not ready within {READY_WITHIN:?}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ready(&self) -> bool {
        let answer = self.http.get(format!("{}/health/ready", self.api_url())).send().await;
        answer.is_ok_and(|response| response.status().is_success())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Waits until the process ends by itself; gives how.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        let mut process = self.process.take().expect("it runs");
        let begun = Instant::now();
        loop {
            if let Some(status) = process.try_wait().unwrap() {
                return status;
            }
            if begun.elapsed() > READY_WITHIN {
                process.kill().unwrap();
                panic!("still running after {READY_WITHIN:?}:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ctrl-C; gives how the process ended.
    pub fn interrupt(&mut self) -> std::process::ExitStatus {
        let mut process = self.process.take().expect("it runs");
        let pid = nix::unistd::Pid::from_raw(i32::try_from(process.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        process.wait().unwrap()
    }

    pub fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api)
    }

    pub fn portal_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.portal)
    }

    pub fn store_port(&self) -> u16 {
        self.stores
    }

    pub fn state(&self) -> &std::path::Path {
        self.state.path()
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    fn log_path(&self) -> PathBuf {
        self.state.path().join("dev.log")
    }

    /// What the process has printed and logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The whole GraphQL answer.
    pub async fn graphql(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        let mut request = self
            .http
            .post(format!("{}/v1/graphql", self.api_url()))
            .json(&json!({ "query": query, "variables": variables }));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The `data` of a GraphQL answer that must have no errors.
    pub async fn data(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        let mut answer = self.graphql(token, query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}\n{answer:#}\n{}", self.log());
        answer["data"].take()
    }

    /// Registers a person with a team of their own and gives their access token.
    pub async fn register(&self, email: &str) -> String {
        let data = self
            .data(
                None,
                "mutation($email: String!) { register(email: $email, password: \"correct horse battery\", name: \"Tester\") { accessToken } }",
                json!({ "email": email }),
            )
            .await;
        data["register"]["accessToken"].as_str().unwrap().to_owned()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }
}
