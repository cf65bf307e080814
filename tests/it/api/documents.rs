//! Documents: listed, filtered, read back, and tried again.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tidegate::auth::Scope;

use super::house::{House, nobody};

#[tokio::test]
async fn a_live_document_tells_all_that_is_known_of_its_page() {
    let house = House::open().await;
    let page = house.site.add_page(house.space, "Annual leave", "<p>Thirty days.</p>").unwrap();
    let child = house.site.add_child(page, "Carry over", "<p>Until March.</p>").unwrap();
    let source = house.synced().await;
    let listed = house.get(&format!("/v1/sources/{source}/documents")).await.expect(200);
    assert_eq!(listed.items().len(), 2);
    let of_child =
        listed.items().iter().find(|item| item["page_id"].as_str() == Some(&child.to_string())).unwrap();
    assert_eq!(
        (&of_child["title"], &of_child["state"], &of_child["version"]),
        (&json!("Carry over"), &json!("live"), &json!(1))
    );
    assert!(of_child["url"].as_str().unwrap().contains(&child.to_string()));
    assert!(of_child["lag_seconds"].as_i64().unwrap() >= 0);
    let file = of_child["vector_store_file_id"].as_str().unwrap();
    assert!(house.simulator.openai().file(file).is_some());

    let shown = house.get(&format!("/v1/documents/{}", of_child["id"].as_str().unwrap())).await.expect(200);
    for (field, value) in of_child.as_object().unwrap() {
        assert_eq!(&shown.body[field], value, "{field}");
    }
    assert_eq!((shown.str("source_id"), shown.str("space_key")), (source, "HANDBOOK".to_owned()));
    assert!(shown.str("path").contains("Annual leave"), "{}", shown.text);
}

#[tokio::test]
async fn the_content_is_what_is_in_the_store_byte_for_byte() {
    let house = House::open().await;
    house.site.add_page(house.space, "Über uns", "<p>Größe &amp; Güte</p>").unwrap();
    let source = house.synced().await;
    let listed = house.get(&format!("/v1/sources/{source}/documents")).await;
    let document = &listed.items()[0];
    let path = format!("/v1/documents/{}/content", document["id"].as_str().unwrap());
    let content = house.get(&path).await.expect(200);
    assert!(content.header("content-type").starts_with("text/markdown"));
    assert!(content.text.contains("Größe & Güte"), "{}", content.text);
    let base = house.get(&format!("/v1/sources/{source}")).await.str("knowledge_base_id");
    let store = house.get(&format!("/v1/knowledge-bases/{base}")).await.str("vector_store_id");
    let file = document["vector_store_file_id"].as_str().unwrap();
    {
        let openai = house.simulator.openai();
        let entry = openai.store(&store).unwrap().entry(file).unwrap();
        assert_eq!(entry.text(), Some(content.text.as_str()));
    }
    let reader = house.key_with(&[Scope::Read]).await;
    house.call_as(&reader, "GET", &path, None).await.refused(403, "forbidden");
}

#[tokio::test]
async fn documents_are_filtered_by_state_and_title_and_paged() {
    let house = House::open().await;
    house.pages(5);
    house.site.add_page(house.space, "Überstunden 100%", "<p>Text</p>").unwrap();
    house.site.add_page(house.space, "Leer", "").unwrap();
    let source = house.synced().await;
    let path = format!("/v1/sources/{source}/documents");
    let titles = async |query: &str| -> Vec<String> {
        let page = house.get(&format!("{path}?{query}")).await.expect(200);
        page.items().iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles("state=skipped").await, ["Leer"]);
    assert_eq!(titles("q=PAGE%203").await, ["Page 3"]);
    assert_eq!(titles("q=%C3%BCberst").await, ["Überstunden 100%"]);
    assert_eq!(titles("q=100%25").await, ["Überstunden 100%"]);
    assert_eq!(titles("q=1_0").await, Vec::<String>::new());
    assert_eq!(titles("state=live&q=page").await.len(), 5);
    let mut seen = 0;
    let mut next = format!("{path}?limit=3");
    loop {
        let page = house.get(&next).await.expect(200);
        seen += page.items().len();
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        next = format!("{path}?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, 7);
    house.get(&format!("{path}?state=lost")).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn an_empty_page_is_skipped_with_its_reason_and_can_be_tried_again() {
    let house = House::open().await;
    house.site.add_page(house.space, "Leer", "").unwrap();
    let live = house.pages(1)[0];
    let source = house.synced().await;
    let listed = house.get(&format!("/v1/sources/{source}/documents")).await;
    let id = |page: Value| {
        let found =
            listed.items().iter().find(|item| item["page_id"] == page || item["title"] == page).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    let path = format!("/v1/documents/{}", id(json!("Leer")));
    let skipped = house.get(&path).await.expect(200);
    assert_eq!((skipped.str("state"), skipped.str("reason")), ("skipped".to_owned(), "empty".to_owned()));
    assert_eq!(skipped.body["vector_store_file_id"], Value::Null);
    house.get(&format!("{path}/content")).await.refused(404, "not_found");
    let again = house.tell(&format!("{path}/retry")).await.expect(202);
    assert_eq!(again.str("state"), "pending");
    house.tick().await;
    assert_eq!(house.get(&path).await.str("state"), "skipped");
    house
        .tell(&format!("/v1/documents/{}/retry", id(json!(live.to_string()))))
        .await
        .refused(409, "conflict");
}

#[tokio::test]
async fn a_list_that_is_asked_for_again_shows_every_change_at_once() {
    let house = House::open().await;
    house.site.add_page(house.space, "Leer", "").unwrap();
    let page = house.pages(1)[0];
    let source = house.synced().await;
    let path = format!("/v1/sources/{source}/documents");
    let states = async || -> Vec<String> {
        let listed = house.get(&path).await.expect(200);
        listed.items().iter().map(|item| item["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states().await, ["skipped", "live"]);
    let listed = house.get(&path).await;
    house
        .tell(&format!("/v1/documents/{}/retry", listed.items()[0]["id"].as_str().unwrap()))
        .await
        .expect(202);
    assert_eq!(states().await, ["pending", "live"]);
    house.tick().await;
    assert_eq!(states().await, ["skipped", "live"]);
    house.site.trash(page).unwrap();
    house.tick_after(TimeDelta::minutes(5)).await;
    assert_eq!(states().await, ["skipped", "removed"]);
    house.tick_after(TimeDelta::days(31)).await;
    house.tick_after(TimeDelta::minutes(5)).await;
    assert_eq!(states().await, ["skipped"]);
}

#[tokio::test]
async fn another_workspace_sees_nothing_of_it() {
    let house = House::open().await;
    house.pages(1);
    let source = house.synced().await;
    let listed = house.get(&format!("/v1/sources/{source}/documents")).await;
    let path = format!("/v1/documents/{}", listed.items()[0]["id"].as_str().unwrap());
    let stranger = house.stranger().await;
    for (method, path) in [
        ("GET", path.clone()),
        ("GET", format!("{path}/content")),
        ("POST", format!("{path}/retry")),
        ("GET", format!("/v1/sources/{source}/documents")),
        ("GET", format!("/v1/documents/{}", nobody("doc"))),
    ] {
        house.call_as(&stranger, method, &path, None).await.refused(404, "not_found");
    }
}
