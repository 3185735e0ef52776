//! A service with a simulated cluster, and applications that stand in it as a deployment leaves them.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use northstack::config::{self, Config};
use northstack::db::deployments;
use northstack::domain::DeploymentStatus;
use northstack::domain::workload::{Image, Resources, Settings, Strategy, Workload, names};
use northstack::sim::kubernetes::{Simulator, SimulatorOptions, SimulatorTiming};
use northstack::vendors::kubernetes::{Client, Source, rolled_out};
use northstack::workflow::flows::application::desired::{self, Desired};
use northstack::workflow::flows::application::drift::heal::HEAL;
use northstack::workflow::flows::application::sweep::SWEEP;
use northstack::workflow::flows::application::{Target, names::Colour};
use northstack::workflow::{Flow, Options, Registry, Runner};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::support::{ACTION_SECRET, Service, newest};

/// How long the simulated cluster may take on a loaded machine.
const WITHIN: Duration = Duration::from_secs(30);

pub struct Town {
    pub simulator: Simulator,
    pub kubernetes: Client,
    pub service: Service,
    /// The session variables of a person with a team, and of a stranger.
    pub ada: Vec<(&'static str, String)>,
    pub eve: Vec<(&'static str, String)>,
    project: Uuid,
    /// The worker ends with the town.
    _worker: DropGuard,
}

impl Town {
    pub async fn new() -> Self {
        Self::with(true, |_| {}).await
    }

    pub async fn with(metrics: bool, change: impl FnOnce(&mut Config)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = SimulatorOptions { timing: SimulatorTiming::fast(), metrics, ..SimulatorOptions::default() };
        let simulator = Simulator::start(options).await.unwrap();
        let source = Source::Inline(Box::new(simulator.kubeconfig()));
        let kubernetes = Client::connect(source, Duration::from_secs(10)).await.unwrap();
        let service = Service::provisioned(kubernetes.clone(), |config| {
            config.database.max_connections = 8;
            config.rate_limits.enabled = false;
            change(config);
        })
        .await;
        let ada = session(&service, "ada@example.com").await;
        let eve = session(&service, "eve@example.com").await;
        let user: Uuid = ada[1].1.parse().unwrap();
        let project = sqlx::query_scalar(
            "insert into projects (team_id, name) select team_id, 'shop' from team_members where user_id = $1
             returning id",
        );
        let project = project.bind(user).fetch_one(service.app.db.pool()).await.unwrap();
        let worker = repairs(&service);
        Self { simulator, kubernetes, service, ada, eve, project, _worker: worker }
    }

    pub fn pool(&self) -> &PgPool {
        self.service.app.db.pool()
    }

    pub fn settings(&self) -> &config::Applications {
        &self.service.config.applications
    }

    /// An application with a running revision of an image: its rows, and its objects in the cluster.
    pub async fn deployed(&self, name: &str, image: &str) -> Standing {
        let standing = self.rows(name, image).await;
        desired::apply(&self.kubernetes, &standing.target, &standing.desired(self)).await.unwrap();
        standing
    }

    /// The rows alone.
    pub async fn rows(&self, name: &str, image: &str) -> Standing {
        let namespace = names::namespace(self.project, "production");
        let id: Uuid = sqlx::query_scalar(
            "insert into applications (project_id, name, image, replicas, status, namespace, workload)
             values ($1, $2, $3, 2, 'running', $4, $2) returning id",
        )
        .bind(self.project)
        .bind(name)
        .bind(image)
        .bind(&namespace)
        .fetch_one(self.pool())
        .await
        .unwrap();
        let target = Target {
            application: id,
            project: self.project,
            environment: "production".to_owned(),
            namespace,
            workload: name.to_owned(),
        };
        let workload = Workload {
            revision: 1,
            image: Image::parse("image", image).unwrap(),
            commit: None,
            port: 8080,
            replicas: 2,
            resources: Resources::read(&json!({})).unwrap(),
            variables: [("LOG_LEVEL".to_owned(), "info".to_owned())].into(),
            secrets: Default::default(),
            strategy: Strategy::Rolling,
            settings: Settings::default(),
        };
        let new = deployments::Insert {
            application_id: id,
            workload: &workload,
            requested_by: None,
            restored_revision: None,
            build: None,
            progress: &json!({}),
        };
        let mut connection = self.pool().acquire().await.unwrap();
        let deployment = deployments::insert(&mut connection, &new).await.unwrap();
        for status in [DeploymentStatus::Deploying, DeploymentStatus::Running] {
            assert!(deployments::move_to(&mut connection, deployment, status, None).await.unwrap());
        }
        let url = target.url(self.settings(), &workload).unwrap();
        let update = sqlx::query("update applications set url = $2 where id = $1").bind(id).bind(&url);
        update.execute(self.pool()).await.unwrap();
        Standing { id, target, workload, url }
    }

    /// Orders a fault of the cluster.
    pub async fn fault(&self, fault: Value) {
        let url = format!("{}/simulator/faults", self.simulator.url());
        let request = reqwest::Client::new().post(url).bearer_auth(self.simulator.token()).json(&fault);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }

    /// Ends all faults.
    pub async fn well(&self) {
        let url = format!("{}/simulator/faults", self.simulator.url());
        reqwest::Client::new().delete(url).bearer_auth(self.simulator.token()).send().await.unwrap();
    }

    /// Waits until something is so.
    pub async fn until<F: Future<Output = bool>>(&self, what: &str, so: impl Fn() -> F) {
        let started = Instant::now();
        while !so().await {
            assert!(started.elapsed() < WITHIN, "{what} within {WITHIN:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until an application's pods are all ready.
    pub async fn ready(&self, standing: &Standing) {
        self.until("the pods are ready", async || {
            let found = self.kubernetes.get::<Deployment>(&standing.target.namespace, &standing.target.workload).await;
            found.unwrap().is_some_and(|deployment| rolled_out(&deployment).complete)
        })
        .await;
    }

    /// Waits until a pod of an application waits for a reason.
    pub async fn waiting(&self, standing: &Standing, reason: &str) {
        self.until(reason, async || {
            let pods: Vec<Pod> =
                self.kubernetes.list(&standing.target.namespace, &standing.target.selector()).await.unwrap();
            let all = serde_json::to_string(&pods).unwrap();
            all.contains(&format!("\"reason\":\"{reason}\""))
        })
        .await;
    }

    /// Asks the remote schema as Hasura does; gives the whole answer.
    pub async fn ask(&self, session: &[(&str, String)], query: &str, variables: Value) -> Value {
        let mut headers = vec![("x-northstack-action-secret", ACTION_SECRET)];
        headers.extend(session.iter().map(|(name, value)| (*name, value.as_str())));
        self.service.post("/graphql", &headers, &json!({ "query": query, "variables": variables })).await.json()
    }

    /// The same for one field with the id of an application, as its owner; gives the field.
    pub async fn see(&self, field: &str, selection: &str, id: Uuid) -> Value {
        let query = format!("query ($id: UUID!) {{ it: {field}(applicationId: $id) {{ {selection} }} }}");
        let answer = self.ask(&self.ada, &query, json!({ "id": id })).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"]["it"].clone()
    }

    /// (title, subject, whether it is resolved) of every alert, oldest first.
    pub async fn alerts(&self) -> Vec<(String, Uuid, bool)> {
        sqlx::query_as("select title, subject_id, resolved_at is not null from alerts order by created_at, title")
            .fetch_all(self.pool())
            .await
            .unwrap()
    }

    /// How many rows every write of a reconciler would add to, and the cluster's newest revision.
    pub async fn writes(&self) -> (i64, String) {
        let rows = sqlx::query_scalar("select count(*) from audit_logs").fetch_one(self.pool()).await.unwrap();
        (rows, newest(&self.simulator).await)
    }

    /// Waits until the cluster does nothing of itself any more.
    pub async fn quiet(&self) {
        self.until("the cluster is quiet", async || {
            let before = self.writes().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            before == self.writes().await
        })
        .await;
    }

    /// Whether a namespace is there and stays.
    pub async fn stands(&self, namespace: &str) -> bool {
        let found: Option<Namespace> = self.kubernetes.namespace(namespace).await.unwrap();
        found.is_some_and(|found| found.metadata.deletion_timestamp.is_none())
    }
}

/// An application in the cluster.
pub struct Standing {
    pub id: Uuid,
    pub target: Target,
    pub workload: Workload,
    pub url: String,
}

impl Standing {
    pub fn desired(&self, town: &Town) -> Desired {
        desired::desired(town.settings(), &self.target, &self.workload, Colour::Blue, None).unwrap()
    }
}

/// A worker that does what reconcilers ask for, and leaves all else as it is.
fn repairs(service: &Service) -> DropGuard {
    let provisioning = service.app.provisioning.as_ref().unwrap();
    let flows = [HEAL, SWEEP].map(|kind| Flow::clone(provisioning.flows.newest(kind).unwrap()));
    let (pool, nudge) = (service.app.db.pool().clone(), provisioning.nudge.clone());
    let options = Options {
        poll: Duration::from_millis(50),
        backoff_first: Duration::from_millis(5),
        backoff_most: Duration::from_millis(50),
        ..Options::default()
    };
    let runner = Runner::new(pool, Registry::new(flows), nudge, options);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move { runner.run(token).await });
    stop.drop_guard()
}

async fn session(service: &Service, email: &str) -> Vec<(&'static str, String)> {
    let session = service.register(email).await;
    let user = session["userId"].as_str().unwrap().to_owned();
    vec![("x-hasura-role", "user".to_owned()), ("x-hasura-user-id", user)]
}
