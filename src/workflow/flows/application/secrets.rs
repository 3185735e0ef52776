//! The Secret of a revision: the values of its variables that are secrets', opened at the moment of writing. A value is
//! in the cluster and nowhere else: in no journal, result, detail or error.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::super::flow::StepContext;
use super::names::{SECRET_VERSIONS, Target};
use super::{Needs, manifests, ours};
use crate::config;
use crate::db::secrets::{self, Secret as Row};
use crate::domain::sealing::{Plaintext, about};
use crate::domain::workload::{SecretVersion, Workload};
use crate::domain::{Code, Error, Result};
use crate::vendors::kubernetes::{Client, FIELD_MANAGER};

/// The most bytes of all values together: what an object of Kubernetes may hold, with room for the rest of it.
const MOST_BYTES: usize = 900_000;

/// Values by the names of their variables.
pub type Values = BTreeMap<String, Plaintext>;

/// Writes the Secret of a revision, if it has secrets.
pub(super) async fn write(needs: &Needs, context: &StepContext, target: &Target, workload: &Workload) -> Result<()> {
    if workload.secrets.is_empty() {
        return Ok(());
    }
    let mut tx = context.transaction().await?;
    let found = rows(&mut tx, target, workload).await?;
    tx.commit().await?;
    let settings = needs.config.get().secrets.clone();
    match wanted(&needs.kubernetes, &settings, &found, target, workload).await? {
        Some((secret, values)) => {
            let applied = ours::apply(needs, target, &secret).await;
            applied.map(drop).map_err(|error| unquoted(error, &values))
        }
        None => Ok(()),
    }
}

/// Applies the Secret of a revision, if it has secrets. One that stands as it was written is left as it is where the
/// values cannot be had any more: when a step is done again or taken back, or an application is put right.
///
/// # Errors
/// As [`values`], and what the cluster refuses.
pub async fn provide(
    kubernetes: &Client,
    settings: &config::Secrets,
    rows: &[Row],
    target: &Target,
    workload: &Workload,
) -> Result<()> {
    let Some((secret, values)) = wanted(kubernetes, settings, rows, target, workload).await? else { return Ok(()) };
    ours::get::<Secret>(kubernetes, target, &target.configuration(workload.revision)).await?;
    match kubernetes.apply_alone(&target.namespace, &secret).await {
        Ok(_) => Ok(()),
        Err(error) => Err(unquoted(error.into(), &values)),
    }
}

/// The Secret that is to be applied, with the values in it; none where there is none, or it stands and is to be left.
async fn wanted(
    kubernetes: &Client,
    settings: &config::Secrets,
    rows: &[Row],
    target: &Target,
    workload: &Workload,
) -> Result<Option<(Secret, Values)>> {
    if workload.secrets.is_empty() {
        return Ok(None);
    }
    match values(settings, rows, workload) {
        Ok(values) => Ok(Some((manifests::secret(target, workload, Some(&values))?, values))),
        Err(error) => {
            let found: Option<Secret> = ours::get(kubernetes, target, &target.configuration(workload.revision)).await?;
            if found.is_some_and(|found| differences(&found, workload).is_empty()) { Ok(None) } else { Err(error) }
        }
    }
}

/// The secrets whose values a revision has, as far as what stands in this place may have them: a revision that was
/// written down with another team's secret gets none.
pub async fn rows(db: &mut PgConnection, target: &Target, workload: &Workload) -> Result<Vec<Row>> {
    let ids: Vec<Uuid> = workload.secrets.values().map(|secret| secret.id).collect();
    secrets::all(db, target.project, target.application, &ids).await
}

