//! The list of routes is the router, and each route keeps out whom it says it keeps out.

use axum::http::{Method, StatusCode};
use northstack::http::router::{Route, routes};
use northstack::http::{Access, internal};

use crate::support::{ACTION_SECRET, Service, request};

/// The route's path with its parameters filled in.
fn example(route: &Route) -> String {
    let segments = route.path.split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

fn methods(route: &Route) -> Vec<Method> {
    route.method.clone().map_or_else(|| vec![Method::GET, Method::POST], |method| vec![method])
}

#[tokio::test]
async fn every_route_that_is_not_public_refuses_a_caller_without_credentials() {
    let service = Service::start().await;
    for route in routes().into_iter().filter(|route| route.access != Access::Internal) {
        for method in methods(&route) {
            for headers in [
                &[][..],
                &[("authorization", "Bearer x")],
                &[("authorization", "Basic eDp4"), ("x-hasura-role", "admin"), ("x-hasura-user-id", "1")],
                &[("x-northstack-action-secret", "")],
                &[("x-northstack-action-secret", "wrong")],
                &[("x-northstack-action-secret", ACTION_SECRET), ("x-northstack-action-secret", "wrong")],
            ] {
                let answer = service.send(request(method.clone(), &example(&route), headers, "{}".into())).await;
                let text = format!("{method} {} {headers:?}: {} {}", route.path, answer.status, answer.text);
                match route.access {
                    // The engine's own tests show whom it refuses; here an empty one stands in its place.
                    Access::Public | Access::Engine | Access::Internal => {}
                    Access::SignedIn | Access::Hasura => {
                        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{text}");
                        assert!(["unauthenticated", "invalid-token"].contains(&answer.code().as_str()), "{text}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_bearer_token_opens_no_route_of_hasuras_and_the_secret_none_of_a_persons() {
    let service = Service::start().await;
    let session = service.register("ada@example.com").await;
    let bearer = format!("Bearer {}", session["accessToken"].as_str().unwrap());
    for route in routes() {
        let headers: &[(&str, &str)] = match route.access {
            Access::Hasura => &[("authorization", &bearer)],
            Access::SignedIn => &[("x-northstack-action-secret", ACTION_SECRET)],
            Access::Public | Access::Engine | Access::Internal => continue,
        };
        for method in methods(&route) {
            let answer = service.send(request(method, &example(&route), headers, "{}".into())).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", route.path);
        }
    }
}

#[tokio::test]
async fn every_listed_route_answers_and_no_other() {
    let service = Service::with(|config| config.server.explorer = true).await;
    for route in routes().into_iter().filter(|route| !matches!(route.access, Access::Engine | Access::Internal)) {
        for method in methods(&route) {
            let answer = service.send(request(method, &example(&route), &[], String::new())).await;
            assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{}", route.path);
            assert!(!answer.text.contains("no such route"), "{}", route.path);
        }
    }
    for unknown in ["/actions", "/actions/unknown", "/api", "/health/x", "/v1", "/.well-known"] {
        let answer = service.get(unknown, &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "not-found"), "{unknown}");
    }
    let wrong_method = service.get("/api/v1/auth/login", &[]).await;
    assert_eq!(wrong_method.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn metrics_are_answered_on_their_own_listener_alone() {
    let service = Service::start().await;
    let internal = internal(service.state());
    for route in routes() {
        let answer = request(methods(&route)[0].clone(), &example(&route), &[], String::new());
        let answer = Service::answer(internal.clone(), answer).await;
        let listed = !answer.text.contains("no such route");
        assert_eq!(listed, route.access == Access::Internal, "{}: {}", route.path, answer.text);
    }
    assert_eq!(service.get("/metrics", &[]).await.status, StatusCode::NOT_FOUND);
}
