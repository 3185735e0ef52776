//! Two teams with one row of each kind, and people of every standing.

use std::path::Path;
use std::sync::Arc;

use northstack::engine::{Engine, EngineOptions, MetadataSource, Request, Session};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::engine::ask;
use crate::engine::introspected::Sdl;
use crate::support::database;

/// A team with one row of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Team {
    pub id: Uuid,
    pub owner: Uuid,
    pub project: Uuid,
    pub cluster: Uuid,
    pub application: Uuid,
    /// A second application of the same project.
    pub other: Uuid,
    /// A secret of the whole team.
    pub secret: Uuid,
    /// A secret of `other` alone.
    pub own_secret: Uuid,
}

/// Team A of Alice, team B of Bob, who is a developer in A too, and Eve, who has a team in which there is nothing.
pub struct World {
    pub pool: PgPool,
    pub engine: Engine,
    pub a: Team,
    pub b: Team,
    pub eve: Uuid,
}

impl World {
    pub async fn new() -> Self {
        let pool = PgPool::connect_with(database().await).await.unwrap();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("hasura/metadata");
        let options = EngineOptions::new(pool.clone(), MetadataSource::Directory(directory));
        let remote = include_str!("../../../hasura/remote-schema.graphql").to_owned();
        let engine = Engine::start(&options, Arc::new(Sdl(remote))).await.unwrap();
        let a = team(&pool, "alice").await;
        let b = team(&pool, "bob").await;
        let eve = person(&pool, "eve").await;
        let world = Self { pool, engine, a, b, eve };
        world.join(world.a.id, world.b.owner, "developer").await;
        let of_eve = one(&world.pool, "insert into teams (name, slug) values ($1, $1) returning id", &["eve"]).await;
        world.join(of_eve, world.eve, "owner").await;
        world
    }

    /// Makes a person a member.
    pub async fn join(&self, team: Uuid, user: Uuid, role: &str) {
        join(&self.pool, team, user, role).await;
    }

    /// What a person is answered.
    pub async fn ask(&self, user: Uuid, document: &str, variables: Value) -> Value {
        let user = user.to_string();
        let session = Session::new("user", [("x-hasura-user-id", user.as_str())]);
        ask(&self.engine, &session, &Request::new(document).with_variables(variables)).await
    }

    /// What the administrator is answered.
    pub async fn administer(&self, document: &str, variables: Value) -> Value {
        ask(&self.engine, &Session::admin(), &Request::new(document).with_variables(variables)).await
    }

    /// Inserts one object as a person.
    pub async fn insert(&self, user: Uuid, table: &str, object: Value) -> Value {
        let document = format!(
            "mutation ($object: {table}_insert_input!) {{ insert_{table}_one(object: $object) {{ __typename }} }}"
        );
        self.ask(user, &document, json!({ "object": object })).await
    }

    /// Changes one row as a person.
    pub async fn update(&self, user: Uuid, table: &str, id: Uuid, set: Value) -> Value {
        let document = format!(
            "mutation ($id: uuid!, $set: {table}_set_input!) {{
               update_{table}(where: {{ id: {{ _eq: $id }} }}, _set: $set) {{ affected_rows }} }}"
        );
        self.ask(user, &document, json!({ "id": id, "set": set })).await
    }

    /// A person of one's own.
    pub async fn person(&self, name: &str) -> Uuid {
        person(&self.pool, name).await
    }

    /// Another team with one row of each kind.
    pub async fn team(&self, name: &str) -> Team {
        team(&self.pool, name).await
    }

    /// How many rows a query counts.
    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }
}

/// Whether an answer is an error, or says that no row was touched.
pub fn refused(answer: &Value) -> bool {
    answer["errors"].is_array()
        || answer["data"].as_object().is_some_and(|data| data.values().all(|field| field["affected_rows"] == 0))
}

async fn one(pool: &PgPool, query: &'static str, values: &[&str]) -> Uuid {
    let mut query = sqlx::query_scalar(query);
    for value in values {
        query = query.bind(value.to_string());
    }
    query.fetch_one(pool).await.unwrap()
}

async fn person(pool: &PgPool, name: &str) -> Uuid {
    one(pool, "insert into users (email, name) values ($1 || '@example.com', $1) returning id", &[name]).await
}

async fn join(pool: &PgPool, team: Uuid, user: Uuid, role: &str) {
    let query = sqlx::query("insert into team_members (team_id, user_id, role) values ($1, $2, $3)");
    query.bind(team).bind(user).bind(role).execute(pool).await.unwrap();
}

async fn team(pool: &PgPool, name: &str) -> Team {
    let owner = person(pool, name).await;
    let id = one(pool, "insert into teams (name, slug) values ($1, $1) returning id", &[name]).await;
    join(pool, id, owner, "owner").await;
    let text = id.to_string();
    let in_team = |query: &'static str| {
        let text = text.clone();
        async move { one(pool, query, &[&text]).await }
    };
    let project = in_team("insert into projects (team_id, name) values ($1::uuid, 'shop') returning id").await;
    let cluster =
        in_team("insert into clusters (team_id, name, provider) values ($1::uuid, 'main', 'simulated') returning id")
            .await;
    let application = "insert into applications (project_id, name) values ($1::uuid, $2) returning id";
    let (first, other) = (
        one(pool, application, &[&project.to_string(), "first"]).await,
        one(pool, application, &[&project.to_string(), "other"]).await,
    );
    let secret = "insert into secrets (team_id, application_id, name, ciphertext, nonce, wrapped_key, key_id)
                  values ($1::uuid, nullif($2, '')::uuid, $3, 'c', 'n', 'w', 'k') returning id";
    let own = other.to_string();
    let (whole, own_secret) =
        (one(pool, secret, &[&text, "", "whole"]).await, one(pool, secret, &[&text, &own, "own"]).await);
    Team { id, owner, project, cluster, application: first, other, secret: whole, own_secret }
}
