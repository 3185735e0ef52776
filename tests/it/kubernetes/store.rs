//! A store from its namespace to its first order, and its end.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, AttachParams, DeleteParams, ListParams, Patch, PatchParams};
use kube::{Client, Resource};
use northstack::sim::kubernetes::{Simulator, SimulatorOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::support::{client, eventually, options};

pub const NS: &str = "store-0a1b2c3d";
const HOST: &str = "store-0a1b2c3d.127.0.0.1.nip.io";

/// Server-side apply of an object given as JSON.
pub async fn apply<K>(api: &Api<K>, object: Value) -> K
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let params = PatchParams::apply("northstack").force();
    api.patch(&name, &params, &Patch::Apply(object)).await.unwrap()
}

/// What a command in a pod's container printed, and its exit code.
pub async fn run(client: &Client, pod: &str, container: &str, command: &[&str]) -> (String, String, i32) {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NS);
    let params = AttachParams::default().container(container).stdin(false).stdout(true).stderr(true);
    let mut attached = pods.exec(pod, command.to_vec(), &params).await.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    let mut stdout = attached.stdout().unwrap();
    let mut stderr = attached.stderr().unwrap();
    let status = attached.take_status().unwrap();
    let (a, b, status) = tokio::join!(stdout.read_to_string(&mut out), stderr.read_to_string(&mut err), status);
    a.unwrap();
    b.unwrap();
    let status = status.unwrap();
    let code = match status.status.as_deref() {
        Some("Success") => 0,
        _ => status.details.unwrap().causes.unwrap()[0].message.as_ref().unwrap().parse().unwrap(),
    };
    (out, err, code)
}

fn env(secret: &str, name: &str, key: &str) -> Value {
    json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
}

fn wordpress_env() -> Value {
    json!([
        {"name": "WORDPRESS_DB_HOST", "value": "mysql-service:3306"},
        env("mysql-credentials", "WORDPRESS_DB_NAME", "database"),
        env("mysql-credentials", "WORDPRESS_DB_USER", "username"),
        env("mysql-credentials", "WORDPRESS_DB_PASSWORD", "password"),
    ])
}

/// Applies all objects of a store.
pub async fn provision(client: &Client, wordpress: &str) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let labels = json!({"app": "store-platform", "app.kubernetes.io/managed-by": "northstack"});
    apply(&namespaces, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS, "labels": labels}}))
        .await;
    let quotas: Api<ResourceQuota> = Api::namespaced(client.clone(), NS);
    apply(
        &quotas,
        json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "store-quota"},
            "spec": {"hard": {"pods": "10", "persistentvolumeclaims": "5", "requests.storage": "50Gi"}},
        }),
    )
    .await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NS);
    apply(
        &secrets,
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mysql-credentials"},
            "stringData": {"root": "r00t", "database": "wordpress", "username": "wp", "password": "s3cret"},
        }),
    )
    .await;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), NS);
    for (name, size) in [("mysql-data", "5Gi"), ("wordpress-data", "10Gi")] {
        apply(
            &claims,
            json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
            }),
        )
        .await;
    }
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NS);
    apply(
        &deployments,
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mysql"},
            "spec": {
                "selector": {"matchLabels": {"app": "mysql"}}, "strategy": {"type": "Recreate"},
                "template": {"metadata": {"labels": {"app": "mysql"}}, "spec": {
                    "containers": [{
                        "name": "mysql", "image": "mysql:8.4", "ports": [{"containerPort": 3306}],
                        "env": [
                            env("mysql-credentials", "MYSQL_ROOT_PASSWORD", "root"),
                            env("mysql-credentials", "MYSQL_DATABASE", "database"),
                            env("mysql-credentials", "MYSQL_USER", "username"),
                            env("mysql-credentials", "MYSQL_PASSWORD", "password"),
                        ],
                        "readinessProbe": {"exec": {"command": [
                            "sh", "-c", "mysql -h 127.0.0.1 -u\"$MYSQL_USER\" -p\"$MYSQL_PASSWORD\" -e 'SELECT 1' \"$MYSQL_DATABASE\"",
                        ]}},
                        "volumeMounts": [{"name": "data", "mountPath": "/var/lib/mysql", "subPath": "mysql"}],
                    }],
                    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "mysql-data"}}],
                }},
            },
        }),
    )
    .await;
    let services: Api<Service> = Api::namespaced(client.clone(), NS);
    for (name, app, port) in [("mysql-service", "mysql", 3306), ("woocommerce-service", "woocommerce", 80)] {
        apply(
            &services,
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                "spec": {"selector": {"app": app}, "ports": [{"port": port}]},
            }),
        )
        .await;
    }
    let mount = json!([{"name": "data", "mountPath": "/var/www/html"}]);
    apply(
        &deployments,
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "woocommerce"},
            "spec": {
                "selector": {"matchLabels": {"app": "woocommerce"}}, "strategy": {"type": "Recreate"},
                "template": {"metadata": {"labels": {"app": "woocommerce"}}, "spec": {
                    "containers": [
                        {"name": "wordpress", "image": wordpress, "env": wordpress_env(), "volumeMounts": mount,
                         "ports": [{"containerPort": 80}]},
                        {"name": "wp-cli", "image": "wordpress:cli", "command": ["sh", "-c", "sleep infinity"],
                         "env": wordpress_env(), "volumeMounts": mount},
                    ],
                    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "wordpress-data"}}],
                }},
            },
        }),
    )
    .await;
    let ingresses: Api<Ingress> = Api::namespaced(client.clone(), NS);
    apply(
        &ingresses,
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "store-ingress"},
            "spec": {"rules": [{"host": HOST, "http": {"paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": "woocommerce-service", "port": {"number": 80}}},
            }]}}]},
        }),
    )
    .await;
}

