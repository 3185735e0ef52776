//! Pods, addresses, logs, usage, objects and the cluster; and that strangers see none of it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::town::Town;

#[tokio::test(flavor = "multi_thread")]
async fn pods_and_addresses_are_those_of_the_application_alone() {
    let town = Town::new().await;
    let (api, web) = (town.deployed("api", "nginx:1").await, town.deployed("web", "nginx:2").await);
    town.ready(&api).await;
    town.ready(&web).await;
    let selection = "namespace wanted ready workloads { name revision track wanted ready }
        pods { name phase ready restarts reason node revision containers { name image state ready exitCode } }
        endpoints { address public ready }";
    town.until("the addresses are known", async || {
        town.see("applicationRuntime", selection, api.id).await["endpoints"][0]["ready"] == 2
    })
    .await;
    let seen = town.see("applicationRuntime", selection, api.id).await;
    assert_eq!((&seen["wanted"], &seen["ready"]), (&json!(2), &json!(2)));
    assert_eq!(
        seen["workloads"],
        json!([{ "name": "api", "revision": 1, "track": "stable", "wanted": 2, "ready": 2 }])
    );
    let pods = seen["pods"].as_array().unwrap();
    assert_eq!(pods.len(), 2);
    for pod in pods {
        assert!(pod["name"].as_str().unwrap().starts_with("api-"), "{pod}");
        assert_eq!((&pod["phase"], &pod["ready"], &pod["restarts"]), (&json!("Running"), &json!(true), &json!(0)));
        assert_eq!((&pod["reason"], &pod["revision"]), (&Value::Null, &json!(1)));
        assert_eq!(pod["containers"][0]["image"], "nginx:1");
        assert_eq!(pod["containers"][0]["state"], "RUNNING");
    }
    let inside = format!("http://api.{}.svc", api.target.namespace);
    assert_eq!(
        seen["endpoints"],
        json!([{ "address": api.url, "public": true, "ready": 2 }, { "address": inside, "public": false, "ready": 2 }])
    );

    // Many at once, as a join asks.
    let query = "query ($a: UUID!, $b: UUID!) { a: applicationRuntime(applicationId: $a) { pods { phase } }
        b: applicationRuntime(applicationId: $b) { applicationId ready } }";
    let answer = town.ask(&town.ada, query, json!({ "a": api.id, "b": web.id })).await;
    assert_eq!(answer["data"]["a"]["pods"].as_array().unwrap().len(), 2, "{answer}");
    assert_eq!(answer["data"]["b"], json!({ "applicationId": web.id, "ready": 2 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_ask_for_does_not_exist() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    for (field, selection) in [
        ("applicationRuntime", "ready"),
        ("applicationLogs", "text"),
        ("applicationMetrics", "available"),
        ("resourceTree", "health"),
        ("whyNot", "live"),
    ] {
        let query = format!("query ($id: UUID!) {{ {field}(applicationId: $id) {{ {selection} }} }}");
        let error = async |session: &[(&str, String)], id: Uuid| -> Value {
            let mut answer = town.ask(session, &query, json!({ "id": id })).await;
            assert!(answer["data"].is_null(), "{field}: {answer}");
            answer["errors"][0].as_object_mut().unwrap().remove("locations");
            answer["errors"][0].clone()
        };
        let stranger = error(&town.eve, api.id).await;
        assert_eq!(stranger["extensions"]["code"], "not-found", "{field}");
        assert_eq!(stranger, error(&town.ada, Uuid::new_v4()).await, "{field}: nothing tells one from the other");
        let nobody = [("x-hasura-role", "anonymous".to_owned())];
        assert_eq!(error(&nobody, api.id).await["extensions"]["code"], "unauthenticated", "{field}");
        let admin = [("x-hasura-role", "admin".to_owned())];
        let answer = town.ask(&admin, &query, json!({ "id": api.id })).await;
        assert!(answer.get("errors").is_none(), "{field}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_the_last_lines_of_all_pods_in_order() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    let query = "query ($id: UUID!, $tail: Int! = 100, $since: DateTime, $pod: String, $container: String) {
        applicationLogs(applicationId: $id, tail: $tail, since: $since, pod: $pod, container: $container) {
            pod container timestamp text } }";
    let ask = async |more: Value| -> Value {
        let mut variables = json!({ "id": api.id });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        town.ask(&town.ada, query, variables).await
    };
    let all = ask(json!({})).await["data"]["applicationLogs"].as_array().unwrap().clone();
    assert!(all.len() >= 2, "each pod says something: {all:?}");
    let stamps: Vec<&str> = all.iter().map(|line| line["timestamp"].as_str().unwrap()).collect();
    assert!(stamps.is_sorted(), "{stamps:?}");
    assert!(all.iter().all(|line| line["container"] == "app" && !line["text"].as_str().unwrap().is_empty()));
    let last = ask(json!({ "tail": 1 })).await["data"]["applicationLogs"].clone();
    assert_eq!(last, json!([all.last().unwrap()]));
    let one = all[0]["pod"].as_str().unwrap();
    let own = ask(json!({ "pod": one })).await["data"]["applicationLogs"].as_array().unwrap().clone();
    assert!(!own.is_empty() && own.iter().all(|line| line["pod"] == one));
    let later = ask(json!({ "since": stamps.last().unwrap() })).await;
    assert_eq!(later["data"]["applicationLogs"], json!([]), "what was read is not read again");
    for (wrong, code, field) in [
        (json!({ "tail": 0 }), "invalid-input", json!("tail")),
        (json!({ "tail": 5001 }), "invalid-input", json!("tail")),
        (json!({ "container": "sidecar" }), "invalid-input", json!("container")),
        (json!({ "pod": "web-1" }), "not-found", Value::Null),
    ] {
        let error = ask(wrong).await["errors"][0].clone();
        assert_eq!((&error["extensions"]["code"], &error["extensions"]["field"]), (&json!(code), &field));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_measured_where_there_is_a_metrics_server() {
    let selection =
        "available reason cpuMillicores memoryBytes pods { name cpuMillicores memoryBytes timestamp window }";
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    let seen = town.see("applicationMetrics", selection, api.id).await;
    assert_eq!((&seen["available"], &seen["reason"]), (&json!(true), &Value::Null));
    let pods = seen["pods"].as_array().unwrap();
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|pod| pod["cpuMillicores"].as_f64().unwrap() > 0.0 && pod["timestamp"].is_string()));
    let sum: f64 = pods.iter().map(|pod| pod["memoryBytes"].as_f64().unwrap()).sum();
    assert!((seen["memoryBytes"].as_f64().unwrap() - sum).abs() < 1.0 && sum > 1e6);

    let bare = Town::with(false, |_| {}).await;
    let api = bare.deployed("api", "nginx:1").await;
    let seen = bare.see("applicationMetrics", selection, api.id).await;
    assert_eq!((&seen["available"], &seen["pods"]), (&json!(false), &json!([])));
    assert!(seen["reason"].as_str().unwrap().contains("metrics.k8s.io"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_leads_from_deployment_to_pod_and_judges_each() {
    let town = Town::new().await;
    let api = town.deployed("api", "nginx:1").await;
    town.ready(&api).await;
    let selection = "health nodes { id parent kind name health message }";
    town.until("all is healthy", async || town.see("resourceTree", selection, api.id).await["health"] == "HEALTHY")
        .await;
    let tree = town.see("resourceTree", selection, api.id).await;
    let nodes = tree["nodes"].as_array().unwrap();
    let of = |kind: &str| nodes.iter().filter(|node| node["kind"] == kind).collect::<Vec<_>>();
    for (kind, count) in [
        ("Deployment", 1),
        ("ReplicaSet", 1),
        ("Pod", 2),
        ("Service", 1),
        ("EndpointSlice", 1),
        ("Ingress", 1),
        ("PodDisruptionBudget", 1),
        ("ConfigMap", 1),
        ("Secret", 0),
    ] {
        assert_eq!(of(kind).len(), count, "{kind}: {tree:#}");
    }
    assert_eq!(of("ReplicaSet")[0]["parent"], of("Deployment")[0]["id"]);
    assert!(of("Pod").iter().all(|pod| pod["parent"] == of("ReplicaSet")[0]["id"]));
    assert_eq!(of("EndpointSlice")[0]["parent"], of("Service")[0]["id"]);

    let broken = town.deployed("web", "nginx:missing").await;
    town.waiting(&broken, "ImagePullBackOff").await;
    let tree = town.see("resourceTree", selection, broken.id).await;
    assert_eq!(tree["health"], "DEGRADED");
    let pod = tree["nodes"].as_array().unwrap().iter().find(|node| node["kind"] == "Pod").unwrap();
    assert!(pod["message"].as_str().unwrap().contains("ImagePullBackOff"), "{pod}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_shows_its_nodes_to_administrators_alone() {
    let town = Town::new().await;
    let query = "{ clusterRuntime { version readyNodes nodes { name ready schedulable version cpuMillicores } } }";
    let admin = [("x-hasura-role", "admin".to_owned())];
    let seen = town.ask(&admin, query, json!({})).await["data"]["clusterRuntime"].clone();
    assert!(seen["version"].as_str().unwrap().starts_with('v'), "{seen}");
    assert_eq!(seen["readyNodes"], seen["nodes"].as_array().unwrap().len());
    assert!(seen["nodes"][0]["cpuMillicores"].as_f64().unwrap() >= 1000.0, "{seen}");
    let answer = town.ask(&town.eve, query, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "forbidden", "{answer}");
    let nobody = [("x-hasura-role", "anonymous".to_owned())];
    let answer = town.ask(&nobody, query, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_that_are_no_text_are_shown_as_far_as_they_are() {
    let town = Town::new().await;
    let query = "query ($id: UUID!, $previous: Boolean! = false) {
        applicationLogs(applicationId: $id, tail: 100, previous: $previous) { text } }";
    let binary = town.deployed("api", "nginx:binary").await;
    town.ready(&binary).await;
    let answer = town.ask(&town.ada, query, json!({ "id": binary.id })).await;
    let lines: Vec<&str> = answer["data"]["applicationLogs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["text"].as_str().unwrap())
        .collect();
    assert_eq!(lines.iter().filter(|line| **line == "caf\u{fffd} \u{fffd}\u{fffd}").count(), 2, "{lines:?}");

    let error = async |variables: Value| -> (String, String) {
        let error = town.ask(&town.ada, query, variables).await["errors"][0].clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&error["extensions"]["code"]), text(&error["message"]))
    };
    let (code, message) = error(json!({ "id": binary.id, "previous": true })).await;
    assert_eq!(
        (code.as_str(), message.contains("no container of api was restarted")),
        ("not-found", true),
        "{message}"
    );
    let fresh = town.rows("fresh", "nginx:1").await;
    sqlx::query("update applications set namespace = null, workload = null where id = $1")
        .bind(fresh.id)
        .execute(town.pool())
        .await
        .unwrap();
    let (code, message) = error(json!({ "id": fresh.id })).await;
    assert_eq!((code.as_str(), message.contains("fresh was never deployed")), ("not-found", true), "{message}");
}
