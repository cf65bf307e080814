//! Plans: priced, approved, rejected.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use simulator::{Id, Place};
use tidegate::auth::Scope;

use super::house::{Answer, House};

impl House {
    /// Asks for a plan of a source and lets it be made.
    async fn plan(&self, source: &str) -> String {
        let path = format!("/v1/sources/{source}/syncs");
        let plan = self.post(&path, json!({ "mode": "plan" })).await.expect(202).id();
        self.tick().await;
        assert_eq!(self.sync(&plan).await.str("status"), "planned");
        plan
    }

    async fn sync(&self, id: &str) -> Answer {
        self.get(&format!("/v1/syncs/{id}")).await.expect(200)
    }

    async fn approve(&self, plan: &str) -> Answer {
        self.tell(&format!("/v1/syncs/{plan}/approve")).await
    }

    async fn reject(&self, plan: &str) -> Answer {
        self.tell(&format!("/v1/syncs/{plan}/reject")).await
    }

    /// The changes of a sync, by page.
    async fn changes(&self, sync: &str) -> Vec<Value> {
        let mut changes =
            self.get(&format!("/v1/syncs/{sync}/changes?limit=200")).await.expect(200).items().to_vec();
        changes.sort_by_key(|change| change["page_id"].as_str().unwrap().parse::<u64>().unwrap());
        changes
    }

    /// The texts in the store, by page.
    fn store(&self) -> Vec<(String, String)> {
        let openai = self.simulator.openai();
        let stores = openai.projects().iter().flat_map(simulator::openai::Project::stores);
        let entries = stores.flat_map(simulator::openai::Store::entries);
        let text = |entry: &simulator::openai::Entry| {
            (entry.attributes["page_id"].as_str().unwrap().to_owned(), entry.text().unwrap().to_owned())
        };
        let mut texts: Vec<(String, String)> = entries.map(text).collect();
        texts.sort();
        texts
    }

    fn has(&self, page: Id) -> bool {
        self.store().iter().any(|(id, _)| *id == page.to_string())
    }

    fn text(&self, page: Id) -> String {
        let text = self.store().into_iter().find(|(id, _)| *id == page.to_string());
        text.unwrap_or_else(|| panic!("page {page} is not in the store")).1
    }

    /// Asserts which changes a sync made: page and outcome.
    async fn did(&self, sync: &str, expected: &[(Id, &str)]) {
        let outcome = |change: &Value| {
            let text = |field: &str| change[field].as_str().unwrap().to_owned();
            (text("page_id"), text("outcome"))
        };
        let done: Vec<(String, String)> = self.changes(sync).await.iter().map(outcome).collect();
        let mut expected: Vec<(Id, &str)> = expected.to_vec();
        expected.sort_unstable();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(page, outcome)| (page.to_string(), (*outcome).to_owned())).collect();
        assert_eq!(done, expected);
    }
}

/// What happened in the wiki of a house of four pages: one came, one was edited, one trashed, one moved.
async fn busy() -> (House, String, Vec<Id>) {
    let house = House::open().await;
    let mut pages = house.pages(4);
    let source = house.synced().await;
    pages.push(house.site.add_page(house.space, "New", "<p>New</p>").unwrap());
    house.site.edit(pages[0], "<p>Edited</p>").unwrap();
    house.site.trash(pages[1]).unwrap();
    house.site.move_to(pages[2], Place::Under(pages[3])).unwrap();
    (house, source, pages)
}

