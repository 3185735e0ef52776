//! A variable gets the value of a secret of its application or of its team, and of no other.

use northstack::domain::{Code, Error};
use northstack::workflow::testing::Bench;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, refused};
use crate::secrets::{in_cluster, point, set, town};

async fn bind(world: &World, user: Uuid, application: Uuid, secret: Uuid) -> Value {
    let name = format!("N{}", Uuid::new_v4().simple());
    let object = json!({ "application_id": application, "name": name, "secret_id": secret });
    world.insert(user, "environment_variables", object).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_names_a_secret_of_its_application_or_its_team() {
    let world = World::new().await;
    let (a, b) = (world.a, world.b);
    for (application, secret) in
        [(b.application, a.secret), (a.application, b.secret), (b.other, a.own_secret), (a.application, a.own_secret)]
    {
        let answer = bind(&world, b.owner, application, secret).await;
        let nothing = bind(&world, b.owner, application, Uuid::new_v4()).await;
        assert!(refused(&answer), "{answer}");
        assert_eq!(answer["errors"][0]["message"], nothing["errors"][0]["message"], "one that is not there");
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains("secret_id: "), "{answer}");
    }
    for (application, secret) in [(b.application, b.secret), (b.other, b.own_secret), (a.other, a.own_secret)] {
        let answer = bind(&world, b.owner, application, secret).await;
        assert!(!refused(&answer), "{answer}");
    }
    // A plain one becomes a secret's only within its place.
    let plain = json!({ "application_id": b.application, "name": "PLAIN", "value": "v" });
    assert!(!refused(&world.insert(b.owner, "environment_variables", plain).await));
    let id: Uuid = sqlx::query_scalar("select id from environment_variables where name = 'PLAIN'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    for (secret, allowed) in [(a.secret, false), (b.own_secret, false), (b.secret, true)] {
        let set = json!({ "value": null, "secret_id": secret });
        let answer = world.update(b.owner, "environment_variables", id, set).await;
        assert_eq!(!refused(&answer), allowed, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_being_deleted_is_bound_to_nothing() {
    let world = World::new().await;
    let mut deletion = world.pool.begin().await.unwrap();
    let lock = "select id from secrets where id = $1 for update";
    sqlx::query(lock).bind(world.b.secret).execute(&mut *deletion).await.unwrap();
    sqlx::query("update secrets set deleted_at = now() where id = $1")
        .bind(world.b.secret)
        .execute(&mut *deletion)
        .await
        .unwrap();
    let (answer, ()) = tokio::join!(bind(&world, world.b.owner, world.b.application, world.b.secret), async {
        let waits = "select count(*) from pg_stat_activity
                     where datname = current_database() and wait_event_type = 'Lock'";
        while world.count(waits).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        deletion.commit().await.unwrap();
    });
    assert!(refused(&answer), "{answer}");
}

/// Puts a binding, or a secret, where the database would refuse it.
async fn force(town: &crate::deployments::bench::Town, statement: &'static str, values: &[Uuid]) {
    let mut tx = town.pool().begin().await.unwrap();
    sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
    let mut query = sqlx::query(statement);
    for value in values {
        query = query.bind(*value);
    }
    query.execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strange_secret_is_refused_at_deployment_preview_and_rollback_and_opened_by_no_worker() {
    let town = town().await;
    let app = town.application("api", json!({})).await;
    let (secret, _) = set(&town, "db-password", "canary").await;
    point(&town, app, json!({ "DB": "db-password" })).await;
    let first = town.deploy(app, "nginx:1").await;
    assert_eq!(town.finish(first.operation).await, "succeeded");
    assert_eq!(in_cluster(&town, app).await.len(), 1);

    // The next is asked for while the secret is the team's, and begun when it is another's.
    let second = town.deploy(app, "nginx:2").await;
    let other = town.service.register("other@example.com").await;
    let other: Uuid = sqlx::query_scalar("select team_id from team_members where user_id = $1")
        .bind(other["userId"].as_str().unwrap().parse::<Uuid>().unwrap())
        .fetch_one(&town.pool())
        .await
        .unwrap();
    force(&town, "update secrets set team_id = $1 where id = $2", &[other, secret]).await;
    assert_eq!(town.finish(second.operation).await, "failed");
    let detail = town.detail(second.operation).await;
    assert!(detail.contains("DB: the secret db-password is deleted, or not"), "{detail}");
    assert_eq!(in_cluster(&town, app).await.len(), 1, "no Secret was written for the second revision");

    let is_refused = |error: Error| {
        assert_eq!((error.code(), error.field()), (Code::InvalidInput, Some("variables.DB")), "{error:?}");
    };
    let new = northstack::app::deployments::NewDeployment::default();
    is_refused(town.service.app.deploy_application(&town.caller, app, &new, None).await.unwrap_err());
    let preview = northstack::app::previews::NewPreview { name: "pr".to_owned(), ..Default::default() };
    is_refused(town.service.app.create_preview(&town.caller, app, &preview, None).await.unwrap_err());
    let back = town.rollback(app, Some(1)).await;
    assert!(back.not_restored.iter().any(|line| line.contains("db-password")), "{:?}", back.not_restored);
    assert_eq!(town.finish(back.deployment.operation).await, "succeeded");
    let standing = in_cluster(&town, app).await;
    let revision = format!("-{}", town.text("deployments", "revision", back.deployment.deployment).await.unwrap());
    assert!(
        standing.iter().all(|secret| !secret.metadata.name.as_deref().unwrap().ends_with(&revision)),
        "the restored revision has no secret"
    );

    // Another application's own secret is as strange as another team's. (The rollback has taken the variable away.)
    let bind = "insert into environment_variables (application_id, name, secret_id) values ($1, 'DB', $2)";
    force(&town, bind, &[app, secret]).await;
    let neighbour = town.application("neighbour", json!({})).await;
    force(
        &town,
        "update secrets set application_id = $1, team_id = (select team_id from projects p join applications a
           on a.project_id = p.id where a.id = $1) where id = $2",
        &[neighbour, secret],
    )
    .await;
    is_refused(town.service.app.deploy_application(&town.caller, app, &new, None).await.unwrap_err());

    // Whoever deletes it is told of their own team's variables alone.
    force(&town, "update secrets set application_id = null, team_id = $1 where id = $2", &[other, secret]).await;
    let owner: Uuid = sqlx::query_scalar("select user_id from team_members where team_id = $1")
        .bind(other)
        .fetch_one(&town.pool())
        .await
        .unwrap();
    let session = crate::secrets::session(&json!(owner));
    let answer = town.service.action("deleteSecret", json!({ "id": secret }), session).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
}