/// The values that a revision has, from the secrets' rows.
///
/// # Errors
/// `illegal-transition` when a secret is deleted or has another version by now; `internal` and `unavailable` when its key
/// is not configured. Each names the variable and the secret.
pub fn values(settings: &config::Secrets, rows: &[Row], workload: &Workload) -> Result<Values> {
    if workload.secrets.is_empty() {
        return Ok(Values::new());
    }
    let rows: BTreeMap<Uuid, &Row> = rows.iter().map(|row| (row.id, row)).collect();
    let ring = settings.ring()?;
    let mut values = Values::new();
    let mut bytes = 0;
    for (variable, wanted) in &workload.secrets {
        let row = rows.get(&wanted.id).ok_or_else(|| gone(variable, wanted))?;
        if row.version != wanted.version {
            return Err(replaced(variable, wanted, row.version));
        }
        let value = ring.open(row.subject(), &row.sealed).map_err(about(&format!("{variable}, {}", row.name)))?;
        bytes += variable.len() + value.expose().len();
        if bytes > MOST_BYTES {
            let message = format!("{variable}: all secrets of an application together have at most {MOST_BYTES} bytes");
            return Err(Error::invalid(format!("variables.{variable}"), message));
        }
        values.insert(variable.clone(), value);
    }
    Ok(values)
}

fn gone(variable: &str, wanted: &SecretVersion) -> Error {
    let message = format!(
        "{variable}: the secret {} is deleted, or not the application's or its team's; set the variable anew and deploy \
         again",
        wanted.name
    );
    Error::new(Code::IllegalTransition, message)
}

fn replaced(variable: &str, wanted: &SecretVersion, now: i32) -> Error {
    let SecretVersion { name, version, .. } = wanted;
    let message = format!(
        "{variable}: the secret {name} has version {now} by now, and the value of version {version}, which this revision \
         has, is not kept; deploy again"
    );
    Error::new(Code::IllegalTransition, message)
}

/// What of a revision's Secret is not as it was written, told without a value: the cluster knows who has written what.
fn differences(found: &Secret, workload: &Workload) -> Vec<String> {
    if found.metadata.deletion_timestamp.is_some() {
        return vec!["is being removed".to_owned()];
    }
    let mut differences = Vec::new();
    let versions = found.metadata.annotations.as_ref().and_then(|annotations| annotations.get(SECRET_VERSIONS));
    if versions != Some(&manifests::secret_versions(workload)) {
        differences.push("is of other versions than the revision".to_owned());
    }
    differences.extend(entries(found, workload));
    differences
}

/// The entries of a revision's Secret that are not as they were written.
pub fn entries(found: &Secret, workload: &Workload) -> Vec<String> {
    let mut differences = Vec::new();
    let ours = ours(found);
    for variable in workload.secrets.keys() {
        if !found.data.as_ref().is_some_and(|data| data.contains_key(variable)) {
            differences.push(format!("{variable} is not set"));
        } else if ours.as_ref().is_some_and(|ours| !ours.contains(variable)) {
            differences.push(format!("{variable} was changed by another hand"));
        }
    }
    let strange = found.data.iter().flat_map(BTreeMap::keys).filter(|key| !workload.secrets.contains_key(*key));
    differences.extend(strange.map(|key| format!("{key} is set and was never deployed")));
    differences
}

/// The entries that are as we have written them; none where the cluster does not tell.
fn ours(found: &Secret) -> Option<BTreeSet<String>> {
    let writers = found.metadata.managed_fields.as_ref()?;
    let fields = writers.iter().filter(|writer| writer.manager.as_deref() == Some(FIELD_MANAGER));
    let data = fields.filter_map(|writer| writer.fields_v1.as_ref()?.0.get("f:data")?.as_object());
    let entries = data.flat_map(|data| data.keys()).filter_map(|key| key.strip_prefix("f:"));
    Some(entries.map(str::to_owned).collect())
}

