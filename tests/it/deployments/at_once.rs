//! Requests about one preview environment in the same moment.

use futures::future::join_all;
use northstack::app::previews::NewPreview;
use northstack::workflow::flows::application;
use northstack::workflow::testing::Bench;
use serde_json::json;

use super::bench::Town;
use crate::stores::at_once::waiting_for_locks;

#[tokio::test(flavor = "multi_thread")]
async fn deletions_of_one_preview_are_one_deletion() {
    let town = Town::new(application::ROLLING).await;
    let id = town.application("api", json!({ "image": "nginx:1" })).await;
    let new = NewPreview { name: "pr-1".to_owned(), image: Some("nginx:1".to_owned()), ..NewPreview::default() };
    let made = town.service.app.create_preview(&town.caller, id, &new, None).await.unwrap();
    assert_eq!(town.finish(made.operation).await, "succeeded");
    let mut held = town.pool().begin().await.unwrap();
    let lock = "select 1 from preview_environments where id = $1 for update";
    sqlx::query(lock).bind(made.preview).execute(&mut *held).await.unwrap();
    let deletions = join_all((0..4).map(|_| town.service.app.delete_preview(&town.caller, made.preview, None)));
    let (deletions, ()) = tokio::join!(deletions, async {
        waiting_for_locks(&town.pool(), 4).await;
        held.rollback().await.unwrap();
    });
    let deletions: Vec<_> = deletions.into_iter().map(Result::unwrap).collect();
    assert!(deletions.iter().all(|deletion| *deletion == deletions[0]), "{deletions:?}");
    let again = town.service.app.delete_preview(&town.caller, made.preview, None).await.unwrap();
    assert_eq!(again, deletions[0], "and a later one is the first as well");
    assert_eq!(town.finish(deletions[0].operation).await, "succeeded");
    assert_eq!(town.text("preview_environments", "status", made.preview).await.as_deref(), Some("deleted"));
}
