//! Secrets: set, reveal, delete, and their keys' rotation. A value is open only here and where a deployment hands it to
//! its cluster, and for no longer than that takes.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::requests::Key;
use super::stores::audit_of;
use super::{App, Caller};
use crate::auth::same_secret;
use crate::db::secrets::{self, Place, Secret};
use crate::db::{Audit, Db, PgTx, audit};
use crate::domain::sealing::{KeyRing, Plaintext, Subject, about};
use crate::domain::{Code, Error, Redacted, Result, TeamRole};

/// The most bytes of a value: a process gets no longer variable (128 KiB on Linux), and a cluster's object holds
/// several.
const MOST_BYTES: usize = 64 * 1024;
/// Secrets that are read at once when their keys are wrapped anew.
const PAGE: i64 = 100;

/// What is asked for by `setSecret`: a new version of a secret that is named by its id, or by its place and name; the
/// first version where there is none in that place.
#[derive(Debug, Clone, Default)]
pub struct NewSecret {
    /// The secret.
    pub id: Option<Uuid>,
    /// The team, for a secret of all its applications; by default the one in which the caller may create.
    pub team: Option<Uuid>,
    /// The application, for a secret of its own.
    pub application: Option<Uuid>,
    pub name: Option<String>,
    pub value: Redacted,
    /// The caller's key for "the same request again".
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretSet {
    pub id: Uuid,
    /// The version that has the value.
    pub version: i32,
}

/// A secret, revealed.
#[derive(Debug, Clone)]
pub struct Revealed {
    pub id: Uuid,
    pub name: String,
    pub version: i32,
    pub value: Plaintext,
}

/// Which secret is set.
enum Wanted {
    Known(Uuid),
    In(Place),
}

impl App {
    /// Sets a secret: makes it, or gives it a new version. The value that it has already makes none. Pods get the value
    /// with the next deployment.
    ///
    /// # Errors
    /// `invalid-input` that names the field, `not-found`, `forbidden`, `idempotency-conflict`, `unavailable` where no key
    /// is configured.
    pub async fn set_secret(&self, caller: &Caller, new: &NewSecret) -> Result<SecretSet> {
        let ring = self.config.get().secrets.ring()?;
        let value = new.value.expose().as_str();
        check_value(value)?;
        // Without the value: a digest of a short value is as good as the value.
        let arguments = json!({ "id": new.id, "team": new.team, "application": new.application, "name": new.name });
        let key = Key::of(caller, new.idempotency_key.as_deref(), "setSecret", &arguments)?;
        let wanted = self.wanted(caller, new).await?;
        let (ring, wanted) = (&ring, &wanted);
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                if let Some(first) = key.answered(&mut *tx).await? {
                    return repeated(&mut tx, ring, value, first).await;
                }
                let made = match wanted {
                    Wanted::Known(id) => {
                        let row = secrets::lock(&mut tx, *id).await?.ok_or_else(missing)?;
                        renew(&mut tx, ring, &row, value).await?
                    }
                    Wanted::In(place) => make(&mut tx, ring, place, value).await?,
                };
                let set = SecretSet { id: made.id, version: made.version };
                key.answer(&mut tx, &set).await?;
                Ok(set)
            })
            .await
    }

    /// A secret's value. Every reveal is in the audit log, without it.
    ///
    /// # Errors
    /// `not-found`, `forbidden`; `unavailable` and `internal` where the key that it is sealed with is not configured.
    pub async fn reveal_secret(&self, caller: &Caller, id: Uuid) -> Result<Revealed> {
        if let Err(refusal) = self.authorised_secret(caller, id).await {
            if let Some(row) = secrets::find(self.db.pool(), id).await? {
                let details = json!({ "name": row.name });
                self.refused(caller, row.team_id, ("reveal-refused", "secrets", id), &details, &refusal).await?;
            }
            return Err(refusal);
        }
        let ring = self.config.get().secrets.ring()?;
        let ring = &ring;
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                let row = secrets::find(&mut *tx, id).await?.ok_or_else(missing)?;
                let value = ring.open(row.subject(), &row.sealed).map_err(about(&row.name))?;
                let details = json!({ "name": row.name, "version": row.version });
                audit::append(&mut tx, row.team_id, "reveal", "secrets", id, &details).await?;
                Ok(Revealed { id, name: row.name, version: row.version, value })
            })
            .await
    }

    /// Deletes a secret that no variable uses; its value goes for good. What runs keeps the value that it was given.
    ///
    /// # Errors
    /// `not-found`, `forbidden`, `illegal-transition` with the names of the applications whose variables use it.
    pub async fn delete_secret(&self, caller: &Caller, id: Uuid) -> Result<()> {
        self.authorised_secret(caller, id).await?;
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                let row = secrets::lock(&mut tx, id).await?.ok_or_else(missing)?;
                let users = secrets::used_by(&mut *tx, id).await?;
                if !users.is_empty() {
                    let users: Vec<String> =
                        users.iter().map(|(application, variable)| format!("{application} ({variable})")).collect();
                    let message =
                        format!("{} is used by variables of {}; remove them first", row.name, users.join(", "));
                    return Err(Error::new(Code::IllegalTransition, message));
                }
                secrets::delete(&mut tx, id).await
            })
            .await
    }

    /// The secret that is meant, in a place in which the caller may set one.
    async fn wanted(&self, caller: &Caller, new: &NewSecret) -> Result<Wanted> {
        if let Some(id) = new.id {
            if new.name.is_some() || new.team.is_some() || new.application.is_some() {
                let message = "id: names the secret; leave the name, the team and the application out";
                return Err(Error::invalid("id", message));
            }
            self.authorised_secret(caller, id).await?;
            return Ok(Wanted::Known(id));
        }
        let name = new.name.as_deref().ok_or_else(|| Error::invalid("name", "name: is required, or an id"))?;
        check_name(name)?;
        let team = match (new.application, new.team) {
            (Some(application), team) => {
                let row = self.authorised_application(caller, application, TeamRole::Developer).await?;
                if team.is_some_and(|team| team != row.team_id) {
                    return Err(Error::invalid("teamId", "teamId: the application is another team's"));
                }
                row.team_id
            }
            (None, Some(team)) => {
                self.authorise(&caller.actor, team, TeamRole::Developer).await?;
                team
            }
            (None, None) => self.default_team(&caller.actor).await?,
        };
        Ok(Wanted::In(Place { team, application: new.application, name: name.to_owned() }))
    }

    /// To somebody who is no member of its team, a secret does not exist.
    async fn authorised_secret(&self, caller: &Caller, id: Uuid) -> Result<()> {
        let row = secrets::find(self.db.pool(), id).await?.ok_or_else(missing)?;
        let allowed = self.authorise(&caller.actor, row.team_id, TeamRole::Developer).await;
        allowed.map_err(|error| if error.code() == Code::NotFound { missing() } else { error })
    }
}

