//! The status of applications follows what is observed.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use northstack::app::background::{Changes, check_applications};

use crate::runtime::town::{Standing, Town};

async fn status(town: &Town, standing: &Standing) -> String {
    sqlx::query_scalar("select status from applications where id = $1")
        .bind(standing.id)
        .fetch_one(town.pool())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_lost_its_pods_is_degraded_until_it_serves_again() {
    let town = Town::with(true, |config| config.worker.unhealthy_after = Duration::ZERO).await;
    let app = &town.service.app;
    let api = town.deployed("api", "nginx:1").await;
    let web = town.deployed("web", "nginx:1").await;
    town.ready(&api).await;
    town.ready(&web).await;
    town.quiet().await;
    let before = town.writes().await;
    assert_eq!(check_applications(app).await.unwrap(), Changes::default());
    assert_eq!(town.writes().await, before, "what serves is not written to");

    let mut broken = api.desired(&town).deployment;
    broken.spec.template.spec.as_mut().unwrap().containers[0].image = Some("nginx:missing".to_owned());
    town.kubernetes.delete::<Deployment>(&api.target.namespace, "api").await.unwrap();
    town.until("its pods are gone", async || {
        let pods: Vec<Pod> = town.kubernetes.list(&api.target.namespace, &api.target.selector()).await.unwrap();
        pods.is_empty()
    })
    .await;
    town.kubernetes.apply(&api.target.namespace, &broken).await.unwrap();
    town.waiting(&api, "ImagePullBackOff").await;
    town.quiet().await;
    assert_eq!(check_applications(app).await.unwrap(), Changes { raised: vec![api.id], resolved: vec![] });
    assert_eq!(status(&town, &api).await, "degraded");
    assert_eq!(status(&town, &web).await, "running");
    let detail: String = sqlx::query_scalar("select detail from alerts").fetch_one(town.pool()).await.unwrap();
    assert!(detail.starts_with("api has 0 of 2 pods ready: ") && detail.contains("ImagePullBackOff"), "{detail}");
    let before = town.writes().await;
    assert_eq!(check_applications(app).await.unwrap(), Changes::default());
    assert_eq!(town.writes().await, before, "what is known is not written again");

    town.kubernetes.apply(&api.target.namespace, &api.desired(&town).deployment).await.unwrap();
    town.ready(&api).await;
    assert_eq!(check_applications(app).await.unwrap(), Changes { raised: vec![], resolved: vec![api.id] });
    assert_eq!(status(&town, &api).await, "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_without_pods_is_no_alarm_but_an_application_that_is_gone_is() {
    let town = Town::with(true, |config| config.worker.unhealthy_after = Duration::from_secs(3600)).await;
    let app = &town.service.app;
    let api = town.deployed("api", "nginx:missing").await;
    town.waiting(&api, "ImagePullBackOff").await;
    assert_eq!(check_applications(app).await.unwrap(), Changes::default());
    town.kubernetes.delete::<Deployment>(&api.target.namespace, "api").await.unwrap();
    assert_eq!(check_applications(app).await.unwrap().raised, [api.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_degraded_because_its_newest_deployment_failed_stays_so() {
    let town = Town::with(true, |config| config.worker.unhealthy_after = Duration::ZERO).await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    for statement in [
        "update applications set status = 'degraded' where id = $1",
        "insert into deployments (application_id, revision, status) values ($1, 2, 'failed')",
    ] {
        sqlx::query(statement).bind(api.id).execute(town.pool()).await.unwrap();
    }
    assert_eq!(check_applications(&town.service.app).await.unwrap(), Changes::default());
    assert_eq!(status(&town, &api).await, "degraded");
}
