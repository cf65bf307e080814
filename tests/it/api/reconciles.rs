//! Reconciles over HTTP: asked for, watched, approved; and stores that are rebuilt.

use chrono::TimeDelta;
use serde_json::{Value, json};
use simulator::{Id, openai::Entry};
use tidegate::auth::Scope;

use super::house::{House, nobody};

/// A house with pages in the store, and its knowledge base.
async fn furnished(count: usize) -> (House, String, Vec<Id>) {
    let house = House::open().await;
    let pages = house.pages(count);
    let source = house.synced().await;
    let source = house.get(&format!("/v1/sources/{source}")).await.expect(200);
    let path = format!("/v1/knowledge-bases/{}", source.str("knowledge_base_id"));
    house.tick_after(TimeDelta::minutes(1)).await;
    (house, path, pages)
}

impl House {
    /// The files of the one store, by page.
    fn entries(&self, store: &str) -> Vec<(String, String)> {
        let openai = self.simulator.openai();
        let entry =
            |entry: &Entry| (entry.attributes["page_id"].as_str().unwrap().to_owned(), entry.file.clone());
        openai.store(store).unwrap().entries().map(entry).collect()
    }

    async fn store_of(&self, knowledge_base: &str) -> String {
        self.get(knowledge_base).await.expect(200).str("vector_store_id")
    }
}

#[tokio::test]
async fn a_dry_run_is_asked_for_watched_and_changes_nothing() {
    let (house, path, pages) = furnished(3).await;
    let store = house.store_of(&path).await;
    let (page, file) = house.entries(&store).remove(0);
    assert!(house.simulator.openai().lose_entry(&store, &file));

    let queued = house.post(&format!("{path}/reconcile"), json!({ "dry_run": true })).await.expect(202);
    assert_eq!((queued.str("status"), queued.str("kind")), ("queued".to_owned(), "reconcile".to_owned()));
    assert_eq!(queued.header("location"), format!("/v1/reconciles/{}", queued.id()));
    let same = house.post(&format!("{path}/reconcile"), json!({ "dry_run": true })).await.expect(200);
    assert_eq!(same.id(), queued.id());
    let other = house.post(&format!("{path}/reconcile"), json!({})).await.refused(409, "conflict");
    assert_eq!(other.body["reconcile_id"], queued.id());

    house.tick().await;
    let shown = house.get(&format!("/v1/reconciles/{}", queued.id())).await.expect(200);
    assert_eq!(shown.body["status"], "succeeded");
    assert_eq!((&shown.body["done"], &shown.body["total"]), (&json!(2), &json!(2)));
    assert_eq!(
        (&shown.body["findings"]["missing"], &shown.body["findings"]["repaired"]),
        (&json!(1), &json!(0))
    );
    let findings = house.get(&format!("/v1/reconciles/{}/findings", queued.id())).await.expect(200);
    assert_eq!(findings.items().len(), 1);
    let finding = &findings.items()[0];
    assert_eq!((&finding["kind"], &finding["outcome"]), (&json!("missing"), &json!("confirmed")));
    assert_eq!((&finding["page_id"], &finding["openai_file_id"]), (&json!(page), &json!(file)));
    assert_eq!(house.entries(&store).len(), pages.len() - 1);
}

#[tokio::test]
async fn what_somebody_deleted_is_back_and_the_report_says_so() {
    let (house, path, pages) = furnished(3).await;
    let store = house.store_of(&path).await;
    let (_, file) = house.entries(&store).remove(0);
    assert!(house.simulator.openai().lose_entry(&store, &file));
    assert!(house.simulator.openai().lose_file(&file));

    let id = house.post(&format!("{path}/reconcile"), json!({})).await.expect(202).id();
    for _ in 0..3 {
        house.tick_after(TimeDelta::seconds(10)).await;
    }

    let shown = house.get(&format!("/v1/reconciles/{id}")).await.expect(200);
    assert_eq!(
        (&shown.body["status"], &shown.body["findings"]["repaired"]),
        (&json!("succeeded"), &json!(1))
    );
    assert_eq!(house.entries(&store).len(), pages.len());
    assert_ne!(house.get(&path).await.body["last_reconciled_at"], Value::Null);
    assert_eq!(house.get(&format!("{path}/reconciles")).await.items().len(), 1);
}