/// Waits until a Deployment is available and gives its pod's name.
pub async fn pod_of(client: &Client, name: &str) -> String {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NS);
    eventually("an available Deployment", || async {
        let status = deployments.get_status(name).await.unwrap().status.unwrap();
        (status.available_replicas == Some(1)).then_some(())
    })
    .await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), NS);
    let list = pods.list(&ListParams::default().labels(&format!("app={name}"))).await.unwrap();
    list.items[0].metadata.name.clone().unwrap()
}

/// Installs WordPress and WooCommerce and creates one product.
pub async fn install(client: &Client, pod: &str, url: &str) {
    let url = format!("--url={url}");
    let steps: &[&[&str]] = &[
        &[
            "wp",
            "core",
            "install",
            &url,
            "--title=My Shop",
            "--admin_user=admin",
            "--admin_password=pw",
            "--admin_email=a@example.com",
            "--skip-email",
        ],
        &["wp", "plugin", "install", "woocommerce"],
        &["wp", "plugin", "activate", "woocommerce"],
        &["wp", "theme", "install", "storefront"],
        &["wp", "theme", "activate", "storefront"],
        &["wp", "rewrite", "structure", "/%postname%/", "--hard"],
        &["wp", "option", "update", "woocommerce_coming_soon", "no"],
        &[
            "wp",
            "option",
            "update",
            "woocommerce_cod_settings",
            r#"{"enabled":"yes","title":"Cash on delivery"}"#,
            "--format=json",
        ],
        &["wp", "wc", "tool", "run", "install_pages", "--user=1"],
        &[
            "wp",
            "wc",
            "product",
            "create",
            "--name=Wireless Headphones",
            "--type=simple",
            "--regular_price=99.99",
            "--status=publish",
            "--sku=NS-HEADPHONES",
            "--user=1",
            "--porcelain",
        ],
    ];
    for step in steps {
        let (out, err, code) = run(client, pod, "wp-cli", step).await;
        assert_eq!(code, 0, "{step:?}: {out}{err}");
    }
}

