//! Bodies: JSON or YAML into a checked object.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use serde_json::{Value, json};

use super::BODY_LIMIT;
use super::query::Query;
use crate::kubernetes::json::text;
use crate::kubernetes::kinds::KindId;
use crate::kubernetes::status::{ApiError, ApiResult, Cause};
use crate::kubernetes::typed::{duplicates, normalise};

/// How strictly unknown and doubled fields are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    Ignore,
    Warn,
    Strict,
}

/// Reads `fieldValidation`.
pub(super) fn strictness(query: &Query, options: &str) -> ApiResult<Strictness> {
    match query.get("fieldValidation") {
        "" | "Warn" => Ok(Strictness::Warn),
        "Strict" => Ok(Strictness::Strict),
        "Ignore" => Ok(Strictness::Ignore),
        other => {
            let supported = ["", "Ignore", "Strict", "Warn"];
            let cause = Cause::unsupported("fieldValidation", &json!(other), &supported);
            Err(ApiError::invalid_of("meta.k8s.io", options, "", vec![cause]))
        }
    }
}

/// The bytes of a request, up to the limit.
pub(super) async fn read(request: Request) -> ApiResult<(HeaderMap, Bytes)> {
    let (parts, body) = request.into_parts();
    match to_bytes(body, BODY_LIMIT).await {
        Ok(bytes) => Ok((parts.headers, bytes)),
        Err(_) => {
            let message = format!("Request entity too large: limit is {BODY_LIMIT}");
            Err(ApiError::new(413, "RequestEntityTooLarge", message))
        }
    }
}

/// The media type of a request without its parameters.
pub(super) fn media(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_owned()
}

/// An object as a client sent it for that kind: decoded, judged and normalised, with warnings.
pub(super) fn object(
    kind: KindId,
    headers: &HeaderMap,
    bytes: &Bytes,
    strictness: Strictness,
) -> ApiResult<(Value, Vec<String>)> {
    let media = media(headers);
    let mut value = match media.as_str() {
        "" | "application/json" => json_body(kind, bytes)?,
        "application/yaml" => yaml(bytes)?,
        _ => {
            let message = "the body of the request was in an unknown format - accepted media types include: \
                           application/json, application/yaml, application/vnd.kubernetes.protobuf";
            return Err(ApiError::new(415, "UnsupportedMediaType", message));
        }
    };
    named_as(kind, &mut value, bytes)?;
    let doubled = if media == "application/yaml" { Vec::new() } else { duplicates(bytes) };
    let warnings = judge(kind, &mut value, &doubled, strictness)?;
    Ok((value, warnings))
}

/// Checks types and unknown fields of a value, drops the unknown ones and normalises the rest.
pub(super) fn judge(
    kind: KindId,
    value: &mut Value,
    doubled: &[String],
    strictness: Strictness,
) -> ApiResult<Vec<String>> {
    let found = (kind.check)(value);
    let cannot = |why: &str| {
        ApiError::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: {why}",
            kind.kind, kind.version, kind.kind
        ))
    };
    if let Some(error) = found.error {
        return Err(cannot(&error));
    }
    let complaints: Vec<String> = doubled
        .iter()
        .map(|path| format!("duplicate field {path:?}"))
        .chain(found.unknown.iter().map(|path| format!("unknown field {path:?}")))
        .collect();
    normalise(value, &found.unknown);
    match strictness {
        Strictness::Strict if !complaints.is_empty() => {
            Err(cannot(&format!("strict decoding error: {}", complaints.join(", "))))
        }
        Strictness::Warn => Ok(complaints),
        _ => Ok(Vec::new()),
    }
}

fn json_body(kind: KindId, bytes: &Bytes) -> ApiResult<Value> {
    serde_json::from_slice::<Value>(bytes).map_err(|error| {
        let why = if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() };
        unrecognized(kind, &why, bytes)
    })
}

/// The refusal of a body that is no object, which shows its beginning: as text when it looks like JSON, else in
/// hexadecimal digits.
fn unrecognized(kind: KindId, why: &str, bytes: &Bytes) -> ApiError {
    let start = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    let shown = match start.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(start).into_owned(),
        Some(_) => hex::encode(start),
    };
    ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {why} \
         ({shown})",
        kind.kind
    ))
}

fn yaml(bytes: &Bytes) -> ApiResult<Value> {
    serde_norway::from_slice(bytes)
        .map_err(|error| ApiError::bad_request(format!("error converting YAML to JSON: {error}")))
}

/// The object must be of the kind that the path names; an absent apiVersion and kind are filled in.
fn named_as(kind: KindId, value: &mut Value, bytes: &Bytes) -> ApiResult<()> {
    let Some(map) = value.as_object_mut() else {
        let why = "json: cannot unmarshal array into Go value of type struct { APIVersion string \
                   \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
        return Err(unrecognized(kind, why, bytes));
    };
    for name in ["apiVersion", "kind"] {
        if map.get(name).is_none_or(|found| found == "") {
            let own = if name == "kind" { kind.kind.to_owned() } else { kind.api_version() };
            map.insert(name.to_owned(), json!(own));
        }
    }
    let (found_version, found_kind) = (text(value, "/apiVersion"), text(value, "/kind"));
    if found_version == kind.api_version() && found_kind == kind.kind {
        return Ok(());
    }
    let known = crate::kubernetes::kinds::of(found_version, found_kind);
    Err(match known {
        Some(other) if other.group == kind.group && other.version == kind.version => ApiError::bad_request(format!(
            "{found_kind} in version {:?} cannot be handled as a {}: converting (v1.{found_kind}) to ({}.{}): unknown \
             conversion",
            kind.version,
            kind.kind,
            kind.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core"),
            kind.kind
        )),
        Some(_) => ApiError::bad_request(format!(
            "the API version in the data ({found_version}) does not match the expected API version ({})",
            kind.api_version()
        )),
        None => ApiError::bad_request(format!(
            "{found_kind} in version {:?} cannot be handled as a {}: no kind {found_kind:?} is registered for version \
             {found_version:?} in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            found_version.rsplit('/').next().unwrap_or_default(),
            kind.kind
        )),
    })
}
