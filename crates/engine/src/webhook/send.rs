//! Posting to a webhook and reading what it answers.

use std::time::Duration;

use axum::http::{HeaderMap, header};

use crate::transform::{Outgoing, Unsent};

/// Longest part of an answer that is kept in the log, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;
/// The status that stands for no answer at all, as Hasura notes it.
pub(super) const NO_ANSWER: i32 = 1000;

/// What came of one try.
pub(super) struct Reply {
    /// HTTP status; 500 for a time-out, [`NO_ANSWER`] when none came.
    pub status: i32,
    pub body: String,
    pub headers: Vec<(String, String)>,
    /// Seconds that the receiver asks to wait.
    pub retry_after: Option<u64>,
}

impl Reply {
    pub fn delivered(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Sends a request; `timed_out` is what the log says when no answer comes in time.
pub(super) async fn send(
    http: &reqwest::Client,
    request: Outgoing,
    timeout: Duration,
    timed_out: impl FnOnce() -> String,
) -> Reply {
    let call = async {
        let mut response = request.send(http).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            text.extend_from_slice(&chunk);
            if text.len() > LONGEST_ANSWER {
                text.truncate(LONGEST_ANSWER);
                break;
            }
        }
        Ok::<_, Unsent>((status, headers, text))
    };
    match tokio::time::timeout(timeout, call).await {
        Ok(Ok((status, headers, body))) => Reply {
            status: i32::from(status.as_u16()),
            body: String::from_utf8_lossy(&body).replace('\0', ""),
            retry_after: retry_after(&headers).filter(|_| !status.is_success()),
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
        },
        Ok(Err(error)) if !error.is_timeout() => failed(NO_ANSWER, format!("http exception: {error}")),
        Ok(Err(_)) | Err(_) => failed(500, timed_out()),
    }
}

fn failed(status: i32, body: String) -> Reply {
    Reply { status, body, headers: Vec::new(), retry_after: None }
}

/// Positive whole seconds; dates are ignored.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_whole_positive_seconds_count_as_retry_after() {
        let header = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
            retry_after(&headers)
        };
        assert_eq!(header("3"), Some(3));
        assert_eq!(header("0"), None);
        assert_eq!(header("Sat, 21 Nov 2026 23:59:59 GMT"), None);
    }
}
