//! The journey by GraphQL and REST.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stack, create_store, has_status, watch_until};
use crate::metadata::openapi::with_nulls;

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
    as_documented(&stack, &token, &document).await;
    super::fields::each_wrong_value_is_named(&stack, &token, &document).await;
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

/// What REST answers has the status and the form that the document says.
async fn as_documented(stack: &Stack, token: &str, document: &Value) {
    let components = with_nulls(&document["components"]);
    let send = async |method: &str, path: &str, named: &str, body: Option<Value>| -> (u16, Value) {
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
        let told = &document["paths"][named][method.as_str().to_ascii_lowercase()]["responses"];
        let request = stack.http().request(method.clone(), format!("{}{path}", stack.api_url())).bearer_auth(token);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let listed = &told[status.to_string().as_str()];
        let listed = match listed["$ref"].as_str() {
            Some(name) => document.pointer(name.trim_start_matches('#')).unwrap(),
            None => listed,
        };
        assert!(listed.is_object(), "{method} {path} answers {status}, which is not in the document: {text}");
        let Some(schema) = listed.pointer("/content/application~1json/schema") else {
            assert_eq!(text, "", "{method} {path} has no body");
            return (status, Value::Null);
        };
        let answer: Value = serde_json::from_str(&text).unwrap();
        let mut schema = with_nulls(schema);
        schema["components"] = components.clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let faults: Vec<String> =
            validator.iter_errors(&answer).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert!(faults.is_empty(), "{method} {path}: {faults:#?}\n{text}");
        (status, answer)
    };
    // Every list and every single thing that needs no id.
    let paths = document["paths"].as_object().unwrap();
    let mut seen = 0;
    for (path, item) in paths.iter().filter(|(path, _)| !path.contains('{') && !path.ends_with("/stream")) {
        if item["get"].is_object() && path != "/api/openapi.json" {
            let (status, _) = send("get", path, path, None).await;
            assert_eq!(status, 200, "{path}");
            seen += 1;
        }
    }
    assert!(seen > 12, "{seen}");

    // A thing from its beginning to its end, and what is wrong with it.
    let (_, teams) = send("get", "/api/v1/teams", "/api/v1/teams", None).await;
    assert_eq!(teams["meta"], json!({ "count": 1, "total": 1 }), "{teams}");
    let team = teams["data"][0]["id"].clone();
    let projects = "/api/v1/projects";
    let (status, made) = send("post", projects, projects, Some(json!({ "team_id": team, "name": "website" }))).await;
    assert_eq!(status, 201, "{made}");
    let again = send("post", projects, projects, Some(json!({ "team_id": team, "name": "website" }))).await;
    assert_eq!((again.0, &again.1["error"]["code"]), (409, &json!("already-exists")), "{}", again.1);
    for (body, field) in [
        (json!({ "name": "x" }), "team_id"),
        (json!({ "team_id": team, "name": "" }), "name"),
        (json!({ "team_id": team, "name": "x", "nme": 1 }), "nme"),
        (json!({ "team_id": team, "name": 5 }), "name"),
    ] {
        let (status, wrong) = send("post", projects, projects, Some(body.clone())).await;
        assert_eq!(status, 422, "{body}: {wrong}");
        assert!(wrong["error"]["details"][field].is_string(), "{body}: {wrong}");
    }
    let project = made["data"]["id"].as_str().unwrap();
    let named = "/api/v1/projects/{id}";
    let applications = "/api/v1/applications";
    let body = json!({ "project_id": project, "name": "site", "image": "nginx:1" });
    let (status, site) = send("post", applications, applications, Some(body)).await;
    assert_eq!(status, 201, "{site}");
    let site = site["data"]["id"].as_str().unwrap();
    for (path, item) in paths.iter().filter(|(path, _)| path.starts_with("/api/v1/applications/{id}")) {
        if item["get"].is_object() && !path.ends_with("compare") {
            let at = |id: &str| path.replace("{id}", id);
            // What never ran has no pod whose lines there could be.
            let there = if path.ends_with("/logs") { 404 } else { 200 };
            assert_eq!(send("get", &at(site), path, None).await.0, there, "{path}");
            assert_eq!(send("get", &at("abc"), path, None).await.0, if path.ends_with("/events") { 200 } else { 422 });
            let missing = send("get", &at("00000000-0000-4000-8000-000000000000"), path, None).await.0;
            assert_eq!(missing, if path.ends_with("/events") { 200 } else { 404 }, "{path}");
        }
    }
    let deploy = "/api/v1/applications/{id}/deploy";
    let begun = send("post", &deploy.replace("{id}", site), deploy, Some(json!({}))).await;
    assert_eq!(begun.0, 202, "{}", begun.1);
    let one = "/api/v1/applications/{id}";
    assert_eq!(send("delete", &one.replace("{id}", site), one, None).await.0, 202);
    let gone = named.replace("{id}", project);
    let lists = "/api/v1/projects/{id}/applications";
    let missing = lists.replace("{id}", "00000000-0000-4000-8000-000000000000");
    assert_eq!(send("get", &missing, lists, None).await.0, 404);
    let other = send("post", projects, projects, Some(json!({ "team_id": team, "name": "other" }))).await.1;
    let other = named.replace("{id}", other["data"]["id"].as_str().unwrap());
    assert_eq!(send("delete", &other, named, None).await.0, 204);
    assert_eq!(send("get", &other, named, None).await.0, 404);
    assert_eq!(send("get", &gone, named, None).await.0, 200);

    // Bodies that are none, and nobody's requests.
    let url = format!("{}{projects}", stack.api_url());
    let text = |kind: &'static str, body: &'static str| {
        stack.http().post(&url).bearer_auth(token).header("content-type", kind).body(body).send()
    };
    assert_eq!(text("text/plain", "{}").await.unwrap().status(), 415);
    let answer = text("application/json", "{\"name\":").await.unwrap();
    assert_eq!(answer.status(), 422);
    let answer: Value = answer.json().await.unwrap();
    assert!(answer["error"]["details"]["body"].is_string(), "{answer}");
    let nobody = stack.http().get(&url).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    let nobody: Value = nobody.json().await.unwrap();
    assert_eq!((&nobody["success"], &nobody["error"]["code"]), (&json!(false), &json!("unauthenticated")), "{nobody}");
    let forged = stack.http().get(&url).bearer_auth("x").send().await.unwrap();
    assert_eq!(forged.status(), 401);

    // Somebody is invited, and becomes a member by saying so.
    let guest = stack.register("guest@example.com").await;
    let id = stack.data(Some(&guest), "{ me { id } }", json!({})).await["me"]["id"].clone();
    let members = "/api/v1/teams/{id}/members";
    let invite = json!({ "user_id": id, "role": "viewer" });
    let path = members.replace("{id}", team.as_str().unwrap());
    assert_eq!(send("post", &path, members, Some(invite)).await.0, 201);
    let theirs = async |method: Method, path: &str| {
        let request = stack.http().request(method, format!("{}{path}", stack.api_url())).bearer_auth(&guest);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    assert_eq!(send("get", "/api/v1/invitations", "/api/v1/invitations", None).await.1["data"], json!([]));
    let (_, invited) = theirs(Method::GET, "/api/v1/invitations").await;
    assert_eq!(invited["data"][0]["role"], "viewer", "{invited}");
    let invitation = invited["data"][0]["id"].as_str().unwrap().to_owned();
    let (status, accepted) = theirs(Method::POST, &format!("/api/v1/invitations/{invitation}/accept")).await;
    assert_eq!((status, &accepted["data"]["active"]), (200, &json!(true)), "{accepted}");
    assert_eq!(theirs(Method::GET, "/api/v1/invitations").await.1["data"], json!([]));
    assert_eq!(theirs(Method::DELETE, &format!("/api/v1/invitations/{invitation}")).await.0, 404, "accepted already");
}
