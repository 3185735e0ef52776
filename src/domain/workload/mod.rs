//! What one revision of an application runs: its image, variables, size, strategy and settings, read from rows and
//! checked whole before anything is asked of a cluster.

mod compare;
mod image;
pub mod names;
mod quantity;
mod registry;
mod resources;
mod settings;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use compare::{Difference, compare, not_restored};
pub use image::Image;
pub use quantity::Quantity;
pub use resources::{Amounts, Resources};
pub use settings::{Autoscaling, BlueGreen, Canary, CanaryStep, Health, Security, Settings};

use super::{Error, Result};

/// How a new revision takes the place of the one before.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumIter,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Strategy {
    /// Pod by pod, without a gap.
    Rolling,
    /// On a growing share of the pods first.
    Canary,
    /// Beside the old one, then all at once.
    BlueGreen,
    /// After the old one is gone.
    Recreate,
}

impl Strategy {
    /// The word, as in the database and the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads the word.
    ///
    /// # Errors
    /// `invalid-input` that names `strategy`.
    pub fn parse(text: &str) -> Result<Self> {
        text.parse().map_err(|_| {
            Error::invalid("strategy", "strategy: must be one of `rolling`, `canary`, `blue_green` and `recreate`")
        })
    }
}

/// A secret in one of its versions. Its value is nowhere but in the cluster and, encrypted, in its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretVersion {
    /// The secret's row.
    pub id: Uuid,
    pub name: String,
    pub version: i32,
}

/// One revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Its number within the application, from 1.
    pub revision: i32,
    pub image: Image,
    /// The commit that the image was made from, where that is known.
    pub commit: Option<String>,
    /// The port on which it serves HTTP.
    pub port: u16,
    /// How many pods.
    pub replicas: u32,
    /// The size of a pod.
    pub resources: Resources,
    /// Variables with plain values.
    pub variables: BTreeMap<String, String>,
    /// Variables whose value is a secret's.
    pub secrets: BTreeMap<String, SecretVersion>,
    /// How it takes the place of the one before.
    pub strategy: Strategy,
    /// All the rest.
    pub settings: Settings,
}

/// The most bytes of all variables together: what an object of Kubernetes may hold, with room for the rest of it.
const MOST_BYTES: usize = 900_000;

/// Refuses names and values of variables that cannot be given to a process.
///
/// # Errors
/// `invalid-input` that names the variable, such as `variables.PATH`.
pub fn check_variables<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<()> {
    let mut bytes = 0;
    for (name, value) in variables {
        let field = format!("variables.{name}");
        if !names::is_variable(name) {
            let message =
                format!("{name:?}: the name of a variable has letters, digits and `_`, and begins with no digit");
            return Err(Error::invalid(field, message));
        }
        if value.contains(|c: char| c.is_control() && c != '\t') {
            let message =
                format!("{name}: a variable's value is one line of text; keep what has more lines in a secret");
            return Err(Error::invalid(field, message));
        }
        bytes += name.len() + value.len();
        if bytes > MOST_BYTES {
            return Err(Error::invalid(
                field,
                format!("{name}: all variables together have at most {MOST_BYTES} bytes"),
            ));
        }
    }
    Ok(())
}

/// Reads a commit's id.
///
/// # Errors
/// `invalid-input` that names `commit`.
pub fn check_commit(commit: &str) -> Result<()> {
    let right = (7..=64).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    if right { Ok(()) } else { Err(Error::invalid("commit", "commit: 7 to 64 characters of 0-9 and a-f")) }
}

/// The most pods of an application.
const MOST_REPLICAS: u32 = 100;

/// Refuses a number of pods that is too large.
///
/// # Errors
/// `invalid-input` that names the field.
pub fn check_replicas(field: &str, replicas: i64, least: u32) -> Result<u32> {
    match u32::try_from(replicas) {
        Ok(replicas) if (least..=MOST_REPLICAS).contains(&replicas) => Ok(replicas),
        _ => Err(Error::invalid(field, format!("{field}: must be from {least} to {MOST_REPLICAS}"))),
    }
}

/// Reads a JSON column; an error names the field by its path below `root`.
fn read<T: DeserializeOwned>(root: &str, value: &Value) -> Result<T> {
    if !value.is_object() {
        return Err(Error::invalid(root, format!("{root}: must be a JSON object")));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner().to_string();
        let within = |name: &str| if path == "." { format!("{root}.{name}") } else { format!("{root}.{path}.{name}") };
        let quoted = |prefix: &str| problem.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
        let (field, message) = match (quoted("missing field `"), quoted("unknown field `")) {
            (Some(name), _) => (within(name), "is required".to_owned()),
            (_, Some(name)) if path.ends_with(name) => (format!("{root}.{path}"), "is not a known setting".to_owned()),
            (_, Some(name)) => (within(name), "is not a known setting".to_owned()),
            _ if path == "." => (root.to_owned(), in_words(&problem)),
            _ => (format!("{root}.{path}"), in_words(&problem)),
        };
        let message = format!("{field}: {message}");
        Error::invalid(field, message)
    })
}

/// What a value must be, from the words of the deserialiser, which name types of Rust.
fn in_words(problem: &str) -> String {
    let Some((_, expected)) = problem.rsplit_once(", expected ") else { return problem.to_owned() };
    match expected {
        "u8" | "u16" | "u32" | "u64" => "must be a whole number, 0 or more".to_owned(),
        "a boolean" => "must be true or false".to_owned(),
        "a string" => "must be text".to_owned(),
        "a sequence" => "must be a list".to_owned(),
        object if object.starts_with("struct ") || object == "a map" => "must be a JSON object".to_owned(),
        other => format!("must be {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_no_process_can_be_given_are_named() {
        assert!(check_variables([("A", "x=y {{ z }} $(cmd)"), ("B", "")]).is_ok());
        for (name, value) in [("A=B", "x"), ("", "x"), ("1A", "x"), ("A", "one\ntwo"), ("A", "x\0"), ("Ä", "x")] {
            let error = check_variables([(name, value)]).unwrap_err();
            assert_eq!(error.field(), Some(format!("variables.{name}").as_str()));
        }
        let long = "x".repeat(500_000);
        assert_eq!(check_variables([("A", &*long), ("B", &*long)]).unwrap_err().field(), Some("variables.B"));
    }
}
