//! The control API, as a person with curl uses it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Reply, World, reply};

async fn control(world: &World, method: Method, path: &str, body: Value) -> Reply {
    let request = world.http.request(method, format!("{}/_control{path}", world.simulator.origin()));
    let request = if body.is_null() { request } else { request.body(body.to_string()) };
    reply(request).await.unwrap()
}

async fn post(world: &World, path: &str, body: Value) -> Reply {
    control(world, Method::POST, path, body).await
}

#[actix_web::test]
async fn a_page_lives_by_remote_control() {
    let world = World::new();
    let site = post(&world, "/sites", json!({"name": "globex"})).await;
    assert_eq!(site.status, StatusCode::CREATED);
    post(&world, "/sites/globex/spaces", json!({"key": "ENG", "name": "Engineering"})).await;
    let folder = json!({"space": "ENG", "title": "Folder", "kind": "folder"});
    let folder = post(&world, "/sites/globex/pages", folder).await.json["id"].clone();
    let new = json!({"space": "ENG", "title": "Page", "storage": "<p>one</p>"});
    let made = post(&world, "/sites/globex/pages", new.clone()).await;
    let page = format!("/sites/globex/pages/{}", made.json["id"].as_str().unwrap());
    assert_eq!(post(&world, "/sites/globex/pages", new).await.status, StatusCode::CONFLICT);
    assert_eq!(
        post(&world, &format!("{page}/edit"), json!({"storage": "<p>two</p>"})).await.json["version"],
        2
    );
    assert_eq!(post(&world, &format!("{page}/rename"), json!({"title": "New"})).await.json["version"], 3);
    let moved = post(&world, &format!("{page}/move"), json!({"parent": folder})).await;
    assert_eq!((moved.json["parent"].clone(), moved.json["version"].clone()), (folder, 3.into()));
    for (verb, status) in
        [("archive", "archived"), ("unarchive", "current"), ("trash", "trashed"), ("restore", "current")]
    {
        assert_eq!(post(&world, &format!("{page}/{verb}"), Value::Null).await.json["status"], status);
    }
    let restricted = post(&world, &format!("{page}/restrict"), json!({"readers": ["x"]})).await;
    assert_eq!(restricted.json["readers"], json!(["x"]));
    let read = control(&world, Method::GET, &page, Value::Null).await;
    assert_eq!((read.json["storage"].clone(), read.json["version"].clone()), ("<p>two</p>".into(), 4.into()));
    assert_eq!(post(&world, &format!("{page}/purge"), Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(control(&world, Method::GET, &page, Value::Null).await.status, StatusCode::NOT_FOUND);
    assert_eq!(post(&world, &format!("{page}/paint"), Value::Null).await.status, StatusCode::NOT_FOUND);
    assert_eq!(post(&world, "/sites", json!({"nam": "x"})).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn faults_calls_clock_and_habits_are_within_reach() {
    let world = World::new();
    let fault = json!({"method": "GET", "path": "/wiki/api/v2/spaces", "times": 1, "action": "respond", "status": 503});
    let set = post(&world, "/faults", fault).await;
    assert_eq!(world.get("/wiki/api/v2/spaces").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let listed = control(&world, Method::GET, "/faults", Value::Null).await;
    assert_eq!(
        (listed.json[0]["hits"].clone(), listed.json[0]["fault"]["action"].clone()),
        (1.into(), "respond".into())
    );
    let one = format!("/faults/{}", set.json["id"]);
    assert_eq!(control(&world, Method::DELETE, &one, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(control(&world, Method::DELETE, &one, Value::Null).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get("/wiki/api/v2/spaces").await.status, StatusCode::OK);

    let calls = control(&world, Method::GET, "/calls", Value::Null).await;
    assert_eq!(calls.json["operations"]["GET /wiki/api/v2/spaces"], 2);
    let log = control(&world, Method::GET, "/calls/log?last=1", Value::Null).await;
    assert_eq!(
        (log.json[0]["status"].clone(), log.json[0]["vendor"].clone()),
        (200.into(), "confluence".into())
    );
    control(&world, Method::DELETE, "/calls", Value::Null).await;
    assert_eq!(world.simulator.calls().confluence(), 0);

    let set = post(&world, "/clock", json!({"freeze": true, "set": "2026-11-22T10:00:00Z"})).await;
    assert_eq!(set.json["now"], "2026-11-22T10:00:00.000Z");
    assert_eq!(
        post(&world, "/clock", json!({"advance_seconds": 90})).await.json["now"],
        "2026-11-22T10:01:30.000Z"
    );
    assert_eq!(world.get("/wiki/api/v2/spaces").await.header("date"), Some("Sun, 22 Nov 2026 10:01:30 GMT"));

    let changes =
        json!({"openai": {"batches": "missing", "indexing_ms": 250}, "confluence": {"cursors": "shifting"}});
    let habits = control(&world, Method::PATCH, "/habits", changes).await;
    assert_eq!(
        (habits.json["openai"]["indexing_ms"].clone(), habits.json["confluence"]["cursors"].clone()),
        (250.into(), "shifting".into())
    );
    assert_eq!(
        control(&world, Method::PATCH, "/habits", json!({"openai": {"speed": 1}})).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[actix_web::test]
async fn stores_can_be_looked_into_and_robbed() {
    let world = World::new();
    let store = world.store().await;
    let rule = json!({"matching": "bad", "outcome": "failed", "code": "invalid_file", "message": "no"});
    assert_eq!(post(&world, "/openai/indexing", rule).await.status, StatusCode::NO_CONTENT);
    for name in ["good.md", "bad.md"] {
        let file = world.uploaded(name, "text").await;
        world
            .openai(Method::POST, &format!("/vector_stores/{store}/files"), Some(json!({"file_id": file})))
            .await;
    }
    world.openai(Method::GET, &format!("/vector_stores/{store}"), None).await;
    let path = format!("/openai/stores/{store}");
    let read = control(&world, Method::GET, &path, Value::Null).await;
    let files = read.json["files"].as_array().unwrap();
    let seen: Vec<(&str, &str)> = files
        .iter()
        .map(|file| (file["filename"].as_str().unwrap(), file["status"].as_str().unwrap()))
        .collect();
    assert_eq!(seen, [("good.md", "completed"), ("bad.md", "failed")]);
    assert_eq!(files[0]["text"], "text");
    let overview = control(&world, Method::GET, "/openai", Value::Null).await;
    assert_eq!(overview.json["projects"][0]["files"].as_array().unwrap().len(), 2);
    control(&world, Method::DELETE, &path, Value::Null).await;
    assert_eq!(control(&world, Method::GET, &path, Value::Null).await.status, StatusCode::NOT_FOUND);
    control(&world, Method::PUT, "/openai/quota", json!({"exhausted": true})).await;
    assert_eq!(world.openai(Method::GET, "/files", None).await.status, StatusCode::TOO_MANY_REQUESTS);
}
