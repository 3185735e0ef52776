//! What a node and the API server's webhooks refuse, as the real ones do.

use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Pod};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Client;
use kube::api::{Api, AttachParams, Patch, PatchParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::support::{cluster, eventually};

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

async fn made(api: &Api<Pod>, name: &str, spec: Value) {
    let pod = read(json!({ "metadata": { "name": name, "labels": { "app": name } }, "spec": spec }));
    api.create(&PostParams::default(), &pod).await.unwrap();
}

/// A pod's only container, once it waits for something or runs.
async fn container(api: &Api<Pod>, name: &str) -> Value {
    eventually(name, || async {
        let pod = serde_json::to_value(api.get(name).await.unwrap()).unwrap();
        let status = pod["status"]["containerStatuses"][0].clone();
        let reason = status["state"]["waiting"]["reason"].as_str().unwrap_or_default();
        let begun = status["state"]["running"].is_object();
        (begun || !matches!(reason, "" | "ContainerCreating")).then_some(status)
    })
    .await
}

async fn ready(api: &Api<Pod>, name: &str) {
    eventually(name, || async {
        let pod = serde_json::to_value(api.get(name).await.unwrap()).unwrap();
        (pod["status"]["containerStatuses"][0]["ready"] == true).then_some(())
    })
    .await;
}

/// What a pod's failing probe says.
async fn unhealthy(client: &Client, name: &str) -> String {
    let events: Api<Event> = Api::namespaced(client.clone(), "default");
    eventually(&format!("a failing probe of {name}"), || async {
        let all = events.list(&Default::default()).await.unwrap().items;
        let its = |event: &Event| {
            event.involved_object.name.as_deref() == Some(name) && event.reason.as_deref() == Some("Unhealthy")
        };
        all.into_iter().find(its)?.message
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_must_not_be_root_is_not_started_by_an_image_that_may_be() {
    let (simulator, client) = cluster().await;
    let api: Api<Pod> = Api::namespaced(client, "default");
    let non_root = json!({ "runAsNonRoot": true });
    for (number, (tag, security, refused)) in [
        ("root", non_root.clone(), Some("container has runAsNonRoot and image will run as root (pod: ")),
        ("user-0", non_root.clone(), Some("image will run as root")),
        (
            "user-www-data",
            non_root.clone(),
            Some("image has non-numeric user (www-data), cannot verify user is non-root (pod: "),
        ),
        ("1", json!({ "runAsNonRoot": true, "runAsUser": 0 }), Some("container's runAsUser breaks non-root policy")),
        ("user-1000", non_root, None),
        ("user-www-data", json!({ "runAsNonRoot": true, "runAsUser": 33 }), None),
        ("root", json!({}), None),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("pod-{number}");
        let image = format!("registry.local/web:{tag}");
        made(&api, &name, json!({ "containers": [{ "name": "app", "image": image, "securityContext": security }] }))
            .await;
        let status = container(&api, &name).await;
        let waiting = &status["state"]["waiting"];
        match refused {
            Some(words) => {
                assert_eq!(waiting["reason"], "CreateContainerConfigError", "{tag}: {status}");
                assert!(waiting["message"].as_str().unwrap().contains(words), "{tag}: {status}");
            }
            None => assert!(status["state"]["running"].is_object(), "{tag}: {status}"),
        }
    }
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_on_a_port_on_which_nothing_listens_never_succeeds() {
    let (simulator, client) = cluster().await;
    let api: Api<Pod> = Api::namespaced(client.clone(), "default");
    let ports = json!([{ "name": "http", "containerPort": 8080 }]);
    let spec = |tag: &str, ports: &Value, probe: Value| {
        let image = format!("registry.local/web:{tag}");
        json!({ "containers": [{ "name": "app", "image": image, "ports": ports, "readinessProbe": probe }] })
    };
    let http = json!({ "httpGet": { "path": "/healthz", "port": "http" } });
    for (name, spec, words) in [
        ("tcp", spec("1", &ports, json!({ "tcpSocket": { "port": 9090 } })), ":9090: connect: connection refused"),
        ("moved", spec("port-3000", &ports, http.clone()), ":8080/healthz\": dial tcp 10."),
        ("nameless", spec("1", &ports, json!({ "tcpSocket": { "port": "web" } })), "couldn't find port: \"web\""),
    ] {
        made(&api, name, spec).await;
        let said = unhealthy(&client, name).await;
        assert!(said.starts_with("Readiness probe failed: ") && said.contains(words), "{name}: {said}");
        assert_eq!(container(&api, name).await["ready"], false, "{name}");
    }
    for (name, spec) in [
        ("named", spec("1", &ports, http)),
        ("there", spec("port-3000", &json!([]), json!({ "tcpSocket": { "port": 3000 } }))),
        ("any", spec("1", &json!([]), json!({ "tcpSocket": { "port": 3000 } }))),
    ] {
        made(&api, name, spec).await;
        ready(&api, name).await;
    }
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_mysql_answers_on_its_socket_before_it_answers_over_the_network() {
    let (simulator, client) = cluster().await;
    let api: Api<Pod> = Api::namespaced(client.clone(), "default");
    let env = json!([
        { "name": "MYSQL_ROOT_PASSWORD", "value": "r" }, { "name": "MYSQL_DATABASE", "value": "shop" },
        { "name": "MYSQL_USER", "value": "shop" }, { "name": "MYSQL_PASSWORD", "value": "p" },
    ]);
    let spec = |command: &[&str]| {
        json!({ "containers": [{ "name": "mysql", "image": "mysql:8.0", "env": env,
            "readinessProbe": { "exec": { "command": command } } }] })
    };
    // The temporary server lets a probe on the socket pass; one over the network waits for the real one.
    made(&api, "socket", spec(&["mysql", "-ushop", "-pp", "-e", "SELECT 1", "shop"])).await;
    ready(&api, "socket").await;
    made(&api, "network", spec(&["mysql", "-h", "127.0.0.1", "-ushop", "-pp", "-e", "SELECT 1", "shop"])).await;
    let said = unhealthy(&client, "network").await;
    assert!(said.contains("ERROR 2003 (HY000): Can't connect to MySQL server on '127.0.0.1:3306'"), "{said}");
    ready(&api, "network").await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_and_path_is_of_one_ingress() {
    let (simulator, client) = cluster().await;
    let post = PostParams::default();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.create(&post, &read(json!({ "metadata": { "name": "other" } }))).await.unwrap();
    let ingress = |name: &str, path: &str, class: Value| -> Ingress {
        let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
        let paths = json!([{ "path": path, "pathType": "Prefix", "backend": backend }]);
        read(json!({ "metadata": { "name": name }, "spec": { "ingressClassName": class,
            "rules": [{ "host": "shop.example.com", "http": { "paths": paths } }] } }))
    };
    let (here, there): (Api<Ingress>, Api<Ingress>) =
        (Api::namespaced(client.clone(), "default"), Api::namespaced(client.clone(), "other"));
    here.create(&post, &ingress("shop", "/", Value::Null)).await.unwrap();
    let words = "admission webhook \"validate.nginx.ingress.kubernetes.io\" denied the request: host \"shop.example.com\" \
                 and path \"/\" is already defined in ingress default/shop";
    let refused = |error: kube::Error| match error {
        kube::Error::Api(status) => (status.code, status.message.clone()),
        other => panic!("{other}"),
    };
    let again = refused(there.create(&post, &ingress("shop", "/", Value::Null)).await.unwrap_err());
    assert_eq!(again, (400, words.to_owned()));
    there.create(&post, &ingress("shop", "/cart", Value::Null)).await.unwrap();
    let moved = Patch::Merge(ingress("shop", "/", json!("nginx")));
    let moved = there.patch("shop", &PatchParams::default(), &moved).await.unwrap_err();
    assert_eq!(refused(moved), (400, words.to_owned()));
    // One's own is not in one's way, nor is that of another controller.
    let label = Patch::Merge(json!({ "metadata": { "labels": { "a": "b" } } }));
    here.patch("shop", &PatchParams::default(), &label).await.unwrap();
    let classes: Api<IngressClass> = Api::all(client);
    let class = json!({ "metadata": { "name": "traefik" }, "spec": { "controller": "traefik.io/ingress-controller" } });
    classes.create(&post, &read(class)).await.unwrap();
    there.create(&post, &ingress("traefik", "/", json!("traefik"))).await.unwrap();
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eviction_that_a_budget_does_not_allow_is_refused_for_now() {
    let (simulator, client) = cluster().await;
    let api: Api<Pod> = Api::namespaced(client.clone(), "default");
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(client, "default");
    let selector = json!({ "matchLabels": { "app": "web" } });
    let budget = json!({ "metadata": { "name": "web" }, "spec": { "minAvailable": 1, "selector": selector } });
    budgets.create(&PostParams::default(), &read(budget)).await.unwrap();
    let pod = |name: &str| -> Pod {
        let spec = json!({ "containers": [{ "name": "app", "image": "registry.local/web:1" }] });
        read(json!({ "metadata": { "name": name, "labels": { "app": "web" } }, "spec": spec }))
    };
    let allowed = async |wanted: i32| {
        eventually("the budget's count", || async {
            let status = budgets.get("web").await.unwrap().status?;
            (status.disruptions_allowed == Some(wanted) && status.current_healthy == Some(wanted + 1)).then_some(())
        })
        .await;
    };
    api.create(&PostParams::default(), &pod("one")).await.unwrap();
    allowed(0).await;
    // By hand: the client tries what is refused for now again by itself.
    let url = format!("{}/api/v1/namespaces/default/pods/one/eviction", simulator.url());
    let eviction = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": "one" } });
    let evict = async || {
        let request = reqwest::Client::new().post(&url).bearer_auth(simulator.token()).json(&eviction);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, refused) = evict().await;
    assert_eq!((status, &refused["reason"]), (429, &json!("TooManyRequests")), "{refused}");
    assert_eq!(refused["message"], "Cannot evict pod as it would violate the pod's disruption budget.");
    api.create(&PostParams::default(), &pod("two")).await.unwrap();
    allowed(1).await;
    assert_eq!(evict().await.0, 201);
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_may_name_those_that_stand_before_it_and_nothing_else() {
    let (simulator, client) = cluster().await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let map = json!({ "metadata": { "name": "more" }, "data": { "MORE": "m", "RAW": "$(A) $$" } });
    maps.create(&PostParams::default(), &read(map)).await.unwrap();
    let api: Api<Pod> = Api::namespaced(client, "default");
    let env = json!([
        { "name": "A", "value": "1" },
        { "name": "B", "value": "$(A)|$$(A)|$(LATER)|$(MORE)|$$|$A" },
        { "name": "LATER", "value": "l" },
    ]);
    let container = json!({ "name": "app", "image": "registry.local/busybox:1", "env": env,
        "envFrom": [{ "configMapRef": { "name": "more" } }] });
    made(&api, "env", json!({ "containers": [container] })).await;
    ready(&api, "env").await;
    let params = AttachParams::default().stdin(false).stdout(true).stderr(false);
    let mut attached = api.exec("env", ["sh", "-c", "echo \"$B\"; echo \"$RAW\""], &params).await.unwrap();
    let mut out = String::new();
    attached.stdout().unwrap().read_to_string(&mut out).await.unwrap();
    assert_eq!(out, "1|$(A)|$(LATER)|$(MORE)|$|$A\n$(A) $$\n");
    simulator.shutdown().await;
}
