//! Faults as the client feels them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use simulator::{Fault, Gate, Vendor};

use crate::World;

/// What is read from a raw connection after a request, until the other side closes it.
fn raw(world: &World, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", world.simulator.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => answer,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => answer,
        Err(error) => panic!("the connection stays open: {error}"),
    }
}

fn create_store() -> String {
    let body = "{\"name\":\"wiki\"}";
    format!(
        "POST /openai/v1/vector_stores HTTP/1.1\r\nhost: simulator\r\nauthorization: Bearer sk-simulated\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn stores(world: &World) -> usize {
    world.simulator.openai().projects()[0].stores().count()
}

#[actix_web::test]
async fn a_connection_dropped_before_the_effect_leaves_nothing() {
    let world = World::new();
    world.simulator.fault(Fault::on("POST", "/v1/vector_stores").once().drop_before());
    assert_eq!(raw(&world, &create_store()), b"");
    assert_eq!(stores(&world), 0);
    let calls = world.simulator.call_log();
    assert_eq!(
        (calls[0].status, calls[0].faults.as_slice()),
        (0, &["drop before the effect".to_owned()][..])
    );
}

#[actix_web::test]
async fn a_connection_dropped_after_the_effect_leaves_it() {
    let world = World::new();
    world.simulator.fault(Fault::on("POST", "/v1/vector_stores").once().drop_after());
    assert_eq!(raw(&world, &create_store()), b"");
    assert_eq!(stores(&world), 1);
}

#[actix_web::test]
async fn an_upload_dropped_after_the_effect_has_arrived() {
    let world = World::new();
    world.simulator.fault(Fault::on("POST", "/v1/files").once().drop_after());
    let part = reqwest::multipart::Part::text("x".repeat(300_000)).file_name("big.md");
    let form = reqwest::multipart::Form::new().text("purpose", "assistants").part("file", part);
    let request = world.http.post(format!("{}/files", world.simulator.openai_url()));
    assert!(request.bearer_auth("sk-simulated").multipart(form).send().await.is_err());
    let listed = world.openai(Method::GET, "/files", None).await;
    assert_eq!(listed.json["data"][0]["bytes"], 300_000);
    world.simulator.fault(Fault::on("POST", "/v1/files").once().drop_before());
    let part = reqwest::multipart::Part::text("y".repeat(300_000)).file_name("more.md");
    let form = reqwest::multipart::Form::new().text("purpose", "assistants").part("file", part);
    let request = world.http.post(format!("{}/files", world.simulator.openai_url()));
    assert!(request.bearer_auth("sk-simulated").multipart(form).send().await.is_err());
    assert_eq!(world.openai(Method::GET, "/files", None).await.column("id").len(), 1);
}

#[actix_web::test]
async fn a_truncated_answer_ends_early() {
    let world = World::new();
    world.site.add_space("ENG", "Engineering").unwrap();
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/spaces").once().truncate(20));
    let options = world.simulator.options();
    let request = world.http.get(format!("{}/wiki/api/v2/spaces", world.site.url()));
    let response = request.basic_auth(&options.account_email, Some(&options.api_token)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.bytes().await.is_err());
    assert_eq!(world.get("/wiki/api/v2/spaces").await.column("key"), ["ENG"]);
}

#[actix_web::test]
async fn a_connection_closed_after_the_answer_was_to_be_kept() {
    let world = World::new();
    world.simulator.fault(Fault::on("POST", "/v1/vector_stores").once().close_after());
    let answer = String::from_utf8(raw(&world, &create_store())).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && !head.to_lowercase().contains("connection: close"), "{head}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap()["object"], "vector_store");
}

#[actix_web::test]
async fn malformed_json_is_whole_http() {
    let world = World::new();
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/spaces").once().malformed());
    let reply = world.get("/wiki/api/v2/spaces").await;
    assert_eq!((reply.status, reply.json), (StatusCode::OK, serde_json::Value::Null));
}

#[actix_web::test]
async fn statuses_come_with_headers_before_or_after_the_effect() {
    let world = World::new();
    world.simulator.fault(Fault::at(Vendor::OpenAi).once().rate_limited(Some(7)));
    let reply = world.openai(Method::GET, "/files", None).await;
    assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, Some("7")));
    assert_eq!(reply.json["error"]["code"], "rate_limit_exceeded");
    assert!(reply.header("x-request-id").is_some());
    world.simulator.fault(Fault::at(Vendor::Confluence).once().rate_limited(None));
    let reply = world.get("/wiki/api/v2/spaces").await;
    assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, None));
    world.simulator.fault(Fault::on("POST", "/v1/vector_stores").once().respond_after(
        502,
        &[],
        "<html>bad gateway</html>",
    ));
    let reply = world.openai(Method::POST, "/vector_stores", Some(serde_json::json!({}))).await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY);
    assert_eq!(stores(&world), 1);
}

#[actix_web::test]
async fn a_listing_is_cut_on_a_page_or_led_astray() {
    let world = World::new();
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    for n in 0..6 {
        world.site.add_page(space, &format!("P{n}"), "").unwrap();
    }
    let next = |reply: &crate::Reply| reply.json["_links"]["next"].as_str().unwrap().to_owned();
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").page(2).status(500));
    let first = world.pages("limit=2").await;
    assert_eq!(world.get(&next(&first)).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    world.simulator.clear_faults();

    let fault = world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").next_loop());
    let first = world.pages("limit=2").await;
    let again = world.get(&next(&first)).await;
    assert_eq!((again.column("id"), next(&again)), (first.column("id"), next(&first)));
    assert_eq!(world.simulator.hits(fault), 2);
    world.simulator.clear_faults();

    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").once().next_without_cursor());
    assert!(!next(&world.pages("limit=2").await).contains("cursor"));
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").once().foreign_next("evil.example"));
    assert!(next(&world.pages("limit=2").await).starts_with("https://evil.example/wiki/api/v2/pages?"));
}

#[actix_web::test]
async fn latency_delays_and_does_not_block() {
    let world = World::new();
    world.simulator.set_latency(Duration::from_millis(150));
    let began = Instant::now();
    let calls = (0..20).map(|_| world.openai(Method::GET, "/models", None));
    futures_util::future::join_all(calls).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(150) && took < Duration::from_millis(1_500), "{took:?}");
    assert!(world.simulator.calls().peak(Vendor::OpenAi) >= 10);
}

#[actix_web::test]
async fn a_gate_holds_a_call_until_it_is_released() {
    let world = World::new();
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let gate = Gate::default();
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").once().hold(&gate));
    let listing = world.pages("limit=5");
    let change = async {
        gate.arrived().await;
        world.site.add_page(space, "Added meanwhile", "").unwrap();
        gate.release();
    };
    let (listing, ()) = futures_util::future::join(listing, change).await;
    assert_eq!(listing.column("title"), ["Added meanwhile"]);
}

#[actix_web::test]
async fn a_hook_changes_the_world_in_the_middle_of_a_walk() {
    let world = World::new();
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let site = world.site.clone();
    let added = move || {
        site.add_page(space, "From the hook", "").unwrap();
    };
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").once().run(added));
    assert_eq!(world.pages("").await.column("title"), ["From the hook"]);
}

#[actix_web::test]
async fn a_dropped_simulator_stops_answering() {
    let world = World::new();
    let url = format!("{}/models", world.simulator.openai_url());
    assert!(world.http.get(&url).send().await.is_ok());
    let (simulator, http) = (world.simulator, world.http);
    let port = simulator.port();
    drop(simulator);
    drop(http);
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < deadline, "the port is still served");
        tokio::task::yield_now().await;
    }
}
