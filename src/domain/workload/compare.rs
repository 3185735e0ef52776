//! What differs between two revisions, and what going back to one does not bring back.

use serde_json::{Value, json};

use super::Workload;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs, such as `image`, `variables.LOG_LEVEL` or `settings.health.path`.
    pub field: String,
    /// What the first revision has; none where it has nothing of the kind.
    pub from: Option<String>,
    /// What the second revision has.
    pub to: Option<String>,
}

/// What differs, ordered by field. A secret shows by name and version: its values are nowhere in a revision.
pub fn compare(from: &Workload, to: &Workload) -> Vec<Difference> {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    flatten("", &plain(from), &mut left);
    flatten("", &plain(to), &mut right);
    let find = |list: &[(String, String)], field: &str| {
        list.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone())
    };
    let mut fields: Vec<&String> = left.iter().chain(&right).map(|(field, _)| field).collect();
    fields.sort();
    fields.dedup();
    let differences = fields.into_iter().map(|field| Difference {
        field: field.clone(),
        from: find(&left, field),
        to: find(&right, field),
    });
    differences.filter(|difference| difference.from != difference.to).collect()
}

fn plain(workload: &Workload) -> Value {
    let mut variables = json!(workload.variables);
    for (name, secret) in &workload.secrets {
        variables[name] = json!(format!("secret {} version {}", secret.name, secret.version));
    }
    json!({
        "image": workload.image,
        "commit": workload.commit,
        "port": workload.port,
        "replicas": workload.replicas,
        "strategy": workload.strategy,
        "resources": workload.resources,
        "settings": workload.settings,
        "variables": variables,
    })
}

fn flatten(path: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (key, member) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, member, into);
            }
        }
        Value::String(text) => into.push((path.to_owned(), text.clone())),
        other => into.push((path.to_owned(), other.to_string())),
    }
}

/// What going back to a revision does not bring back, in sentences. `now` gives a secret's version today.
pub fn not_restored(revision: &Workload, now: impl Fn(uuid::Uuid) -> Option<i32>) -> Vec<String> {
    let mut list = vec![
        "Data in databases, volumes and other services stays as it is.".to_owned(),
        "The application's name, environment, cluster, repository and branch stay as they are.".to_owned(),
    ];
    let image = revision.image.as_str();
    if !image.contains('@') {
        list.push(format!("The image {image} is named by a tag, which may lead to another image than it did then."));
    }
    for (variable, secret) in &revision.secrets {
        match now(secret.id) {
            Some(version) if version == secret.version => {}
            Some(version) => list.push(format!(
                "The variable {variable} gets version {version} of the secret {}: revision {} had version {}.",
                secret.name, revision.revision, secret.version
            )),
            None => list.push(format!("The variable {variable} is left out: the secret {} is deleted.", secret.name)),
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::super::{Image, Resources, SecretVersion, Settings, Strategy};
    use super::*;

    fn workload(image: &str) -> Workload {
        Workload {
            revision: 1,
            image: Image::parse("image", image).unwrap(),
            commit: None,
            port: 8080,
            replicas: 2,
            resources: Resources::read(&json!({})).unwrap(),
            variables: [("LOG".to_owned(), "info".to_owned())].into(),
            secrets: [("KEY".to_owned(), SecretVersion { id: uuid::Uuid::nil(), name: "key".to_owned(), version: 1 })]
                .into(),
            strategy: Strategy::Rolling,
            settings: Settings::default(),
        }
    }

    #[test]
    fn differences_name_the_field_and_both_sides() {
        let one = workload("nginx:1");
        let mut two = workload("nginx:2");
        two.variables.clear();
        two.settings.host = Some("shop.example.com".to_owned());
        if let Some(key) = two.secrets.get_mut("KEY") {
            key.version = 2;
        }
        let seen: Vec<(String, Option<String>, Option<String>)> =
            compare(&one, &two).into_iter().map(|it| (it.field, it.from, it.to)).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            seen,
            [
                ("image".to_owned(), text("nginx:1"), text("nginx:2")),
                ("settings.host".to_owned(), None, text("shop.example.com")),
                ("variables.KEY".to_owned(), text("secret key version 1"), text("secret key version 2")),
                ("variables.LOG".to_owned(), text("info"), None),
            ]
        );
        assert!(compare(&one, &one).is_empty());
    }

    #[test]
    fn what_a_rollback_leaves_is_said() {
        let one = workload("nginx:1");
        let said = |now: Option<i32>| not_restored(&one, |_| now).join(" ");
        assert!(said(Some(1)).contains("named by a tag") && !said(Some(1)).contains("KEY"));
        assert!(said(Some(2)).contains("The variable KEY gets version 2 of the secret key: revision 1 had version 1."));
        assert!(said(None).contains("KEY is left out"));
        let pinned = workload(&format!("nginx@sha256:{}", "0".repeat(64)));
        assert!(!not_restored(&pinned, |_| Some(1)).join(" ").contains("tag"));
    }
}
