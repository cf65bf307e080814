//! What holds for every operation: problems, request ids, pages, methods, origins.

use actix_web::{App as WebApp, HttpResponse, dev::Service, middleware::from_fn, test::TestRequest, web};
use serde_json::{Value, json};
use tidegate::http::edge;

use crate::harness::{Answer, Client, TestApp, nobody};

#[tokio::test]
async fn every_failure_is_a_problem() {
    let tidegate = TestApp::start().await;
    let api = &tidegate.api;
    api.get("/nowhere").await.refused(404, "not_found");
    api.get("/docs/nothing.js").await.refused(404, "not_found");
    api.get("/v1/workspaces/nonsense").await.refused(404, "not_found");
    api.get(&format!("/v1/workspaces/{}", nobody("ws"))).await.refused(404, "not_found");
    let malformed =
        api.post_text("/v1/workspaces", "application/json", "{").await.refused(400, "malformed_json");
    assert_eq!(malformed.errors(), [("", "malformed_json")]);
    api.post_text("/v1/workspaces", "text/plain", "{}").await.refused(415, "unsupported_media_type");
    let large = "x".repeat(1024 * 1024 + 1);
    api.post_text("/v1/workspaces", "application/json", large).await.refused(413, "payload_too_large");
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(api.post_text("/v1/workspaces", "application/json", deep).await.status / 100, 4);
}

#[actix_web::test]
async fn a_panic_is_a_problem_too() {
    async fn panics() -> HttpResponse {
        panic!("with a secret in its words")
    }
    let service = WebApp::new()
        .route("/", web::get().to(panics))
        .wrap(from_fn(edge::problems))
        .wrap(from_fn(edge::trace));
    let service = actix_web::test::init_service(service).await;
    let request = TestRequest::get().uri("/").insert_header(("X-Request-Id", "mine")).to_request();
    let failure = service.call(request).await.err().unwrap();
    let response = failure.error_response();
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers().get("x-request-id").unwrap(), "mine");
    assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
    let body = actix_web::body::to_bytes(response.into_body()).await.ok().unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["code"], &body["request_id"]), (&json!("internal"), &json!("mine")));
    assert!(!body.to_string().contains("secret"), "{body}");
}

#[tokio::test]
async fn mistakes_in_a_body_are_named_by_their_place() {
    let tidegate = TestApp::start().await;
    let api = &tidegate.api;
    let errors = |body: Value| async move {
        let answer = api.post("/v1/workspaces", body).await.refused(422, "validation_failed");
        answer.errors().into_iter().map(|(at, code)| format!("{at} {code}")).collect::<Vec<_>>()
    };
    assert_eq!(errors(json!({})).await, ["/name required"]);
    assert_eq!(errors(json!({ "name": "x", "nmae": 1 })).await, ["/nmae unknown_field"]);
    assert_eq!(errors(json!({ "name": "x", "metadata": { "a": 1 } })).await, ["/metadata/a invalid"]);
    let long = "x".repeat(513);
    let several = json!({ "name": " ", "external_id": "", "metadata": { "a/b": long } });
    assert_eq!(
        errors(several).await,
        ["/name too_short", "/external_id too_short", "/metadata/a~1b too_long"]
    );
}

