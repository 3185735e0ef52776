//! A service with a simulated cluster and one application.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Pod, Service as KubernetesService};
use k8s_openapi::api::networking::v1::Ingress;
use northstack::app::applications::NewSize;
use northstack::app::background::{check_drift_of, remove_departed};
use northstack::app::deployments::{DeploymentOperation, NewDeployment, Rollback};
use northstack::app::previews::NewPreview;
use northstack::app::{Caller, Provisioning};
use northstack::config::{Config, Live};
use northstack::db::operations;
use northstack::domain::Actor;
use northstack::sim::kubernetes::{Simulator, SimulatorOptions, SimulatorTiming};
use northstack::vendors::kubernetes::{Client, Source};
use northstack::workflow::flows::application::delete::DELETE;
use northstack::workflow::flows::application::drift::heal::HEAL;
use northstack::workflow::flows::application::sweep::SWEEP;
use northstack::workflow::flows::application::{self, OBJECTS, preview};
use northstack::workflow::testing::{Bench, Worker, ended};
use northstack::workflow::{Faults, Flow, Registry};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::Service;

/// A service, its cluster, and one person with a team and a project.
pub struct Town {
    /// The simulated cluster; it ends with the bench.
    pub simulator: Simulator,
    pub kubernetes: Client,
    pub service: Service,
    pub caller: Caller,
    pub project: Uuid,
    /// The flow that the kit disturbs.
    pub kind: &'static str,
    /// The flows of another configuration than the service was begun with.
    flows: Option<Registry>,
}

impl Town {
    pub async fn new(kind: &'static str) -> Self {
        Self::with(kind, |_| {}).await
    }

    pub async fn with(kind: &'static str, change: impl FnOnce(&mut Config)) -> Self {
        let options = SimulatorOptions { timing: SimulatorTiming::fast(), ..SimulatorOptions::default() };
        Self::on(options, kind, change).await
    }

    /// The same in a cluster of one's own making.
    pub async fn on(options: SimulatorOptions, kind: &'static str, change: impl FnOnce(&mut Config)) -> Self {
        let simulator = Simulator::start(options).await.unwrap();
        let source = Source::Inline(Box::new(simulator.kubeconfig()));
        let kubernetes = Client::connect(source, Duration::from_secs(10)).await.unwrap();
        let service = Service::provisioned(kubernetes.clone(), |config| {
            config.database.max_connections = 8;
            config.rate_limits.enabled = false;
            config.applications.stuck_after = Duration::from_millis(200);
            config.applications.unschedulable_after = Duration::from_millis(200);
            change(config);
        })
        .await;
        let session = service.register("ada@example.com").await;
        let user: Uuid = session["userId"].as_str().unwrap().parse().unwrap();
        let caller = Caller { actor: Actor::User(user), correlation_id: "a-request".to_owned(), address: None };
        let pool = service.app.db.pool();
        let team: Uuid = sqlx::query_scalar("select team_id from team_members where user_id = $1")
            .bind(user)
            .fetch_one(pool)
            .await
            .unwrap();
        let project = sqlx::query_scalar("insert into projects (team_id, name) values ($1, 'shop') returning id");
        let project = project.bind(team).fetch_one(pool).await.unwrap();
        Self { simulator, kubernetes, service, caller, project, kind, flows: None }
    }

