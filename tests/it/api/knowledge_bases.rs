//! Knowledge bases: made, adopted, given keys, searched and deleted.

use chrono::TimeDelta;
use serde_json::{Value, json};
use simulator::{Fault, openai::Project};
use tidegate::auth::Scope;

use super::house::{House, nobody};

const PATH: &str = "/v1/knowledge-bases";

#[tokio::test]
async fn a_new_knowledge_base_has_a_store_and_the_tool_to_paste() {
    let house = House::open().await;
    let made = house.post(PATH, json!({ "name": "Handbook", "external_id": "kb-1" })).await.expect(201);
    let store = made.str("vector_store_id");
    assert_eq!(made.header("location"), format!("{PATH}/{}", made.id()));
    assert_eq!(made.body["status"], "active");
    assert_eq!(made.body["credential"], json!({ "kind": "server", "last4": null }));
    assert_eq!(made.body["file_search_tool"], json!({ "type": "file_search", "vector_store_ids": [store] }));
    {
        let openai = house.simulator.openai();
        let store = openai.store(&store).unwrap();
        assert_eq!(store.name.as_deref(), Some("Handbook"));
        assert!(store.metadata["tidegate"].as_str().unwrap().ends_with(&made.id()), "{:?}", store.metadata);
    }
    let shown = house.get(&format!("{PATH}/{}", made.id())).await.expect(200);
    assert_eq!(shown.body, made.body);
    assert_eq!(house.get(&format!("{PATH}?external_id=kb-1")).await.items().len(), 1);
    assert_eq!(house.get(&format!("{PATH}?external_id=kb-2")).await.items().len(), 0);
}

#[tokio::test]
async fn a_store_is_adopted_once_and_a_taken_one_looks_like_an_unknown_one() {
    let house = House::open().await;
    let store = house.knowledge_base().await.str("vector_store_id");
    let adopt = async |id: &str| house.post(PATH, json!({ "name": "Mine", "vector_store_id": id })).await;
    let taken = adopt(&store).await.refused(422, "store_not_available");
    let unknown = adopt("vs_unknown").await.refused(422, "store_not_available");
    let nonsense = adopt("../files").await.refused(422, "store_not_available");
    let same = |body: &Value| (body["detail"].clone(), body["errors"].clone());
    assert_eq!(same(&taken.body), same(&unknown.body));
    assert_eq!(same(&nonsense.body), same(&unknown.body));
}

#[tokio::test]
async fn adopting_with_the_servers_key_is_for_operators() {
    let house = House::open().await;
    let caller = house.key_with(&[Scope::Manage, Scope::Admin]).await;
    let body = json!({ "name": "Mine", "vector_store_id": "vs_unknown" });
    let refused = house.call_as(&caller, "POST", PATH, Some(body)).await.refused(403, "forbidden");
    assert_eq!(refused.body["required_scope"], "operator");
    let body = json!({ "name": "Mine", "vector_store_id": "vs_unknown", "openai_api_key": "sk-simulated" });
    house.call_as(&caller, "POST", PATH, Some(body)).await.refused(422, "store_not_available");
}

#[tokio::test]
async fn a_key_of_its_own_is_sealed_and_shown_by_its_end() {
    let house = House::open().await;
    let body = json!({ "name": "Own", "openai_api_key": "sk-simulated" });
    let made = house.post(PATH, body).await.expect(201);
    assert_eq!(made.body["credential"], json!({ "kind": "own", "last4": "ated" }));
    assert!(!made.text.contains("sk-simulated"));
}

#[tokio::test]
async fn a_dead_key_is_refused_and_leaves_nothing_behind() {
    let house = House::open().await;
    let refused = house.post(PATH, json!({ "name": "Own", "openai_api_key": "sk-dead" })).await;
    let refused = refused.refused(422, "openai_key_rejected");
    assert_eq!(refused.errors(), [("/openai_api_key".to_owned(), "rejected".to_owned())]);
    assert_eq!(house.get(PATH).await.items().len(), 0);
}

#[tokio::test]
async fn without_any_key_openai_is_not_configured() {
    let house = House::with(|settings| settings.openai.api_key = None).await;
    house.post(PATH, json!({ "name": "Handbook" })).await.refused(409, "openai_not_configured");
}

#[tokio::test]
async fn an_account_at_its_limit_and_a_vendor_that_is_down_are_told_apart() {
    let house = House::open().await;
    let quota = r#"{"error":{"message":"no credit","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
    house.simulator.fault(Fault::on("POST", "/v1/vector_stores").once().respond(429, &[], quota));
    house.post(PATH, json!({ "name": "Handbook" })).await.refused(409, "openai_quota_exhausted");
    house.simulator.fault(Fault::on("POST", "/v1/vector_stores").once().rate_limited(Some(30)));
    let limited = house.post(PATH, json!({ "name": "Handbook" })).await.refused(503, "vendor_unavailable");
    assert_eq!(limited.header("retry-after"), "30");
    assert_eq!(house.get(PATH).await.items().len(), 0, "a definite refusal leaves nothing behind");
}