#[tokio::test]
async fn a_plan_tells_what_each_change_would_cost_and_costs_no_bodies_itself() {
    let (house, source, pages) = busy().await;
    let before = house.store();
    house.simulator.reset_calls();

    let plan = house.plan(&source).await;

    let calls = house.simulator.calls();
    assert_eq!((calls.openai(), calls.bodies), (0, 0));
    assert_eq!(house.store(), before);
    let cost = |bytes: Value, confluence: u64, openai: u64, points: u64| json!({ "bytes": bytes, "calls": { "confluence": confluence, "openai": openai }, "points": points });
    let bytes = house.text(pages[0]).len() as u64;
    let expected = [
        (pages[0], "revise", "edited", cost(json!(bytes), 2, 5, 4)),
        (pages[1], "remove", "trashed", cost(json!(0), 0, 2, 0)),
        (pages[2], "metadata", "moved", cost(json!(0), 1, 1, 2)),
        (pages[4], "create", "new", cost(Value::Null, 2, 3, 4)),
    ];
    let changes = house.changes(&plan).await;
    assert_eq!(changes.len(), expected.len(), "{changes:?}");
    for (change, (page, kind, reason, cost)) in changes.iter().zip(expected) {
        let shown =
            json!([change["page_id"], change["kind"], change["reason"], change["outcome"], change["cost"]]);
        assert_eq!(shown, json!([page.to_string(), kind, reason, "planned", cost]));
    }
    let shown = house.sync(&plan).await;
    let calls = json!({ "confluence": 2, "openai": 2 + 2 + 1 + 2 + 2 });
    let whole = json!({ "bytes": bytes, "unmeasured_pages": 1, "calls": calls, "points": 2 + 2 + 3 });
    assert_eq!((&shown.body["cost"], &shown.body["total"]), (&whole, &json!(4)));
}

#[tokio::test]
async fn what_is_told_as_the_cost_is_what_applying_costs() {
    let (house, source, _) = busy().await;
    let plan = house.plan(&source).await;
    let told = house.sync(&plan).await.body["cost"]["calls"].clone();
    house.simulator.reset_calls();

    house.approve(&plan).await.expect(202);
    house.tick().await;

    let calls = house.simulator.calls();
    // A question who may read pages is asked at each tick, and these are among them.
    let about_readers = calls.of("GET /wiki/rest/api/content/search");
    assert_eq!((json!(calls.body_requests + about_readers), about_readers), (told["confluence"].clone(), 1));
    // How often a batch is looked at depends on how fast it is indexed.
    let of_batches = calls.operations.iter().filter(|(name, _)| name.contains("file_batches"));
    let others = calls.openai() - of_batches.map(|(_, count)| count).sum::<u64>();
    assert_eq!(json!(others + 2), told["openai"]);
}

#[tokio::test]
async fn an_approved_plan_is_applied_and_nothing_else() {
    let (house, source, pages) = busy().await;
    let plan = house.plan(&source).await;
    let before = house.store();
    house.site.edit(pages[3], "<p>Later</p>").unwrap();
    house.site.edit(pages[0], "<p>Edited again</p>").unwrap();
    let later = house.site.add_page(house.space, "Later", "<p>Later</p>").unwrap();
    assert_eq!(house.store(), before, "a plan changes nothing");

    let applying = house.approve(&plan).await.expect(202);
    assert_eq!((applying.str("applies"), applying.str("mode")), (plan.clone(), "delta".to_owned()));
    assert_eq!(house.sync(&plan).await.str("applied_by"), applying.id());
    house.tick().await;

    let outcomes =
        [(pages[0], "updated"), (pages[1], "removed"), (pages[2], "metadata"), (pages[4], "created")];
    house.did(&applying.id(), &outcomes).await;
    assert_eq!(house.sync(&applying.id()).await.str("status"), "succeeded");
    assert_eq!(house.text(pages[0]), "# Page 0\n\nEdited again\n", "as the wiki says it now");
    assert_eq!(house.text(pages[3]), "# Page 3\n\nText 3\n", "that was not planned");
    assert!(!house.has(pages[1]) && house.has(pages[4]) && !house.has(later));

    house.tick_after(TimeDelta::minutes(5)).await;
    assert_eq!(house.text(pages[3]), "# Page 3\n\nLater\n");
    assert!(house.has(later));
}

#[tokio::test]
async fn what_is_not_true_any_more_is_not_applied() {
    let (house, source, pages) = busy().await;
    let plan = house.plan(&source).await;
    house.site.restore(pages[1]).unwrap();
    house.site.trash(pages[0]).unwrap();
    house.site.archive(pages[2]).unwrap();
    house.site.purge(pages[4]).unwrap();

    let applying = house.approve(&plan).await.expect(202).id();
    house.tick().await;

    house.did(&applying, &[]).await;
    assert!(house.has(pages[0]) && house.has(pages[1]) && house.has(pages[2]));
    house.tick_after(TimeDelta::minutes(5)).await;
    assert!(!house.has(pages[0]) && house.has(pages[1]) && !house.has(pages[2]), "what happened since");
}