    /// From now on, workers run with another configuration.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = self.service.config.clone();
        change(&mut config);
        let live = Live::fixed(config);
        self.flows = Some(Provisioning::new(self.kubernetes.clone(), &live, Duration::from_millis(10)).flows);
    }

    /// An application with the given columns besides its name.
    pub async fn application(&self, name: &str, columns: Value) -> Uuid {
        let mut row = json!({
            "project_id": self.project, "name": name, "image": "nginx:1", "replicas": 2,
            "environment": format!("e{}", &Uuid::new_v4().simple().to_string()[..8]),
        });
        row.as_object_mut().unwrap().extend(columns.as_object().unwrap().clone());
        let names: Vec<String> = row.as_object().unwrap().keys().cloned().collect();
        let names = names.join(", ");
        let insert = format!(
            "insert into applications ({names})
             select {names} from jsonb_populate_record(null::applications, $1) returning id"
        );
        sqlx::query_scalar(sqlx::AssertSqlSafe(insert)).bind(row).fetch_one(&self.pool()).await.unwrap()
    }

    pub async fn deploy(&self, application: Uuid, image: &str) -> DeploymentOperation {
        let new = NewDeployment { image: Some(image.to_owned()), ..NewDeployment::default() };
        self.service.app.deploy_application(&self.caller, application, &new, None).await.unwrap()
    }

    pub async fn rollback(&self, application: Uuid, revision: Option<i32>) -> Rollback {
        self.service.app.rollback_deployment(&self.caller, application, revision, None).await.unwrap()
    }

    /// Lets a worker bring an operation to its end; gives the status.
    pub async fn finish(&self, operation: Uuid) -> &'static str {
        let worker = Worker::start(self, Faults::none());
        let status = ended(self, operation).await;
        worker.stop().await;
        status
    }

    /// An application whose first revision runs.
    pub async fn running(&self, name: &str, columns: Value) -> Uuid {
        let application = self.application(name, columns).await;
        let made = self.deploy(application, "nginx:1").await;
        assert_eq!(self.finish(made.operation).await, "succeeded", "{}", self.detail(made.operation).await);
        application
    }

    /// The application that an operation works on.
    pub async fn application_of(&self, operation: Uuid) -> Uuid {
        let subject = sqlx::query_scalar("select subject_id from operations where id = $1").bind(operation);
        subject.fetch_one(&self.pool()).await.unwrap()
    }

    /// What a step of an operation says that it is at, or has failed by.
    pub async fn detail(&self, operation: Uuid) -> String {
        let detail = "select coalesce(detail, '') from operation_steps
                      where operation_id = $1 and status in ('running', 'waiting', 'failed') order by ordinal desc";
        let detail = sqlx::query_scalar(detail).bind(operation);
        detail.fetch_optional(&self.pool()).await.unwrap().unwrap_or_default()
    }

    /// Waits until an operation says something.
    pub async fn says(&self, operation: Uuid, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let detail = self.detail(operation).await;
            if detail.contains(words) {
                return detail;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{detail:?} does not say {words:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A pod of an application's revision, as soon as there is one.
    pub async fn pod_of_revision(&self, application: Uuid, revision: i32) -> Pod {
        let namespace = self.namespace(application).await;
        let selector = format!("northstack.dev/application={application},northstack.dev/revision={revision}");
        let begun = Instant::now();
        loop {
            let pods: Vec<Pod> = self.kubernetes.list(&namespace, &selector).await.unwrap();
            if let Some(pod) = pods.into_iter().next() {
                return pod;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "revision {revision} has no pod");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// One column of a row, as text.
    pub async fn text(&self, table: &str, column: &str, id: Uuid) -> Option<String> {
        let query = format!("select {column}::text from {table} where id = $1");
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(id).fetch_one(&self.pool()).await.unwrap()
    }

    /// The namespace of an application's objects.
    pub async fn namespace(&self, application: Uuid) -> String {
        self.text("applications", "namespace", application).await.unwrap_or_default()
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

    /// The revisions that an application's pods show, and how many pods are ready.
    pub async fn pods(&self, application: Uuid) -> Vec<String> {
        let selector = format!("northstack.dev/application={application}");
        let pods: Vec<Pod> = self.kubernetes.list(&self.namespace(application).await, &selector).await.unwrap();
        let mut images: Vec<String> =
            pods.into_iter().map(|pod| pod.spec.unwrap().containers[0].image.clone().unwrap()).collect();
        images.sort();
        images
    }
}

impl Town {
    /// A preview that is being made, or one that was made and is being removed.
    async fn submit_preview(&self) -> Uuid {
        let app = &self.service.app;
        let of = self.application("api", json!({})).await;
        let new = NewPreview { name: "pr-1".to_owned(), image: Some("nginx:pr".to_owned()), ..NewPreview::default() };
        let made = app.create_preview(&self.caller, of, &new, None).await.unwrap();
        if self.kind == preview::CREATE {
            return made.operation;
        }
        assert_eq!(self.finish(made.operation).await, "succeeded");
        app.delete_preview(&self.caller, made.preview, None).await.unwrap().operation
    }
}

impl Town {
    /// Lets an application be put right whose way from outside somebody takes away.
    pub async fn drifted(&self, application: Uuid) {
        let heal = sqlx::query("update applications set heal_drift = true where id = $1").bind(application);
        heal.execute(&self.pool()).await.unwrap();
        let namespace = self.namespace(application).await;
        self.kubernetes.delete::<KubernetesService>(&namespace, "api").await.unwrap();
        self.kubernetes.delete::<Ingress>(&namespace, "api").await.unwrap();
    }

    /// What the reconcilers begin about an application, who wait for its end; gives the operation.
    async fn repair(&self, application: Uuid) -> Uuid {
        let (app, kind) = (Arc::clone(&self.service.app), self.kind);
        tokio::spawn(async move {
            match kind {
                SWEEP => remove_departed(&app).await.map(drop),
                _ => check_drift_of(&app, &[application]).await.map(drop),
            }
        });
        self.begun(application).await
    }

    /// The operation that a reconciler has begun about an application, as soon as there is one.
    pub async fn begun(&self, application: Uuid) -> Uuid {
        let begun = Instant::now();
        loop {
            if let Some(operation) = operations::newest(&self.pool(), OBJECTS, application).await.unwrap() {
                return operation;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "nothing is begun about {application}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until an application has no pods.
    async fn emptied(&self, application: Uuid) {
        let begun = Instant::now();
        while !self.pods(application).await.is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the pods of {application} go");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Bench for Town {
    fn flow(&self) -> Arc<Flow> {
        Arc::clone(self.registry().newest(self.kind).unwrap())
    }

    fn registry(&self) -> Registry {
        self.flows.clone().unwrap_or_else(|| self.service.app.provisioning.as_ref().unwrap().flows.clone())
    }

    fn pool(&self) -> PgPool {
        self.service.app.db.pool().clone()
    }

    async fn submit(&self) -> Uuid {
        let app = &self.service.app;
        if matches!(self.kind, preview::CREATE | preview::DELETE) {
            return self.submit_preview().await;
        }
        let strategies = json!({ "canary": { "steps": [{ "weight": 50, "pauseSeconds": 0 }] },
            "blueGreen": { "autoPromote": true, "scaleDownDelaySeconds": 0 } });
        let images = if self.kind == application::ROLLBACK { &["nginx:1", "nginx:2"][..] } else { &["nginx:1"] };
        let one = self.standing(strategies, images).await;
        let by = async |strategy: &str| {
            let (image, strategy) = (Some("nginx:2".to_owned()), Some(strategy.to_owned()));
            let new = NewDeployment { image, strategy, ..NewDeployment::default() };
            app.deploy_application(&self.caller, one, &new, None).await.unwrap().operation
        };
        match self.kind {
            application::ROLLBACK => self.rollback(one, None).await.deployment.operation,
            application::SCALE => {
                let size = NewSize { min_replicas: Some(3), max_replicas: Some(4), ..NewSize::default() };
                app.scale_application(&self.caller, one, &size, None).await.unwrap().operation
            }
            application::RESTART => app.restart_application(&self.caller, one, None).await.unwrap().operation,
            application::STOP => app.stop_application(&self.caller, one, None).await.unwrap().operation,
            application::START => {
                let stop = app.stop_application(&self.caller, one, None).await.unwrap().operation;
                assert_eq!(self.finish(stop).await, "succeeded");
                app.start_application(&self.caller, one, None).await.unwrap().operation
            }
            HEAL => {
                self.drifted(one).await;
                self.repair(one).await
            }
            SWEEP => {
                let forget = sqlx::query("update applications set deleted_at = now() where id = $1").bind(one);
                forget.execute(&self.pool()).await.unwrap();
                self.repair(one).await
            }
            DELETE => app.delete_application(&self.caller, one, None).await.unwrap().operation,
            application::CANARY => by("canary").await,
            application::BLUE_GREEN => by("blue_green").await,
            _ => by("rolling").await,
        }
    }

    async fn retry(&self, operation: Uuid) {
        self.service.app.retry_operation(&self.caller, operation, None).await.unwrap();
    }

    async fn cancel(&self, operation: Uuid) {
        self.service.app.cancel_operation(&self.caller, operation, None).await.unwrap();
    }

    async fn dump(&self, operation: Uuid) -> Value {
        if self.kind == SWEEP {
            self.emptied(self.application_of(operation).await).await;
        }
        let steps: Value = sqlx::query_scalar(
            "select jsonb_agg(jsonb_build_array(name, status, result) order by ordinal)
             from operation_steps where operation_id = $1",
        )
        .bind(operation)
        .fetch_one(&self.pool())
        .await
        .unwrap();
        self.account(operation, Some(steps)).await
    }

    async fn residue(&self, operation: Uuid) -> Value {
        self.account(operation, None).await
    }
}