#[tokio::test]
async fn a_store_whose_making_was_not_answered_is_found_and_not_made_twice() {
    let house = House::open().await;
    house.simulator.fault(Fault::on("POST", "/v1/vector_stores").once().drop_after());
    let made = house.post(PATH, json!({ "name": "Handbook" })).await.expect(202);
    assert_eq!(made.body["status"], "creating");
    assert_eq!(made.body["file_search_tool"], Value::Null);
    house.tick_after(TimeDelta::minutes(2)).await;
    let settled = house.get(&format!("{PATH}/{}", made.id())).await.expect(200);
    assert_eq!(settled.body["status"], "active");
    let openai = house.simulator.openai();
    let stores: Vec<_> = openai.projects().iter().flat_map(Project::stores).collect();
    assert_eq!(stores.len(), 1);
    assert_eq!(settled.body["vector_store_id"], stores[0].id);
}

#[tokio::test]
async fn a_store_that_was_never_made_is_made_later() {
    let house = House::open().await;
    house.simulator.fault(Fault::on("POST", "/v1/vector_stores").once().status(500));
    let made = house.post(PATH, json!({ "name": "Handbook" })).await.expect(202);
    house
        .post(&format!("{PATH}/{}/search", made.id()), json!({ "query": "leave" }))
        .await
        .refused(409, "conflict");
    house.tick_after(TimeDelta::minutes(2)).await;
    let settled = house.get(&format!("{PATH}/{}", made.id())).await.expect(200);
    assert_eq!(settled.body["status"], "active");
}

#[tokio::test]
async fn a_changed_name_needs_the_tag_that_was_read() {
    let house = House::open().await;
    let made = house.knowledge_base().await;
    let path = format!("{PATH}/{}", made.id());
    let etag = made.header("etag").to_owned();
    let body = json!({ "name": "Wiki", "external_id": "w", "metadata": { "team": "docs" } });
    let changed = house.patch_if(&etag, &path, body).await.expect(200);
    assert_eq!((changed.str("name"), changed.str("external_id")), ("Wiki".to_owned(), "w".to_owned()));
    house.patch_if(&etag, &path, json!({ "name": "Late" })).await.refused(412, "precondition_failed");
    let cleared = house.patch(&path, json!({ "external_id": null })).await.expect(200);
    assert_eq!(cleared.body["external_id"], Value::Null);
    assert_eq!(cleared.str("name"), "Wiki");
}

#[tokio::test]
async fn a_new_key_must_reach_the_store_and_ends_the_blocking() {
    let house = House::open().await;
    house.simulator.openai().add_key("sk-elsewhere");
    house.simulator.openai().add_key_like("sk-second", "sk-simulated");
    let made = house.post(PATH, json!({ "name": "Own", "openai_api_key": "sk-second" })).await.expect(201);
    let path = format!("{PATH}/{}", made.id());
    house.simulator.openai().kill_key("sk-second");
    let search = async || house.post(&format!("{path}/search"), json!({ "query": "leave" })).await;
    let blocked = search().await.refused(409, "blocked");
    assert_eq!(blocked.body["problem"]["code"], "openai_key_rejected");
    let shown = house.get(&path).await;
    assert_eq!(
        (&shown.body["status"], &shown.body["problem"]["code"]),
        (&json!("blocked"), &json!("openai_key_rejected"))
    );
    house.patch(&path, json!({ "openai_api_key": "sk-dead" })).await.refused(422, "openai_key_rejected");
    let elsewhere = house.patch(&path, json!({ "openai_api_key": "sk-elsewhere" })).await;
    let elsewhere = elsewhere.refused(422, "store_not_available");
    assert_eq!(elsewhere.errors(), [("/openai_api_key".to_owned(), "not_available".to_owned())]);
    let mended = house.patch(&path, json!({ "openai_api_key": "sk-simulated" })).await.expect(200);
    assert_eq!((&mended.body["status"], &mended.body["problem"]), (&json!("active"), &Value::Null));
    search().await.expect(200);
}