async fn fetch(client: &Client, host: &str, path: &str) -> (u16, String) {
    let request =
        axum::http::Request::get(format!("/api/v1/namespaces/{NS}/services/woocommerce-service:80/proxy{path}"))
            .header("host", host)
            .body(Vec::new())
            .unwrap();
    match client.request_text(request).await {
        Ok(body) => (200, body),
        Err(kube::Error::Api(status)) => (status.code, status.message.clone()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_goes_from_namespace_to_order_and_away() {
    let listen = Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let simulator = Simulator::start(SimulatorOptions { ingress_listen: listen, ..options() }).await.unwrap();
    let client = client(&simulator).await;
    provision(&client, "wordpress:6.8-apache").await;
    let pod = pod_of(&client, "woocommerce").await;
    pod_of(&client, "mysql").await;

    let (_, _, code) = run(&client, &pod, "wp-cli", &["wp", "core", "is-installed"]).await;
    assert_eq!(code, 1, "nothing is installed yet");
    let (_, err, code) = run(&client, &pod, "wp-cli", &["wp", "wc", "product", "list", "--user=1"]).await;
    assert_eq!((code, err.contains("not installed")), (1, true), "{err}");
    let host = format!("{HOST}:{}", simulator.ingress_address().unwrap().port());
    install(&client, &pod, &format!("http://{host}")).await;
    let (_, _, code) = run(&client, &pod, "wp-cli", &["wp", "core", "is-installed"]).await;
    assert_eq!(code, 0);

    let duplicate =
        ["wp", "wc", "product", "create", "--name=Twin", "--regular_price=1", "--sku=NS-HEADPHONES", "--user=1"];
    let (_, err, code) = run(&client, &pod, "wp-cli", &duplicate).await;
    assert!(code == 1 && err.contains("Invalid or duplicated SKU"), "{err}");
    let (_, err, code) = run(&client, &pod, "wp-cli", &["wp", "wc", "product", "list"]).await;
    assert!(code == 1 && err.contains("--user"), "{err}");
    let listed = ["wp", "wc", "product", "list", "--user=1", "--format=json", "--fields=name,sku,price"];
    let (out, _, _) = run(&client, &pod, "wp-cli", &listed).await;
    let products: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(products, json!([{"name": "Wireless Headphones", "sku": "NS-HEADPHONES", "price": "99.99"}]));
    let wordpress =
        run(&client, &pod, "wordpress", &["sh", "-c", "wp core version || test -f wp-config.php && echo yes"]).await;
    assert_eq!(wordpress, ("yes\n".to_owned(), "sh: wp: not found\n".to_owned(), 0));

    let (code, body) = fetch(&client, &host, "/shop/").await;
    assert_eq!(code, 200);
    assert!(body.contains("My Shop") && body.contains("Wireless Headphones") && body.contains("99.99"), "{body}");
    let (code, body) = fetch(&client, &host, "/").await;
    assert!(code == 200 && body.contains("Hello world!"), "the front page is a blog's: {code} {body}");
    buy(&simulator).await;
    let (out, _, _) =
        run(&client, &pod, "wp-cli", &["wp", "wc", "shop_order", "list", "--user=1", "--format=count"]).await;
    assert_eq!(out, "1");

    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.delete(NS, &DeleteParams::default()).await.unwrap();
    eventually("the end of the namespace", || async { namespaces.get_opt(NS).await.unwrap().is_none().then_some(()) })
        .await;
    let volumes: Api<k8s_openapi::api::core::v1::PersistentVolume> = Api::all(client.clone());
    eventually("the end of its volumes", || async {
        volumes.list(&ListParams::default()).await.unwrap().items.is_empty().then_some(())
    })
    .await;
    simulator.shutdown().await;
}

/// A visitor's way through the shop, by the site's own address.
async fn buy(simulator: &Simulator) {
    let address = simulator.ingress_address().unwrap();
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).resolve(HOST, address).build().unwrap();
    let url = |path: &str| format!("http://{HOST}:{}{path}", address.port());
    let added = http.get(url("/?add-to-cart=8")).send().await.unwrap();
    let found = http.get(url("/shop/")).send().await.unwrap().text().await.unwrap();
    let id = found.split("add-to-cart=").nth(1).unwrap().split('"').next().unwrap();
    drop(added);
    let added = http.get(url(&format!("/?add-to-cart={id}"))).send().await.unwrap();
    assert_eq!(added.status(), 302);
    let cookie = added.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let form = [
        ("billing_name", "Ada"),
        ("billing_email", "ada@example.com"),
        ("billing_address", "1 Loop"),
        ("payment_method", "cod"),
    ];
    let done = http.post(url("/checkout/")).header("cookie", cookie).form(&form).send().await.unwrap();
    assert_eq!(done.status(), 302);
    let thanks = done.headers()["location"].to_str().unwrap().to_owned();
    assert!(thanks.contains("/checkout/order-received/"), "{thanks}");
    let login = http.post(url("/wp-login.php")).form(&[("log", "admin"), ("pwd", "pw")]).send().await.unwrap();
    let cookie = login.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let dashboard = http.get(url("/wp-admin/")).header("cookie", cookie).send().await.unwrap().text().await.unwrap();
    assert!(dashboard.contains("Ada") && dashboard.contains("Wireless Headphones"), "{dashboard}");
    let stranger = http.get(url("/wp-admin/")).send().await.unwrap();
    assert_eq!(stranger.status(), 302);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_woocommerce_refuses_an_old_wordpress() {
    let (simulator, client) = super::support::cluster().await;
    provision(&client, "wordpress:6.4-apache").await;
    let pod = pod_of(&client, "woocommerce").await;
    pod_of(&client, "mysql").await;
    let site = ["wp", "core", "install", "--url=http://x.test", "--title=T", "--admin_user=a", "--admin_email=a@b.c"];
    let (_, err, code) = run(&client, &pod, "wp-cli", &site).await;
    assert_eq!(code, 0, "{err}");
    let (_, err, code) = run(&client, &pod, "wp-cli", &["wp", "plugin", "install", "woocommerce"]).await;
    assert!(code == 1 && err.contains("Minimum WordPress requirement"), "{err}");
    let pinned = ["wp", "plugin", "install", "woocommerce", "--version=9.1.4", "--activate"];
    let (_, err, code) = run(&client, &pod, "wp-cli", &pinned).await;
    assert_eq!(code, 0, "{err}");
    simulator.shutdown().await;
}
