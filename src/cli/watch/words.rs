//! What is said of an operation, in a person's words and not in those of flows.

use serde_json::Value;

use crate::cli::graphql::{Ahead, Operation};

/// The name of what an operation is about, where that still exists.
pub fn name(operation: &Operation) -> Option<String> {
    let store = operation.store.as_ref().map(|store| store.name.clone());
    store.or_else(|| operation.application.as_ref().map(|application| application.name.clone()))
}

/// What an operation of a kind does, without its object.
pub fn kind(kind: &str) -> &str {
    match kind {
        "store.create" => "create the store",
        "store.delete" => "delete the store",
        "deployment.rolling" => "deploy",
        "deployment.canary" => "deploy a canary",
        "deployment.blue_green" => "deploy blue-green",
        "deployment.rollback" => "roll back",
        "application.scale" => "scale",
        "application.restart" => "restart",
        "application.start" => "start",
        "application.stop" => "stop",
        "application.delete" => "delete the app",
        "application.heal" => "repair",
        "application.sweep" => "clean up after the app",
        "preview.create" => "make a preview environment",
        "preview.delete" => "remove a preview environment",
        other => other,
    }
}

/// The act with its object, as a sentence begins with it.
fn act(operation: &Operation, name: &str) -> String {
    match operation.kind.as_str() {
        "store.create" => format!("Creating {name}"),
        "store.delete" | "application.delete" => format!("Deleting {name}"),
        "deployment.rollback" => format!("Bringing an earlier revision of {name} back"),
        kind if kind.starts_with("deployment.") => match &operation.deployment {
            Some(deployment) => format!("Deploying revision {} of {name}", deployment.revision),
            None => format!("Deploying {name}"),
        },
        "application.scale" => format!("Scaling {name}"),
        "application.restart" => format!("Restarting {name}"),
        "application.start" => format!("Starting {name}"),
        "application.stop" => format!("Stopping {name}"),
        "application.heal" => format!("Repairing {name}"),
        "application.sweep" => format!("Cleaning up after {name}"),
        "preview.create" => "Making the preview environment".to_owned(),
        "preview.delete" => "Removing the preview environment".to_owned(),
        kind => format!("The operation {kind}"),
    }
}

/// The last sentence: where the store or the application is, or why there is none and what to do next.
pub fn outcome(operation: &Operation, name: Option<&str>) -> String {
    let unnamed = match operation.subject_type.as_str() {
        "store" => "the store",
        "application" | "application_objects" => "the app",
        _ => "it",
    };
    let name = name.unwrap_or(unnamed);
    match operation.status.as_str() {
        "succeeded" => done(operation, name),
        "cancelled" if operation.superseded_by.is_some() => {
            format!("{} was never begun: a newer request took its place.", act(operation, name))
        }
        "cancelled" => format!("{} was cancelled, and what it had begun was taken back.", act(operation, name)),
        status => {
            let why = operation.error_message.as_deref().unwrap_or("no reason was given");
            format!("{} has {status}: {why}{}", act(operation, name), next(operation, name))
        }
    }
}

fn done(operation: &Operation, name: &str) -> String {
    match (operation.kind.as_str(), &operation.store, &operation.application) {
        // A name stays as it is; what has none begins the sentence.
        ("store.delete" | "application.delete", ..) => match name.strip_prefix("the ") {
            Some(unnamed) => format!("The {unnamed} was deleted."),
            None => format!("{name} was deleted."),
        },
        ("preview.create", ..) => "The preview environment is there.".to_owned(),
        ("preview.delete", ..) => "The preview environment was removed.".to_owned(),
        (_, Some(store), _) => {
            let text = format!("{} is {}: {}", store.name, store.status, store.url);
            match &store.admin_url {
                Some(admin) => format!("{text}\nAdministration: {admin}"),
                None => text,
            }
        }
        (_, _, Some(application)) => {
            let url = application.url.as_ref().map(|url| format!(": {url}")).unwrap_or_default();
            format!("{} is {}{url}", application.name, application.status)
        }
        _ => format!("{} is done.", act(operation, name)),
    }
}

/// The commands that help after a failure.
fn next(operation: &Operation, name: &str) -> String {
    let retry = || format!("\nTry again: northstack operations retry {}", operation.id);
    match operation.kind.as_str() {
        "store.create" => format!("\nTry again from the step that failed: northstack stores retry {}", quoted(name)),
        "deployment.rolling" | "deployment.canary" | "deployment.blue_green" | "deployment.rollback" => {
            let name = quoted(name);
            format!("\nLook closer: northstack why {name}\nTake it back: northstack abort {name} --watch{}", retry())
        }
        _ => retry(),
    }
}

/// What is said at a pause that waits for a person.
pub fn paused(operation: &Operation) -> String {
    let name = name(operation).unwrap_or_else(|| "the app".to_owned());
    let Some(deployment) = &operation.deployment else { return format!("{name} waits for you.") };
    let number = |path| deployment.progress.pointer(path).and_then(Value::as_u64);
    let what = match number("/canary/weight") {
        Some(weight) => {
            format!("Revision {} of {name} is a canary at {weight} % and waits for you.", deployment.revision)
        }
        None => format!(
            "Revision {} of {name} is ready beside the one that serves, and waits for you.",
            deployment.revision
        ),
    };
    let name = quoted(&name);
    format!(
        "{what}\nLet it go on: northstack promote {name} --watch (--full for all pods)\nTake it back: northstack abort {name} --watch"
    )
}

