//! The objects of a store, as they are applied. Pure: settings and names in, manifests out.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, ResourceQuota, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::names;
use crate::config;
use crate::domain::{Error, Redacted, Result};

/// Where a WooCommerce site's administration is.
pub const ADMIN_PATH: &str = "/wp-admin";

pub(super) fn object<T: DeserializeOwned>(manifest: Value) -> Result<T> {
    serde_json::from_value(manifest).map_err(|source| Error::internal("build a manifest", source))
}

fn labels(store: &str, app: &str) -> Value {
    json!({ "app": app, "app.kubernetes.io/managed-by": "northstack", names::STORE_LABEL: store })
}

pub(super) fn metadata(store: &str, name: &str, app: &str) -> Value {
    json!({ "name": name, "namespace": store, "labels": labels(store, app) })
}

/// The namespace. Pods that would reach the node are refused in it; the images of WordPress and MySQL begin as root, so
/// what `restricted` would refuse besides is only said.
pub(super) fn namespace(store: &str) -> Result<Namespace> {
    let mut labels = labels(store, names::APP);
    for (mode, level) in [("enforce", "baseline"), ("warn", "baseline"), ("audit", "restricted")] {
        labels[format!("pod-security.kubernetes.io/{mode}")] = json!(level);
    }
    object(json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": store, "labels": labels },
    }))
}

/// Room for the three containers, once more while a pod is replaced, and for two volumes.
pub(super) fn quota(store: &str) -> Result<ResourceQuota> {
    object(json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": metadata(store, names::QUOTA, names::APP),
        "spec": { "hard": {
            "requests.cpu": "1", "requests.memory": "2Gi", "limits.cpu": "4", "limits.memory": "4Gi",
            "persistentvolumeclaims": "2", "pods": "6",
        } },
    }))
}

/// A Secret whose values go to the API server only.
pub(super) fn secret(store: &str, name: &str, values: &[(&str, &Redacted)]) -> Result<Secret> {
    let data: serde_json::Map<String, Value> =
        values.iter().map(|(key, value)| ((*key).to_owned(), json!(value.expose()))).collect();
    object(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": metadata(store, name, names::APP),
        "stringData": data,
    }))
}

pub(super) fn volume(store: &str, name: &str, size: &str, class: Option<&str>) -> Result<PersistentVolumeClaim> {
    let mut spec = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": size } } });
    if let Some(class) = class {
        spec["storageClassName"] = json!(class);
    }
    object(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": metadata(store, name, names::APP),
        "spec": spec,
    }))
}

pub(super) fn service(store: &str, name: &str, app: &str, port: u16) -> Result<Service> {
    object(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": metadata(store, name, app),
        "spec": {
            "selector": { "app": app },
            "ports": [{ "name": if port == 80 { "http" } else { "mysql" }, "port": port, "targetPort": port, "protocol": "TCP" }],
        },
    }))
}

fn from_secret(variable: &str, secret: &str, key: &str) -> Value {
    json!({ "name": variable, "valueFrom": { "secretKeyRef": { "name": secret, "key": key } } })
}

fn deployment(store: &str, app: &str, pod: Value) -> Result<Deployment> {
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": metadata(store, app, app),
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": app } },
            // The volumes can be held by one node only: the old pod goes before the new one comes.
            "strategy": { "type": "Recreate" },
            "template": { "metadata": { "labels": labels(store, app) }, "spec": pod },
        },
    }))
}

/// The rights of a container that does its work as nobody in particular.
fn restricted(user: u32) -> Value {
    json!({
        "runAsNonRoot": true, "runAsUser": user, "runAsGroup": user, "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
    })
}

/// The rights of an image whose entrypoint begins as root: it takes over the files on its volume, opens its port and goes
/// on as its own user, whose processes it ends.
fn begins_as_root() -> Value {
    let needed = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"];
    json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"], "add": needed } })
}

fn resources() -> Value {
    json!({ "requests": { "memory": "256Mi", "cpu": "100m" }, "limits": { "memory": "512Mi", "cpu": "500m" } })
}

/// MySQL. It counts as ready when the shop's own user can query its database over TCP: during the first start the
/// image runs a temporary server that a probe by socket would take for the real one.
pub(super) fn mysql(store: &str, settings: &config::Stores) -> Result<Deployment> {
    let query = r#"MYSQL_PWD="$MYSQL_PASSWORD" mysql -h 127.0.0.1 -u "$MYSQL_USER" -e 'SELECT 1' "$MYSQL_DATABASE""#;
    let probe = json!({ "command": ["sh", "-c", query] });
    deployment(
        store,
        names::MYSQL,
        json!({
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": { "fsGroup": 999, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "mysql",
                "image": settings.mysql_image,
                "ports": [{ "name": "mysql", "containerPort": 3306 }],
                "securityContext": begins_as_root(),
                "env": [
                    from_secret("MYSQL_ROOT_PASSWORD", names::MYSQL_SECRET, "root-password"),
                    from_secret("MYSQL_DATABASE", names::MYSQL_SECRET, "database"),
                    from_secret("MYSQL_USER", names::MYSQL_SECRET, "username"),
                    from_secret("MYSQL_PASSWORD", names::MYSQL_SECRET, "password"),
                ],
                // The image refuses to initialise a volume that is not empty (`lost+found`): hence the sub-path.
                "volumeMounts": [{ "name": "mysql-storage", "mountPath": "/var/lib/mysql", "subPath": "mysql" }],
                "startupProbe": { "exec": probe, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 60 },
                "readinessProbe": { "exec": probe, "periodSeconds": 10, "timeoutSeconds": 5 },
                "resources": resources(),
            }],
            "volumes": [{ "name": "mysql-storage", "persistentVolumeClaim": { "claimName": names::MYSQL_VOLUME } }],
        }),
    )
}

