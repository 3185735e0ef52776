//! The pages: the portal beside the API, and the API explorer where the configuration has it.

use axum::Router;
use axum::http::{Method, StatusCode};

use crate::support::{Answer, Service, request};

/// A file of the built portal, if it has been built.
fn built(name: &str) -> bool {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web/dist").join(name).exists()
}

async fn get(router: &Router, path: &str, accept: &str) -> Answer {
    Service::answer(router.clone(), request(Method::GET, path, &[("accept", accept)], String::new())).await
}

/// A page that is there, or is said not to have been built.
fn assert_page(page: &Answer, file: &str) {
    if built(file) {
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "no-cache");
    } else {
        assert_eq!((page.status, page.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    }
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe-eval"), "{policy}");
}

#[tokio::test]
async fn the_portal_stands_beside_the_api() {
    let service = Service::start().await;
    let portal = northstack::http::portal(service.state());
    assert_eq!(get(&portal, "/health", "text/html").await.json()["status"], "ok");
    assert_eq!(get(&portal, "/api/stores", "application/json").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(get(&portal, "/assets/none.js", "*/*").await.code(), "not-found");
    let page = get(&portal, "/stores/some-page", "text/html,*/*").await;
    assert_page(&page, "index.html");
    if built("index.html") {
        let known = [("accept", "text/html"), ("if-none-match", page.header("etag"))];
        let again = request(Method::GET, "/", &known, String::new());
        assert_eq!(Service::answer(portal.clone(), again).await.status, StatusCode::NOT_MODIFIED);
    }
    assert_page(&get(&portal, "/explorer", "text/html").await, "index.html");
    let traversal = get(&portal, "/../Cargo.toml", "*/*").await;
    assert_eq!(traversal.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_api_explorer_is_served_where_the_configuration_has_it() {
    let service = Service::with(|config| config.server.explorer = true).await;
    let (api, portal) = (service.router(), northstack::http::portal(service.state()));
    let home = get(&api, "/", "text/html").await;
    assert_eq!((home.status, home.header("location")), (StatusCode::TEMPORARY_REDIRECT, "/explorer"));
    assert_page(&get(&portal, "/", "text/html").await, "index.html");
    for router in [&api, &portal] {
        let page = get(router, "/explorer", "text/html").await;
        assert_page(&page, "explorer.html");
        let addresses = page.text.split('"').filter(|text| text.starts_with('/'));
        for address in addresses {
            let part = get(router, address, "*/*").await;
            assert_eq!(part.status, StatusCode::OK, "the page loads {address}");
            assert!(!part.header("content-type").starts_with("text/html"), "{address}");
        }
    }
    let wrong = request(Method::POST, "/explorer", &[], String::new());
    assert_eq!(Service::answer(api, wrong).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_api_has_no_page_where_the_configuration_has_no_explorer() {
    let service = Service::start().await;
    for path in ["/", "/explorer", "/explorer.html", "/assets/none.js", "/favicon.svg"] {
        let answer = service.get(path, &[("accept", "text/html")]).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not-found"), "{path}");
    }
}