/// Why an operation has not begun: what comes first, and how to end that where a person has to.
pub fn queued(operation: &Operation, name: &str) -> Option<String> {
    let first = operation.ahead.first()?;
    let what = match (first.revision, first.strategy.as_deref()) {
        (Some(revision), Some("canary")) => format!("the canary of revision {revision}"),
        (Some(revision), _) => format!("the deployment of revision {revision}"),
        (None, _) if first.kind == "application.heal" => "its repair".to_owned(),
        (None, _) => format!("the request to {} it", kind(&first.kind)),
    };
    let name = quoted(name);
    if ends(operation, first) {
        return Some(format!("It begins once {what} has been taken back, which it ends"));
    }
    Some(match first.paused {
        true => format!(
            "It begins after {what}, which waits for a person: northstack promote {name}, or northstack abort {name}"
        ),
        false => format!("It begins after {what} has ended"),
    })
}

/// Whether an operation takes the place of one that has begun: a rollback of every deployment, a deployment of what may
/// wait for a person.
fn ends(operation: &Operation, ahead: &Ahead) -> bool {
    let waits = matches!(ahead.strategy.as_deref(), Some("canary" | "blue_green"));
    match operation.kind.as_str() {
        "deployment.rollback" => ahead.strategy.is_some(),
        kind => kind.starts_with("deployment.") && waits && ahead.kind != "deployment.rollback",
    }
}

/// A name as a shell takes it.
fn quoted(name: &str) -> String {
    shell_words::quote(name).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::cli::graphql::{OperationApplication, OperationDeployment, OperationStore};
    use crate::cli::watch::Pause;

    fn operation(kind: &str, status: &str) -> Operation {
        Operation {
            id: Uuid::nil(),
            kind: kind.into(),
            status: status.into(),
            subject_type: kind.split('.').next().unwrap_or_default().into(),
            subject_id: Uuid::nil(),
            error_code: None,
            error_message: (status == "failed").then(|| "the database did not start".into()),
            stuck_reason: None,
            created_at: String::new(),
            finished_at: None,
            superseded_by: None,
            store: None,
            application: None,
            deployment: None,
            ahead: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn canary(status: &str, steps: Value) -> Operation {
        let application = OperationApplication { name: "api".into(), status: "running".into(), url: None };
        let deployment = OperationDeployment {
            id: Uuid::nil(),
            revision: 2,
            status: status.into(),
            strategy: "canary".into(),
            progress: json!({ "canary": { "round": 0, "step": 0, "weight": 20 } }),
            settings: json!({ "canary": { "steps": steps } }),
        };
        let application = Some(application);
        Operation { application, deployment: Some(deployment), ..operation("deployment.canary", "waiting") }
    }

    #[test]
    fn the_outcome_says_where_the_store_is_or_why_there_is_none() {
        let store = OperationStore {
            store_id: "store-abcdefgh".into(),
            name: "My Shop".into(),
            status: "ready".into(),
            url: "http://store-abcdefgh.example.com".into(),
            admin_url: None,
        };
        let told = |operation: &Operation| outcome(operation, Some("My Shop"));
        let ready = Operation { store: Some(store), ..operation("store.create", "succeeded") };
        assert_eq!(told(&ready), "My Shop is ready: http://store-abcdefgh.example.com");
        let cancelled = told(&operation("store.create", "cancelled"));
        assert_eq!(cancelled, "Creating My Shop was cancelled, and what it had begun was taken back.");
        let failed = told(&operation("store.create", "failed"));
        assert!(failed.starts_with("Creating My Shop has failed: the database did not start\n"), "{failed}");
        assert!(failed.ends_with("northstack stores retry 'My Shop'"), "{failed}");
        assert_eq!(told(&operation("store.delete", "succeeded")), "My Shop was deleted.");
        assert_eq!(outcome(&operation("store.delete", "succeeded"), None), "The store was deleted.");
        let superseded = Operation { superseded_by: Some(Uuid::nil()), ..operation("deployment.rolling", "cancelled") };
        assert_eq!(outcome(&superseded, Some("api")), "Deploying api was never begun: a newer request took its place.");
    }

    #[test]
    fn a_pause_says_for_whom_it_waits_and_how_it_ends() {
        let waits = canary("paused", json!([{ "weight": 20 }]));
        assert!(Pause::of(&waits).is_some());
        let text = paused(&waits);
        for part in ["canary at 20 %", "northstack promote api", "northstack abort api"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let timed = canary("paused", json!([{ "weight": 20, "pauseSeconds": 5 }]));
        assert_eq!(Pause::of(&timed), None, "it goes on by itself");
        assert_eq!(Pause::of(&canary("deploying", json!([]))), None);
    }

    #[test]
    fn what_is_queued_says_what_comes_first() {
        let first = |paused| Ahead {
            id: Uuid::nil(),
            kind: "deployment.canary".into(),
            status: "waiting".into(),
            revision: Some(2),
            strategy: Some("canary".into()),
            paused,
        };
        let behind = |kind, ahead| Operation { ahead, ..operation(kind, "queued") };
        let text = queued(&behind("application.scale", vec![first(true)]), "api").expect("a reason");
        assert!(text.contains("canary of revision 2") && text.contains("northstack abort api"), "{text}");
        assert_eq!(
            queued(&behind("application.scale", vec![first(false)]), "api").expect("a reason"),
            "It begins after the canary of revision 2 has ended"
        );
        assert_eq!(queued(&behind("application.scale", Vec::new()), "api"), None);
        // What takes the canary's place waits for nobody.
        for kind in ["deployment.rolling", "deployment.rollback"] {
            let text = queued(&behind(kind, vec![first(true)]), "api").expect("a reason");
            assert_eq!(text, "It begins once the canary of revision 2 has been taken back, which it ends");
        }
    }
}
