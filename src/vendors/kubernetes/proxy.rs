//! Requests to a service in the cluster, through the API server
//! (`GET /api/v1/namespaces/{namespace}/services/{name}:{port}/proxy/{path}`).

use http::header::{ACCEPT, HOST, LOCATION};
use http_body_util::BodyExt;
use kube::client::Body;
use url::Url;

use super::Client;
use crate::vendors::{Error, Result};

/// The most of an answer's body that is read.
const KEPT: usize = 1024 * 1024;
/// How many redirects are followed.
const HOPS: usize = 5;

/// What a service answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The body's beginning.
    pub body: String,
}

/// A service, and the address under which the world knows it.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// The service's namespace.
    pub namespace: &'a str,
    pub service: &'a str,
    pub port: u16,
    /// Its public address.
    pub address: &'a Url,
}

impl Client {
    /// Asks a service for a path. Redirects are not followed; every status is an answer.
    pub async fn service_get(&self, namespace: &str, service: &str, port: u16, path: &str) -> Result<Answer> {
        self.ask(http::Request::get(proxied(namespace, service, port, path))).await
    }

    /// Asks a service for a path as the browser of a visitor does: under its public host name and scheme, which the API
    /// server passes on, and along the redirects that stay there. One that leads elsewhere, or in circles, is the answer.
    pub async fn visit(&self, site: &Published<'_>, path: &str) -> Result<Answer> {
        let mut here = path.to_owned();
        let mut hops = 0;
        loop {
            let request = http::Request::get(proxied(site.namespace, site.service, site.port, &here))
                .header(HOST, authority(site.address))
                .header("x-forwarded-proto", site.address.scheme())
                .header(ACCEPT, "text/html");
            let answer = self.ask(request).await?;
            match answer.location.as_deref().and_then(|location| stays(site, &here, location)) {
                Some(next) if hops < HOPS => here = next,
                _ => return Ok(answer),
            }
            hops += 1;
        }
    }

    async fn ask(&self, request: http::request::Builder) -> Result<Answer> {
        let request =
            request.body(Body::empty()).map_err(|source| Error::Invalid(format!("no path for a service: {source}")))?;
        let response = self.within(self.inner.send(request)).await?;
        let status = response.status().as_u16();
        let header = response.headers().get(LOCATION);
        let location = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
        match tokio::time::timeout(self.timeout, beginning(response.into_body())).await {
            Ok(body) => Ok(Answer { status, location, body }),
            Err(elapsed) => Err(Error::unavailable("the service did not finish its answer", elapsed)),
        }
    }
}

/// A body's beginning: a page longer than we care for, or one that breaks off, is still an answer.
async fn beginning(mut body: Body) -> String {
    let mut kept = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        let room = KEPT.saturating_sub(kept.len()).min(data.len());
        kept.extend_from_slice(data.get(..room).unwrap_or_default());
        if kept.len() == KEPT {
            break;
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

fn prefix(namespace: &str, service: &str, port: u16) -> String {
    format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy")
}

fn proxied(namespace: &str, service: &str, port: u16, path: &str) -> String {
    format!("{}/{}", prefix(namespace, service, port), path.trim_start_matches('/'))
}

/// What a browser writes into `Host`: the port only where it is not the scheme's own.
fn authority(address: &Url) -> String {
    let host = address.host_str().unwrap_or_default();
    address.port().map(|port| format!("{host}:{port}")).unwrap_or_else(|| host.to_owned())
}

/// The path to which a redirect leads, if it stays on the site. The API server writes its own path before that of a
/// redirect to the host that was asked for.
fn stays(site: &Published<'_>, here: &str, location: &str) -> Option<String> {
    let next = site.address.join(here).ok()?.join(location).ok()?;
    if next.origin() != site.address.origin() {
        return None;
    }
    let path = next.path();
    let own = path.split_once(&prefix(site.namespace, site.service, site.port)).map_or(path, |(_, own)| own);
    let path = if own.is_empty() { "/" } else { own };
    Some(next.query().map(|query| format!("{path}?{query}")).unwrap_or_else(|| path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_followed_while_it_stays_on_the_site() {
        let address = Url::parse("http://shop.example.com:8081").expect("address");
        let site = Published { namespace: "shop", service: "web", port: 80, address: &address };
        let at = |location: &str| stays(&site, "/cart", location);
        assert_eq!(authority(&address), "shop.example.com:8081");
        assert_eq!(at("/cart/?a=b").as_deref(), Some("/cart/?a=b"));
        assert_eq!(at("http://shop.example.com:8081/shop/").as_deref(), Some("/shop/"));
        let rewritten = "http://shop.example.com:8081/api/v1/namespaces/shop/services/web:80/proxy/shop/";
        assert_eq!(at(rewritten).as_deref(), Some("/shop/"));
        for elsewhere in ["http://shop.example.com/", "https://shop.example.com:8081/", "http://127.0.0.1/", "http://["]
        {
            assert_eq!(at(elsewhere), None, "{elsewhere}");
        }
        assert_eq!(authority(&Url::parse("https://shop.example.com:443").expect("address")), "shop.example.com");
    }
}
