//! Variables of applications.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::requests::Key;
use super::stores::audit_of;
use super::{App, Caller};
use crate::db::{applications, variables};
use crate::domain::workload::{check_variables, names};
use crate::domain::{Error, Result, TeamRole};

/// The most variables of one request.
const MOST: usize = 1_000;

/// What is asked for by `setEnvironmentVariables`.
#[derive(Debug, Clone, Default)]
pub struct NewVariables {
    /// Plain values by name; none removes the variable.
    pub variables: BTreeMap<String, Option<String>>,
    /// Names of secrets by the names of the variables that get their values.
    pub secrets: BTreeMap<String, String>,
    /// Whether every other variable is removed.
    pub replace: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariablesSet {
    pub application: Uuid,
    /// How many variables it has now.
    pub count: usize,
    /// How many were removed.
    pub removed: u64,
}

impl App {
    /// Sets and removes variables of an application, all or none. Pods get them with the next deployment.
    ///
    /// # Errors
    /// `invalid-input` that names the variable, `not-found`, `forbidden`, `idempotency-conflict`.
    pub async fn set_environment_variables(
        &self,
        caller: &Caller,
        id: Uuid,
        new: &NewVariables,
        key: Option<&str>,
    ) -> Result<VariablesSet> {
        let application = self.authorised_application(caller, id, TeamRole::Developer).await?;
        check(new)?;
        let arguments = json!({ "id": id, "variables": new.variables, "secrets": new.secrets, "replace": new.replace });
        let key = Key::of(caller, key, "setEnvironmentVariables", &arguments)?;
        let wanted: Vec<String> = new.secrets.values().cloned().collect();
        let removed: Vec<String> =
            new.variables.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.clone()).collect();
        let kept: Vec<String> = new.variables.keys().chain(new.secrets.keys()).cloned().collect();
        self.db
            .transaction(&audit_of(caller), async |mut tx| {
                applications::lock(&mut tx, id).await?.ok_or_else(super::applications::missing)?;
                if let Some(first) = key.answered(&mut *tx).await? {
                    return Ok(first);
                }
                let found = variables::secrets(&mut *tx, application.team_id, id, &wanted).await?;
                let found: BTreeMap<&str, Uuid> = found.iter().map(|(name, id)| (name.as_str(), *id)).collect();
                let mut gone = variables::unset(&mut tx, id, &removed).await?;
                if new.replace {
                    gone += variables::keep_only(&mut tx, id, &kept).await?;
                }
                for (name, value) in &new.variables {
                    if let Some(value) = value {
                        variables::set(&mut tx, id, name, Some(value), None).await?;
                    }
                }
                for (name, secret) in &new.secrets {
                    let secret_id = found.get(secret.as_str()).ok_or_else(|| {
                        let message = format!("{name}: there is no secret named {secret:?}");
                        Error::invalid(format!("secrets.{name}"), message)
                    })?;
                    variables::set(&mut tx, id, name, None, Some(*secret_id)).await?;
                }
                let all = variables::list(&mut *tx, id).await?;
                let plain = all.iter().filter_map(|it| Some((it.name.as_str(), it.value.as_deref()?)));
                check_variables(plain)?;
                let set = VariablesSet { application: id, count: all.len(), removed: gone };
                key.answer(&mut tx, &set).await?;
                Ok(set)
            })
            .await
    }
}

fn check(new: &NewVariables) -> Result<()> {
    if new.variables.len() + new.secrets.len() > MOST {
        return Err(Error::invalid("variables", format!("variables: at most {MOST} at once")));
    }
    let plain = new.variables.iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default()));
    check_variables(plain)?;
    for name in new.secrets.keys() {
        let field = format!("secrets.{name}");
        if !names::is_variable(name) {
            let message =
                format!("{name:?}: the name of a variable has letters, digits and `_`, and begins with no digit");
            return Err(Error::invalid(field, message));
        }
        if new.variables.contains_key(name) {
            let message = format!("{name}: give it either a value or a secret");
            return Err(Error::invalid(field, message));
        }
    }
    Ok(())
}
