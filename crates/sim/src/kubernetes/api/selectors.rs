//! Label and field selectors.

use serde_json::Value;

use super::path::Target;
use super::query::Query;
use crate::kubernetes::json::{map, text};
use crate::kubernetes::kinds::{self, KindId};
use crate::kubernetes::status::{ApiError, ApiResult};

/// The selectors of a list or watch.
pub(super) struct Selectors {
    labels: Vec<Requirement>,
    /// Pointer, wanted value, whether it must be equal.
    fields: Vec<(String, String, bool)>,
    name: Option<String>,
}

enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Greater(String, i64),
    Less(String, i64),
}

impl Selectors {
    /// Reads the selectors of a request; an object's path selects its name.
    pub(super) fn read(target: &Target, query: &Query) -> ApiResult<Self> {
        Ok(Self {
            labels: labels(query.get("labelSelector"))?,
            fields: fields(target.kind, query.get("fieldSelector"))?,
            name: (!target.name.is_empty()).then(|| target.name.clone()),
        })
    }

    /// A label selector alone.
    pub(super) fn labelled(text: &str) -> ApiResult<Self> {
        Ok(Self { labels: labels(text)?, fields: Vec::new(), name: None })
    }

    /// Whether everything passes.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object passes.
    pub(super) fn matches(&self, object: &Value) -> bool {
        let own = map(object, "/metadata/labels");
        let label = |key: &str| own.and_then(|own| own.get(key)).and_then(Value::as_str);
        let number = |key: &str| label(key).and_then(|text| text.parse::<i64>().ok());
        self.name.as_deref().is_none_or(|name| name == text(object, "/metadata/name"))
            && self.labels.iter().all(|requirement| match requirement {
                Requirement::In(key, values) => label(key).is_some_and(|found| values.iter().any(|v| v == found)),
                Requirement::NotIn(key, values) => !label(key).is_some_and(|found| values.iter().any(|v| v == found)),
                Requirement::Exists(key) => label(key).is_some(),
                Requirement::Absent(key) => label(key).is_none(),
                Requirement::Greater(key, bound) => number(key).is_some_and(|found| found > *bound),
                Requirement::Less(key, bound) => number(key).is_some_and(|found| found < *bound),
            })
            && self.fields.iter().all(|(pointer, wanted, equal)| (field(object, pointer) == *wanted) == *equal)
    }
}

fn field(object: &Value, pointer: &str) -> String {
    match object.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None if pointer == "/spec/unschedulable" => "false".to_owned(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// Splits at commas outside parentheses.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(move |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
    .collect()
}

fn labels(text: &str) -> ApiResult<Vec<Requirement>> {
    parts(text).into_iter().map(requirement).collect()
}

fn requirement(part: &str) -> ApiResult<Requirement> {
    let values = |list: &str| -> Vec<String> {
        list.trim().trim_start_matches('(').trim_end_matches(')').split(',').map(|v| v.trim().to_owned()).collect()
    };
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement::Absent(key.trim().to_owned()));
    }
    if let Some((key, list)) = part.split_once(" notin ") {
        return Ok(Requirement::NotIn(key.trim().to_owned(), values(list)));
    }
    if let Some((key, list)) = part.split_once(" in ") {
        return Ok(Requirement::In(key.trim().to_owned(), values(list)));
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Ok(Requirement::NotIn(key.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        if value.trim().contains('=') {
            return Err(ApiError::bad_request("unable to parse requirement: found '=', expected: identifier"));
        }
        return Ok(Requirement::In(key.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    for (sign, greater) in [('>', true), ('<', false)] {
        if let Some((key, value)) = part.split_once(sign) {
            let bound = value.trim().parse().map_err(|_| {
                ApiError::bad_request(format!(
                    "unable to parse requirement: values[0][{}]: Invalid value: {:?}: for 'Gt', 'Lt' operators, the \
                     value must be an integer",
                    key.trim(),
                    value.trim()
                ))
            })?;
            let key = key.trim().to_owned();
            return Ok(if greater { Requirement::Greater(key, bound) } else { Requirement::Less(key, bound) });
        }
    }
    Ok(Requirement::Exists(part.to_owned()))
}

/// The fields by which a kind can be selected, besides its name and namespace.
fn selectable(kind: KindId) -> &'static [&'static str] {
    match kind {
        kinds::PODS => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        kinds::NAMESPACES => &["status.phase"],
        kinds::SECRETS => &["type"],
        kinds::NODES => &["spec.unschedulable"],
        kinds::SERVICES => &["spec.clusterIP", "spec.type"],
        kinds::REPLICASETS => &["status.replicas"],
        kinds::JOBS => &["status.successful"],
        kinds::EVENTS => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        _ => &[],
    }
}

fn fields(kind: KindId, text: &str) -> ApiResult<Vec<(String, String, bool)>> {
    parts(text)
        .into_iter()
        .map(|part| {
            let (name, value, equal) = part
                .split_once("!=")
                .map(|(name, value)| (name, value, false))
                .or_else(|| part.split_once("==").map(|(name, value)| (name, value, true)))
                .or_else(|| part.split_once('=').map(|(name, value)| (name, value, true)))
                .ok_or_else(|| {
                    ApiError::bad_request(format!("invalid selector: '{text}'; can't understand '{part}'"))
                })?;
            let known = matches!(name, "metadata.name" | "metadata.namespace") || selectable(kind).contains(&name);
            if !known {
                return Err(unknown_field(kind, name));
            }
            Ok((format!("/{}", name.replace('.', "/")), value.to_owned(), equal))
        })
        .collect()
}

fn unknown_field(kind: KindId, name: &str) -> ApiError {
    if selectable(kind).is_empty() {
        let known = "only \"metadata.name\", \"metadata.namespace\"";
        return ApiError::bad_request(format!("{name:?} is not a known field selector: {known}"));
    }
    ApiError::bad_request(format!("field label not supported: {name}"))
}
