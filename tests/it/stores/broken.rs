//! Commands that are killed on their way, in a container that runs out of memory or on a node that dies: what they leave is
//! not taken for what they were to make.

use northstack::workflow::Faults;
use northstack::workflow::flows::store;
use northstack::workflow::testing::{Worker, ended};
use serde_json::json;

use super::bench::Town;

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_installation_was_killed_has_its_administrator_and_its_products() {
    let town = Town::new(store::CREATE).await;
    for (number, command) in ["core install", "plugin activate woocommerce"].into_iter().enumerate() {
        town.order(Some(&json!({ "exec": command, "effect": "half-done", "times": 1 }))).await;
        let made = town.create(&format!("Shop {number}")).await;
        let worker = Worker::start(&town, Faults::none());
        let status = ended(&town, made.operation).await;
        worker.stop().await;
        let (store_id, _, error) = town.row(made.store).await;
        assert_eq!(status, "succeeded", "{command}: {error:?}");
        let list = ["user", "list", "--role=administrator", "--field=user_login"];
        assert_eq!(town.wp(&store_id, &list).await, "admin", "{command}");
        let password = town.service.app.reveal_store_credentials(&town.caller, made.store).await.unwrap().password;
        let check = ["wp", "user", "check-password", "admin", password.expose()];
        assert_eq!(town.run(&store_id, &check).await.code, 0, "{command}: by the password that is shown");
        let products = ["wc", "product", "list", "--format=count", "--user=1"];
        assert_eq!(town.wp(&store_id, &products).await, "3", "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_commands_leave_what_the_real_ones_leave() {
    let town = Town::new(store::CREATE).await;
    let id = town.ready("My Shop").await;
    let (store_id, ..) = town.row(id).await;
    let run = async |words: &[&str]| town.run(&store_id, &[&["wp"], words].concat()).await;

    run(&["plugin", "deactivate", "woocommerce"]).await;
    town.order(Some(&json!({ "exec": "plugin activate", "effect": "half-done", "times": 1 }))).await;
    assert_eq!(run(&["plugin", "activate", "woocommerce"]).await.code, 137);
    assert_eq!(run(&["plugin", "is-active", "woocommerce"]).await.code, 1);
    // The second try says that it is done, and does nothing: the first one's lock holds.
    assert_eq!(run(&["plugin", "activate", "woocommerce"]).await.code, 0);
    assert_eq!(run(&["option", "get", "woocommerce_version"]).await.code, 1);
    let list = run(&["wc", "product", "list", "--user=1"]).await;
    assert!(list.code == 1 && list.stderr.contains("you cannot list resources. {\"status\":403}"), "{list:?}");
    assert_eq!(run(&["transient", "delete", "wc_installing"]).await.stdout.trim(), "Success: Transient deleted.");
    assert_eq!(run(&["option", "get", "woocommerce_version"]).await.code, 0);
    assert_eq!(run(&["wc", "product", "list", "--user=1"]).await.code, 0);
    let again = run(&["transient", "delete", "wc_installing"]).await;
    assert!(again.code == 0 && again.stderr.contains("does not appear to exist"), "{again:?}");

    let taken = run(&["user", "create", "admin", "a@example.com", "--role=administrator"]).await;
    assert!(taken.code == 1 && taken.stderr.contains("The 'admin' username is already registered."), "{taken:?}");
}
