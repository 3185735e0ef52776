//! What a pod asks for and how much it may use.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Quantity, read};
use crate::domain::{Error, Result};

/// Requests and limits of one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// What is set aside for it.
    pub requests: Amounts,
    /// The most that it gets.
    pub limits: Amounts,
}

/// CPU and memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Cores.
    pub cpu: Quantity,
    /// Bytes.
    pub memory: Quantity,
}

/// `{"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {...}}`; whatever is absent is the default.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    requests: Part,
    limits: Part,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Part {
    cpu: Option<String>,
    memory: Option<String>,
}

/// The most cores and bytes of one pod, in thousandths: 64 cores and 512 GiB.
const MOST_CPU: u128 = 64_000;
const MOST_MEMORY: u128 = 1_000 << 39;
/// The most that all pods of an application set aside, in thousandths: 256 cores and 1 TiB.
const ALL_CPU: u128 = 256_000;
const ALL_MEMORY: u128 = 1_000 << 40;

impl Resources {
    /// Reads what an application's row says, with defaults for what it does not.
    ///
    /// # Errors
    /// `invalid-input` that names the field, such as `resources.limits.memory`.
    pub fn read(value: &Value) -> Result<Self> {
        let Written { requests, limits } = read("resources", value)?;
        let amount = |part: &str, what: &str, text: Option<String>, most: u128| -> Result<Option<Quantity>> {
            let field = format!("resources.{part}.{what}");
            let Some(quantity) = text.map(|text| Quantity::parse(&field, &text)).transpose()? else { return Ok(None) };
            if quantity.milli() > most {
                return Err(Error::invalid(&*field, format!("{field}: no pod gets as much as {quantity}")));
            }
            Ok(Some(quantity))
        };
        let cpu = pair(
            "cpu",
            amount("requests", "cpu", requests.cpu, MOST_CPU)?,
            amount("limits", "cpu", limits.cpu, MOST_CPU)?,
            ("100m", "500m"),
        )?;
        let memory = pair(
            "memory",
            amount("requests", "memory", requests.memory, MOST_MEMORY)?,
            amount("limits", "memory", limits.memory, MOST_MEMORY)?,
            ("128Mi", "512Mi"),
        )?;
        Ok(Self {
            requests: Amounts { cpu: cpu.0, memory: memory.0 },
            limits: Amounts { cpu: cpu.1, memory: memory.1 },
        })
    }

    /// Refuses what so many pods would set aside together, where that is too much for one application.
    ///
    /// # Errors
    /// `invalid-input` that names the field.
    pub fn check_all(&self, replicas: u32) -> Result<()> {
        let Amounts { cpu, memory } = &self.requests;
        for (what, of_one, most, words) in [("cpu", cpu, ALL_CPU, "256 cores"), ("memory", memory, ALL_MEMORY, "1 TiB")]
        {
            if of_one.milli() * u128::from(replicas) > most {
                let field = format!("resources.requests.{what}");
                let message =
                    format!("{field}: {replicas} pods of {of_one} are more than the {words} that one application gets");
                return Err(Error::invalid(&*field, message));
            }
        }
        Ok(())
    }
}

/// Request and limit of one kind: one that is absent is the default, or the other where the default would not fit.
fn pair(
    what: &str,
    request: Option<Quantity>,
    limit: Option<Quantity>,
    defaults: (&str, &str),
) -> Result<(Quantity, Quantity)> {
    let (least, most) = (Quantity::parse(what, defaults.0)?, Quantity::parse(what, defaults.1)?);
    let pair = match (request, limit) {
        (Some(request), Some(limit)) => (request, limit),
        (Some(request), None) if request.milli() > most.milli() => (request.clone(), request),
        (Some(request), None) => (request, most),
        (None, Some(limit)) if limit.milli() < least.milli() => (limit.clone(), limit),
        (None, Some(limit)) => (least, limit),
        (None, None) => (least, most),
    };
    if pair.0.milli() > pair.1.milli() {
        let field = format!("resources.limits.{what}");
        let message = format!("{field}: the limit {} is less than the request {}", pair.1, pair.0);
        return Err(Error::invalid(field, message));
    }
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_fill_what_is_absent_and_wrong_amounts_are_named() {
        let default = Resources::read(&json!({})).unwrap();
        assert_eq!((default.requests.cpu.as_str(), default.limits.memory.as_str()), ("100m", "512Mi"));
        let large = Resources::read(&json!({ "requests": { "memory": "2Gi" } })).unwrap();
        assert_eq!(large.limits.memory.as_str(), "2Gi");
        let field = |value| Resources::read(&value).unwrap_err().field().map(str::to_owned);
        for (wrong, named) in [
            (json!({ "limits": { "memory": "1e9Gi" } }), "resources.limits.memory"),
            (json!({ "requests": { "cpu": "-1" } }), "resources.requests.cpu"),
            (json!({ "requests": { "cpu": 1 } }), "resources.requests.cpu"),
            (json!({ "requests": { "cpu": "2" }, "limits": { "cpu": "1" } }), "resources.limits.cpu"),
            (json!({ "limits": { "memory": "9000Ti" } }), "resources.limits.memory"),
            (json!({ "limits": { "gpu": "1" } }), "resources.limits.gpu"),
            (json!([]), "resources"),
        ] {
            assert_eq!(field(wrong.clone()).as_deref(), Some(named), "{wrong}");
        }
    }
}
