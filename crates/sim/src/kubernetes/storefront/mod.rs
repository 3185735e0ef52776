//! What answers over HTTP behind Services and Ingresses: the shop of a WordPress container, and a plain page of any
//! other.

mod admin;
mod canonical;
mod html;
mod ingress;
mod routes;
mod shop;

use std::collections::BTreeMap;

use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

pub(crate) use ingress::router;

use super::cluster::Cluster;
use super::exec::{Place, environment};
use super::json::{list, text};
use super::kinds;
use super::storage::State;
use super::wp::{self, Failure, OpenSite, Site};

/// One HTTP request to a pod.
pub(crate) struct Visit {
    pub(crate) method: Method,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What stands before the pod's own paths when it is reached through the API server.
    pub(crate) prefix: String,
    /// Whether it came through the API server, and not by the site's own address.
    pub(crate) proxied: bool,
}

impl Visit {
    /// A cookie's value.
    fn cookie(&self, name: &str) -> Option<String> {
        let header = self.headers.get(COOKIE)?.to_str().ok()?;
        header.split(';').find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then(|| value.to_owned())
        })
    }

    /// The scheme under which the visitor came, as far as a proxy before the site says so.
    fn scheme(&self) -> &'static str {
        match self.headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()) {
            Some("https") => "https",
            _ => "http",
        }
    }

    /// The fields of the query and of a form.
    fn fields(&self) -> BTreeMap<String, String> {
        let mut fields: BTreeMap<String, String> =
            url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect();
        if self.method == Method::POST {
            fields.extend(url::form_urlencoded::parse(&self.body).into_owned());
        }
        fields
    }
}

/// What a page answers.
pub(super) struct Page {
    code: u16,
    body: String,
    location: Option<String>,
    cookies: Vec<String>,
    content_type: &'static str,
}

impl Page {
    fn html(code: u16, body: String) -> Self {
        Self { code, body, location: None, cookies: Vec::new(), content_type: "text/html; charset=UTF-8" }
    }

    fn moved(location: impl Into<String>) -> Self {
        Self { location: Some(location.into()), ..Self::html(301, String::new()) }
    }

    fn redirect(location: impl Into<String>) -> Self {
        Self { location: Some(location.into()), ..Self::html(302, String::new()) }
    }

    fn with_cookie(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(axum::body::Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some(location) = self.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
            headers.insert(LOCATION, location);
        }
        for cookie in self.cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
            headers.append(SET_COOKIE, cookie);
        }
        response
    }
}

/// Lets a pod answer, if something in it still listens.
pub(crate) fn serve(cluster: &Cluster, namespace: &str, pod: &str, visit: Visit) -> Response {
    let answered = cluster.write(|state| {
        let pod = state.find(kinds::PODS, namespace, pod).cloned()?;
        if cluster.plane.has_ended(text(&pod, "/metadata/uid")) {
            return None;
        }
        let containers = list(&pod, "/spec/containers");
        let web = containers
            .iter()
            .find(|container| wp::serves_wordpress(text(container, "/image")))
            .or_else(|| containers.first())?;
        let place = Place { namespace, pod: &pod, container: web };
        let page = answer(state, &place, &visit);
        Some((page, text(&pod, "/metadata/uid").to_owned(), text(web, "/name").to_owned()))
    });
    let Some((page, uid, container)) = answered else {
        return Page::html(502, html::plain("502 Bad Gateway", "<h1>502 Bad Gateway</h1>")).into_response();
    };
    let line = format!("\"{} {} HTTP/1.1\" {} {}", visit.method, visit.path, page.code, page.body.len());
    cluster.logs.print(&uid, &container, line);
    page.into_response()
}

fn answer(state: &mut State, place: &Place<'_>, visit: &Visit) -> Page {
    if !wp::serves_wordpress(place.image()) {
        let body = format!("{} in {}\n", place.image(), text(place.pod, "/metadata/name"));
        return Page { content_type: "text/plain; charset=utf-8", ..Page::html(200, body) };
    }
    let env = environment(state, place.namespace, place.pod, place.container).unwrap_or_default();
    let mut site = match wp::open(state, place, &env) {
        Ok(site) => site,
        Err(Failure::NoFiles) => return Page::html(403, html::plain("Forbidden", "<h1>Forbidden</h1>")),
        Err(Failure::NoDatabase { .. }) => {
            let body = html::plain("Database Error", "<h1>Error establishing a database connection</h1>");
            return Page::html(500, body);
        }
    };
    let Some(mut tables) = site.tables.take() else {
        return not_installed(visit);
    };
    let page = installed(&site, &mut tables, visit);
    site.tables = Some(tables);
    site.save(state);
    page
}

fn not_installed(visit: &Visit) -> Page {
    if visit.path == "/wp-admin/install.php" {
        let body = "<h1>Welcome</h1><p>Welcome to the famous five-minute WordPress installation process!</p>";
        return Page::html(200, html::plain("WordPress &rsaquo; Installation", body));
    }
    Page::redirect(format!("{}/wp-admin/install.php", base(visit, None)))
}

/// The address in front of the site's paths: where the site believes itself to be, wherever the visitor is. One that is
/// not installed goes by the visitor. (Through the API server: what that server makes of the links to the host that was
/// asked for.)
fn base(visit: &Visit, site: Option<&Site>) -> String {
    if visit.proxied {
        return visit.prefix.clone();
    }
    match site.map(|site| site.option("home")) {
        Some(home) if visit.scheme() == "https" => home.replacen("http://", "https://", 1),
        Some(home) => home.to_owned(),
        None => format!("{}://{}", visit.scheme(), visit.host),
    }
}

fn installed(files: &OpenSite, site: &mut Site, visit: &Visit) -> Page {
    let base = base(visit, Some(site));
    let path = visit.path.trim_end_matches('/').to_owned();
    match path.as_str() {
        "/wp-login.php" => admin::login(site, visit, &base),
        "/wp-admin" => admin::dashboard(files, site, visit, &base),
        _ if path.starts_with("/wp-admin/") => admin::dashboard(files, site, visit, &base),
        "/wp-json" => {
            let body = serde_json::json!({"name": site.option("blogname"), "url": site.option("siteurl")});
            Page { content_type: "application/json; charset=UTF-8", ..Page::html(200, body.to_string()) }
        }
        // A product is put into the cart before WordPress thinks of addresses.
        _ => match canonical::redirect(site, visit).filter(|_| !visit.fields().contains_key("add-to-cart")) {
            Some(location) => Page::moved(location),
            None => shop::serve(site, visit, &base, &path),
        },
    }
}

/// Whether a value is an ordinary true of WordPress.
fn yes(value: Option<&Value>) -> bool {
    value.and_then(Value::as_str) == Some("yes")
}
