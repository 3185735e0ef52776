//! What is between a store and the others of its cluster.

use northstack::workflow::Faults;
use northstack::workflow::flows::store;
use northstack::workflow::testing::{Worker, ended};

use super::bench::Town;

#[tokio::test(flavor = "multi_thread")]
async fn a_stores_database_is_reached_by_its_own_shop_alone() {
    let town = Town::new(store::CREATE).await;
    let (own, other) = (town.ready("My Shop").await, town.ready("Another Shop").await);
    let (own, ..) = town.row(own).await;
    let (other, ..) = town.row(other).await;
    let labels = town.kubernetes.namespace(&own).await.unwrap().unwrap().metadata.labels.unwrap();
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "baseline");
    let ask = async |host: &str| {
        let query = format!(
            r#"MYSQL_PWD="$WORDPRESS_DB_PASSWORD" mysql -h {host} -u "$WORDPRESS_DB_USER" -e 'SELECT 1' wordpress"#
        );
        town.run(&own, &["sh", "-c", &query]).await
    };
    assert_eq!(ask("mysql-service").await.code, 0);
    let refused = ask(&format!("mysql-service.{other}")).await;
    assert!(refused.code == 1 && refused.stderr.contains("Can't connect"), "{refused:?}");
    let environment = town.run(&own, &["env"]).await.stdout;
    assert!(!environment.contains("MYSQL_SERVICE_PORT"), "no service links: {environment}");
    assert!(environment.contains("WORDPRESS_DB_HOST=mysql-service:3306"), "{environment}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_reaches_no_internet_says_so() {
    let closed = ["0.0.0.0/1", "128.0.0.0/1"].map(str::to_owned).to_vec();
    let town = Town::with(store::CREATE, |config| config.stores.closed_networks = closed).await;
    let made = town.create("My Shop").await;
    let worker = Worker::start(&town, Faults::none());
    assert_eq!(ended(&town, made.operation).await, "failed");
    worker.stop().await;
    let (_, status, error) = town.row(made.store).await;
    assert_eq!(status, "failed");
    assert!(
        error.as_deref().is_some_and(|error| error.contains("`wp plugin install woocommerce` failed")),
        "{error:?}"
    );
}