/// The error without its cause, and without its words where these quote a value as it is or as it was sent.
fn unquoted(error: Error, values: &Values) -> Error {
    let message = error.message();
    let quoted = values.values().map(|value| value.expose().as_str()).any(|value| {
        let escaped = value.escape_default().to_string();
        !value.is_empty()
            && [value, escaped.as_str(), STANDARD.encode(value).as_str()].iter().any(|form| message.contains(form))
    });
    let message = if quoted { "Kubernetes refused the Secret, in words that quote a value" } else { message };
    Error::new(error.code(), message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;
    use crate::domain::Redacted;
    use crate::domain::sealing::{KeyRing, Subject};
    use crate::domain::workload::{Image, Resources, Settings, Strategy};

    const KEYS: &str = "a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const CANARY: &str = "canary-5aa1\nof two lines";

    fn workload(version: i32) -> Workload {
        Workload {
            revision: 3,
            image: Image::parse("image", "nginx:1").unwrap(),
            commit: None,
            port: 8080,
            replicas: 1,
            resources: Resources::read(&json!({})).unwrap(),
            variables: BTreeMap::new(),
            secrets: [("KEY".to_owned(), SecretVersion { id: Uuid::nil(), name: "api-key".to_owned(), version })]
                .into(),
            strategy: Strategy::Rolling,
            settings: Settings::default(),
        }
    }

    fn row(version: i32) -> Row {
        let ring = KeyRing::parse(&KEYS.into(), None).unwrap();
        let subject = Subject { id: Uuid::nil(), version };
        let sealed = ring.seal(subject, CANARY).unwrap();
        Row { id: subject.id, team_id: Uuid::nil(), name: "api-key".to_owned(), version, sealed }
    }

    #[test]
    fn a_revision_gets_the_versions_that_it_recorded_or_an_error_that_names_the_secret() {
        let settings = config::Secrets { keys: Some(KEYS.into()), active_key: None };
        let opened = values(&settings, &[row(2)], &workload(2)).unwrap();
        assert_eq!(opened["KEY"].expose().as_str(), CANARY);
        let refused = |settings: &config::Secrets, rows: &[Row]| {
            values(settings, rows, &workload(2)).unwrap_err().message().to_owned()
        };
        assert!(refused(&settings, &[]).contains("KEY: the secret api-key is deleted"));
        assert!(refused(&settings, &[row(3)]).contains("api-key has version 3 by now"));
        let other = config::Secrets { keys: Some(KEYS.replace("a:", "b:").as_str().into()), active_key: None };
        assert!(refused(&other, &[row(2)]).contains("KEY, api-key: a secret is sealed with the key \"a\""));
        assert!(refused(&config::Secrets::default(), &[row(2)]).contains("no key for secrets"));
    }

    #[test]
    fn what_another_hand_has_written_is_told_without_the_value() {
        let workload = workload(2);
        let secret = |data: serde_json::Value, ours: serde_json::Value| -> Secret {
            serde_json::from_value(json!({ "data": data, "metadata": {
                "annotations": { SECRET_VERSIONS: manifests::secret_versions(&workload) },
                "managedFields": [{ "manager": "northstack", "fieldsV1": { "f:data": ours } },
                    { "manager": "somebody", "fieldsV1": { "f:data": { "f:KEY": {}, "f:MORE": {} } } }],
            } }))
            .unwrap()
        };
        let value = STANDARD.encode(CANARY);
        let told = |data, ours| differences(&secret(data, ours), &workload);
        assert!(told(json!({ "KEY": value }), json!({ "f:KEY": {} })).is_empty());
        assert_eq!(told(json!({ "KEY": value }), json!({})), ["KEY was changed by another hand"]);
        assert_eq!(told(json!({}), json!({ "f:KEY": {} })), ["KEY is not set"]);
        let more = told(json!({ "KEY": value, "MORE": value }), json!({ "f:KEY": {} }));
        assert_eq!(more, ["MORE is set and was never deployed"]);
        let mut other = secret(json!({ "KEY": value }), json!({ "f:KEY": {} }));
        other.metadata.annotations = None;
        assert_eq!(differences(&other, &workload), ["is of other versions than the revision"]);
    }

    #[test]
    fn no_refusal_of_the_cluster_quotes_a_value() {
        let values: Values = [("KEY".to_owned(), Redacted::new(Zeroizing::new(CANARY.to_owned())))].into();
        let say = |text: &str| unquoted(Error::new(Code::VendorRejected, text), &values).chain();
        assert_eq!(say("exceeded quota"), "exceeded quota");
        for form in [CANARY.to_owned(), STANDARD.encode(CANARY), CANARY.replace('\n', "\\n")] {
            let said = say(&format!("Invalid value: \"{form}\""));
            assert!(!said.contains("canary") && !said.contains(&form), "{said}");
        }
    }
}
