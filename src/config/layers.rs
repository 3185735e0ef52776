//! Defaults, file and environment, laid over one another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Json, Serialized, Yaml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::fields::{Field, Kind, fields, sections};
use super::{Config, Problem, Problems};

/// What every environment variable of the product begins with.
pub(super) const PREFIX: &str = "NORTHSTACK_";
/// The variable that names the configuration file.
pub const FILE_VARIABLE: &str = "NORTHSTACK_CONFIG";

/// What a configuration is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A running service: every required secret has to be there.
    Service,
    /// A tool, such as the migrator: only what is given has to be right.
    Tool,
}

/// Where a configuration is read from.
#[derive(Debug, Clone, Default)]
pub struct Loader {
    file: Option<PathBuf>,
    environment: BTreeMap<String, String>,
    overrides: Vec<(String, serde_json::Value)>,
}

/// A configuration, with where each value came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The checked configuration.
    pub config: Config,
    /// By setting (`server.port`): the layer that set it. Settings not listed have their default.
    pub origins: BTreeMap<String, String>,
    /// By setting: the value as it was given, for comparison. Holds secrets.
    pub(super) given: BTreeMap<String, Value>,
}

impl Loaded {
    /// What was set, without the defaults, as a configuration file says it. Holds secrets.
    pub fn explicit(&self) -> serde_json::Value {
        let mut document = serde_json::Map::new();
        for path in self.origins.keys() {
            let (Some((section, field)), Some(value)) = (path.split_once('.'), self.given.get(path)) else { continue };
            // A value that was read as one can be written as one.
            let Ok(value) = serde_json::to_value(value) else { continue };
            let section = document.entry(section).or_insert_with(|| serde_json::json!({}));
            section[field] = value;
        }
        document.into()
    }
}

impl Loader {
    /// Nothing but the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// This process's environment, and the file that `NORTHSTACK_CONFIG` names.
    pub fn from_process() -> Self {
        Self::new().environment(std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
            Some((name, value.to_string_lossy().into_owned()))
        }))
    }

    /// Reads `path` (`.yaml`, `.yml` or `.json`).
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Adds environment variables.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Sets one value over everything else, as the command line and `northstack dev` do.
    pub fn set(mut self, path: &str, value: impl Into<serde_json::Value>) -> Self {
        self.overrides.push((path.to_owned(), value.into()));
        self
    }

    /// The file that is read, if any.
    pub fn path(&self) -> Option<PathBuf> {
        let named = || self.environment.get(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        self.file.clone().or_else(named)
    }

    /// Lays the layers over one another and checks the whole.
    ///
    /// # Errors
    /// [`Problems`]: all that is wrong, each with its setting and its origin.
    pub fn load(&self, purpose: Purpose) -> Result<Loaded, Problems> {
        let mut problems = Problems::default();
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        if let Some(path) = self.path() {
            figment = merge_file(figment, &path, &mut problems);
        }
        for (name, value) in &self.environment {
            match variable(name, value) {
                Ok(Some(layer)) => figment = figment.merge(layer),
                Ok(None) => {}
                Err(problem) => problems.0.push(problem),
            }
        }
        for (path, value) in &self.overrides {
            match Value::serialize(value) {
                Ok(value) => figment = figment.merge(One::new(path, value, "the command line".to_owned())),
                Err(error) => problems.add(path, error.to_string()),
            }
        }
        let config: Config = match figment.extract() {
            Ok(config) => config,
            Err(errors) => {
                problems.0.extend(errors.into_iter().map(problem));
                return Err(problems);
            }
        };
        let (mut origins, mut given) = (BTreeMap::new(), BTreeMap::new());
        for field in fields() {
            let path = field.path();
            if let Ok(value) = figment.find_value(&path) {
                given.insert(path.clone(), value);
            }
            if let Some(origin) = figment.find_metadata(&path).and_then(origin) {
                origins.insert(path, origin);
            }
        }
        config.check(&mut problems);
        for field in fields().iter().filter(|field| purpose == Purpose::Service && field.required) {
            let empty = given.get(&field.path()).is_none_or(|value| {
                matches!(value, Value::Empty(..)) || value.as_str().is_some_and(|text| text.trim().is_empty())
            });
            if empty {
                problems.add(&field.path(), format!("is needed and has no default: set {}", field.variable));
            }
        }
        for problem in &mut problems.0 {
            // Of a list's item the list is what was set.
            let setting = problem.field.split('[').next().unwrap_or_default();
            problem.origin = problem.origin.take().or_else(|| origins.get(setting).cloned());
        }
        if problems.0.is_empty() { Ok(Loaded { config, origins, given }) } else { Err(problems) }
    }
}

