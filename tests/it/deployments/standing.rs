//! Applications that stand as deployments leave them, without the deployments: for those who look at what comes next.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use northstack::db::deployments;
use northstack::domain::DeploymentStatus;
use northstack::domain::workload::{Image, Resources, Settings, Strategy, Workload, names};
use northstack::vendors::kubernetes::rolled_out;
use northstack::workflow::flows::application::names::Colour;
use northstack::workflow::flows::application::{Target, desired};
use northstack::workflow::testing::Bench;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Town;

impl Town {
    /// An application in an environment of its own with a revision for each image, of which the last one runs.
    pub async fn standing(&self, settings: Value, images: &[&str]) -> Uuid {
        let environment = format!("e{}", &Uuid::new_v4().simple().to_string()[..8]);
        let namespace = names::namespace(self.project, &environment);
        let columns = json!({
            "settings": settings, "image": images.last(), "environment": environment, "namespace": namespace,
            "workload": "api", "status": "running",
        });
        let id = self.application("api", columns).await;
        let target = Target { application: id, project: self.project, environment, namespace, workload: "api".into() };
        let mut last = None;
        for (before, image) in images.iter().enumerate() {
            let workload = Workload {
                revision: i32::try_from(before).unwrap() + 1,
                image: Image::parse("image", image).unwrap(),
                commit: None,
                port: 8080,
                replicas: 2,
                resources: Resources::read(&json!({})).unwrap(),
                variables: Default::default(),
                secrets: Default::default(),
                strategy: Strategy::Rolling,
                settings: Settings::read(&settings).unwrap(),
            };
            self.ran(id, &workload).await;
            last = Some(workload);
        }
        let (workload, settings) = (last.unwrap(), &self.service.config.applications);
        let url = sqlx::query("update applications set url = $2 where id = $1").bind(id);
        url.bind(target.url(settings, &workload)).execute(&self.pool()).await.unwrap();
        let wanted = desired::desired(settings, &target, &workload, Colour::Blue, None).unwrap();
        desired::apply(&self.kubernetes, &target, &wanted).await.unwrap();
        let begun = Instant::now();
        loop {
            let found: Option<Deployment> = self.kubernetes.get(&target.namespace, "api").await.unwrap();
            if rolled_out(&found.unwrap()).complete {
                return id;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "an application's pods become ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The rows of a deployment that has succeeded.
    async fn ran(&self, application: Uuid, workload: &Workload) {
        let new = deployments::Insert {
            application_id: application,
            workload,
            requested_by: None,
            restored_revision: None,
            progress: &json!({}),
            build: None,
        };
        let mut db = self.pool().acquire().await.unwrap();
        let deployment = deployments::insert(&mut db, &new).await.unwrap();
        for status in [DeploymentStatus::Deploying, DeploymentStatus::Running] {
            assert!(deployments::move_to(&mut db, deployment, status, None).await.unwrap());
        }
        deployments::replace(&mut db, application, deployment, DeploymentStatus::Superseded).await.unwrap();
    }
}
