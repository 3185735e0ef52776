//! A canonical account of all that an application or a preview consists of.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service as KubernetesService};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use northstack::db::operations;
use northstack::vendors::kubernetes::HttpRoute;
use northstack::workflow::flows::application::preview;
use northstack::workflow::testing::Bench;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Town;

impl Town {
    /// All that an operation left behind, with its steps where they count.
    pub(super) async fn account(&self, operation: Uuid, steps: Option<Value>) -> Value {
        let found = operations::find(&self.pool(), operation).await.unwrap().unwrap();
        let id = found.subject_id;
        let (namespace, rows) = if found.subject_type == preview::SUBJECT {
            let namespace = self.text("preview_environments", "namespace", id).await.unwrap();
            let stands = self.kubernetes.namespace(&namespace).await.unwrap().is_some();
            (namespace, json!([stands, self.preview_row(id).await]))
        } else {
            (self.namespace(id).await, self.rows(id, found.status.as_str()).await)
        };
        let mut account = json!({
            "rows": rows,
            "operation": [found.status, found.error_message],
            "cluster": self.objects(&namespace, id).await,
        });
        if let Some(steps) = steps {
            account["steps"] = steps;
        }
        // Nobody looks at it any more: what a world keeps makes its next runs slower.
        self.kubernetes.delete_namespace(&namespace).await.unwrap();
        without(&account, &[operation, id], &namespace)
    }

    /// Everything of an application in the cluster, without what differs from run to run.
    pub async fn cluster(&self, application: Uuid) -> Value {
        self.objects(&self.namespace(application).await, application).await
    }

    async fn objects(&self, namespace: &str, application: Uuid) -> Value {
        let selector = format!("northstack.dev/application={application}");
        let pods: Vec<Pod> = self.kubernetes.list(namespace, &selector).await.unwrap();
        let mut pods: Vec<Value> = pods
            .iter()
            .map(|pod| {
                let (spec, status) = (pod.spec.as_ref().unwrap(), pod.status.as_ref().unwrap());
                let labels = pod.metadata.labels.as_ref().unwrap();
                json!([
                    labels["northstack.dev/revision"],
                    labels["northstack.dev/track"],
                    labels["northstack.dev/colour"],
                    spec.containers[0].image,
                    status.phase,
                    pod.metadata.deletion_timestamp.is_some(),
                ])
            })
            .collect();
        pods.sort_by_key(Value::to_string);
        json!({
            "deployments": self.plain::<Deployment>(namespace, &selector).await,
            "services": self.plain::<KubernetesService>(namespace, &selector).await,
            "ingresses": self.plain::<Ingress>(namespace, &selector).await,
            "routes": self.plain::<HttpRoute>(namespace, &selector).await,
            "autoscalers": self.plain::<HorizontalPodAutoscaler>(namespace, &selector).await,
            "budgets": self.plain::<PodDisruptionBudget>(namespace, &selector).await,
            "configuration": self.plain::<ConfigMap>(namespace, &selector).await,
            "secrets": self.plain::<Secret>(namespace, &selector).await,
            "pods": pods,
        })
    }

    /// The objects of a kind without what the server assigns.
    async fn plain<K>(&self, namespace: &str, selector: &str) -> Vec<Value>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + k8s_openapi::Metadata
            + serde::Serialize
            + serde::de::DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let objects: Vec<K> = self.kubernetes.list(namespace, selector).await.unwrap();
        let mut objects: Vec<Value> = objects.iter().map(|object| serde_json::to_value(object).unwrap()).collect();
        for object in &mut objects {
            let metadata = object["metadata"].as_object_mut().unwrap();
            for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"] {
                metadata.remove(field);
            }
            // The cluster's own count of templates, which retries may raise.
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove("deployment.kubernetes.io/revision");
            }
            object.as_object_mut().unwrap().remove("status");
            if let Some(spec) = object["spec"].as_object_mut() {
                for field in ["clusterIP", "clusterIPs"] {
                    spec.remove(field);
                }
            }
        }
        objects.sort_by_key(|object| object["metadata"]["name"].to_string());
        objects
    }

    /// The rows of an application, its deployments and its variables, without ids and times.
    async fn rows(&self, application: Uuid, operation: &str) -> Value {
        let mut rows: Value = sqlx::query_scalar(
            "select jsonb_build_object(
               'application', jsonb_build_array(a.status, a.url, a.image, a.replicas, a.settings),
               'deployments', (select jsonb_agg(jsonb_build_array(revision, status, image, error, restored_revision,
                   started_at is not null, finished_at is not null) order by revision)
                 from deployments d where d.application_id = a.id),
               'variables', (select jsonb_object_agg(name, value) from environment_variables v
                 where v.application_id = a.id and v.deleted_at is null))
             from applications a where a.id = $1",
        )
        .bind(application)
        .fetch_one(&self.pool())
        .await
        .unwrap();
        // A deployment that was taken back has begun or has not: that is its history, and nothing that is left.
        if operation == "cancelled" {
            for deployment in rows["deployments"].as_array_mut().unwrap() {
                if deployment[1] == "cancelled" {
                    deployment[5] = Value::Null;
                }
            }
        }
        rows
    }

    /// A preview's row, without ids and times.
    async fn preview_row(&self, preview: Uuid) -> Value {
        sqlx::query_scalar(
            "select jsonb_build_array(status, url, error, image, overrides, deleted_at is not null)
             from preview_environments where id = $1",
        )
        .bind(preview)
        .fetch_one(&self.pool())
        .await
        .unwrap()
    }
}

/// The same without the ids of one run.
fn without(value: &Value, ids: &[Uuid], namespace: &str) -> Value {
    let mut text = value.to_string().replace(namespace, "namespace");
    for id in ids {
        text = text.replace(&id.to_string(), "id").replace(&id.simple().to_string()[..10], "id");
    }
    // That of an application is another one in each run, so that no two share a namespace.
    if let Some(environment) = namespace.strip_prefix("env-").and_then(|rest| rest.split('-').next()) {
        text = text.replace(environment, "environment");
    }
    serde_json::from_str(&text).unwrap()
}