/// WordPress, with WP-CLI beside it on the same volume and with the same environment: the image's `wp-config.php`
/// reads the environment whenever it runs.
pub(super) fn wordpress(store: &str, settings: &config::Stores) -> Result<Deployment> {
    let database = [
        json!({ "name": "WORDPRESS_DB_HOST", "value": format!("{}:3306", names::MYSQL_SERVICE) }),
        from_secret("WORDPRESS_DB_NAME", names::MYSQL_SECRET, "database"),
        from_secret("WORDPRESS_DB_USER", names::MYSQL_SECRET, "username"),
        from_secret("WORDPRESS_DB_PASSWORD", names::MYSQL_SECRET, "password"),
    ];
    let mut cli_environment = database.to_vec();
    cli_environment.push(json!({ "name": "HOME", "value": "/tmp" }));
    let mounts = json!([{ "name": "wordpress-storage", "mountPath": "/var/www/html" }]);
    deployment(
        store,
        names::WOOCOMMERCE,
        json!({
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            // uid and gid of www-data in the Debian image; WP-CLI's Alpine image would run as 82.
            "securityContext": { "fsGroup": 33, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [
                {
                    "name": names::WORDPRESS_CONTAINER,
                    "image": settings.wordpress_image,
                    "ports": [{ "name": "http", "containerPort": 80 }],
                    "securityContext": begins_as_root(),
                    "env": database,
                    "volumeMounts": mounts,
                    "readinessProbe": {
                        "httpGet": { "path": "/wp-login.php", "port": 80 },
                        "initialDelaySeconds": 5, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 10,
                    },
                    "resources": resources(),
                },
                {
                    "name": names::WP_CLI_CONTAINER,
                    "image": settings.wp_cli_image,
                    "command": ["/bin/sh", "-c", "trap 'exit 0' TERM; while true; do sleep infinity & wait $!; done"],
                    "env": cli_environment,
                    "volumeMounts": mounts,
                    "securityContext": restricted(33),
                    "resources": resources(),
                },
            ],
            "volumes": [{ "name": "wordpress-storage", "persistentVolumeClaim": { "claimName": names::WORDPRESS_VOLUME } }],
        }),
    )
}

/// The route from the store's host name to its service. Without a configured class the cluster's default serves it.
pub(super) fn ingress(store: &str, host: &str, class: Option<&str>) -> Result<Ingress> {
    let mut spec = json!({ "rules": [{ "host": host, "http": { "paths": [{
        "path": "/", "pathType": "Prefix",
        "backend": { "service": { "name": names::WOOCOMMERCE_SERVICE, "port": { "number": 80 } } },
    }] } }] });
    if let Some(class) = class {
        spec["ingressClassName"] = json!(class);
    }
    object(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": metadata(store, names::INGRESS, names::WOOCOMMERCE),
        "spec": spec,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a manifest became must hold all that was written: the typed form drops what it does not know.
    fn keeps_everything<T: serde::Serialize>(typed: &T, fields: &[&str]) {
        let text = serde_json::to_string(typed).expect("serialises");
        for field in fields {
            assert!(text.contains(field), "{field} is lost in {text}");
        }
    }

    #[test]
    fn no_password_is_in_a_workload_and_no_field_is_lost() {
        let settings = config::Stores::default();
        let mysql = mysql("store-abcdefgh", &settings).expect("mysql");
        keeps_everything(&mysql, &["subPath", "startupProbe", "secretKeyRef", "Recreate", "fsGroup", "512Mi"]);
        let wordpress = wordpress("store-abcdefgh", &settings).expect("wordpress");
        keeps_everything(
            &wordpress,
            &[
                "wp-cli",
                "runAsNonRoot",
                "RuntimeDefault",
                "enableServiceLinks",
                "NET_BIND_SERVICE",
                "mysql-service:3306",
                "/wp-login.php",
                "claimName",
            ],
        );
        let ingress = ingress("store-abcdefgh", "store-abcdefgh.example.com", Some("traefik")).expect("ingress");
        keeps_everything(&ingress, &["ingressClassName", "pathType", "woocommerce-service"]);
        let quota = quota("store-abcdefgh").expect("quota");
        keeps_everything(&quota, &["limits.memory", "persistentvolumeclaims"]);
    }
}
