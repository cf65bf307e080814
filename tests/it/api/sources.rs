//! Sources: made, refused, changed, paused and deleted; and what they select.

use chrono::TimeDelta;
use serde_json::{Value, json};
use simulator::Place;
use tidegate::auth::Scope;

use super::house::{Answer, House, nobody};

fn places(answer: &Answer) -> Vec<String> {
    answer.errors().into_iter().map(|(place, _)| place).collect()
}

#[tokio::test]
async fn a_new_source_is_active_and_its_first_sync_is_queued() {
    let house = House::open().await;
    let page = house.pages(1)[0];
    let folder = house.site.add_folder(Place::Top { space: house.space }, "Guides").unwrap();
    let selections = json!([
        { "kind": "space", "id": house.space.to_string(), "mode": "include" },
        { "kind": "page_tree", "id": page.to_string(), "mode": "exclude" },
        { "kind": "folder", "id": folder.to_string() },
    ]);
    let made = house.source(selections).await;
    let path = format!("/v1/sources/{}", made.id());
    assert_eq!(made.header("location"), path);
    assert_eq!(
        (made.str("status"), made.str("site_id")),
        ("active".to_owned(), house.site.cloud_id().to_owned())
    );
    assert_eq!(made.body["interval_seconds"], 300);
    assert_eq!(made.body["documents"]["live"], 0);
    assert_eq!((&made.body["held_plan"], &made.body["problem"]), (&Value::Null, &Value::Null));
    let sync = house.get(&format!("/v1/syncs/{}", made.str("current_sync_id"))).await.expect(200);
    assert_eq!((sync.str("status"), sync.str("trigger")), ("queued".to_owned(), "selection".to_owned()));

    let selected = house.get(&format!("{path}/selections")).await.expect(200);
    let brief = |item: &Value| (item["kind"].clone(), item["mode"].clone(), item["title"].clone());
    assert_eq!(
        selected.items().iter().map(brief).collect::<Vec<_>>(),
        [
            (json!("space"), json!("include"), json!("Handbook")),
            (json!("page_tree"), json!("exclude"), json!("Page 0")),
            (json!("folder"), json!("include"), json!("Guides")),
        ]
    );
    assert_eq!(house.get(&path).await.expect(200).body, made.body);
    let listed = house.get(&format!("/v1/knowledge-bases/{}/sources", made.str("knowledge_base_id"))).await;
    assert_eq!(listed.items(), std::slice::from_ref(&made.body));
    assert_eq!(house.get("/v1/sources?status=paused").await.items().len(), 0);
    assert_eq!(
        house.get(&format!("/v1/sources?connection_id={}", made.str("connection_id"))).await.items().len(),
        1
    );
}

