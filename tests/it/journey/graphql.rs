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

    // What is not there is 404, what is wrong is said in words, and the document of it all takes the same token.
    let document = get("/api/openapi.json").await;
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    for path in ["/api/v1/applications/{id}", "/api/stores/{id}"] {
        assert!(document["paths"][path]["get"].is_object(), "{path} in {document}");
    }
    let create = &document["paths"]["/api/v1/applications"]["post"];
    let required = &create["requestBody"]["content"]["application/json"]["schema"]["required"];
    assert!(
        required.as_array().is_some_and(|all| all.contains(&json!("name")) && !all.contains(&json!("port"))),
        "{create}"
    );
    let send = async |request: reqwest::RequestBuilder| {
        let answer = request.bearer_auth(&token).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, headers, answer.text().await.unwrap())
    };
    let missing = format!("{}/api/v1/applications/00000000-0000-4000-8000-000000000000", stack.api_url());
    let (status, headers, text) = send(stack.http().get(&missing).header("origin", "http://localhost:5173")).await;
    assert!(status == 404 && text.contains("no such application"), "{status} {text}");
    assert_eq!(headers["access-control-allow-origin"], "http://localhost:5173", "a page that somebody is writing");
    let broken =
        stack.http().post(format!("{}/api/stores", stack.api_url())).header("content-type", "application/json");
    let (status, _, text) = send(broken.body("{\"name\":")).await;
    assert!(status == 422 && !text.contains("?:") && text.contains("JSON"), "{status} {text}");
    let insert = "mutation($me: uuid!) { insert_teams_one(object: {name: \"Ärzte & Söhne\",
        members: {data: [{user_id: $me, role: \"owner\"}]}}) { slug } }";
    let me = stack.data(Some(&token), "{ me { id } }", json!({})).await["me"]["id"].clone();
    let team = stack.data(Some(&token), insert, json!({ "me": me })).await;
    assert!(team["insert_teams_one"]["slug"].as_str().unwrap().starts_with("rzte-s-hne-"), "{team}");

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
    let code = &refusals[0]["errors"][0]["extensions"]["code"];
    assert_eq!(code, "store-limit-reached", "{left}\n{right}\n{}", stack.log());
}