fn missing() -> Error {
    Error::not_found("secret")
}

/// The first version of a secret, or the next of the one that is in its place.
async fn make(tx: &mut PgTx, ring: &KeyRing, place: &Place, value: &str) -> Result<Subject> {
    if let Some(row) = secrets::lock_in(tx, place).await? {
        return renew(tx, ring, &row, value).await;
    }
    let first = Subject { id: Uuid::new_v4(), version: 1 };
    if secrets::insert(tx, first.id, place, &ring.seal(first, value)?).await? {
        return Ok(first);
    }
    // Somebody else has made it in this moment.
    let row = secrets::lock_in(tx, place).await?;
    let row = row.ok_or_else(|| Error::new(Code::Conflict, "the secret is being changed by another request"))?;
    renew(tx, ring, &row, value).await
}

/// The next version of a locked secret, unless it has the value. One that does not open gets a new version too: that is
/// the way out when its key is lost.
async fn renew(tx: &mut PgTx, ring: &KeyRing, row: &Secret, value: &str) -> Result<Subject> {
    if has(ring, row, value) {
        return Ok(row.subject());
    }
    let next = Subject { id: row.id, version: row.version + 1 };
    secrets::renew(tx, next, &ring.seal(next, value)?).await?;
    Ok(next)
}

fn has(ring: &KeyRing, row: &Secret, value: &str) -> bool {
    let now = ring.open(row.subject(), &row.sealed);
    now.is_ok_and(|now| same_secret(now.expose().as_bytes(), value.as_bytes()))
}