#[tokio::test]
async fn a_search_names_page_and_document_and_ignores_what_it_must() {
    let house = House::open().await;
    let page = house
        .site
        .add_page(house.space, "Annual leave", "<p>Everybody has thirty days of leave.</p>")
        .unwrap();
    let source = house.synced().await;
    let path = format!(
        "{PATH}/{}/search",
        house.get(&format!("/v1/sources/{source}")).await.str("knowledge_base_id")
    );
    let found = house.post(&path, json!({ "query": "days of leave", "max_results": 5 })).await.expect(200);
    let first = &found.items()[0];
    assert_eq!((&first["page_id"], &first["title"]), (&json!(page.to_string()), &json!("Annual leave")));
    assert!(first["text"].as_str().unwrap().contains("thirty days"), "{first}");
    let document = first["document_id"].as_str().unwrap();
    assert_eq!(house.get(&format!("/v1/documents/{document}")).await.expect(200).body["url"], first["url"]);

    let wrong = house.post(&path, json!({ "query": " ", "max_results": 51, "filters": {} })).await;
    let wrong = wrong.refused(422, "validation_failed");
    assert_eq!(
        wrong.errors().iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(),
        ["/query", "/max_results"]
    );
    let reader = house.key_with(&[Scope::Read]).await;
    house.call_as(&reader, "POST", &path, Some(json!({ "query": "leave" }))).await.refused(403, "forbidden");
    house.simulator.fault(Fault::on("POST", "/v1/vector_stores/*/search").once().status(503));
    let down = house.post(&path, json!({ "query": "leave" })).await.refused(503, "vendor_unavailable");
    assert!(!down.header("retry-after").is_empty());
}

#[tokio::test]
async fn a_deleted_knowledge_base_takes_its_files_along_and_is_gone() {
    let house = House::open().await;
    house.pages(3);
    let source = house.synced().await;
    let path =
        format!("{PATH}/{}", house.get(&format!("/v1/sources/{source}")).await.str("knowledge_base_id"));
    let deleting = house.delete(&format!("{path}?delete_store=true")).await.expect(202);
    assert_eq!(deleting.body["status"], "deleting");
    house.patch(&path, json!({ "name": "Late" })).await.refused(409, "deleting");
    house.tick_after(TimeDelta::minutes(1)).await;
    house.tick_after(TimeDelta::minutes(1)).await;
    house.get(&path).await.refused(404, "not_found");
    house.get(&format!("/v1/sources/{source}")).await.refused(404, "not_found");
    let openai = house.simulator.openai();
    assert_eq!(openai.projects().iter().flat_map(Project::stores).count(), 0);
    assert_eq!(openai.projects().iter().flat_map(Project::files).count(), 0);
}

#[tokio::test]
async fn an_adopted_store_is_never_deleted() {
    let house = House::open().await;
    let first = house.knowledge_base().await;
    let store = first.str("vector_store_id");
    house.delete(&format!("{PATH}/{}", first.id())).await.expect(202);
    house.tick_after(TimeDelta::minutes(1)).await;
    house.tick_after(TimeDelta::minutes(1)).await;
    let body = json!({ "name": "Again", "vector_store_id": store });
    let adopted = house.post(PATH, body).await.expect(201);
    assert_eq!(adopted.body["origin"], "adopted");
    house.delete(&format!("{PATH}/{}?delete_store=true", adopted.id())).await.refused(409, "conflict");
}

#[tokio::test]
async fn lists_are_paged_to_their_end() {
    let house = House::open().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(house.knowledge_base().await.id());
    }
    let mut seen = Vec::new();
    let mut path = format!("{PATH}?limit=2");
    loop {
        let page = house.get(&path).await.expect(200);
        seen.extend(page.items().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("{PATH}?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, made);
    house.get(&format!("{PATH}?limit=0")).await.refused(422, "validation_failed");
    house.get(&format!("{PATH}?cursor=nonsense")).await.refused(422, "validation_failed");
    house.get(&format!("{PATH}?colour=red")).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn wrong_bodies_and_ids_are_named() {
    let house = House::open().await;
    let wrong = house.post(PATH, json!({ "name": "", "openai_api_key": "with space" })).await;
    let wrong = wrong.refused(422, "validation_failed");
    assert_eq!(
        wrong.errors().iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(),
        ["/name", "/openai_api_key"]
    );
    let unknown =
        house.post(PATH, json!({ "name": "x", "color": 1 })).await.refused(422, "validation_failed");
    assert_eq!(unknown.errors(), [("/color".to_owned(), "unknown_field".to_owned())]);
    house.get(&format!("{PATH}/{}", nobody("kb"))).await.refused(404, "not_found");
    house.get(&format!("{PATH}/{}", nobody("src"))).await.refused(404, "not_found");
    house.get(&format!("{PATH}/1")).await.refused(404, "not_found");
}

#[tokio::test]
async fn another_workspace_sees_nothing_of_it() {
    let house = House::open().await;
    let path = format!("{PATH}/{}", house.knowledge_base().await.id());
    let stranger = house.stranger().await;
    let calls = [
        ("GET", path.clone(), None),
        ("PATCH", path.clone(), Some(json!({ "name": "Mine" }))),
        ("DELETE", path.clone(), None),
        ("POST", format!("{path}/search"), Some(json!({ "query": "leave" }))),
        ("GET", format!("{path}/sources"), None),
    ];
    for (method, path, body) in calls {
        house.call_as(&stranger, method, &path, body).await.refused(404, "not_found");
    }
    assert_eq!(house.call_as(&stranger, "GET", PATH, None).await.items().len(), 0);
}