#[tokio::test]
async fn a_removal_is_applied_only_for_the_reason_that_was_planned() {
    let house = House::open().await;
    let pages = house.pages(20);
    let source = house.synced().await;
    house.site.trash(pages[0]).unwrap();
    let plan = house.plan(&source).await;
    house.site.restore(pages[0]).unwrap();
    house.site.archive(pages[0]).unwrap();

    let applying = house.approve(&plan).await.expect(202).id();
    house.tick().await;

    house.did(&applying, &[]).await;
    assert!(house.has(pages[0]));
}

#[tokio::test]
async fn approving_a_plan_is_a_persons_word_on_what_the_guard_would_hold() {
    let house = House::open().await;
    let pages = house.pages(20);
    let source = house.synced().await;
    for page in &pages[..12] {
        house.site.trash(*page).unwrap();
    }
    let plan = house.plan(&source).await;
    let changes = house.changes(&plan).await;
    assert!(changes.iter().all(|change| change["outcome"] == "held" && change["reason"] == "trashed"));
    assert_eq!(house.sync(&plan).await.body["cost"]["calls"]["openai"], 24);
    house.site.restore(pages[0]).unwrap();
    for page in &pages[12..14] {
        house.site.trash(*page).unwrap();
    }

    let applying = house.approve(&plan).await.expect(202).id();
    house.tick().await;

    let removed: Vec<(Id, &str)> = pages[1..12].iter().map(|page| (*page, "removed")).collect();
    house.did(&applying, &removed).await;
    assert!(house.has(pages[0]) && house.has(pages[12]) && house.has(pages[13]));

    house.tick_after(TimeDelta::minutes(5)).await;
    let shown = house.get(&format!("/v1/sources/{source}")).await;
    assert_eq!(shown.body["held_plan"]["removals"], 2, "what came later is the guard's again");
}

#[tokio::test]
async fn a_plan_is_approved_once() {
    let (house, source, pages) = busy().await;
    let plan = house.plan(&source).await;
    let applying = house.approve(&plan).await.expect(202).id();
    assert_eq!(house.approve(&plan).await.expect(200).id(), applying);
    let refused = house.reject(&plan).await.refused(409, "conflict");
    assert_eq!(refused.body["sync_id"], json!(applying));

    house.tell(&format!("/v1/syncs/{applying}/cancel")).await.expect(200);
    let anew = house.approve(&plan).await.expect(202).id();
    assert_ne!(anew, applying);
    house.tick().await;

    assert!(house.has(pages[4]));
    let refused = house.approve(&plan).await.refused(409, "conflict");
    assert_eq!(refused.body["sync_id"], json!(anew));
}

#[tokio::test]
async fn a_rejected_plan_is_closed() {
    let (house, source, pages) = busy().await;
    let plan = house.plan(&source).await;

    let rejected = house.reject(&plan).await.expect(200);
    assert_eq!(
        (rejected.str("status"), &rejected.body["problem"]["code"]),
        ("cancelled".to_owned(), &json!("rejected"))
    );
    assert_eq!(house.reject(&plan).await.expect(200).body, rejected.body);
    house.approve(&plan).await.refused(409, "conflict");

    house.tick_after(TimeDelta::minutes(5)).await;
    assert!(house.has(pages[4]), "the wiki is followed as ever");
}

#[tokio::test]
async fn a_plan_that_is_not_made_cannot_be_decided_on() {
    let (house, source, _) = busy().await;
    let path = format!("/v1/sources/{source}/syncs");
    let plan = house.post(&path, json!({ "mode": "plan" })).await.expect(202).id();
    house.approve(&plan).await.refused(409, "conflict");
    house.reject(&plan).await.refused(409, "conflict");

    house.tell(&format!("/v1/syncs/{plan}/cancel")).await.expect(200);
    house.approve(&plan).await.refused(409, "conflict");
    house.reject(&plan).await.refused(409, "conflict");
}