/// A configuration of values as they were given, by setting.
pub(super) fn assemble(given: &BTreeMap<String, Value>) -> Result<Config, Problems> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    for (path, value) in given {
        figment = figment.merge(One::new(path, value.clone(), String::new()));
    }
    figment.extract().map_err(|errors| Problems(errors.into_iter().map(problem).collect()))
}

fn merge_file(figment: Figment, path: &Path, problems: &mut Problems) -> Figment {
    if !path.is_file() {
        problems.add("", format!("the configuration file {} does not exist", path.display()));
        return figment;
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => figment.merge(Yaml::file_exact(path)),
        Some("json") => figment.merge(Json::file_exact(path)),
        _ => {
            problems.add("", format!("the configuration file {} must end in .yaml, .yml or .json", path.display()));
            figment
        }
    }
}

/// One setting as a layer, so that figment remembers where it came from.
struct One {
    path: String,
    value: Value,
    origin: String,
}

impl One {
    fn new(path: &str, value: Value, origin: String) -> Self {
        Self { path: path.to_owned(), value, origin }
    }
}

impl Provider for One {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let value = figment::util::nest(&self.path, self.value.clone());
        let dict = value.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

/// The layer of one environment variable; none if it is not a setting of ours.
fn variable(name: &str, text: &str) -> Result<Option<One>, Problem> {
    let Some(rest) = name.strip_prefix(PREFIX) else { return Ok(None) };
    let rest = rest.to_lowercase();
    if let Some(field) = fields().iter().find(|field| field.variable == name) {
        // An empty variable is an unset one, as docker compose and .env files write it.
        if text.is_empty() {
            return Ok(None);
        }
        return Ok(Some(One::new(&field.path(), parse(field, text)?, format!("the environment variable {name}"))));
    }
    let near = rest.replace("__", "_");
    let meant = fields().iter().find(|field| format!("{}_{}", field.section, field.name) == near);
    let in_section = rest.split_once("__").is_some_and(|(section, _)| sections().iter().any(|(s, _)| s == section));
    match meant {
        Some(field) => Err(Problem {
            field: field.path(),
            message: format!("is set by {}, not by {name}", field.variable),
            origin: None,
        }),
        None if in_section => Err(Problem {
            field: rest.replace("__", "."),
            message: "is not a setting; `northstack config example env` lists them".to_owned(),
            origin: Some(format!("the environment variable {name}")),
        }),
        None => Ok(None),
    }
}

fn parse(field: &Field, text: &str) -> Result<Value, Problem> {
    let wrong = |what: &str| Problem {
        field: field.path(),
        message: format!("must be {what}"),
        origin: Some(format!("the environment variable {}", field.variable)),
    };
    let number = text.trim();
    Ok(match field.kind {
        Kind::Text => Value::from(text),
        Kind::Integer => Value::from(number.parse::<i64>().map_err(|_| wrong("a whole number"))?),
        Kind::Number => Value::from(number.parse::<f64>().map_err(|_| wrong("a number"))?),
        Kind::Boolean => Value::from(number.parse::<bool>().map_err(|_| wrong("`true` or `false`"))?),
        Kind::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::from(items.map(Value::from).collect::<Vec<_>>())
        }
    })
}

/// A figment error in our words. Its own text may quote the value, so a secret's is left out.
fn problem(error: figment::Error) -> Problem {
    use figment::error::Kind as Wrong;
    let mut path = error.path.join(".");
    // The setting itself, or one of its items (`section.name.0`).
    let within = |of: &str| path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let secret = fields().iter().any(|field| field.secret && within(&field.path()));
    let message = match &error.kind {
        Wrong::UnknownField(name, _) => {
            if !path.ends_with(name.as_str()) {
                path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            }
            "is not a setting; `northstack config example yaml` lists them".to_owned()
        }
        Wrong::InvalidType(_, expected) if secret => format!("must be {expected}"),
        _ if secret => "has a value of the wrong form".to_owned(),
        Wrong::InvalidType(found, expected) => format!("must be {expected}, and is {found}"),
        Wrong::InvalidValue(found, expected) => format!("must be {expected}, and is {found}"),
        Wrong::UnknownVariant(found, expected) => format!("must be one of {}, and is `{found}`", expected.join(", ")),
        other => format!("is not right: {other}"),
    };
    Problem { field: path, message, origin: error.metadata.as_ref().and_then(origin) }
}