#[tokio::test]
async fn what_is_selected_is_looked_up_in_bulk_and_each_mistake_is_named() {
    let house = House::open().await;
    let pages = house.pages(30);
    house.site.trash(pages[3]).unwrap();
    let choice = |id: String| json!({ "kind": "page", "id": id });
    let mut selections: Vec<Value> = pages.iter().map(|page| choice(page.to_string())).collect();
    selections.push(choice("999999".to_owned()));
    selections.push(json!({ "kind": "space", "id": "4711" }));
    selections.push(json!({ "kind": "folder", "id": pages[0].to_string() }));
    let (path, order) = house.order(Value::Array(selections)).await;
    house.simulator.reset_calls();
    let refused = house.post(&path, order).await.refused(422, "validation_failed");
    assert_eq!(
        places(&refused),
        ["/selections/3/id", "/selections/30/id", "/selections/31/id", "/selections/32/id"]
    );
    assert!(refused.errors().iter().all(|(_, code)| code == "not_found"));
    assert_eq!(house.simulator.calls().of("GET /wiki/api/v2/pages"), 1);
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused_before_anybody_is_asked() {
    let house = House::open().await;
    let (path, order) = house.order(json!([
        { "kind": "page", "id": "1" }, { "kind": "page", "id": "1", "mode": "exclude" }, { "kind": "page", "id": "x" },
    ])).await;
    let mut body = order.clone();
    body["interval_seconds"] = json!(1);
    body["options"] = json!({ "guard_max_percent": 101 });
    house.simulator.reset_calls();
    let refused = house.post(&path, body).await.refused(422, "validation_failed");
    let wrong = ["/selections/1/id", "/selections/2/id", "/interval_seconds", "/options/guard_max_percent"];
    assert_eq!(places(&refused), wrong);
    for (field, value, place) in [
        ("options", json!({ "colour": 1 }), "/options/colour"),
        ("selections", json!([{ "kind": "blog", "id": "1" }]), "/selections/0/kind"),
        ("connection_id", json!("con_1"), "/connection_id"),
        ("connection_id", json!(nobody("con")), "/connection_id"),
        ("site_id", json!("elsewhere"), "/site_id"),
    ] {
        let mut body = order.clone();
        body["selections"] = json!([]);
        body[field] = value;
        assert_eq!(places(&house.post(&path, body).await.refused(422, "validation_failed")), [place]);
    }
    assert_eq!(house.simulator.calls().of("GET /wiki/api/v2/pages"), 0);
}

#[tokio::test]
async fn a_site_feeds_a_knowledge_base_once() {
    let house = House::open().await;
    let (path, order) = house.order(json!([{ "kind": "space", "id": house.space.to_string() }])).await;
    let first = house.post(&path, order.clone()).await.expect(201);
    let second = house.post(&path, order).await.refused(409, "source_exists");
    assert_eq!(second.str("source_id"), first.id());
}

#[tokio::test]
async fn a_connection_is_used_by_its_owner_and_admins_only() {
    let house = House::open().await;
    let (path, order) = house.order(json!([])).await;
    let other = house.key_with(&[Scope::Manage, Scope::Read]).await;
    house.call_as(&other, "POST", &path, Some(order)).await.refused(403, "forbidden");
    let own = house.connect_as(&other).await;
    let site = house.site_of(&own).await;
    let order = json!({ "connection_id": own, "site_id": site, "selections": [] });
    let made = house.call_as(&other, "POST", &path, Some(order)).await.expect(201);
    let body = json!({ "connection_id": house.connect().await });
    house
        .call_as(&other, "PATCH", &format!("/v1/sources/{}", made.id()), Some(body))
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn a_connection_of_another_account_holds_every_removal() {
    let house = House::open().await;
    let pages = house.pages(4);
    let source = house.synced().await;
    let path = format!("/v1/sources/{source}");
    house.site.restrict(pages[0], &[&house.simulator.account_id()]).unwrap();
    let body = json!({ "connection_id": house.connect_another_account().await });
    house.patch(&path, body).await.expect(200);
    for _ in 0..3 {
        house.tick_after(TimeDelta::minutes(5)).await;
    }
    let held = house.get(&path).await.body["held_plan"].clone();
    assert_eq!((&held["reason"], &held["removals"]), (&json!("account_changed"), &json!(1)));
    let sync = held["sync_id"].as_str().unwrap();
    let changes = house.get(&format!("/v1/syncs/{sync}/changes")).await;
    assert_eq!(changes.items()[0]["evidence"]["kind"], "absent");

    house.tell(&format!("/v1/syncs/{sync}/approve")).await.expect(202);
    house.tick().await;
    let shown = house.get(&path).await;
    assert_eq!((&shown.body["documents"]["live"], &shown.body["held_plan"]), (&json!(3), &Value::Null));
}

#[tokio::test]
async fn a_source_stays_with_its_site() {
    let house = House::open().await;
    let source = house.source(json!([{ "kind": "space", "id": house.space.to_string() }])).await.id();
    let other = house.simulator.add_site("other");
    let body = json!({
        "auth": "api_token", "site_url": other.url(),
        "email": house.simulator.options().account_email, "token": house.simulator.options().api_token,
    });
    let elsewhere = house.post("/v1/connections", body).await.expect(201).id();
    let body = json!({ "connection_id": elsewhere });
    let refused = house.patch(&format!("/v1/sources/{source}"), body).await.refused(422, "validation_failed");
    assert_eq!(places(&refused), ["/connection_id"]);
}

#[tokio::test]
async fn the_same_selections_again_change_nothing_and_ask_nobody() {
    let house = House::open().await;
    house.pages(2);
    let source = house.synced().await;
    let path = format!("/v1/sources/{source}/selections");
    let before = house.get(&format!("/v1/sources/{source}")).await;
    house.simulator.reset_calls();
    let body = json!({ "selections": [{ "kind": "space", "id": house.space.to_string() }] });
    house.put(&path, body).await.expect(200);
    let after = house.get(&format!("/v1/sources/{source}")).await;
    assert_eq!(before.body, after.body);
    assert_eq!(before.header("etag"), after.header("etag"));
    assert_eq!(house.simulator.calls().of("GET /wiki/api/v2/spaces"), 0);
}

#[tokio::test]
async fn a_change_that_removes_much_is_confirmed_by_its_number() {
    let house = House::open().await;
    let pages = house.pages(14);
    let source = house.synced().await;
    let path = format!("/v1/sources/{source}");
    assert_eq!(house.get(&path).await.body["documents"]["live"], 14);
    let one = json!([{ "kind": "page", "id": pages[0].to_string() }]);
    let refused = house.put(&format!("{path}/selections"), json!({ "selections": one })).await;
    let refused = refused.refused(409, "removals_need_confirmation");
    assert_eq!((&refused.body["removals"], &refused.body["live"]), (&json!(13), &json!(14)));
    let body = json!({ "selections": one, "confirm_removals": 12 });
    house.put(&format!("{path}/selections"), body).await.refused(409, "removals_need_confirmation");
    let body = json!({ "selections": one, "confirm_removals": 13 });
    let changed = house.put(&format!("{path}/selections"), body).await.expect(200);
    assert_eq!(changed.items().len(), 1);
    let sync = house.get(&path).await.str("current_sync_id");
    assert_eq!(house.get(&format!("/v1/syncs/{sync}")).await.str("trigger"), "selection");
    house.tick().await;
    let counts = house.get(&path).await.body["documents"].clone();
    assert_eq!((&counts["live"], &counts["removed"]), (&json!(1), &json!(13)));
}

#[tokio::test]
async fn a_page_that_has_gone_does_not_stand_in_the_way_of_a_change() {
    let house = House::open().await;
    let pages = house.pages(3);
    let choice = |n: usize| json!({ "kind": "page", "id": pages[n].to_string() });
    let source = house.source(json!([choice(0), choice(1)])).await;
    let path = format!("/v1/sources/{}/selections", source.id());
    house.site.purge(pages[0]).unwrap();
    let changed = house.put(&path, json!({ "selections": [choice(0), choice(2)] })).await.expect(200);
    assert_eq!(changed.items().len(), 2);
    let gone = house.put(
        &path,
        json!({ "selections": [choice(2), json!({ "kind": "page_tree", "id": pages[0].to_string() })] }),
    );
    assert_eq!(places(&gone.await.refused(422, "validation_failed")), ["/selections/1/id"]);
}

#[tokio::test]
async fn a_stale_tag_changes_no_selections() {
    let house = House::open().await;
    let source = house.source(json!([{ "kind": "space", "id": house.space.to_string() }])).await;
    let path = format!("/v1/sources/{}", source.id());
    let etag = source.header("etag").to_owned();
    house.patch_if(&etag, &path, json!({ "name": "Wiki" })).await.expect(200);
    let key = house.key_with(&Scope::ALL).await;
    let body = Some(json!({ "selections": [] }));
    let late = house.send(&key, "PUT", &format!("{path}/selections"), body, &[("If-Match", &etag)]).await;
    late.refused(412, "precondition_failed");
}

#[tokio::test]
async fn a_paused_source_rests_until_it_is_resumed() {
    let house = House::open().await;
    house.pages(2);
    let (path, mut order) = house.order(json!([{ "kind": "space", "id": house.space.to_string() }])).await;
    order["paused"] = json!(true);
    let made = house.post(&path, order).await.expect(201);
    let path = format!("/v1/sources/{}", made.id());
    assert_eq!((made.str("status"), &made.body["next_sync_at"]), ("paused".to_owned(), &Value::Null));
    assert_eq!(made.body["current_sync_id"], Value::Null);
    house.post(&format!("{path}/syncs"), json!({ "mode": "delta" })).await.refused(409, "paused");
    house.tick().await;
    assert_eq!(house.get(&path).await.body["documents"]["live"], 0);
    assert_eq!(house.tell(&format!("{path}/resume")).await.expect(200).str("status"), "active");
    house.tick().await;
    assert_eq!(house.get(&path).await.body["documents"]["live"], 2);
    for _ in 0..2 {
        assert_eq!(house.tell(&format!("{path}/pause")).await.expect(200).str("status"), "paused");
    }
}

#[tokio::test]
async fn a_source_follows_its_knowledge_base_into_blocking_and_out() {
    let house = House::open().await;
    let source = house.source(json!([{ "kind": "space", "id": house.space.to_string() }])).await;
    let path = format!("/v1/sources/{}", source.id());
    let base = format!("/v1/knowledge-bases/{}", source.str("knowledge_base_id"));
    house.simulator.openai().add_key_like("sk-second", "sk-simulated");
    house.simulator.openai().kill_key("sk-simulated");
    house.post(&format!("{base}/search"), json!({ "query": "x" })).await.refused(409, "blocked");
    let blocked = house.get(&path).await;
    assert_eq!(
        (blocked.str("status"), &blocked.body["problem"]["code"]),
        ("blocked".to_owned(), &json!("knowledge_base_blocked"))
    );
    let refused =
        house.post(&format!("{path}/syncs"), json!({ "mode": "full" })).await.refused(409, "blocked");
    assert_eq!(refused.body["problem"]["code"], "knowledge_base_blocked");
    house.tell(&format!("{path}/pause")).await.expect(200);
    assert_eq!(house.tell(&format!("{path}/resume")).await.expect(200).str("status"), "blocked");
    house.patch(&base, json!({ "openai_api_key": "sk-second" })).await.expect(200);
    assert_eq!(house.get(&path).await.str("status"), "active");
}

#[tokio::test]
async fn a_source_follows_its_connection_into_blocking_and_out() {
    let house = House::open().await;
    house.pages(2);
    let source = house.synced().await;
    let path = format!("/v1/sources/{source}");
    let connection = house.get(&path).await.str("connection_id");
    let account = house.simulator.account_id();
    let set_token = |token: &str| {
        house.simulator.confluence().account_mut(&account).unwrap().api_token = token.to_owned();
    };
    set_token("replaced-api-token");
    house.tick_after(TimeDelta::minutes(5)).await;
    let blocked = house.get(&path).await;
    assert_eq!(blocked.str("status"), "blocked", "{}", blocked.text);
    assert_eq!(blocked.body["problem"]["code"], "connection_needs_reconnect");
    assert_eq!(blocked.body["documents"]["live"], 2);
    let body = json!({ "email": house.simulator.options().account_email, "token": "replaced-api-token" });
    house.post(&format!("/v1/connections/{connection}/reconnect"), body).await;
    let freed = house.get(&path).await;
    assert_eq!((freed.str("status"), &freed.body["problem"]), ("active".to_owned(), &Value::Null));
    house.tick().await;
    assert_eq!(house.get(&path).await.body["documents"]["live"], 2);
}

#[tokio::test]
async fn a_deleted_source_takes_its_documents_along_though_confluence_is_dead() {
    let house = House::open().await;
    house.pages(3);
    let source = house.synced().await;
    let path = format!("/v1/sources/{source}");
    let store =
        house.get(&format!("/v1/knowledge-bases/{}", house.get(&path).await.str("knowledge_base_id"))).await;
    let left = || house.simulator.openai().store(&store.str("vector_store_id")).unwrap().entries().count();
    assert_eq!(left(), 3);
    house.simulator.fault(simulator::Fault::at(simulator::Vendor::Confluence).status(503));
    let deleting = house.delete(&path).await.expect(202);
    assert_eq!(
        (deleting.str("status"), &deleting.body["connection_id"]),
        ("deleting".to_owned(), &Value::Null)
    );
    house.tell(&format!("{path}/pause")).await.refused(409, "deleting");
    house.patch(&path, json!({ "name": "Late" })).await.refused(409, "deleting");
    house.put(&format!("{path}/selections"), json!({ "selections": [] })).await.refused(409, "deleting");
    house.tick().await;
    house.tick().await;
    house.get(&path).await.refused(404, "not_found");
    assert_eq!(left(), 0);
}

#[tokio::test]
async fn a_source_can_go_and_leave_its_documents() {
    let house = House::open().await;
    house.pages(2);
    let source = house.synced().await;
    let path = format!("/v1/sources/{source}");
    let base = house.get(&path).await.str("knowledge_base_id");
    house.delete(&format!("{path}?documents=keep")).await.expect(202);
    house.tick().await;
    house.tick().await;
    house.get(&path).await.refused(404, "not_found");
    let found = house
        .post(&format!("/v1/knowledge-bases/{base}/search"), json!({ "query": "Text" }))
        .await
        .expect(200);
    assert_eq!(found.items().len(), 2);
    assert!(found.items().iter().all(|item| item["document_id"].is_null() && !item["page_id"].is_null()));
    house
        .delete(&format!("/v1/sources/{}?documents=burn", nobody("src")))
        .await
        .refused(422, "validation_failed");
}

#[tokio::test]
async fn another_workspace_sees_nothing_of_it() {
    let house = House::open().await;
    let source = house.source(json!([])).await;
    let path = format!("/v1/sources/{}", source.id());
    let stranger = house.stranger().await;
    let calls = [
        ("GET", path.clone(), None),
        ("PATCH", path.clone(), Some(json!({ "name": "Mine" }))),
        ("DELETE", path.clone(), None),
        ("GET", format!("{path}/selections"), None),
        ("PUT", format!("{path}/selections"), Some(json!({ "selections": [] }))),
        ("POST", format!("{path}/pause"), None),
        ("POST", format!("{path}/resume"), None),
        ("POST", format!("{path}/syncs"), Some(json!({ "mode": "delta" }))),
        ("GET", format!("{path}/documents"), None),
    ];
    for (method, path, body) in calls {
        house.call_as(&stranger, method, &path, body).await.refused(404, "not_found");
    }
    assert_eq!(house.call_as(&stranger, "GET", "/v1/sources", None).await.items().len(), 0);
    let base =
        house.call_as(&stranger, "POST", "/v1/knowledge-bases", Some(json!({ "name": "Theirs" }))).await;
    let order = json!({ "connection_id": source.str("connection_id"), "site_id": source.str("site_id"), "selections": [] });
    let path = format!("/v1/knowledge-bases/{}/sources", base.expect(201).id());
    let refused =
        house.call_as(&stranger, "POST", &path, Some(order)).await.refused(422, "validation_failed");
    assert_eq!(places(&refused), ["/connection_id"]);
}