#[tokio::test]
async fn mistakes_in_a_query_are_named_by_their_parameter() {
    let tidegate = TestApp::start().await;
    for (query, wanted) in [
        ("limit=0", ("limit", "out_of_range")),
        ("limit=201", ("limit", "out_of_range")),
        ("limit=many", ("limit", "invalid")),
        ("cursor=nonsense", ("cursor", "invalid")),
        ("colour=blue", ("colour", "unknown_field")),
    ] {
        let answer =
            tidegate.api.get(&format!("/v1/workspaces?{query}")).await.refused(422, "validation_failed");
        assert_eq!(answer.errors(), [wanted], "{query}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let tidegate = TestApp::start().await;
    let answer =
        tidegate.api.send("PUT", "/v1/workspaces", None, &[]).await.refused(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET, POST");
    let path = format!("/v1/workspaces/{}", nobody("ws"));
    let answer = tidegate.api.send("POST", &path, None, &[]).await.refused(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET, DELETE");
}

#[tokio::test]
async fn a_request_keeps_the_id_it_came_with_if_that_is_fit_for_a_log() {
    let tidegate = TestApp::start().await;
    let given = tidegate.api.send("GET", "/v1/me", None, &[("X-Request-Id", "abc-1.2_3")]).await;
    assert_eq!(given.header("x-request-id"), "abc-1.2_3");
    let unfit = tidegate.api.send("GET", "/v1/me", None, &[("X-Request-Id", "two words")]).await;
    assert_eq!(unfit.header("x-request-id").len(), 32);
    let own = tidegate.api.get("/v1/me").await;
    assert_ne!(own.header("x-request-id"), unfit.header("x-request-id"));
}

#[tokio::test]
async fn pages_follow_one_another_while_items_come_and_go() {
    let tidegate = TestApp::start().await;
    let api = &tidegate.api;
    let mut ids = Vec::new();
    for name in ["a", "b", "c", "d"] {
        ids.push(api.post("/v1/api-keys", key(name)).await.expect(201).id().to_owned());
    }
    let first = api.get("/v1/api-keys?limit=3").await.expect(200);
    assert_eq!(first.items().len(), 3);
    api.delete(&format!("/v1/api-keys/{}", ids[1])).await.expect(204);
    let last = api.post("/v1/api-keys", key("e")).await.expect(201).id().to_owned();
    let rest =
        api.get(&format!("/v1/api-keys?limit=3&cursor={}", first.str("next_cursor"))).await.expect(200);
    let rest_ids: Vec<_> = rest.items().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(rest_ids, [&ids[2], &ids[3], &last], "none skipped, none twice");
    assert_eq!(rest.body["next_cursor"], Value::Null);
}

fn key(name: &str) -> Value {
    json!({ "name": name, "scopes": ["read"] })
}

async fn preflight(api: &Client, origin: &str) -> Answer {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "PATCH"),
        ("Access-Control-Request-Headers", "authorization,if-match,idempotency-key"),
    ];
    api.send("OPTIONS", "/v1/workspaces", None, &headers).await
}

#[tokio::test]
async fn browsers_may_call_from_the_listed_origins_only() {
    let tidegate = TestApp::start_with(|settings| {
        settings.cors_origins = vec!["https://app.example.org".to_owned()];
    })
    .await;
    let allowed = preflight(&tidegate.api, "https://app.example.org").await;
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://app.example.org");
    let refused = preflight(&tidegate.api, "https://evil.example.org").await;
    assert_eq!(refused.header("access-control-allow-origin"), "");
    // Problems must be readable, too.
    let origin = [("Origin", "https://app.example.org")];
    let problem =
        tidegate.api.without_key().send("GET", "/v1/me", None, &origin).await.refused(401, "unauthorized");
    assert_eq!(problem.header("access-control-allow-origin"), "https://app.example.org");
    let exposed = problem.header("access-control-expose-headers").to_lowercase();
    for header in ["etag", "location", "retry-after", "x-request-id", "ratelimit"] {
        assert!(exposed.contains(header), "{header} in {exposed}");
    }
}

#[tokio::test]
async fn the_service_is_ready_once_the_worker_ticks_and_not_when_it_stops_ticking() {
    let tidegate = TestApp::start().await;
    let anybody = tidegate.api.without_key();
    anybody.get("/health/live").await.expect(200);
    let waiting = anybody.get("/health/ready").await.refused(503, "unavailable");
    assert_ne!(waiting.header("retry-after"), "");
    tidegate.tick_after(chrono::TimeDelta::seconds(1)).await;
    anybody.get("/health/ready").await.expect(200);
    tidegate.pass(chrono::TimeDelta::minutes(2));
    anybody.get("/health/ready").await.refused(503, "unavailable");
}

#[tokio::test]
async fn docs_and_document_are_for_everybody() {
    let tidegate = TestApp::start().await;
    let anybody = tidegate.api.without_key();
    assert_eq!(anybody.get("/docs").await.header("location"), "/docs/");
    assert!(anybody.get("/docs/").await.expect(200).text.contains("swagger-ui"));
    let start = anybody.get("/docs/swagger-initializer.js").await.expect(200).text;
    assert!(start.contains("/openapi.json") && start.contains("persistAuthorization"), "{start}");
    assert_eq!(anybody.get("/openapi.json").await.expect(200).body["openapi"], "3.1.0");
}
