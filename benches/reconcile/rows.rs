//! The rows of many applications, each with a revision that runs.

use northstack::domain::workload::{Image, Resources, Settings, Strategy, Workload};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::cluster::Place;

/// What every application runs.
pub fn workload() -> Workload {
    Workload {
        revision: 1,
        image: Image::parse("image", "nginx:1").unwrap(),
        commit: None,
        port: 8080,
        replicas: 1,
        resources: Resources::read(&json!({})).unwrap(),
        variables: [("LOG_LEVEL".to_owned(), "info".to_owned())].into(),
        secrets: Default::default(),
        strategy: Strategy::Rolling,
        settings: Settings::default(),
    }
}

/// Writes the rows; gives a user who owns them all. Triggers are left out: the rows are as they leave them.
pub async fn seed(pool: &PgPool, places: &[Place]) -> Uuid {
    let user: Uuid = sqlx::query_scalar(
        "insert into users (email, name, password_hash) values ('bench@example.com', 'Bench', 'x') returning id",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    let team: Uuid = sqlx::query_scalar("insert into teams (name, slug) values ('Bench', 'bench') returning id")
        .fetch_one(pool)
        .await
        .unwrap();
    sqlx::query("insert into team_members (team_id, user_id, role) values ($1, $2, 'owner')")
        .bind(team)
        .bind(user)
        .execute(pool)
        .await
        .unwrap();
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
    let ids: Vec<Uuid> = places.iter().map(|place| place.id).collect();
    let projects: Vec<Uuid> = places.iter().map(|place| place.project).collect();
    let names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
    let namespaces: Vec<&str> = places.iter().map(|place| place.namespace.as_str()).collect();
    sqlx::query("insert into projects (id, team_id, name) select distinct p, $2, p::text from unnest($1::uuid[]) p")
        .bind(&projects)
        .bind(team)
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query(
        "insert into applications (id, project_id, name, image, replicas, status, namespace, workload, heal_drift)
         select id, project, name, 'nginx:1', 1, 'running', namespace, name, true
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as a (id, project, name, namespace)",
    )
    .bind(&ids)
    .bind(&projects)
    .bind(&names)
    .bind(&namespaces)
    .execute(&mut *tx)
    .await
    .unwrap();
    let runs = workload();
    sqlx::query(
        "insert into deployments (application_id, revision, strategy, image, status)
         select id, 1, 'rolling', 'nginx:1', 'running' from unnest($1::uuid[]) id",
    )
    .bind(&ids)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "insert into deployment_revisions
           (application_id, deployment_id, number, image, environment, secret_versions, replicas, resources, strategy,
            port, settings)
         select application_id, id, 1, image, $1, '{}', 1, $2, 'rolling', 8080, $3 from deployments",
    )
    .bind(serde_json::to_value(&runs.variables).unwrap())
    .bind(serde_json::to_value(&runs.resources).unwrap())
    .bind(serde_json::to_value(&runs.settings).unwrap())
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    sqlx::query("analyze").execute(pool).await.unwrap();
    user
}
