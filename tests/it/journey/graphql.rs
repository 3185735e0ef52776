//! The journey by GraphQL and REST.

use serde_json::json;

use super::{Stack, create_store, has_status, watch_until};

#[tokio::test]
async fn a_store_is_created_watched_opened_and_deleted() {
    let mut stack = Stack::start().await;
    let token = stack.register("owner@example.com").await;

    let store = create_store(&stack, &token, "My Shop").await;
    assert_eq!(store["status"], "provisioning");
    let store_id = store["store_id"].as_str().unwrap().to_owned();

    let frames = watch_until(&stack, &token, |stores| has_status(stores, "My Shop", "ready")).await;
    let mut seen: Vec<String> = frames
        .iter()
        .filter_map(|stores| {
            let steps = stores[0]["operations"][0]["steps"].as_array()?;
            let busy = steps.iter().find(|step| step["status"] == "running" || step["status"] == "waiting")?;
            Some(busy["name"].as_str()?.to_owned())
        })
        .collect();
    seen.dedup();
    assert!(seen.len() >= 3, "the steps are seen as they happen: {seen:?}");
    let last = frames.last().unwrap();
    let steps = last[0]["operations"][0]["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["status"] == "succeeded"), "{steps:#?}");

    // The storefront answers under the store's host name.
    let shop = stack
        .http()
        .get(format!("http://127.0.0.1:{}/", stack.store_port()))
        .header("host", format!("{store_id}.127.0.0.1.nip.io:{}", stack.store_port()))
        .send()
        .await
        .unwrap();
    assert!(shop.status().is_success(), "{}", shop.status());
    let page = shop.text().await.unwrap();
    for product in ["Wireless Headphones", "Bluetooth Speaker", "USB-C Cable"] {
        assert!(page.contains(product), "{product} is not on the page:\n{page}");
    }

    // REST shows the same store with its events, and counts it.
    let get = async |path: &str| -> serde_json::Value {
        let request = stack.http().get(format!("{}{path}", stack.api_url())).bearer_auth(&token);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    };
    let listed = get("/api/stores").await;
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let shown = get(&format!("/api/stores/{store_id}")).await;
    assert!(shown["events"].as_array().is_some_and(|events| !events.is_empty()), "{shown}");
    assert_eq!(get("/api/metrics").await, json!({ "total": 1, "active": 1, "provisioning": 0, "failed": 0 }));

    // Credentials are revealed to the owner and to nobody else.
    let reveal = "mutation($id: uuid!) { revealStoreCredentials(id: $id) { username password } }";
    let credentials = stack.data(Some(&token), reveal, json!({ "id": store["id"] })).await;
    assert_eq!(credentials["revealStoreCredentials"]["username"], "admin");
    let stranger = stack.register("stranger@example.com").await;
    let refused = stack.graphql(Some(&stranger), reveal, json!({ "id": store["id"] })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "not-found", "{refused}");
    let others = stack.data(Some(&stranger), "{ stores { id } }", json!({})).await;
    assert_eq!(others["stores"], json!([]));

    // Deleted by REST; the live list ends empty.
    let deleted = stack
        .http()
        .delete(format!("{}/api/stores/{store_id}", stack.api_url()))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert!(deleted.status().is_success(), "{}", deleted.status());
    watch_until(&stack, &token, |stores| stores.as_array().unwrap().is_empty()).await;
    assert!(stack.interrupt().success(), "{}", stack.log());
}

#[tokio::test]
async fn the_eleventh_store_is_refused_even_when_two_ask_at_once() {
    let stack = Stack::start().await;
    let token = stack.register("collector@example.com").await;
    for number in 1..10 {
        create_store(&stack, &token, &format!("Shop {number}")).await;
    }
    let (left, right) = tokio::join!(
        stack.graphql(Some(&token), super::CREATE, json!({ "name": "Tenth" })),
        stack.graphql(Some(&token), super::CREATE, json!({ "name": "Also tenth" })),
    );
    let refusals: Vec<_> = [&left, &right].into_iter().filter(|answer| answer.get("errors").is_some()).collect();
    assert_eq!(refusals.len(), 1, "{left}\n{right}");
    assert_eq!(refusals[0]["errors"][0]["extensions"]["code"], "store-limit-reached");
}