/// The answer that the first request with the same key got. Once there is a newer version, its value is not known any
/// more, and the key alone decides.
async fn repeated(tx: &mut PgTx, ring: &KeyRing, value: &str, first: SecretSet) -> Result<SecretSet> {
    match secrets::lock(tx, first.id).await? {
        Some(row) if row.version == first.version && !has(ring, &row, value) => {
            let message = "the idempotency key was used before with another value";
            Err(Error::new(Code::IdempotencyConflict, message))
        }
        _ => Ok(first),
    }
}

fn check_name(name: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if first && rest && name.len() <= 253 {
        return Ok(());
    }
    let message = "name: 1 to 253 letters, digits, `_`, `.` and `-`, beginning with a letter or `_`";
    Err(Error::invalid("name", message))
}

fn check_value(value: &str) -> Result<()> {
    let problem = match value {
        "" => "value: must not be empty",
        value if value.len() > MOST_BYTES => "value: has at most 65536 bytes",
        value if value.contains('\0') => "value: a variable cannot hold a zero byte",
        _ => return Ok(()),
    };
    Err(Error::invalid("value", problem))
}

/// How many secrets are sealed with each key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyUse {
    /// The key's id.
    pub key_id: String,
    /// How many secrets need it.
    pub secrets: i64,
    /// Whether it is configured.
    pub configured: bool,
    /// Whether new values are sealed with it.
    pub active: bool,
}

/// The keys that secrets need, and those that are configured.
///
/// # Errors
/// `unavailable` when the database is, or where no key is configured.
pub async fn keys(db: &Db, ring: &KeyRing) -> Result<Vec<KeyUse>> {
    let mut counts: std::collections::BTreeMap<String, i64> =
        secrets::count_by_key(db.pool()).await?.into_iter().collect();
    for id in ring.ids() {
        counts.entry(id.to_owned()).or_default();
    }
    let known = |id: &str| ring.ids().any(|known| known == id);
    let uses = counts.into_iter().map(|(key_id, secrets)| {
        let (configured, active) = (known(&key_id), key_id == ring.active());
        KeyUse { key_id, secrets, configured, active }
    });
    Ok(uses.collect())
}

/// What wrapping data keys anew came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rewrapped {
    /// The key that all of them are sealed with now.
    pub active: String,
    /// Those that were sealed with another one and are not any more.
    pub rewrapped: u64,
    /// Those that could not be: (secret, why).
    pub failed: Vec<(Uuid, String)>,
    /// Secrets that are still sealed with another key.
    pub remaining: i64,
}

/// Wraps the data key of every secret that is sealed with another key than the active one anew, one by one: the values
/// stay as they are sealed, readers and writers go on, and what is interrupted goes on from there when it is begun again.
///
/// # Errors
/// `unavailable` when the database is.
pub async fn rewrap(db: &Db, ring: &KeyRing, by: &Audit, mut progress: impl FnMut(&Rewrapped)) -> Result<Rewrapped> {
    let active = ring.active().to_owned();
    let mut report = Rewrapped { active: active.clone(), ..Rewrapped::default() };
    let mut after = Uuid::nil();
    loop {
        let page = secrets::sealed_with_others(db.pool(), &active, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for secret in &page {
            match ring.rewrap(secret.subject(), &secret.sealed.key) {
                Ok(key) => {
                    let key = &key;
                    let written =
                        db.transaction(by, async |mut tx| secrets::rewrap(&mut tx, secret, key).await).await?;
                    report.rewrapped += u64::from(written);
                }
                Err(error) => report.failed.push((secret.id, about(&secret.name)(error).message().to_owned())),
            }
            progress(&report);
        }
    }
    let counts = secrets::count_by_key(db.pool()).await?;
    report.remaining = counts.iter().filter(|(id, _)| *id != active).map(|(_, count)| count).sum();
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_that_no_variable_can_have_are_refused() {
        for name in ["db-password", "_x", "A.b_c-1"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "1a", "-a", "a b", "ä", "a/b", &"a".repeat(254)] {
            assert_eq!(check_name(name).unwrap_err().field(), Some("name"), "{name}");
        }
        assert!(check_value("one\ntwo\tü").is_ok() && check_value(&"x".repeat(MOST_BYTES)).is_ok());
        for value in ["", "a\0b", &"x".repeat(MOST_BYTES + 1)] {
            let error = check_value(value).unwrap_err();
            assert_eq!(error.field(), Some("value"));
            assert!(!error.message().contains("xx"));
        }
    }
}
