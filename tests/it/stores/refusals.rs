//! What creating and changing a store refuses, and what it gives again. No worker runs, and no cluster is asked.

use northstack::app::stores::NewStore;
use northstack::domain::{Code, Error};
use serde_json::json;

use super::bench::Town;
use crate::workflow::operators::admin;
use northstack::workflow::flows::store;
use northstack::workflow::testing::Bench;

fn named(name: &str) -> NewStore {
    NewStore { name: name.to_owned(), kind: None, team_id: None, idempotency_key: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_types_and_teams_are_checked() {
    let town = Town::new(store::CREATE).await;
    let app = &town.service.app;
    let refused = async |new: NewStore| app.create_store(&town.caller, &new).await.unwrap_err();
    let at = |error: &Error| (error.code(), error.field().map(str::to_owned));
    for name in ["", " x ", "a\nb", &"x".repeat(101)] {
        assert_eq!(at(&refused(named(name)).await), (Code::InvalidInput, Some("name".to_owned())), "{name:?}");
    }
    let medusa = NewStore { kind: Some("medusajs".to_owned()), ..named("My Shop") };
    assert_eq!(at(&refused(medusa).await), (Code::InvalidInput, Some("type".to_owned())));
    let elsewhere = NewStore { team_id: Some(uuid::Uuid::new_v4()), ..named("My Shop") };
    assert_eq!(refused(elsewhere).await.code(), Code::NotFound);
    town.create("My Shop").await;
    assert_eq!(refused(named("My Shop")).await.code(), Code::AlreadyExists);

    let team: uuid::Uuid = sqlx::query_scalar("select team_id from stores").fetch_one(&town.pool()).await.unwrap();
    // A team keeps an owner.
    let owner =
        town.service.register("owner@example.com").await["userId"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
    let join = "insert into team_members (team_id, user_id, role) values ($1, $2, 'owner')";
    sqlx::query(join).bind(team).bind(owner).execute(&town.pool()).await.unwrap();
    let demote = "update team_members set role = 'viewer' where team_id = $1 and user_id <> $2";
    sqlx::query(demote).bind(team).bind(owner).execute(&town.pool()).await.unwrap();
    let viewer = NewStore { team_id: Some(team), ..named("Another") };
    assert_eq!(refused(viewer).await.code(), Code::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_teams_are_no_more_stores_without_end() {
    let town = Town::new(store::CREATE).await;
    let (app, pool) = (&town.service.app, town.pool());
    sqlx::query("update row_limits set most = 3 where name = 'user.stores'").execute(&pool).await.unwrap();
    sqlx::query("update teams set store_limit = 2").execute(&pool).await.unwrap();
    let second =
        "with made as (insert into teams (name, slug, store_limit, created_by) values ('2', 'two', 2, $1) returning id)
                  insert into team_members (team_id, user_id, role) select id, $1, 'owner' from made returning team_id";
    let second: uuid::Uuid =
        sqlx::query_scalar(second).bind(town.caller.actor.user_id()).fetch_one(&pool).await.unwrap();
    let first: uuid::Uuid =
        sqlx::query_scalar("select id from teams where id <> $1").bind(second).fetch_one(&pool).await.unwrap();
    let make =
        async |team, name| app.create_store(&town.caller, &NewStore { team_id: Some(team), ..named(name) }).await;
    make(first, "One").await.unwrap();
    make(first, "Two").await.unwrap();
    let both = tokio::join!(make(second, "Three"), make(second, "Four"));
    let refused = match both {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        other => panic!("one of them is the third: {other:?}"),
    };
    assert_eq!(refused.code(), Code::StoreLimitReached);
    assert!(refused.message().contains("have 3 active stores together"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_requests_at_once_cannot_both_be_the_tenth() {
    let town = Town::new(store::CREATE).await;
    for number in 1..10 {
        town.create(&format!("Shop {number}")).await;
    }
    let new = [named("Tenth"), named("Eleventh")];
    let both = futures::future::join_all(new.iter().map(|it| town.service.app.create_store(&town.caller, it))).await;
    let refused: Vec<_> = both.iter().filter_map(|made| made.as_ref().err()).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].code(), Code::StoreLimitReached);
    assert_eq!(refused[0].code().http_status(), 429);
    let stores: i64 = sqlx::query_scalar("select count(*) from stores").fetch_one(&town.pool()).await.unwrap();
    assert_eq!(stores, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_first_store_and_refuses_another_request() {
    let town = Town::new(store::CREATE).await;
    let session = json!({ "x-hasura-role": "user", "x-hasura-user-id": town.caller.actor.user_id() });
    let create = async |name: &str, key: &str| {
        let input = json!({ "name": name, "type": "woocommerce", "idempotencyKey": key });
        town.service.action("createStore", input, session.clone()).await
    };
    let (first, second) = tokio::join!(create("My Shop", "k"), create("My Shop", "k"));
    assert_eq!(first.json()["operationId"], second.json()["operationId"], "{} {}", first.text, second.text);
    assert_eq!(create("Other", "k").await.code(), "idempotency-conflict");
    let stores: i64 = sqlx::query_scalar("select count(*) from stores").fetch_one(&town.pool()).await.unwrap();
    assert_eq!(stores, 1);

    let id = first.json()["storeId"].clone();
    let delete =
        async || town.service.action("deleteStore", json!({ "id": id, "idempotencyKey": "d" }), session.clone()).await;
    let (gone, again) = (delete().await, delete().await);
    assert_eq!(gone.json()["operationId"], again.json()["operationId"], "{} {}", gone.text, again.text);
    assert_ne!(gone.json()["operationId"], first.json()["operationId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stands_for_one_request_whatever_the_action() {
    let town = Town::new(store::CREATE).await;
    let session = json!({ "x-hasura-role": "user", "x-hasura-user-id": town.caller.actor.user_id() });
    let ask = async |action: &str, input: serde_json::Value| town.service.action(action, input, session.clone()).await;
    let first = town.create("First").await;
    let second = town.create("Second").await;
    sqlx::query("update stores set status = 'failed'").execute(&town.pool()).await.unwrap();
    sqlx::query("update operations set status = 'failed'").execute(&town.pool()).await.unwrap();

    let retry =
        async |store: uuid::Uuid, key: &str| ask("retryStore", json!({ "id": store, "idempotencyKey": key })).await;
    let (one, again) = tokio::join!(retry(first.store, "r"), retry(first.store, "r"));
    assert_eq!(one.json()["operationId"], json!(first.operation), "{}", one.text);
    assert_eq!(again.json(), one.json());
    // The store has moved on since: the key still gives what it gave.
    sqlx::query("update stores set status = 'ready'").execute(&town.pool()).await.unwrap();
    sqlx::query("update operations set status = 'succeeded'").execute(&town.pool()).await.unwrap();
    assert_eq!(retry(first.store, "r").await.json(), one.json());
    assert_eq!(retry(first.store, "other").await.code(), "illegal-transition");
    assert_eq!(retry(second.store, "r").await.code(), "idempotency-conflict");
    for (action, input) in [
        ("deleteStore", json!({ "id": first.store, "idempotencyKey": "r" })),
        ("createStore", json!({ "name": "Third", "idempotencyKey": "r" })),
    ] {
        assert_eq!(ask(action, input).await.code(), "idempotency-conflict", "{action}");
    }
    let gone = ask("deleteStore", json!({ "id": first.store, "idempotencyKey": "d" })).await;
    assert_eq!(ask("deleteStore", json!({ "id": first.store, "idempotencyKey": "d" })).await.json(), gone.json());
    assert_eq!(retry(second.store, "d").await.code(), "idempotency-conflict");
    let other = town.service.register("bob@example.com").await;
    let bob = json!({ "x-hasura-role": "user", "x-hasura-user-id": other["userId"] });
    let his = town.service.action("createStore", json!({ "name": "His", "idempotencyKey": "r" }), bob).await;
    assert_eq!(his.status.as_u16(), 200, "another person's key is another key: {}", his.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_too_many_stores_is_told_when_to_ask_again() {
    let town = Town::with(store::CREATE, |config| {
        config.rate_limits.enabled = true;
        config.rate_limits.store_creations = 2;
    })
    .await;
    let session = json!({ "x-hasura-role": "user", "x-hasura-user-id": town.caller.actor.user_id() });
    let create = async |name: &str, key: &str| {
        let input = json!({ "name": name, "idempotencyKey": key });
        town.service.action("createStore", input, session.clone()).await
    };
    let first = create("One", "1").await;
    assert_eq!(create("Two", "2").await.status.as_u16(), 200);
    let refused = create("Three", "3").await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "rate-limited"), "{}", refused.text);
    let wait = refused.json()["extensions"]["retryAfter"].as_u64().unwrap();
    assert!((1..=60).contains(&wait), "{}", refused.text);
    assert_eq!(refused.json()["message"], json!(format!("too many new stores; try again in {wait} seconds")));
    assert_eq!(create("One", "1").await.json(), first.json(), "the same request again is not counted");

    let other = town.service.register("bob@example.com").await;
    let bob = json!({ "x-hasura-role": "user", "x-hasura-user-id": other["userId"] });
    let his = town.service.action("createStore", json!({ "name": "His" }), bob).await;
    assert_eq!(his.status.as_u16(), 200, "another person's stores are counted apart: {}", his.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_finds_nothing() {
    let town = Town::new(store::CREATE).await;
    let made = town.create("My Shop").await;
    let other = town.service.register("bob@example.com").await;
    let session = json!({ "x-hasura-role": "user", "x-hasura-user-id": other["userId"] });
    for (action, input) in [
        ("retryStore", json!({ "id": made.store })),
        ("deleteStore", json!({ "id": made.store })),
        ("revealStoreCredentials", json!({ "id": made.store })),
        ("retryOperation", json!({ "id": made.operation })),
        ("cancelOperation", json!({ "id": made.operation })),
    ] {
        let answer = town.service.action(action, input, session.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not-found"), "{action}");
    }
    let anonymous = json!({ "x-hasura-role": "anonymous" });
    let answer = town.service.action("createStore", json!({ "name": "My Shop" }), anonymous).await;
    assert!(["unauthenticated", "invalid-input"].contains(&answer.code().as_str()), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_a_deletion_has_overtaken_is_neither_run_again_nor_taken_back_by_anybody() {
    let town = Town::new(store::CREATE).await;
    let app = &town.service.app;
    let made = town.create("My Shop").await;
    let failed = "update operations set status = 'failed' where id = $1";
    sqlx::query("update stores set status = 'failed'").execute(&town.pool()).await.unwrap();
    sqlx::query(failed).bind(made.operation).execute(&town.pool()).await.unwrap();
    let deletion = town.delete(made.store).await;
    let database = town.pool().connect_options();
    let by_admin = |id: uuid::Uuid| admin(&database, &["retry", &id.to_string()]);
    let status = async |id: uuid::Uuid| {
        let status = sqlx::query_scalar::<_, String>("select status from operations where id = $1").bind(id);
        status.fetch_one(&town.pool()).await.unwrap()
    };

    let overtaken = "a newer operation took the place of this one";
    for refused in [
        app.retry_operation(&town.caller, made.operation, None).await.unwrap_err(),
        app.cancel_operation(&town.caller, made.operation, None).await.unwrap_err(),
    ] {
        assert_eq!((refused.code(), refused.message()), (Code::IllegalTransition, overtaken));
    }
    let said = by_admin(made.operation).unwrap_err();
    assert!(said.contains(overtaken), "{said}");
    assert_eq!((status(made.operation).await, town.row(made.store).await.1), ("failed".into(), "deleting".into()));

    // One that is open is left at that, and one that has succeeded is refused, by the same words.
    assert_eq!(app.retry_operation(&town.caller, deletion.operation, None).await.unwrap(), deletion.operation);
    assert_eq!(by_admin(deletion.operation).unwrap()["message"], "is being worked on already");
    let succeeded = "update operations set status = 'succeeded' where id = $1";
    sqlx::query(succeeded).bind(deletion.operation).execute(&town.pool()).await.unwrap();
    let done = "only a failed operation can be retried; this one has already succeeded";
    let refused = app.retry_operation(&town.caller, deletion.operation, None).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::IllegalTransition, done));
    let said = by_admin(deletion.operation).unwrap_err();
    assert!(said.contains(done), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_the_stores_status_does_not_allow_is_refused_and_nothing_is_queued() {
    let town = Town::new(store::CREATE).await;
    let made = town.create("My Shop").await;
    sqlx::query("update operations set status = 'failed'").execute(&town.pool()).await.unwrap();
    sqlx::query("update stores set status = 'ready'").execute(&town.pool()).await.unwrap();
    let wanted = "the store's status does not allow that now";
    let refused = town.service.app.retry_operation(&town.caller, made.operation, None).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::IllegalTransition, wanted));
    let said = admin(&town.pool().connect_options(), &["retry", &made.operation.to_string()]).unwrap_err();
    assert!(said.contains(wanted), "{said}");
    let status: String = sqlx::query_scalar("select status from operations").fetch_one(&town.pool()).await.unwrap();
    assert_eq!(status, "failed");
}
