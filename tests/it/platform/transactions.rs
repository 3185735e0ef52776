//! Transactions: the actor reaches the audit log, conflicts are done again, failures leave nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use northstack::db::{Audit, Db};
use northstack::domain::{Actor, Code, Error, Result};
use sqlx::Connection;
use uuid::Uuid;

use super::database;

async fn team(db: &Db, slug: &str) -> Uuid {
    sqlx::query_scalar("insert into teams (name, slug) values ($1, $1) returning id")
        .bind(slug)
        .fetch_one(db.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn the_actor_and_the_correlation_id_reach_the_audit_log() {
    let db = database().await;
    let user = Uuid::new_v4();
    let audit = Audit { actor: Actor::User(user), correlation_id: Some("request-1".into()) };
    let id: Uuid = db
        .transaction(&audit, async |mut tx| {
            let insert = "insert into teams (name, slug) values ('Audited', 'audited') returning id";
            Ok(sqlx::query_scalar(insert).fetch_one(&mut *tx).await?)
        })
        .await
        .unwrap();
    let (actor, role, correlation): (Uuid, String, String) =
        sqlx::query_as("select actor_id, actor_role, correlation_id from audit_logs where resource_id = $1")
            .bind(id)
            .fetch_one(db.pool())
            .await
            .unwrap();
    assert_eq!((actor, role.as_str(), correlation.as_str()), (user, "user", "request-1"));
    // The next user of the connection is not taken for that actor.
    let left: Option<String> =
        sqlx::query_scalar("select current_setting('hasura.user', true)").fetch_one(db.pool()).await.unwrap();
    assert!(left.is_none_or(|left| left.is_empty()));
}

#[tokio::test]
async fn a_failure_rolls_back_and_is_not_done_again() {
    let db = database().await;
    let runs = AtomicUsize::new(0);
    let failed: Result<()> = db
        .transaction(&Audit::system(None), async |mut tx| {
            runs.fetch_add(1, Ordering::Relaxed);
            sqlx::query("insert into teams (name, slug) values ('Gone', 'gone')").execute(&mut *tx).await?;
            Err(Error::new(Code::Forbidden, "no"))
        })
        .await;
    assert_eq!(failed.unwrap_err().code(), Code::Forbidden);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    let left: i64 = sqlx::query_scalar("select count(*) from teams").fetch_one(db.pool()).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn transactions_that_conflict_are_done_again_until_all_have_happened() {
    let settings = super::settings(&crate::support::database().await);
    let db = Db::connect(&settings).await.unwrap();
    // As YugabyteDB without `yb_enable_read_committed_isolation`: conflicts are the client's to repeat.
    let strict = format!("alter database {} set default_transaction_isolation = 'serializable'", settings.database);
    sqlx::query(sqlx::AssertSqlSafe(strict)).execute(db.pool()).await.unwrap();
    let db = Db::connect(&settings).await.unwrap();
    let id = team(&db, "counted").await;
    let runs = AtomicUsize::new(0);
    let add = async || {
        db.transaction(&Audit::system(None), async |mut tx| {
            runs.fetch_add(1, Ordering::Relaxed);
            let limit: i32 =
                sqlx::query_scalar("select store_limit from teams where id = $1").bind(id).fetch_one(&mut *tx).await?;
            tokio::task::yield_now().await;
            sqlx::query("update teams set store_limit = $2 where id = $1")
                .bind(id)
                .bind(limit + 1)
                .execute(&mut *tx)
                .await?;
            Ok(())
        })
        .await
    };
    let results = futures::future::join_all((0..6).map(|_| add())).await;
    let done = i32::try_from(results.iter().filter(|result| result.is_ok()).count()).unwrap();
    assert_eq!(done, 6, "{results:?}");
    let limit: i32 = sqlx::query_scalar("select store_limit from teams").fetch_one(db.pool()).await.unwrap();
    assert_eq!(limit, 10 + done, "no update was lost");
    assert!(runs.load(Ordering::Relaxed) > 6, "some of them conflicted");
}

#[tokio::test]
async fn a_deadlock_ends_with_both_done() {
    let db = database().await;
    let (one, two) = (team(&db, "one").await, team(&db, "two").await);
    let barrier = tokio::sync::Barrier::new(2);
    let first_time = AtomicUsize::new(0);
    let swap = async |a: Uuid, b: Uuid| {
        db.transaction(&Audit::system(None), async |mut tx| {
            let touch = "update teams set store_limit = store_limit + 1 where id = $1";
            sqlx::query(touch).bind(a).execute(&mut *tx).await?;
            if first_time.fetch_add(1, Ordering::Relaxed) < 2 {
                barrier.wait().await;
            }
            sqlx::query(touch).bind(b).execute(&mut *tx).await?;
            Ok(())
        })
        .await
    };
    let (left, right) = tokio::join!(swap(one, two), swap(two, one));
    left.unwrap();
    right.unwrap();
    assert!(first_time.load(Ordering::Relaxed) > 2, "one of them was done again");
    let limits: Vec<i32> = sqlx::query_scalar("select store_limit from teams").fetch_all(db.pool()).await.unwrap();
    assert_eq!(limits, [12, 12]);
}

#[tokio::test]
async fn errors_name_what_was_wrong() {
    let db = database().await;
    team(&db, "taken").await;
    let insert = async |sql: &'static str| -> Error { sqlx::query(sql).execute(db.pool()).await.unwrap_err().into() };
    let taken = insert("insert into teams (name, slug) values ('x', 'taken')").await;
    assert_eq!((taken.code(), taken.message()), (Code::AlreadyExists, "slug: another team has this slug"));
    let wrong = insert("insert into teams (name, slug) values ('x', 'NOT A SLUG')").await;
    assert_eq!((wrong.code(), wrong.field()), (Code::InvalidInput, Some("slug")));
    let dangling = insert("insert into projects (team_id, name) values (gen_random_uuid(), 'x')").await;
    assert_eq!((dangling.code(), dangling.field()), (Code::InvalidInput, Some("team_id")));
    let audited = insert("delete from audit_logs").await;
    assert_eq!(audited.code(), Code::Forbidden);
}

#[tokio::test]
async fn a_lost_connection_is_replaced() {
    let db = database().await;
    let health = db.health().await.unwrap();
    assert!(health.version.starts_with("PostgreSQL"), "{}", health.version);
    let mut connection = db.pool().acquire().await.unwrap();
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *connection).await.unwrap();
    sqlx::query("select pg_terminate_backend($1)").bind(pid).execute(db.pool()).await.unwrap();
    assert!(connection.ping().await.is_err());
    let lost = Error::from(sqlx::query("select 1").execute(&mut *connection).await.unwrap_err());
    assert_eq!((lost.code(), lost.retryable()), (Code::Unavailable, true));
    drop(connection);
    db.health().await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_stands_idle_is_ended() {
    let settings = northstack::config::Database {
        idle_in_transaction_timeout: Duration::from_millis(300),
        ..super::settings(&crate::support::database().await)
    };
    let db = Db::connect(&settings).await.unwrap();
    let limit: String =
        sqlx::query_scalar("show idle_in_transaction_session_timeout").fetch_one(db.pool()).await.unwrap();
    assert_eq!(limit, "300ms");
    let mut open = db.pool().begin().await.unwrap();
    let server: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *open).await.unwrap();
    super::eventually("the server has ended the connection", async || {
        let there = sqlx::query_scalar::<_, i64>("select count(*) from pg_stat_activity where pid = $1").bind(server);
        (there.fetch_one(db.pool()).await.unwrap() == 0).then_some(())
    })
    .await;
    let failed = sqlx::query("select 1").execute(&mut *open).await.unwrap_err();
    assert_eq!(Error::from(failed).code(), Code::Unavailable);
}