/// In words, where a value came from; nothing for a default.
fn origin(metadata: &Metadata) -> Option<String> {
    match &metadata.source {
        Some(figment::Source::File(path)) => Some(format!("the file {}", path.display())),
        Some(figment::Source::Code(_)) => None,
        _ => Some(metadata.name.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Loader {
        Loader::new().environment(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn refused(loader: &Loader, purpose: Purpose) -> Vec<String> {
        loader.load(purpose).expect_err("refused").0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("northstack.yaml");
        std::fs::write(&path, "server:\n  port: 9000\n  portal_port: 9001\nstores:\n  limit: 3\n").unwrap();
        let loaded = with(&[
            ("NORTHSTACK_CONFIG", path.to_str().unwrap()),
            ("NORTHSTACK_SERVER__PORT", "9100"),
            ("NORTHSTACK_DATABASE__HOSTS", "a, b:5434"),
            ("NORTHSTACK_DATABASE__PASSWORD", "12345"),
            ("NORTHSTACK_SERVICE_URL", "http://somewhere"),
        ])
        .set("worker.concurrency", 2)
        .load(Purpose::Tool)
        .unwrap();
        assert_eq!((loaded.config.server.port, loaded.config.server.portal_port), (9100, 9001));
        assert_eq!((loaded.config.stores.limit, loaded.config.worker.concurrency), (3, 2));
        assert_eq!(loaded.config.database.hosts, ["a", "b:5434"]);
        assert_eq!(loaded.config.database.password.as_ref().unwrap().expose(), "12345");
        assert!(loaded.origins["stores.limit"].ends_with("northstack.yaml"), "{:?}", loaded.origins);
        assert_eq!(loaded.origins["server.port"], "the environment variable NORTHSTACK_SERVER__PORT");
        assert!(!loaded.origins.contains_key("server.host"));
    }

    #[test]
    fn json_files_are_read_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("northstack.json");
        std::fs::write(&path, r#"{"nats": {"replicas": 3, "redelivery_pauses": ["2s"]}}"#).unwrap();
        let config = Loader::new().file(&path).load(Purpose::Tool).unwrap().config;
        assert_eq!((config.nats.replicas, config.nats.redelivery_pauses[0].as_secs()), (3, 2));
    }

    #[test]
    fn each_problem_names_its_setting_and_what_is_right() {
        let text = refused(&with(&[("NORTHSTACK_SERVER__PORT", "eighty")]), Purpose::Tool);
        assert_eq!(
            text,
            ["server.port must be a whole number (set by the environment variable NORTHSTACK_SERVER__PORT)"]
        );
        let text = refused(&with(&[("NORTHSTACK_SERVER__PORT", "80800")]), Purpose::Tool);
        assert!(text[0].starts_with("server.port must be"), "{text:?}");
        let text = refused(&with(&[("NORTHSTACK_SERVER__PROT", "1")]), Purpose::Tool);
        assert!(text[0].starts_with("server.prot is not a setting"), "{text:?}");
        let text = refused(&with(&[("NORTHSTACK_SERVER_PORT", "1")]), Purpose::Tool);
        assert_eq!(text, ["server.port is set by NORTHSTACK_SERVER__PORT, not by NORTHSTACK_SERVER_PORT"]);
        let text = refused(
            &with(&[("NORTHSTACK_NATS__REPLICAS", "2"), ("NORTHSTACK_DATABASE__TOPOLOGY_KEYS", "aws")]),
            Purpose::Tool,
        );
        assert!(text.iter().any(|line| line.starts_with("nats.replicas must be 1, 3 or 5 (set by")), "{text:?}");
        assert!(text.iter().any(|line| line.starts_with("database.topology_keys each must be")), "{text:?}");
        let text = refused(&with(&[("NORTHSTACK_HASURA__MODE", "mock")]), Purpose::Tool);
        assert!(text[0].contains("hasura.mode") && text[0].contains("embedded"), "{text:?}");
    }

    #[test]
    fn unknown_keys_in_a_file_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("northstack.yaml");
        std::fs::write(&path, "server:\n  prot: 1\n").unwrap();
        let text = refused(&Loader::new().file(&path), Purpose::Tool);
        assert!(text[0].starts_with("server.prot is not a setting") && text[0].contains("northstack.yaml"), "{text:?}");
        let text = refused(&Loader::new().file(directory.path().join("absent.yaml")), Purpose::Tool);
        assert!(text[0].contains("does not exist"), "{text:?}");
    }

    #[test]
    fn a_service_needs_its_secrets_and_says_which_variable_sets_them() {
        let text = refused(&Loader::new(), Purpose::Service);
        for variable in
            ["NORTHSTACK_ACTIONS__SECRET", "NORTHSTACK_AUTH__SIGNING_KEY", "NORTHSTACK_HASURA__ADMIN_SECRET"]
        {
            assert!(text.iter().any(|line| line.ends_with(variable)), "{variable}: {text:?}");
        }
        assert!(Loader::new().load(Purpose::Tool).is_ok());
    }

    #[test]
    fn a_secret_of_the_wrong_form_is_not_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("northstack.yaml");
        std::fs::write(&path, "actions:\n  secret: 987654321\n").unwrap();
        let text = refused(&Loader::new().file(&path), Purpose::Tool).join(" ");
        assert!(text.contains("actions.secret") && !text.contains("987654321"), "{text}");
    }
}