#[tokio::test]
async fn there_is_nothing_to_approve_where_nothing_is_held() {
    let (house, path, _) = furnished(1).await;
    let id = house.post(&format!("{path}/reconcile"), json!({})).await.expect(202).id();
    house.tick().await;
    house.tell(&format!("/v1/reconciles/{id}/approve")).await.refused(409, "conflict");
}

#[tokio::test]
async fn reconciling_is_for_those_who_may_sync_and_rebuilding_for_those_who_manage() {
    let (house, path, _) = furnished(1).await;
    let id = house.post(&format!("{path}/reconcile"), json!({})).await.expect(202).id();
    let reader = house.key_with(&[Scope::Read]).await;
    let body = Some(json!({}));
    house
        .call_as(&reader, "POST", &format!("{path}/reconcile"), body.clone())
        .await
        .refused(403, "forbidden");
    let syncer = house.key_with(&[Scope::Sync]).await;
    house.call_as(&syncer, "POST", &format!("{path}/rebuild"), None).await.refused(403, "forbidden");
    let stranger = house.stranger().await;
    for (method, path, body) in [
        ("POST", format!("{path}/reconcile"), body),
        ("POST", format!("{path}/rebuild"), None),
        ("GET", format!("{path}/reconciles"), None),
        ("GET", format!("/v1/reconciles/{id}"), None),
        ("GET", format!("/v1/reconciles/{id}/findings"), None),
        ("POST", format!("/v1/reconciles/{id}/approve"), None),
    ] {
        house.call_as(&stranger, method, &path, body).await.refused(404, "not_found");
    }
    house.get(&format!("/v1/reconciles/{}", nobody("rec"))).await.refused(404, "not_found");
}

#[tokio::test]
async fn only_a_store_that_is_lost_is_rebuilt() {
    let (house, path, pages) = furnished(3).await;
    let old = house.store_of(&path).await;
    house.tell(&format!("{path}/rebuild")).await.refused(409, "conflict");

    house.simulator.openai().lose_store(&old);
    house.post(&format!("{path}/search"), json!({ "query": "text" })).await.refused(409, "blocked");
    let problem = house.get(&path).await.body["problem"].clone();
    assert_eq!(problem["code"], "store_not_found");
    assert!(problem["action"].as_str().unwrap().contains("/rebuild"));
    house.post(&format!("{path}/reconcile"), json!({})).await.refused(409, "blocked");

    let rebuild = house.tell(&format!("{path}/rebuild")).await.expect(202);
    assert_eq!((rebuild.str("kind"), &rebuild.body["vector_store_id"]), ("rebuild".to_owned(), &Value::Null));
    for _ in 0..3 {
        house.tick_after(TimeDelta::seconds(10)).await;
    }

    let shown = house.get(&format!("/v1/reconciles/{}", rebuild.id())).await.expect(200);
    assert_eq!((&shown.body["status"], &shown.body["done"]), (&json!("succeeded"), &json!(3)));
    let new = house.store_of(&path).await;
    assert_ne!(new, old);
    assert_eq!(shown.body["vector_store_id"], new);
    assert_eq!(house.entries(&new).len(), pages.len());
    assert_eq!(house.get(&path).await.body["file_search_tool"]["vector_store_ids"], json!([new]));
}

#[tokio::test]
async fn a_store_that_is_adopted_is_compared_at_once() {
    let house = House::open().await;
    let foreign = {
        let openai = tidegate::knowledge_bases::client_with(&house.app, "sk-simulated".into());
        let store = openai.create_store("Theirs", &std::collections::BTreeMap::new()).await.unwrap().id;
        let file = openai.upload_file("theirs.md", "# Theirs".into()).await.unwrap().id;
        openai.attach(&store, &file, &tidegate::openai::Attributes::new()).await.unwrap();
        store
    };
    let body = json!({ "name": "Mine", "vector_store_id": foreign });
    let path =
        format!("/v1/knowledge-bases/{}", house.post("/v1/knowledge-bases", body).await.expect(201).id());

    house.tick().await;

    let list = house.get(&format!("{path}/reconciles")).await.expect(200);
    let (first, findings) = (&list.items()[0], &list.items()[0]["findings"]);
    assert_eq!((&first["trigger"], &first["status"]), (&json!("adoption"), &json!("succeeded")));
    assert_eq!(findings["foreign"], 1);
}
