//! What belongs to a workspace is not there for another one: every operation is tried with real ids and a stranger's key.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegate::http;

use super::house::House;

/// Ids of things that exist, by the part of a path that names their kind.
async fn ids(house: &House) -> BTreeMap<&'static str, String> {
    house.pages(2);
    let source = house.synced().await;
    let shown = house.get(&format!("/v1/sources/{source}")).await.expect(200);
    let first =
        async |path: &str| house.get(path).await.expect(200).items()[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/knowledge-bases/{}/reconcile", shown.str("knowledge_base_id"));
    let reconcile = house.post(&path, json!({ "dry_run": true })).await.expect(202);
    BTreeMap::from([
        ("reconciles", reconcile.id()),
        ("documents", first(&format!("/v1/sources/{source}/documents")).await),
        ("syncs", first("/v1/syncs").await),
        ("api-keys", first("/v1/api-keys").await),
        ("connections", shown.str("connection_id")),
        ("knowledge-bases", shown.str("knowledge_base_id")),
        ("site", shown.str("site_id")),
        ("sources", source),
    ])
}

/// A body that the operation accepts.
fn body(operation: &str, ids: &BTreeMap<&str, String>) -> Value {
    match operation {
        "confirm_connection" => json!({ "code": "0".repeat(32) }),
        "search_knowledge_base" => json!({ "query": "leave" }),
        "update_knowledge_base" | "update_source" => json!({ "name": "Mine" }),
        "replace_selections" => json!({ "selections": [] }),
        "start_sync" => json!({ "mode": "delta" }),
        "create_source" => {
            json!({ "connection_id": ids["connections"], "site_id": ids["site"], "selections": [] })
        }
        _ => json!({}),
    }
}

#[tokio::test]
async fn nothing_of_a_workspace_is_there_for_another_one() {
    let house = House::open().await;
    let ids = ids(&house).await;
    let before = house.get(&format!("/v1/sources/{}", ids["sources"])).await.expect(200).body;
    let stranger = house.stranger().await;
    let document = serde_json::to_value(http::openapi()).unwrap();
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let kind = path.split('/').nth(2).unwrap_or_default();
        let Some(id) = ids.get(kind).filter(|_| path.contains("{id}")) else { continue };
        let path = path.replace("{id}", id).replace("{site_id}", &ids["site"]);
        for (method, operation) in operations.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            let body = operation.get("requestBody").map(|_| body(name, &ids));
            let answer = house.call_as(&stranger, &method.to_uppercase(), &path, body).await;
            assert_eq!(answer.status, 404, "{name} {path}: {}", answer.text);
            tried += 1;
        }
    }
    assert!(tried > 25, "only {tried} operations were tried");
    assert_eq!(house.get(&format!("/v1/sources/{}", ids["sources"])).await.body, before, "it is as it was");
}

#[tokio::test]
async fn lists_show_nothing_of_another_workspace_whatever_they_are_filtered_by() {
    let house = House::open().await;
    let ids = ids(&house).await;
    let stranger = house.stranger().await;
    for path in [
        "/v1/connections".to_owned(),
        "/v1/knowledge-bases".to_owned(),
        "/v1/sources".to_owned(),
        "/v1/syncs".to_owned(),
        format!("/v1/sources?knowledge_base_id={}", ids["knowledge-bases"]),
        format!("/v1/sources?connection_id={}", ids["connections"]),
        format!("/v1/syncs?source_id={}", ids["sources"]),
    ] {
        let answer = house.call_as(&stranger, "GET", &path, None).await.expect(200);
        assert_eq!(answer.items().len(), 0, "{path}: {}", answer.text);
    }
}