#[tokio::test]
async fn a_stale_plan_is_not_applied() {
    let (house, source, pages) = busy().await;
    let old = house.plan(&source).await;
    house.tick_after(TimeDelta::hours(25)).await;
    house.approve(&old).await.refused(409, "plan_stale");

    house.site.edit(pages[0], "<p>Edited again</p>").unwrap();
    let plan = house.plan(&source).await;
    let selections =
        json!({ "selections": [{ "kind": "page", "id": pages[3].to_string() }], "confirm_removals": 3 });
    let path = format!("/v1/sources/{source}/selections");
    house.put(&path, selections).await.expect(200);
    house.approve(&plan).await.refused(409, "plan_stale");
}

#[tokio::test]
async fn what_changes_after_a_plan_was_approved_makes_it_stale_all_the_same() {
    let (house, source, pages) = busy().await;
    let plan = house.plan(&source).await;
    let applying = house.approve(&plan).await.expect(202).id();
    let selections = json!({ "selections": [{ "kind": "space", "id": house.space.to_string() },
        { "kind": "page", "id": pages[4].to_string(), "mode": "exclude" }] });
    house.put(&format!("/v1/sources/{source}/selections"), selections).await.expect(200);
    assert_eq!(house.sync(&applying).await.body["problem"]["code"], "superseded");
    house.tick().await;
    assert!(!house.has(pages[4]));

    house.site.edit(pages[3], "<p>Edited</p>").unwrap();
    let plan = house.plan(&source).await;
    let applying = house.approve(&plan).await.expect(202).id();
    let other = house.connect_another_account().await;
    house.patch(&format!("/v1/sources/{source}"), json!({ "connection_id": other })).await.expect(200);
    house.tick().await;
    let failed = house.sync(&applying).await;
    assert_eq!(
        (failed.str("status"), &failed.body["problem"]["code"]),
        ("failed".to_owned(), &json!("plan_stale"))
    );
    assert_eq!(house.text(pages[3]), "# Page 3\n\nText 3\n");
}

#[tokio::test]
async fn a_plan_of_a_source_that_rests_is_not_approved_but_may_be_rejected() {
    let (house, source, _) = busy().await;
    let plan = house.plan(&source).await;
    house.tell(&format!("/v1/sources/{source}/pause")).await.expect(200);
    house.approve(&plan).await.refused(409, "paused");
    let reader = house.key_with(&[Scope::Read, Scope::Content]).await;
    for verb in ["approve", "reject"] {
        let path = format!("/v1/syncs/{plan}/{verb}");
        house.call_as(&reader, "POST", &path, None).await.refused(403, "forbidden");
    }
    house.reject(&plan).await.expect(200);
}

#[tokio::test]
async fn another_request_takes_the_place_of_an_approved_plan_that_has_not_begun() {
    let (house, source, pages) = busy().await;
    let plan = house.plan(&source).await;
    let applying = house.approve(&plan).await.expect(202).id();

    let path = format!("/v1/sources/{source}/syncs");
    let delta = house.post(&path, json!({ "mode": "delta" })).await.expect(202).id();

    assert_eq!(house.sync(&applying).await.body["problem"]["code"], "superseded");
    house.tick().await;
    assert_eq!(house.sync(&delta).await.body["counts"]["created"], 1);
    assert!(house.has(pages[4]));
}

#[tokio::test]
async fn applying_that_lasts_does_not_keep_other_changes_waiting() {
    let (house, source, pages) = busy().await;
    let plan = house.plan(&source).await;
    house.simulator.openai().habits.indexing = Duration::from_mins(8);
    let applying = house.approve(&plan).await.expect(202).id();
    house.tick().await;
    assert_eq!(house.sync(&applying).await.str("status"), "running");
    house.site.trash(pages[3]).unwrap();

    house.tick_after(TimeDelta::minutes(5)).await;
    assert!(!house.has(pages[3]), "it went on as an ordinary sync");
    assert_eq!(house.sync(&applying).await.str("status"), "running");

    house.tick_after(TimeDelta::minutes(5)).await;
    assert!(house.has(pages[4]));
}
