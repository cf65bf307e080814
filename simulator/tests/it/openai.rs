//! Files, stores, batches and search.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::{BatchSupport, IndexingRule, Outcome};

use crate::World;

async fn batch(world: &World, store: &str, files: &[String]) -> crate::Reply {
    let files: Vec<Value> =
        files.iter().map(|id| json!({"file_id": id, "attributes": {"page_id": id}})).collect();
    let path = format!("/vector_stores/{store}/file_batches");
    world.openai(Method::POST, &path, Some(json!({"files": files}))).await
}

#[actix_web::test]
async fn files_are_uploaded_listed_and_deleted() {
    let world = World::new();
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(world.uploaded(&format!("page-{n}.md"), "text").await);
    }
    let newest = world.openai(Method::GET, "/files?limit=2", None).await;
    assert_eq!(newest.column("id"), [ids[4].clone(), ids[3].clone()]);
    assert_eq!(
        (newest.json["has_more"].clone(), newest.json["last_id"].clone()),
        (true.into(), ids[3].clone().into())
    );
    let rest = world.openai(Method::GET, &format!("/files?limit=10&after={}", ids[3]), None).await;
    assert_eq!(rest.column("id"), [ids[2].clone(), ids[1].clone(), ids[0].clone()]);
    assert_eq!(rest.json["has_more"], false);
    let oldest = world.openai(Method::GET, "/files?order=asc&limit=1&purpose=assistants", None).await;
    assert_eq!(oldest.column("filename"), ["page-0.md"]);
    assert_eq!(world.openai(Method::DELETE, &format!("/files/{}", ids[0]), None).await.json["deleted"], true);
    let gone = world.openai(Method::GET, &format!("/files/{}", ids[0]), None).await;
    assert_eq!(
        (gone.status, gone.json["error"]["type"].clone()),
        (StatusCode::NOT_FOUND, "invalid_request_error".into())
    );
    assert_eq!(world.openai(Method::GET, "/files?limit=10001", None).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn an_empty_file_is_refused() {
    let world = World::new();
    let reply = world.upload("empty.md", "").await;
    assert_eq!(
        (reply.status, reply.json["error"]["message"].clone()),
        (StatusCode::BAD_REQUEST, "File is empty.".into())
    );
}

#[actix_web::test]
async fn a_batch_attaches_files_with_their_attributes() {
    let world = World::new();
    let store = world.store().await;
    let files = [world.uploaded("a.md", "alpha").await, world.uploaded("b.md", "beta").await];
    let made = batch(&world, &store, &files).await;
    assert_eq!(made.json["status"], "in_progress");
    assert_eq!(
        made.json["file_counts"],
        json!({"in_progress": 2, "completed": 0, "failed": 0, "cancelled": 0, "total": 2})
    );
    let id = made.json["id"].as_str().unwrap();
    assert!(id.starts_with("vsfb_"));
    let path = format!("/vector_stores/{store}/file_batches/{id}");
    let done = world.openai(Method::GET, &path, None).await;
    assert_eq!(
        (done.json["status"].clone(), done.json["file_counts"]["completed"].clone()),
        ("completed".into(), 2.into())
    );
    let listed = world.openai(Method::GET, &format!("/vector_stores/{store}/files?order=asc"), None).await;
    assert_eq!(listed.column("id"), files);
    assert_eq!(listed.json["data"][0]["attributes"]["page_id"], files[0]);
    let of_batch = world.openai(Method::GET, &format!("{path}/files?filter=failed"), None).await;
    assert_eq!(of_batch.column("id").len(), 0);
    let read = world.openai(Method::GET, &format!("/vector_stores/{store}"), None).await;
    assert_eq!(
        (read.json["file_counts"]["total"].clone(), read.json["usage_bytes"].clone()),
        (2.into(), 9.into())
    );
}

#[actix_web::test]
async fn batches_have_rules() {
    let world = World::new();
    let store = world.store().await;
    let file = world.uploaded("a.md", "alpha").await;
    let path = format!("/vector_stores/{store}/file_batches");
    let post = |body: Value| world.openai(Method::POST, &path, Some(body));
    let both = post(json!({"file_ids": [file], "files": [{"file_id": file}]})).await;
    assert_eq!(both.status, StatusCode::BAD_REQUEST);
    let many: Vec<Value> = (0..501).map(|_| json!({"file_id": file})).collect();
    let too_long = post(json!({"files": many})).await;
    assert_eq!(too_long.status, StatusCode::BAD_REQUEST);
    let message = too_long.json["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("Invalid 'files': array too long. Expected an array with maximum length 500"),
        "{message}"
    );
    world.simulator.openai().habits.batch_limit = 100;
    let many: Vec<Value> = (0..101).map(|_| json!({"file_id": file})).collect();
    assert_eq!(post(json!({"files": many})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        post(json!({"files": [{"file_id": file, "attributes": {"a": null}}]})).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(post(json!({"files": [{"file_id": "file-unknown"}]})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(post(json!({"documents": []})).await.status, StatusCode::BAD_REQUEST);
    let wrong_id = world.openai(Method::GET, &format!("{path}/{store}"), None).await;
    assert_eq!(
        wrong_id.json["error"]["message"],
        format!("Invalid 'batch_id': '{store}'. Expected an ID that begins with 'vsfb_'.")
    );
}

#[actix_web::test]
async fn indexing_is_slow_fails_or_never_ends() {
    let world = World::new();
    let store = world.store().await;
    {
        let mut openai = world.simulator.openai();
        openai.habits.indexing = Duration::from_secs(30);
        let failed =
            Outcome::Failed { code: "invalid_file".to_owned(), message: "cannot be parsed".to_owned() };
        openai.indexing(IndexingRule::new("bad", failed));
        openai.indexing(IndexingRule::new("stuck", Outcome::Stuck).times(1));
    }
    let mut files = Vec::new();
    for name in ["good.md", "bad.md", "stuck.md", "stuck-too.md"] {
        files.push(world.uploaded(name, "text").await);
    }
    let made = batch(&world, &store, &files).await;
    let path = format!("/vector_stores/{store}/file_batches/{}", made.json["id"].as_str().unwrap());
    let counts = |reply: &crate::Reply| reply.json["file_counts"].clone();
    assert_eq!(counts(&world.openai(Method::GET, &path, None).await)["in_progress"], 4);
    world.simulator.advance(Duration::from_secs(31));
    let later = world.openai(Method::GET, &path, None).await;
    assert_eq!(
        counts(&later),
        json!({"in_progress": 1, "completed": 2, "failed": 1, "cancelled": 0, "total": 4})
    );
    let failed = world.openai(Method::GET, &format!("{path}/files?filter=failed"), None).await;
    assert_eq!(failed.column("id"), [files[1].clone()]);
    assert_eq!(failed.json["data"][0]["last_error"]["code"], "invalid_file");
    let cancelled = world.openai(Method::POST, &format!("{path}/cancel"), None).await;
    assert_eq!(
        (cancelled.json["status"].clone(), counts(&cancelled)["cancelled"].clone()),
        ("cancelled".into(), 1.into())
    );
}

#[actix_web::test]
async fn attributes_are_replaced_and_filter_the_search() {
    let world = World::new();
    let store = world.store().await;
    let files = [
        world.uploaded("a.md", "How to reset a password").await,
        world.uploaded("b.md", "Password rules of the office").await,
    ];
    batch(&world, &store, &files).await;
    let entry = format!("/vector_stores/{store}/files/{}", files[0]);
    let updated =
        world.openai(Method::POST, &entry, Some(json!({"attributes": {"space": "ENG", "version": 3}}))).await;
    assert_eq!(
        updated.json["attributes"],
        json!({"space": "ENG", "version": 3}),
        "the whole map is replaced"
    );
    let search = |body: Value| {
        let path = format!("/vector_stores/{store}/search");
        let world = &world;
        async move { world.openai(Method::POST, &path, Some(body)).await }
    };
    let found = search(json!({"query": "reset my password"})).await;
    assert_eq!(found.column("file_id"), files);
    let score = found.json["data"][0]["score"].as_f64().unwrap();
    assert!(score > found.json["data"][1]["score"].as_f64().unwrap() && score < 1.0);
    assert_eq!(found.json["data"][0]["content"][0]["text"], "How to reset a password");
    let filtered =
        search(json!({"query": "password", "filters": {"type": "eq", "key": "space", "value": "ENG"}})).await;
    assert_eq!(filtered.column("file_id"), [files[0].clone()]);
    assert_eq!(search(json!({"query": "password", "max_num_results": 1})).await.column("file_id").len(), 1);
    assert_eq!(
        search(json!({"query": "password", "max_num_results": 51})).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(search(json!({"query": "nothing of this kind"})).await.column("file_id").len(), 1, "of");
}

#[actix_web::test]
async fn deleting_a_file_takes_it_out_of_its_stores_unless_the_server_is_another() {
    let world = World::new();
    let store = world.store().await;
    let files = [world.uploaded("a.md", "alpha").await, world.uploaded("b.md", "beta").await];
    batch(&world, &store, &files).await;
    world.openai(Method::DELETE, &format!("/files/{}", files[0]), None).await;
    let entry = world.openai(Method::GET, &format!("/vector_stores/{store}/files/{}", files[0]), None).await;
    assert_eq!(entry.status, StatusCode::NOT_FOUND);
    assert_eq!(
        entry.json["error"]["message"],
        format!("No file found with id '{}' in vector store '{store}'.", files[0])
    );
    assert!(entry.json["error"]["code"].is_null());
    world.simulator.openai().habits.delete_cascades = false;
    world.openai(Method::DELETE, &format!("/files/{}", files[1]), None).await;
    let dangling = world.openai(Method::GET, &format!("/vector_stores/{store}/files"), None).await;
    assert_eq!(dangling.column("id"), [files[1].clone()]);
}

#[actix_web::test]
async fn removed_files_can_be_found_for_a_while() {
    let world = World::new();
    let store = world.store().await;
    let file = world.uploaded("a.md", "alpha").await;
    batch(&world, &store, std::slice::from_ref(&file)).await;
    world.simulator.openai().habits.removal_lag = Duration::from_secs(10);
    let entry = format!("/vector_stores/{store}/files/{file}");
    world.openai(Method::GET, &entry, None).await;
    let gone = world.openai(Method::DELETE, &entry, None).await;
    assert_eq!(gone.json["object"], "vector_store.file.deleted");
    assert_eq!(world.openai(Method::GET, &entry, None).await.status, StatusCode::NOT_FOUND);
    let path = format!("/vector_stores/{store}/search");
    let find = |query: &'static str| world.openai(Method::POST, &path, Some(json!({"query": query})));
    assert_eq!(find("alpha").await.column("file_id").len(), 1);
    world.simulator.advance(Duration::from_secs(11));
    assert_eq!(find("alpha").await.column("file_id").len(), 0);
}

#[actix_web::test]
async fn keys_are_projects_and_dead_keys_are_refused() {
    let world = World::new();
    world.simulator.openai().add_key("sk-other");
    let store = world.store().await;
    let path = format!("/vector_stores/{store}");
    assert_eq!(world.openai(Method::GET, &path, None).await.status, StatusCode::OK);
    assert_eq!(world.openai_as("sk-other", Method::GET, &path, None).await.status, StatusCode::NOT_FOUND);
    let unknown = world.openai_as("sk-unknown", Method::GET, &path, None).await;
    assert_eq!(
        (unknown.status, unknown.json["error"]["code"].clone()),
        (StatusCode::UNAUTHORIZED, "invalid_api_key".into())
    );
    assert!(unknown.header("x-request-id").is_some());
    world.simulator.openai().kill_key("sk-simulated");
    assert_eq!(world.openai(Method::GET, &path, None).await.status, StatusCode::UNAUTHORIZED);
    world.simulator.openai().add_key_like("sk-new", "sk-other");
    world.simulator.openai().out_of_quota = true;
    let poor = world.openai_as("sk-new", Method::GET, "/files", None).await;
    assert_eq!(
        (poor.status, poor.json["error"]["type"].clone()),
        (StatusCode::TOO_MANY_REQUESTS, "insufficient_quota".into())
    );
    assert_eq!(poor.header("retry-after"), None);
}

#[actix_web::test]
async fn rates_are_limited_per_key_and_store() {
    let world = World::new();
    let store = world.store().await;
    let file = world.uploaded("a.md", "alpha").await;
    {
        let mut openai = world.simulator.openai();
        openai.habits.uploads_per_minute = Some(1);
        openai.habits.attaches_per_minute = Some(1);
    }
    assert_eq!(world.upload("b.md", "beta").await.status, StatusCode::OK);
    let limited = world.upload("c.md", "gamma").await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    let files = [file];
    assert_eq!(batch(&world, &store, &files).await.status, StatusCode::OK);
    assert_eq!(batch(&world, &store, &files).await.status, StatusCode::TOO_MANY_REQUESTS);
    world.simulator.advance(Duration::from_secs(61));
    assert_eq!(batch(&world, &store, &files).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn other_servers_have_other_habits() {
    let world = World::new();
    let store = world.store().await;
    let file = world.uploaded("a.md", "alpha").await;
    world.simulator.openai().habits.batches = BatchSupport::IgnoresFiles;
    let ignored = batch(&world, &store, std::slice::from_ref(&file)).await;
    assert_eq!(
        (ignored.json["status"].clone(), ignored.json["file_counts"]["total"].clone()),
        ("completed".into(), 0.into())
    );
    world.simulator.openai().habits.batches = BatchSupport::Missing;
    assert_eq!(batch(&world, &store, std::slice::from_ref(&file)).await.status, StatusCode::NOT_FOUND);
    let attach = format!("/vector_stores/{store}/files");
    let attached =
        world.openai(Method::POST, &attach, Some(json!({"file_id": file, "attributes": {"a": 1}}))).await;
    assert_eq!((attached.status, attached.json["status"].clone()), (StatusCode::OK, "in_progress".into()));
    world.simulator.openai().habits.not_found_as_400 = true;
    let missing = world.openai(Method::GET, &format!("{attach}/file-none"), None).await;
    assert_eq!(missing.status, StatusCode::BAD_REQUEST);
    assert!(missing.json["error"].get("code").is_none());
    assert!(missing.json["error"]["message"].as_str().unwrap().contains("not found"));
}

#[actix_web::test]
async fn dangling_and_lost_things_can_be_made() {
    let world = World::new();
    let store = world.store().await;
    let files = [world.uploaded("a.md", "alpha").await, world.uploaded("b.md", "beta").await];
    batch(&world, &store, &files).await;
    assert!(world.simulator.openai().lose_file(&files[0]));
    assert!(world.simulator.openai().lose_entry(&store, &files[1]));
    let listed = world.openai(Method::GET, &format!("/vector_stores/{store}/files"), None).await;
    assert_eq!(listed.column("id"), [files[0].clone()]);
    assert_eq!(
        world.openai(Method::GET, &format!("/files/{}", files[0]), None).await.status,
        StatusCode::NOT_FOUND
    );
    assert!(world.simulator.openai().lose_store(&store));
    assert_eq!(
        world.openai(Method::GET, &format!("/vector_stores/{store}"), None).await.status,
        StatusCode::NOT_FOUND
    );
}

#[actix_web::test]
async fn stores_are_modified_and_expire() {
    let world = World::new();
    let store = world.store().await;
    let path = format!("/vector_stores/{store}");
    let asked = json!({"name": "new", "metadata": {"kb": "1"}, "expires_after": {"anchor": "last_active_at", "days": 1}});
    let changed = world.openai(Method::POST, &path, Some(asked)).await;
    assert_eq!(
        (changed.json["name"].clone(), changed.json["metadata"]["kb"].clone()),
        ("new".into(), "1".into())
    );
    world.simulator.advance(Duration::from_hours(25));
    assert_eq!(world.openai(Method::GET, &path, None).await.json["status"], "expired");
    let number = world.openai(Method::POST, &path, Some(json!({"metadata": {"kb": 1}}))).await;
    assert_eq!(number.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.openai(Method::DELETE, &path, None).await.json["object"], "vector_store.deleted");
}
