//! Sending a webhook's request, along redirects.

use axum::http::{Method, StatusCode, header};
use url::Url;

use super::Outgoing;

/// Redirects that are followed, as in Hasura.
const REDIRECTS: usize = 10;

/// Why there is no answer. The words never name the address.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// What the client said.
    #[error("{}", short(.0))]
    Http(reqwest::Error),
    /// Each answer led elsewhere.
    #[error("too many redirects")]
    Redirects,
}

fn short(error: &reqwest::Error) -> String {
    error.to_string().chars().take(200).collect()
}

impl From<reqwest::Error> for Unsent {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error.without_url())
    }
}

impl Unsent {
    /// Whether the time was over.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_timeout())
    }
}

impl Outgoing {
    /// Sends the request and follows redirects: "found" and "see other" with a GET, the others with the same method and
    /// body. `http` takes a redirect for an answer.
    ///
    /// # Errors
    /// [`Unsent`].
    pub async fn send(mut self, http: &reqwest::Client) -> Result<reqwest::Response, Unsent> {
        for _ in 0..=REDIRECTS {
            let mut request = http.request(self.method.clone(), self.url.clone()).headers(self.headers.clone());
            if let Some(body) = &self.body {
                request = request.body(body.clone());
            }
            let response = request.send().await?;
            match self.next(response.status(), response.headers().get(header::LOCATION)) {
                Some(next) => self = next,
                None => return Ok(response),
            }
        }
        Err(Unsent::Redirects)
    }

    /// The request to which an answer leads, if it leads to one.
    fn next(&self, status: StatusCode, location: Option<&header::HeaderValue>) -> Option<Self> {
        let again = match status.as_u16() {
            301 | 307 | 308 => true,
            302 | 303 => false,
            _ => return None,
        };
        let url = self.url.join(location?.to_str().ok()?).ok()?;
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let mut next = Self { url, ..self.clone() };
        if !again {
            next.method = Method::GET;
            next.body = None;
            next.headers.remove(header::CONTENT_TYPE);
        }
        if !same_host(&self.url, &next.url) {
            // Secrets and the caller's own headers are for the host that the metadata names.
            let kept = [header::CONTENT_TYPE, header::USER_AGENT, header::ACCEPT];
            next.headers =
                kept.into_iter().filter_map(|name| Some((name.clone(), self.headers.get(&name)?.clone()))).collect();
            if !again {
                next.headers.remove(header::CONTENT_TYPE);
            }
        }
        Some(next)
    }
}

/// Whether two addresses are of one host, and the second no less secret on its way.
fn same_host(from: &Url, to: &Url) -> bool {
    let downgraded = from.scheme() == "https" && to.scheme() == "http";
    let port = from.scheme() != to.scheme() || from.port_or_known_default() == to.port_or_known_default();
    from.host() == to.host() && port && !downgraded
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::*;

    fn next(status: u16, location: &str) -> Option<Outgoing> {
        let headers: HeaderMap = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::USER_AGENT, HeaderValue::from_static("engine")),
            (header::AUTHORIZATION, HeaderValue::from_static("secret")),
        ]
        .into_iter()
        .collect();
        let from = Outgoing::post(Url::parse("http://hook.test:81/a/b").unwrap(), headers, "{}".to_owned());
        from.next(StatusCode::from_u16(status).unwrap(), HeaderValue::from_str(location).ok().as_ref())
    }

    #[test]
    fn method_and_body_go_along_unless_another_page_is_to_be_seen() {
        for status in [301, 307, 308] {
            let next = next(status, "c").unwrap();
            assert_eq!(
                (next.url.as_str(), next.method, next.body.as_deref()),
                ("http://hook.test:81/a/c", Method::POST, Some("{}"))
            );
        }
        for status in [302, 303] {
            let next = next(status, "/c").unwrap();
            assert_eq!((next.url.as_str(), next.method, next.body), ("http://hook.test:81/c", Method::GET, None));
            assert!(next.headers.contains_key("authorization") && !next.headers.contains_key("content-type"));
        }
        for status in [200, 300, 304, 305, 400] {
            assert!(next(status, "/c").is_none(), "{status}");
        }
        assert!(next(302, "file:///etc/passwd").is_none());
    }

    #[test]
    fn secrets_stay_with_their_host() {
        let kept = |location: &str| next(307, location).unwrap().headers.contains_key("authorization");
        assert!(kept("http://hook.test:81/c") && kept("https://hook.test/c"));
        assert!(!kept("http://other.test:81/c") && !kept("http://hook.test:82/c"));
        assert_eq!(next(307, "http://other.test/").unwrap().headers.len(), 2);
    }
}
