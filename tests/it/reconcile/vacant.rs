//! Namespaces that nobody lives in any more.

use northstack::app::background::find_vacant;

use crate::runtime::town::Town;

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_without_applications_is_reported_and_left_alone() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    let namespace = &api.target.namespace;
    assert!(find_vacant(&town.service.app).await.unwrap().is_empty());
    let forget = "update applications set deleted_at = now() where id = $1";
    sqlx::query(forget).bind(api.id).execute(town.pool()).await.unwrap();
    assert_eq!(find_vacant(&town.service.app).await.unwrap(), std::slice::from_ref(namespace));
    let title = "A namespace without applications is still there".to_owned();
    assert_eq!(town.alerts().await, [(title.clone(), api.target.project, false)]);
    assert!(town.stands(namespace).await, "it is left alone");
    let before = town.writes().await.0;
    find_vacant(&town.service.app).await.unwrap();
    assert_eq!(town.writes().await.0, before, "what is told already is not written again");
    town.kubernetes.delete_namespace(namespace).await.unwrap();
    assert!(find_vacant(&town.service.app).await.unwrap().is_empty());
    assert_eq!(town.alerts().await, [(title, api.target.project, true)]);
}
