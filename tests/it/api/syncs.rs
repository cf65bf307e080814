//! Syncs: requested, followed, cancelled, and decided on.

use chrono::TimeDelta;
use serde_json::{Value, json};
use simulator::Id;
use tidegate::auth::Scope;

use super::house::{House, nobody};

#[tokio::test]
async fn the_same_request_twice_is_one_sync_and_another_mode_takes_its_place() {
    let house = House::open().await;
    house.pages(1);
    let source = house.synced().await;
    let path = format!("/v1/sources/{source}/syncs");
    let first = house.post(&path, json!({ "mode": "delta" })).await.expect(202);
    assert_eq!(first.header("location"), format!("/v1/syncs/{}", first.id()));
    assert_eq!((first.str("status"), first.str("trigger")), ("queued".to_owned(), "manual".to_owned()));
    assert_eq!(house.post(&path, json!({ "mode": "delta" })).await.expect(200).id(), first.id());
    let full = house.post(&path, json!({ "mode": "full" })).await.expect(202);
    let displaced = house.get(&format!("/v1/syncs/{}", first.id())).await.expect(200);
    assert_eq!(
        (displaced.str("status"), &displaced.body["problem"]["code"]),
        ("cancelled".to_owned(), &json!("superseded"))
    );
    assert_eq!(house.get(&format!("/v1/sources/{source}")).await.str("current_sync_id"), full.id());
    house.tick().await;
    assert_eq!(house.get(&format!("/v1/syncs/{}", full.id())).await.str("status"), "succeeded");
    house.post(&path, json!({ "mode": "quick" })).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn a_finished_sync_tells_what_it_did_page_by_page() {
    let house = House::open().await;
    let pages = house.pages(5);
    let source = house.synced().await;
    let sync = house.get(&format!("/v1/sources/{source}")).await.str("last_sync_id");
    let shown = house.get(&format!("/v1/syncs/{sync}")).await.expect(200);
    assert_eq!((shown.str("status"), shown.str("step")), ("succeeded".to_owned(), "done".to_owned()));
    assert_eq!(shown.body["counts"]["created"], 5);
    assert_eq!((&shown.body["eta"], shown.body["finished_at"].is_null()), (&Value::Null, false));
    let mut seen = Vec::new();
    let mut path = format!("/v1/syncs/{sync}/changes?limit=2");
    loop {
        let page = house.get(&path).await.expect(200);
        assert!(page.items().iter().all(|change| change["outcome"] == "created"), "{}", page.text);
        seen.extend(page.items().iter().map(|change| change["page_id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/v1/syncs/{sync}/changes?limit=2&cursor={cursor}");
    }
    seen.sort();
    assert_eq!(seen, pages.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(house.get(&format!("/v1/syncs?source_id={source}&status=succeeded")).await.items().len(), 1);
    assert_eq!(house.get(&format!("/v1/syncs?source_id={source}&status=failed")).await.items().len(), 0);
    assert_eq!(house.get(&format!("/v1/syncs?source_id={}", nobody("src"))).await.items().len(), 0);
}

#[tokio::test]
async fn a_queued_sync_is_cancelled_at_once_and_a_finished_one_is_not() {
    let house = House::open().await;
    let source = house.source(json!([{ "kind": "space", "id": house.space.to_string() }])).await;
    let path = format!("/v1/syncs/{}/cancel", source.str("current_sync_id"));
    assert_eq!(house.tell(&path).await.expect(200).str("status"), "cancelled");
    assert_eq!(house.get(&format!("/v1/sources/{}", source.id())).await.body["current_sync_id"], Value::Null);
    house.tell(&path).await.refused(409, "conflict");
}

/// A house of which 12 of 20 pages were trashed, its source, and the sync that held their removal.
async fn holding() -> (House, String, String) {
    let (house, source, sync, _) = holding_of_pages().await;
    (house, source, sync)
}

/// The same with the pages.
async fn holding_of_pages() -> (House, String, String, Vec<Id>) {
    let house = House::open().await;
    let pages = house.pages(20);
    let source = house.synced().await;
    for page in &pages[..12] {
        house.site.trash(*page).unwrap();
    }
    house.tick_after(TimeDelta::minutes(5)).await;
    let plan = house.get(&format!("/v1/sources/{source}")).await.body["held_plan"].clone();
    assert_eq!((&plan["removals"], &plan["rejected"]), (&json!(12), &json!(false)), "{plan}");
    let sync = plan["sync_id"].as_str().unwrap().to_owned();
    (house, source, sync, pages)
}

#[tokio::test]
async fn approved_removals_are_carried_out() {
    let (house, source, sync) = holding().await;
    assert_eq!(house.get(&format!("/v1/syncs/{sync}")).await.str("status"), "held");
    let held = house.get(&format!("/v1/syncs/{sync}/changes")).await;
    let held: Vec<&Value> = held.items().iter().filter(|change| change["outcome"] == "held").collect();
    assert_eq!(held.len(), 12);
    assert!(held.iter().all(|change| change["evidence"]["kind"] == "trashed"), "{held:?}");
    let applying = house.tell(&format!("/v1/syncs/{sync}/approve")).await.expect(202);
    assert_eq!(applying.str("source_id"), source);
    house.tick().await;
    let shown = house.get(&format!("/v1/sources/{source}")).await;
    assert_eq!((&shown.body["documents"]["live"], &shown.body["held_plan"]), (&json!(8), &Value::Null));
    house.tell(&format!("/v1/syncs/{sync}/approve")).await.refused(409, "conflict");
}

#[tokio::test]
async fn rejected_removals_stay() {
    let (house, source, sync) = holding().await;
    house.tell(&format!("/v1/syncs/{sync}/reject")).await.expect(200);
    house.tick_after(TimeDelta::minutes(5)).await;
    let shown = house.get(&format!("/v1/sources/{source}")).await;
    let in_store = |state: &str| shown.body["documents"][state].as_u64().unwrap();
    assert_eq!(in_store("live") + in_store("suspect"), 20);
    assert_eq!(shown.body["held_plan"]["rejected"], true);
}

#[tokio::test]
async fn a_decision_is_on_what_a_person_saw() {
    let (house, source, sync, pages) = holding_of_pages().await;
    house.site.trash(pages[12]).unwrap();
    house.tick_after(TimeDelta::minutes(5)).await;
    let plan = house.get(&format!("/v1/sources/{source}")).await.body["held_plan"].clone();
    assert_ne!(plan["sync_id"], json!(sync), "there is more to decide on");

    for verb in ["approve", "reject"] {
        let refused = house.tell(&format!("/v1/syncs/{sync}/{verb}")).await.refused(409, "conflict");
        assert_eq!(refused.body["sync_id"], plan["sync_id"]);
    }
    let newer = plan["sync_id"].as_str().unwrap();
    house.tell(&format!("/v1/syncs/{newer}/approve")).await.expect(202);
    house.tick().await;
    let shown = house.get(&format!("/v1/sources/{source}")).await;
    assert_eq!((&shown.body["documents"]["live"], &shown.body["held_plan"]), (&json!(7), &Value::Null));
}

#[tokio::test]
async fn an_approved_page_that_came_back_stays() {
    let (house, source, sync, pages) = holding_of_pages().await;
    house.tell(&format!("/v1/syncs/{sync}/approve")).await.expect(202);
    house.site.restore(pages[0]).unwrap();
    house.tick().await;
    let shown = house.get(&format!("/v1/sources/{source}")).await;
    assert_eq!((&shown.body["documents"]["live"], &shown.body["held_plan"]), (&json!(9), &Value::Null));
}

#[tokio::test]
async fn pages_that_come_back_release_what_was_held() {
    let (house, source, sync, pages) = holding_of_pages().await;
    for page in &pages[..12] {
        house.site.restore(*page).unwrap();
    }
    house.tick_after(TimeDelta::minutes(5)).await;
    let shown = house.get(&format!("/v1/sources/{source}")).await;
    assert_eq!((&shown.body["documents"]["live"], &shown.body["held_plan"]), (&json!(20), &Value::Null));
    house.tell(&format!("/v1/syncs/{sync}/approve")).await.refused(409, "conflict");
}

#[tokio::test]
async fn deciding_needs_the_scope_sync_and_a_source_that_works() {
    let (house, source, sync) = holding().await;
    let reader = house.key_with(&[Scope::Read, Scope::Content]).await;
    for verb in ["approve", "reject"] {
        let path = format!("/v1/syncs/{sync}/{verb}");
        house.call_as(&reader, "POST", &path, None).await.refused(403, "forbidden");
    }
    house.tell(&format!("/v1/sources/{source}/pause")).await.expect(200);
    house.tell(&format!("/v1/syncs/{sync}/approve")).await.refused(409, "paused");
    house.tell(&format!("/v1/syncs/{sync}/reject")).await.expect(200);
}

#[tokio::test]
async fn what_holds_nothing_cannot_be_decided_on() {
    let house = House::open().await;
    house.pages(1);
    let source = house.synced().await;
    let sync = house.get(&format!("/v1/sources/{source}")).await.str("last_sync_id");
    for verb in ["approve", "reject"] {
        house.tell(&format!("/v1/syncs/{sync}/{verb}")).await.refused(409, "conflict");
    }
}

#[tokio::test]
async fn another_workspace_sees_nothing_of_it() {
    let house = House::open().await;
    let source = house.source(json!([{ "kind": "space", "id": house.space.to_string() }])).await;
    let path = format!("/v1/syncs/{}", source.str("current_sync_id"));
    let stranger = house.stranger().await;
    for (method, path) in [
        ("GET", path.clone()),
        ("GET", format!("{path}/changes")),
        ("POST", format!("{path}/cancel")),
        ("POST", format!("{path}/approve")),
        ("POST", format!("{path}/reject")),
        ("GET", format!("/v1/syncs/{}", nobody("syn"))),
    ] {
        house.call_as(&stranger, method, &path, None).await.refused(404, "not_found");
    }
    let theirs = house.call_as(&stranger, "GET", &format!("/v1/syncs?source_id={}", source.id()), None).await;
    assert_eq!(theirs.expect(200).items().len(), 0);
}
