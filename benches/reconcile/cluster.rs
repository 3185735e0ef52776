//! A simulated cluster with many applications: one is made by the API, and what the cluster kept of it is written once
//! for each of the others before the cluster is started as a process of its own.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::config::Kubeconfig;
use northstack::config;
use northstack::domain::workload::names;
use northstack::sim::kubernetes::{Simulator, SimulatorOptions, SimulatorTiming};
use northstack::vendors::kubernetes::{Client, Source, rolled_out};
use northstack::workflow::flows::application::desired;
use northstack::workflow::flows::application::names::{Colour, Target};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use uuid::Uuid;

use super::rows::workload;

/// Set for the process that is the cluster: where its state is.
pub const DIRECTORY: &str = "NORTHSTACK_BENCH_CLUSTER";
/// The name of the application that is made by the API; no other word contains it.
const MODEL: &str = "modelapplication";

/// An application.
pub struct Place {
    /// Its id.
    pub id: Uuid,
    /// Its project.
    pub project: Uuid,
    /// The namespace of its objects.
    pub namespace: String,
    /// Its name, which is also that of its objects.
    pub name: String,
}

impl Place {
    fn new(project: Uuid, name: String) -> Self {
        Self { id: Uuid::new_v4(), project, namespace: names::namespace(project, "production"), name }
    }

    /// So many applications, so many in each namespace.
    pub fn many(count: usize, together: usize) -> Vec<Self> {
        let mut places = Vec::with_capacity(count);
        while places.len() < count {
            let project = Uuid::new_v4();
            places.extend((0..together).map(|number| Self::new(project, format!("app-{number}"))));
        }
        places
    }

    fn target(&self) -> Target {
        Target {
            application: self.id,
            project: self.project,
            environment: "production".to_owned(),
            namespace: self.namespace.clone(),
            workload: self.name.clone(),
        }
    }
}

fn options(directory: &Path) -> SimulatorOptions {
    let state_dir = Some(directory.to_owned());
    SimulatorOptions { state_dir, timing: SimulatorTiming::fast(), metrics: false, ..SimulatorOptions::default() }
}

/// Is the cluster until the parent goes away.
pub async fn serve(directory: PathBuf) {
    let simulator = Simulator::start(options(&directory)).await.unwrap();
    println!("{}", json!({ "address": simulator.address(), "token": simulator.token() }));
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await.unwrap();
    simulator.shutdown().await;
}

/// The process.
pub struct Cluster {
    /// Where its API is.
    pub address: SocketAddr,
    token: String,
    child: Child,
}

impl Cluster {
    /// Makes a cluster with the applications and starts it.
    pub async fn start(directory: &Path, settings: &config::Applications, places: &[Place]) -> Self {
        let model = Place::new(Uuid::new_v4(), MODEL.to_owned());
        make(directory, settings, &model).await;
        multiply(&directory.join("cluster.json"), &model, places);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let address = said["address"].as_str().unwrap().parse().unwrap();
        let cluster = Self { address, token: said["token"].as_str().unwrap().to_owned(), child };
        let mut before = cluster.revision().await;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = cluster.revision().await;
            if std::mem::replace(&mut before, now) == now {
                return cluster;
            }
        }
    }

    /// A way to the cluster by an address.
    pub fn kubeconfig(&self, address: SocketAddr) -> Kubeconfig {
        let kubeconfig = json!({
            "clusters": [{ "name": "bench", "cluster": { "server": format!("http://{address}") } }],
            "users": [{ "name": "bench", "user": { "token": self.token } }],
            "contexts": [{ "name": "bench", "context": { "cluster": "bench", "user": "bench" } }],
            "current-context": "bench",
        });
        serde_json::from_value(kubeconfig).unwrap()
    }

    /// The number of the cluster's last write.
    pub async fn revision(&self) -> u64 {
        let url = format!("http://{}/api/v1/nodes", self.address);
        let list = reqwest::Client::new().get(url).bearer_auth(&self.token).send().await.unwrap();
        let list: Value = list.json().await.unwrap();
        list["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
    }

    /// Ends it.
    pub async fn stop(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().await.unwrap();
    }
}

