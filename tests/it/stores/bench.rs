//! A service with a simulated cluster, and a canonical account of all that a store consists of.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service as KubernetesService};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use northstack::app::stores::{NewStore, StoreOperation};
use northstack::app::{Caller, Provisioning};
use northstack::config::Config;
use northstack::db::operations;
use northstack::domain::Actor;
use northstack::sim::kubernetes::{Simulator, SimulatorOptions, SimulatorTiming};
use northstack::vendors::kubernetes::{Client, Command, Output, Source};
use northstack::workflow::flows::store;
use northstack::workflow::testing::{Bench, Worker, ended};
use northstack::workflow::{Faults, Flow, Registry};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::support::Service;

/// A service, its cluster, and one person with a team.
pub struct Town {
    /// The simulated cluster; it ends with the bench.
    simulator: Simulator,
    pub kubernetes: Client,
    pub service: Service,
    pub caller: Caller,
    /// The flow that the kit disturbs.
    pub kind: &'static str,
}

impl Town {
    pub async fn new(kind: &'static str) -> Self {
        Self::with(kind, |_| {}).await
    }

    pub async fn with(kind: &'static str, change: impl FnOnce(&mut Config)) -> Self {
        let options = SimulatorOptions { timing: SimulatorTiming::fast(), ..SimulatorOptions::default() };
        let simulator = Simulator::start(options).await.unwrap();
        let source = Source::Inline(Box::new(simulator.kubeconfig()));
        let kubernetes = Client::connect(source, Duration::from_secs(10)).await.unwrap();
        let service = Service::provisioned(kubernetes.clone(), |config| {
            config.database.max_connections = 8;
            config.stores.limit = 10;
            config.rate_limits.enabled = false;
            change(config);
        })
        .await;
        let session = service.register("ada@example.com").await;
        let user = session["userId"].as_str().unwrap().parse().unwrap();
        let caller = Caller { actor: Actor::User(user), correlation_id: "a-request".to_owned(), address: None };
        Self { simulator, kubernetes, service, caller, kind }
    }

    /// Orders a fault of the cluster's API; nothing clears all.
    pub async fn order(&self, fault: Option<&Value>) {
        crate::support::order(&self.simulator, fault).await;
    }

    pub fn provisioning(&self) -> &Provisioning {
        self.service.app.provisioning.as_ref().unwrap()
    }

    pub async fn create(&self, name: &str) -> StoreOperation {
        let new = NewStore { name: name.to_owned(), kind: None, team_id: None, idempotency_key: None };
        self.service.app.create_store(&self.caller, &new).await.unwrap()
    }

    pub async fn delete(&self, store: Uuid) -> StoreOperation {
        self.service.app.delete_store(&self.caller, store, None).await.unwrap()
    }

    /// A store that is ready.
    pub async fn ready(&self, name: &str) -> Uuid {
        let made = self.create(name).await;
        let worker = Worker::start(self, Faults::none());
        assert_eq!(ended(self, made.operation).await, "succeeded");
        worker.stop().await;
        made.store
    }

    /// (public id, status, error) of a store.
    pub async fn row(&self, store: Uuid) -> (String, String, Option<String>) {
        let row = sqlx::query_as("select store_id, status, error from stores where id = $1").bind(store);
        row.fetch_one(&self.pool()).await.unwrap()
    }

    /// What `wp` prints in a store's pod.
    pub async fn wp(&self, namespace: &str, arguments: &[&str]) -> String {
        let arguments = [&["wp"], arguments].concat();
        let output = self.run(namespace, &arguments).await;
        assert_eq!(output.code, 0, "{arguments:?}: {}", output.stderr);
        output.stdout.trim().to_owned()
    }

    /// What a command does in a store's WP-CLI container.
    pub async fn run(&self, namespace: &str, arguments: &[&str]) -> Output {
        let pods: Vec<Pod> = self.kubernetes.list(namespace, "app=woocommerce").await.unwrap();
        let pod = pods[0].metadata.name.clone().unwrap();
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        let command = Command {
            namespace,
            pod: &pod,
            container: "wp-cli",
            arguments: &arguments,
            input: None,
            timeout: Duration::from_secs(10),
        };
        self.kubernetes.exec(&command).await.unwrap()
    }

    /// What is in a store's namespace, without what differs from run to run; null when there is none.
    async fn cluster(&self, namespace: &str) -> Value {
        let Some(found) = self.kubernetes.namespace(namespace).await.unwrap() else { return Value::Null };
        let secrets: Vec<Secret> = self.kubernetes.list(namespace, "app=store-platform").await.unwrap();
        let secrets: Vec<Value> = secrets
            .into_iter()
            .map(|secret| json!([secret.metadata.name, secret.data.map(|data| data.into_keys().collect::<Vec<_>>())]))
            .collect();
        let replicas: Vec<ReplicaSet> = self.kubernetes.list(namespace, "").await.unwrap();
        let pods: Vec<Pod> = self.kubernetes.list(namespace, "").await.unwrap();
        let phases: Vec<Value> = pods.iter().map(|pod| json!(pod.status.as_ref().map(|it| &it.phase))).collect();
        let options =
            ["blogname", "siteurl", "stylesheet", "show_on_front", "woocommerce_currency", "woocommerce_coming_soon"];
        let options = options.map(|option| vec!["option", "get", option]);
        let lists = [
            &["wc", "product", "list", "--user=1", "--format=json", "--fields=id,sku,name,regular_price,status"][..],
            &["option", "get", "woocommerce_cod_settings", "--format=json"],
            &["plugin", "list", "--format=json", "--fields=name,status,version"],
            &["post", "list", "--post_type=page", "--format=json"],
            &["user", "list", "--format=json", "--fields=ID,user_login"],
        ];
        let asked = options.iter().map(Vec::as_slice).chain(lists).map(|arguments| self.wp(namespace, arguments));
        let site = futures::future::join_all(asked).await;
        json!({
            "labels": found.metadata.labels,
            "policies": plain(self.kubernetes.list::<NetworkPolicy>(namespace, "").await.unwrap()),
            "quotas": plain(self.kubernetes.list::<ResourceQuota>(namespace, "").await.unwrap()),
            "secrets": secrets,
            "claims": plain(self.kubernetes.list::<PersistentVolumeClaim>(namespace, "").await.unwrap()),
            "deployments": plain(self.kubernetes.list::<Deployment>(namespace, "").await.unwrap()),
            "services": plain(self.kubernetes.list::<KubernetesService>(namespace, "").await.unwrap()),
            "ingresses": plain(self.kubernetes.list::<Ingress>(namespace, "").await.unwrap()),
            "replicas": replicas.len(),
            "pods": phases,
            "site": site,
        })
    }
}

