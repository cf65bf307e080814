//! Freshness: how soon edits show.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tidegate::auth::Scope;

use super::house::{Answer, House};

impl House {
    /// How soon edits show in the knowledge base of a source.
    async fn freshness(&self, source: &str, query: &str) -> Answer {
        let id = self.get(&format!("/v1/sources/{source}")).await.str("knowledge_base_id");
        self.get(&format!("/v1/knowledge-bases/{id}/freshness{query}")).await
    }

    async fn interval(&self) {
        self.tick_after(TimeDelta::minutes(5)).await;
    }
}

fn percentiles(p50: u64, p95: u64) -> Value {
    json!({ "p50_seconds": p50, "p95_seconds": p95 })
}

/// How many pages were edited, and how long they took from then, and from detection.
#[track_caller]
fn assert_shows(answer: &Value, pages: u64, edited: &Value, detected: &Value) {
    let shown = (&answer["edited_pages"], &answer["edited_to_searchable"], &answer["detected_to_searchable"]);
    assert_eq!(shown, (&json!(pages), edited, detected), "{answer}");
}

#[tokio::test]
async fn a_first_load_is_not_counted_and_each_edit_of_a_watched_page_is() {
    let house = House::open().await;
    let pages = house.pages(4);
    house.simulator.openai().habits.indexing = Duration::from_mins(2);
    house.tick_after(TimeDelta::hours(1)).await;
    let source = house.synced().await;
    let loading = house.freshness(&source, "").await.expect(200).body;
    assert_eq!(loading["waiting"]["pages"], 4);
    house.interval().await;
    let loaded = house.freshness(&source, "").await.expect(200).body;
    assert_shows(&loaded, 0, &Value::Null, &Value::Null);
    assert_eq!(loaded["waiting"], json!({ "pages": 0, "oldest_detected_at": null }));

    house.site.edit(pages[0], "<p>Edited</p>").unwrap();
    house.simulator.advance(Duration::from_mins(1));
    house.app.clock.set(house.app.clock.now() + TimeDelta::minutes(1));
    house.site.add_page(house.space, "New", "<p>New</p>").unwrap();
    house.tick_after(TimeDelta::minutes(4)).await;
    let detected_at = house.app.clock.now();
    let waiting = house.freshness(&source, "").await.expect(200).body;
    assert_eq!(waiting["waiting"]["pages"], 2);
    let oldest: chrono::DateTime<chrono::Utc> =
        serde_json::from_value(waiting["waiting"]["oldest_detected_at"].clone()).unwrap();
    assert_eq!(oldest, detected_at);

    house.tick_after(TimeDelta::minutes(3)).await;
    let shown = house.freshness(&source, "").await.expect(200).body;
    assert_shows(&shown, 2, &percentiles(7 * 60, 8 * 60), &percentiles(180, 180));
    assert_eq!(shown["sources"].as_array().unwrap().len(), 1);
    let of_source = &shown["sources"][0];
    assert_eq!(of_source["source_id"], json!(source));
    assert_shows(of_source, 2, &percentiles(7 * 60, 8 * 60), &percentiles(180, 180));
    assert_eq!(of_source["verification_age_seconds"], 180);
}

#[tokio::test]
async fn what_was_not_edited_under_watch_is_not_counted() {
    let house = House::open().await;
    let elsewhere = house.site.add_space("ELSE", "Elsewhere").unwrap();
    let comes = house.site.add_page(elsewhere, "Comes", "<p>Comes</p>").unwrap();
    let pages = house.pages(5);
    let source = house.synced().await;
    house.site.trash(pages[0]).unwrap();
    house.interval().await;

    house.site.restore(pages[0]).unwrap();
    house.site.move_to(comes, simulator::Place::Top { space: house.space }).unwrap();
    house.site.move_to(pages[2], simulator::Place::Under(pages[3])).unwrap();
    house.site.edit(pages[1], "<p>Text 1</p>").unwrap();
    house.interval().await;
    let shown = house.freshness(&source, "").await.expect(200).body;
    assert_shows(&shown, 0, &Value::Null, &Value::Null);
    assert_eq!(house.get(&format!("/v1/sources/{source}")).await.body["documents"]["live"], 6);
}

#[tokio::test]
async fn a_file_that_is_put_there_again_makes_no_edit_look_late() {
    let house = House::open().await;
    let pages = house.pages(2);
    let source = house.synced().await;
    let elsewhere = house.site.add_space("ELSE", "Elsewhere").unwrap();
    let path = format!("/v1/sources/{source}/selections");
    let both = [house.space, elsewhere].map(|space| json!({ "kind": "space", "id": space.to_string() }));
    house.put(&path, json!({ "selections": both })).await.expect(200);
    house.interval().await;
    house
        .site
        .edit(pages[0], "<p>See <ac:link><ri:page ri:content-title=\"Page 1\"/></ac:link></p>")
        .unwrap();
    house.interval().await;
    let before = house.freshness(&source, "").await.expect(200).body;
    assert_shows(&before, 1, &percentiles(300, 300), &percentiles(0, 0));

    house.tick_after(TimeDelta::hours(2)).await;
    house.simulator.reset_calls();
    house.site.move_to(pages[0], simulator::Place::Top { space: elsewhere }).unwrap();
    house.interval().await;

    assert_eq!(house.simulator.calls().of("POST /v1/files"), 1, "its links read otherwise there");
    let after = house.freshness(&source, "").await.expect(200).body;
    assert_shows(&after, 1, &percentiles(300, 300), &percentiles(0, 0));
}

#[tokio::test]
async fn the_window_is_stated_and_can_be_chosen() {
    let house = House::open().await;
    let pages = house.pages(1);
    let source = house.synced().await;
    house.interval().await;
    house.site.edit(pages[0], "<p>Edited</p>").unwrap();
    house.interval().await;
    house.tick_after(TimeDelta::minutes(10)).await;

    let a_day = house.freshness(&source, "").await.expect(200).body;
    assert_shows(&a_day, 1, &percentiles(300, 300), &percentiles(0, 0));
    let time = |name: &str| -> chrono::DateTime<chrono::Utc> {
        serde_json::from_value(a_day[name].clone()).unwrap()
    };
    assert_eq!(time("to") - time("from"), TimeDelta::days(1));
    let shorter = house.freshness(&source, "?window_seconds=300").await.expect(200).body;
    assert_shows(&shorter, 0, &Value::Null, &Value::Null);

    for window in ["299", "2592001"] {
        let query = format!("?window_seconds={window}");
        let refused = house.freshness(&source, &query).await.refused(422, "validation_failed");
        assert_eq!(refused.errors(), [("window_seconds".to_owned(), "out_of_range".to_owned())]);
    }
    let nothing = house.key_with(&[Scope::Content]).await;
    let id = house.get(&format!("/v1/sources/{source}")).await.str("knowledge_base_id");
    let path = format!("/v1/knowledge-bases/{id}/freshness");
    house.call_as(&nothing, "GET", &path, None).await.refused(403, "forbidden");
}
