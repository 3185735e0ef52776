//! `docker-compose.yml`: valid YAML with the production parts, wired to each other, every secret required.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const SECRETS: &[&str] = &[
    "NORTHSTACK_DATABASE__PASSWORD",
    "NORTHSTACK_CACHE__PASSWORD",
    "NORTHSTACK_NATS__TOKEN",
    "NORTHSTACK_HASURA__ADMIN_SECRET",
    "NORTHSTACK_ACTIONS__SECRET",
    "NORTHSTACK_AUTH__SIGNING_KEY",
];

fn text() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docker-compose.yml")).unwrap()
}

fn compose() -> Value {
    // Merge keys (`<<`) are YAML 1.1's; the reader applies them on request.
    let mut document: serde_norway::Value = serde_norway::from_str(&text()).unwrap();
    document.apply_merge().unwrap();
    serde_json::to_value(document).unwrap()
}

#[test]
fn it_has_the_production_parts_with_pinned_images_and_health() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let names: BTreeSet<&str> = services.keys().map(String::as_str).collect();
    let expected = ["dragonfly", "hasura", "hasura-metadata", "metadata", "nats", "service", "worker", "yugabytedb"];
    assert_eq!(names, BTreeSet::from(expected));
    for (name, service) in services {
        let image = service["image"].as_str().unwrap();
        assert!(!image.ends_with(":latest}") && image.contains(':'), "{name}: {image} is not pinned");
        assert!(
            name == "metadata" || name == "worker" || service["healthcheck"].is_object(),
            "{name} has no health check"
        );
        for needed in service["depends_on"].as_object().into_iter().flatten().map(|(needed, _)| needed) {
            assert!(
                services[needed]["healthcheck"].is_object(),
                "{name} waits for {needed}, which has no health check"
            );
        }
    }
    let volumes: BTreeSet<&str> = compose["volumes"].as_object().unwrap().keys().map(String::as_str).collect();
    for (name, service) in services {
        for volume in service["volumes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let source = volume.split(':').next().unwrap();
            assert!(source.starts_with("${") || volumes.contains(source), "{name}: volume {source} is not declared");
        }
    }
}

#[test]
fn every_variable_of_the_service_is_a_setting_and_every_secret_is_required() {
    let compose = compose();
    let settings: BTreeSet<&str> = northstack::config::fields().iter().map(|field| field.variable.as_str()).collect();
    for service in ["service", "worker", "metadata"] {
        let environment = compose["services"][service]["environment"].as_object().unwrap();
        for name in environment.keys() {
            assert!(settings.contains(name.as_str()), "{service}: {name} is not a setting");
        }
        for secret in SECRETS {
            let value = environment.get(*secret).and_then(Value::as_str).unwrap_or_default();
            assert!(value.starts_with(&format!("${{{secret}:?")), "{service}: {secret} is not required");
        }
    }
    // No secret has a default anywhere in the file.
    for secret in SECRETS {
        assert!(!text().contains(&format!("{secret}:-")), "{secret} has a default");
    }
}

#[test]
fn docker_compose_accepts_it_where_the_plugin_is_installed() {
    let installed = Command::new("docker").args(["compose", "version"]).output().is_ok_and(|out| out.status.success());
    if !installed {
        println!("skipped: docker compose is not installed");
        return;
    }
    let mut command = Command::new("docker");
    command.args(["compose", "config", "--quiet"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("NORTHSTACK_KUBERNETES__KUBECONFIG", "/dev/null");
    for secret in SECRETS {
        command.env(secret, "0123456789abcdef");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