/// Objects without what the server assigns.
fn plain(objects: Vec<impl Serialize>) -> Vec<Value> {
    let mut objects: Vec<Value> = objects.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect();
    for object in &mut objects {
        for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
            object["metadata"].as_object_mut().unwrap().remove(field);
        }
        let fields = object.as_object_mut().unwrap();
        fields.remove("status");
        if let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) {
            for field in ["clusterIP", "clusterIPs", "volumeName"] {
                spec.remove(field);
            }
        }
    }
    objects
}

impl Bench for Town {
    fn flow(&self) -> Arc<Flow> {
        Arc::clone(self.provisioning().flows.newest(self.kind).unwrap())
    }

    fn registry(&self) -> Registry {
        self.provisioning().flows.clone()
    }

    fn pool(&self) -> PgPool {
        self.service.app.db.pool().clone()
    }

    async fn submit(&self) -> Uuid {
        // The stores of earlier runs no longer count, their names are free again, and their pods take no time.
        let forget = "update stores set status = 'deleted', deleted_at = now() where status <> 'deleted'";
        sqlx::query(forget).execute(&self.pool()).await.unwrap();
        for namespace in self.kubernetes.namespaces("app=store-platform").await.unwrap() {
            self.kubernetes.delete_namespace(&namespace.metadata.name.unwrap()).await.unwrap();
        }
        match self.kind {
            store::DELETE => {
                let store = self.ready("My Shop").await;
                self.delete(store).await.operation
            }
            _ => self.create("My Shop").await.operation,
        }
    }

    async fn retry(&self, operation: Uuid) {
        self.service.app.retry_operation(&self.caller, operation, None).await.unwrap();
    }

    async fn cancel(&self, operation: Uuid) {
        self.service.app.cancel_operation(&self.caller, operation, None).await.unwrap();
    }

    async fn dump(&self, operation: Uuid) -> Value {
        let pool = self.pool();
        let operation = operations::find(&pool, operation).await.unwrap().unwrap();
        let store = operation.subject_id;
        let (store_id, ..) = self.row(store).await;
        let row: Value = sqlx::query_scalar(
            "select jsonb_build_object('status', status, 'name', name, 'url', url, 'admin', admin_url, 'error', error,
               'ready', ready_at is not null, 'deleted', deleted_at is not null) from stores where id = $1",
        )
        .bind(store)
        .fetch_one(&pool)
        .await
        .unwrap();
        let steps: Value = sqlx::query_scalar(
            "select jsonb_agg(jsonb_build_array(name, status, result) order by ordinal)
             from operation_steps where operation_id = $1",
        )
        .bind(operation.id)
        .fetch_one(&pool)
        .await
        .unwrap();
        // Evidence of faults stays, and is no part of the end: failures, and that a retry was asked for.
        let events: Value = sqlx::query_scalar(
            "select jsonb_agg(jsonb_build_array(event_type, message) order by created_at)
             from store_events where store_id = $1 and severity = 'info' and event_type <> 'retried'",
        )
        .bind(store)
        .fetch_one(&pool)
        .await
        .unwrap();
        let dump = json!({
            "store": row,
            "operation": [operation.status, operation.direction, operation.error_message],
            "steps": steps,
            "events": events,
            "cluster": self.cluster(&store_id).await,
        });
        serde_json::from_str(&dump.to_string().replace(&store_id, "store-id")).unwrap()
    }

    async fn residue(&self, operation: Uuid) -> Value {
        let pool = self.pool();
        let operation = operations::find(&pool, operation).await.unwrap().unwrap();
        let (store_id, status, error) = self.row(operation.subject_id).await;
        let active: i64 =
            sqlx::query_scalar("select count(*) from stores where status <> 'deleted'").fetch_one(&pool).await.unwrap();
        // Steps without an undo stay as they were: what they made goes with the namespace.
        let open: Vec<String> = sqlx::query_scalar(
            "select name || ' ' || status from operation_steps
             where operation_id = $1 and status not in ('pending', 'skipped', 'undone')
               and (status <> 'succeeded' or name = 'namespace')",
        )
        .bind(operation.id)
        .fetch_all(&pool)
        .await
        .unwrap();
        json!({
            "store": [status, error],
            "active": active,
            "operation": [operation.status, operation.direction, operation.error_message],
            "steps not taken back": open,
            "cluster": self.cluster(&store_id).await,
        })
    }
}