/// Makes the one application by the API, and leaves the cluster's state in the directory.
async fn make(directory: &Path, settings: &config::Applications, model: &Place) {
    let simulator = Simulator::start(options(directory)).await.unwrap();
    let source = Source::Inline(Box::new(simulator.kubeconfig()));
    let kubernetes = Client::connect(source, Duration::from_secs(10)).await.unwrap();
    let target = model.target();
    let desired = desired::desired(settings, &target, &workload(), Colour::Blue, None).unwrap();
    desired::apply(&kubernetes, &target, &desired).await.unwrap();
    loop {
        let found: Option<Deployment> = kubernetes.get(&model.namespace, MODEL).await.unwrap();
        if rolled_out(&found.unwrap()).complete {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    simulator.shutdown().await;
    // A start folds the journal into the snapshot.
    Simulator::start(options(directory)).await.unwrap().shutdown().await;
}

/// Writes what was kept of the model once for each application, and of its namespace once for each namespace.
fn multiply(file: &Path, model: &Place, places: &[Place]) {
    let mut snapshot: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut objects = std::mem::take(snapshot["objects"].as_array_mut().unwrap());
    objects.retain(|object| object["object"]["kind"] != "Event");
    let of_model = |object: &Value| object.to_string().contains(MODEL);
    let of_namespace =
        |object: &Value| object["namespace"] == json!(model.namespace) || object["name"] == json!(model.namespace);
    let (own, rest): (Vec<Value>, Vec<Value>) = objects.into_iter().partition(of_model);
    let (shared, rest): (Vec<Value>, Vec<Value>) = rest.into_iter().partition(of_namespace);
    let mut text = String::new();
    for object in &rest {
        write!(text, "{object},").unwrap();
    }
    let (own, shared) = (Template::new(model, &own), Template::new(model, &shared));
    let mut last = Uuid::nil();
    for (number, place) in places.iter().enumerate() {
        if std::mem::replace(&mut last, place.project) != place.project {
            shared.write(place, number, &mut text);
        }
        own.write(place, number, &mut text);
    }
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).unwrap());
    let revision = &snapshot["revision"];
    let (token, volumes) = (&snapshot["token"], &snapshot["volumes"]);
    let objects = text.trim_end_matches(',');
    write!(out, r#"{{"revision":{revision},"token":{token},"volumes":{volumes},"objects":[{objects}]}}"#).unwrap();
    out.flush().unwrap();
    // What the journal tells is in the snapshot.
    std::fs::write(file.with_file_name("cluster.journal"), "").unwrap();
}

/// Objects in which the words of the model are replaced by those of others.
struct Template {
    text: String,
    uids: Vec<String>,
    address: Option<String>,
    id: Uuid,
    project: Uuid,
    namespace: String,
}

impl Template {
    fn new(model: &Place, objects: &[Value]) -> Self {
        let mut text = String::new();
        for object in objects {
            write!(text, "{object},").unwrap();
        }
        let uids = objects.iter().map(|it| it["object"]["metadata"]["uid"].as_str().unwrap().to_owned()).collect();
        let address = objects.iter().find_map(|it| it["object"]["spec"]["clusterIP"].as_str().map(str::to_owned));
        Self { text, uids, address, id: model.id, project: model.project, namespace: model.namespace.clone() }
    }

    fn write(&self, place: &Place, number: usize, into: &mut String) {
        // The host name has the beginning of the id.
        let short = |id: Uuid| id.simple().to_string()[..10].to_owned();
        let mut text = self
            .text
            .replace(&self.namespace, &place.namespace)
            .replace(&self.id.to_string(), &place.id.to_string())
            .replace(&short(self.id), &short(place.id))
            .replace(&self.project.to_string(), &place.project.to_string())
            .replace(MODEL, &place.name);
        for uid in &self.uids {
            text = text.replace(uid.as_str(), &Uuid::new_v4().to_string());
        }
        if let Some(address) = &self.address {
            text = text.replace(&format!("\"{address}\""), &format!("\"10.96.{}.{}\"", number / 250, number % 250 + 2));
        }
        into.push_str(&text);
    }
}
