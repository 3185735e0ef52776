//! The private servers.

use sqlx::ConnectOptions;

use crate::support;

#[tokio::test]
async fn each_test_gets_a_migrated_database_of_its_own() {
    let (first, second) = (support::database().await, support::database().await);
    let mut connection = first.connect().await.unwrap();
    sqlx::query("insert into teams (name, slug) values ('Blue', 'blue')").execute(&mut connection).await.unwrap();
    let audited: i64 = sqlx::query_scalar("select count(*) from audit_logs").fetch_one(&mut connection).await.unwrap();
    assert_eq!(audited, 1);
    let mut connection = second.connect().await.unwrap();
    let teams: i64 = sqlx::query_scalar("select count(*) from teams").fetch_one(&mut connection).await.unwrap();
    assert_eq!(teams, 0);
}

#[tokio::test]
async fn a_busy_port_is_refused_in_a_sentence() {
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let error = northstack::dev::servers::require_free(port, "the API", "NORTHSTACK_SERVER__PORT").unwrap_err();
    assert!(error.message().contains(&port.to_string()), "{error}");
    assert!(error.message().contains("NORTHSTACK_SERVER__PORT"), "{error}");
}
