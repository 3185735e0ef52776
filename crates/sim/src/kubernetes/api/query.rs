//! Query parameters.

use crate::kubernetes::json::Object;
use crate::kubernetes::status::{ApiError, ApiResult, Cause};
use serde_json::{Value, json};

/// The parameters of a request, in order.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn new(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value of a parameter; empty when absent.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Whether the parameter is there at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Every value of a parameter.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// A flag: there, and neither `false` nor `0`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.has(name) && !matches!(self.get(name), "false" | "0")
    }

    /// A whole number; 400 when it is none.
    pub(super) fn number(&self, name: &str) -> ApiResult<Option<i64>> {
        match self.get(name) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))),
        }
    }

    /// Whether `dryRun=All`; 422 for any other value. `options` is the kind of the options, such as `CreateOptions`.
    pub(super) fn dry_run(&self, options: &str) -> ApiResult<bool> {
        let values = self.all("dryRun");
        match values.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => Ok(false),
            ["All"] => Ok(true),
            _ => {
                let cause = Cause::unsupported("dryRun", &json!(values), &["All"]);
                Err(ApiError::invalid_of("meta.k8s.io", options, "", vec![cause]))
            }
        }
    }

    /// The field manager: as given, or from the user agent up to its first slash.
    pub(super) fn manager(&self, agent: Option<&str>, options: &str) -> ApiResult<String> {
        let given = self.get("fieldManager");
        if given.len() > 128 {
            let cause = Cause::too_long("fieldManager", "Too long: may not be more than 128 bytes");
            return Err(ApiError::invalid_of("meta.k8s.io", options, "", vec![cause]));
        }
        if !given.is_empty() {
            return Ok(given.to_owned());
        }
        let agent = agent.and_then(|agent| agent.split('/').next()).unwrap_or_default();
        Ok(if agent.is_empty() { "unknown".to_owned() } else { agent.chars().take(128).collect() })
    }

    /// Parameters of a deletion laid over its body.
    pub(super) fn over(&self, body: Option<&Object>, name: &str) -> Value {
        match self.get(name) {
            "" => body.and_then(|body| body.get(name)).cloned().unwrap_or_default(),
            text => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        }
    }
}
