//! The main journey on the whole platform, as people and programs make it.

mod browser;
mod cli;
mod crash;
mod fields;
mod graphql;
mod operation;
mod operators;
mod readme;
mod secrets;
mod stack;
mod subscription;

use serde_json::{Value, json};

pub use stack::Stack;
pub use subscription::Subscription;

const CREATE: &str = "mutation($name: String!) { createStore(name: $name, type: woocommerce) {
    operation { id status steps(order_by: {ordinal: asc}) { name status } } store { id store_id status url } } }";

const WATCH: &str = "subscription { stores(order_by: {created_at: asc}) { id store_id name status url error
    operations(limit: 1, order_by: {created_at: desc}) { id status error_message
        steps(order_by: {ordinal: asc}) { name status detail } } } }";

/// Creates a store and gives its row.
async fn create_store(stack: &Stack, token: &str, name: &str) -> Value {
    let mut data = stack.data(Some(token), CREATE, json!({ "name": name })).await;
    data["createStore"]["store"].take()
}

/// Follows the live list until `done` says of the list that it is as it should be; gives every frame.
async fn watch_until(stack: &Stack, token: &str, done: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut subscription = Subscription::open(&stack.api_url(), token, WATCH).await;
    let mut frames = Vec::new();
    loop {
        let frame = subscription.next().await;
        let stores = frame["stores"].clone();
        frames.push(stores.clone());
        if done(&stores) {
            return frames;
        }
        assert!(
            !stores.as_array().unwrap().iter().any(|store| store["status"] == "failed"),
            "a store failed: {stores:#}\n{}",
            stack.log()
        );
    }
}

/// Whether the store called `name` is in the list with this status.
fn has_status(stores: &Value, name: &str, status: &str) -> bool {
    stores.as_array().unwrap().iter().any(|store| store["name"] == name && store["status"] == status)
}
