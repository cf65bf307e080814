//! OpenAI: files, stores, entries, search, and what failures tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use simulator::{Fault, Options, Simulator};
use tidegate::openai::*;

use super::{http, nowhere, quick};

/// A simulator with a store, and a client with its key.
pub(super) struct Project {
    pub simulator: Arc<Simulator>,
    pub client: Client,
    pub store: String,
}

impl Project {
    pub async fn start() -> Self {
        let simulator = Arc::new(Simulator::start(Options::default()).unwrap());
        let client = client(&simulator, "sk-simulated");
        let store = client.create_store("Handbook", &BTreeMap::new()).await.unwrap().id;
        Self { simulator, client, store }
    }

    pub async fn upload(&self, name: &str) -> String {
        self.client.upload_file(name, Bytes::from(format!("# {name}\n"))).await.unwrap().id
    }

    async fn attached(&self, name: &str) -> String {
        let file = self.upload(name).await;
        self.client.attach(&self.store, &file, &Attributes::new()).await.unwrap();
        file
    }
}

fn client(simulator: &Simulator, key: &str) -> Client {
    Client::new(http(), simulator.openai_url().parse().unwrap(), key.into(), quick())
}

pub(super) fn attributes(page: &str) -> Attributes {
    Attributes::from([("page_id".to_owned(), page.into()), ("version".to_owned(), 3_i64.into())])
}

#[tokio::test]
async fn a_text_is_uploaded_attached_found_and_taken_away_again() {
    let project = Project::start().await;
    let Project { client, store, .. } = &project;
    let file = client
        .upload_file("runbook-1.md", Bytes::from_static(b"# Runbook\n\nTurn it off and on.\n"))
        .await
        .unwrap();
    assert_eq!((file.filename.as_str(), file.bytes), ("runbook-1.md", 31));
    assert_eq!(client.file(&file.id).await.unwrap().id, file.id);
    client.attach(store, &file.id, &attributes("98305")).await.unwrap();
    let entry = client.store_file(store, &file.id).await.unwrap();
    assert_eq!((entry.status, entry.attributes), (IndexStatus::Completed, attributes("98305")));
    let question = SearchRequest {
        query: "off and on".to_owned(),
        max_num_results: Some(3),
        ..SearchRequest::default()
    };
    let hits = client.search(store, &question).await.unwrap();
    assert!(
        hits[0].text().contains("Turn it off") && hits[0].attributes["page_id"].as_text() == Some("98305")
    );
    client.update_attributes(store, &file.id, &attributes("7")).await.unwrap();
    assert_eq!(client.store_file(store, &file.id).await.unwrap().attributes, attributes("7"));
    for expected in [Deleted::Done, Deleted::NotThere] {
        assert_eq!(client.detach(store, &file.id).await.unwrap(), expected);
        assert_eq!(client.delete_file(&file.id).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_store_is_found_again_by_its_metadata() {
    let project = Project::start().await;
    let ours = BTreeMap::from([("tidegate".to_owned(), "ins_1:kb_1".to_owned())]);
    let made = project.client.create_store("Wiki", &ours).await.unwrap();
    for n in 0..120 {
        project.client.create_store(&format!("Other {n}"), &BTreeMap::new()).await.unwrap();
    }
    let stores = project.client.walk_stores().rest().await.unwrap();
    let found: Vec<_> = stores.into_iter().filter(|store| store.metadata == ours).collect();
    assert_eq!(
        (found.len(), found[0].id.as_str(), found[0].name.as_deref()),
        (1, made.id.as_str(), Some("Wiki"))
    );
    assert_eq!(project.client.store(&made.id).await.unwrap().status, StoreStatus::Completed);
    assert_eq!(project.client.delete_store(&made.id).await.unwrap(), Deleted::Done);
    assert!(project.client.store(&made.id).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn an_upload_whose_answer_was_lost_is_not_repeated_but_can_be_found() {
    let project = Project::start().await;
    project.upload("before.md").await;
    for fault in [
        Fault::on("POST", "/v1/files").once().drop_after(),
        Fault::on("POST", "/v1/files").once().respond_after(502, &[], ""),
    ] {
        project.simulator.reset_calls();
        project.simulator.fault(fault);
        let error = project.client.upload_file("lost.md", Bytes::from_static(b"text")).await.unwrap_err();
        assert!(error.effect_unknown() && error.is_transient(), "{error:?}");
        assert_eq!(project.simulator.calls().of("POST /v1/files"), 1);
        let newest = project.client.files(&FileQuery::default(), None).await.unwrap();
        assert_eq!(newest.items[0].filename, "lost.md");
        project.client.delete_file(&newest.items[0].id).await.unwrap();
        project.simulator.clear_faults();
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_repeated() {
    let project = Project::start().await;
    let file = project.upload("a.md").await;
    project.simulator.fault(Fault::on("DELETE", "/v1/files/*").once().drop_after());
    assert_eq!(project.client.delete_file(&file).await.unwrap(), Deleted::NotThere);
}

#[tokio::test]
async fn an_upload_that_was_never_sent_is_tried_again_and_had_no_effect() {
    let client = Client::new(http(), nowhere().parse().unwrap(), "sk-simulated".into(), quick());
    let error = client.upload_file("a.md", Bytes::from_static(b"text")).await.unwrap_err();
    assert!(matches!(error, Error::Transport(Lost::NotSent(_))) && !error.effect_unknown(), "{error:?}");
    assert_eq!(client.meter().requests(), 5);
}

#[tokio::test]
async fn an_upload_that_is_refused_had_no_effect() {
    let project = Project::start().await;
    let upload = |text: &'static str| project.client.upload_file("a.md", Bytes::from_static(text.as_bytes()));
    let Error::Rejected { status: 400, message, .. } = upload("").await.unwrap_err() else { panic!() };
    assert_eq!(message, "File is empty.");
    project.simulator.fault(Fault::on("POST", "/v1/files").once().rate_limited(Some(1)));
    let limited = upload("text").await.unwrap_err();
    assert!(matches!(limited, Error::RateLimited { retry_after: Some(_), .. }) && !limited.effect_unknown());
    let body = r#"{"error":{"message":"Pay.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
    project.simulator.fault(Fault::on("POST", "/v1/files").once().respond(429, &[], body));
    let broke = upload("text").await.unwrap_err();
    assert!(matches!(broke, Error::QuotaExhausted { .. }) && !broke.is_transient());
    assert_eq!(project.client.walk_files(&FileQuery::default()).rest().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_dead_key_and_a_foreign_store_are_told_apart() {
    let project = Project::start().await;
    let error = client(&project.simulator, "sk-wrong").store(&project.store).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }));
    let error = client(&project.simulator, "sk-two\nlines").store(&project.store).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }));
    assert!(project.client.store("vs_unknown").await.unwrap_err().is_not_found());
    assert!(matches!(project.client.store("../files").await, Err(Error::Rejected { .. })));
}

#[tokio::test]
async fn a_store_is_read_back_a_hundred_entries_at_a_time() {
    let project = Project::start().await;
    let mut files = Vec::new();
    for n in 0..205 {
        files.push(project.attached(&format!("{n}.md")).await);
    }
    project.simulator.reset_calls();
    let oldest = StoreFileQuery { order: Order::OldestFirst, ..StoreFileQuery::default() };
    let entries = project.client.walk_store_files(&project.store, &oldest).rest().await.unwrap();
    assert_eq!(entries.into_iter().map(|entry| entry.id).collect::<Vec<_>>(), files);
    assert_eq!(project.simulator.calls().openai(), 3);
    let newest = StoreFileQuery { limit: 1, ..StoreFileQuery::default() };
    let first = project.client.store_files(&project.store, &newest, None).await.unwrap();
    assert_eq!(
        (first.items[0].id.as_str(), first.after.as_deref()),
        (files[204].as_str(), Some(files[204].as_str()))
    );
}

#[tokio::test]
async fn a_list_that_goes_round_in_a_circle_fails() {
    let project = Project::start().await;
    for n in 0..25 {
        project.attached(&format!("{n}.md")).await;
    }
    let query = StoreFileQuery { limit: 10, ..StoreFileQuery::default() };
    project.simulator.fault(Fault::on("GET", "/v1/vector_stores/{store}/files").next_loop());
    let error = project.client.walk_store_files(&project.store, &query).rest().await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_list_that_begins_anew_because_its_place_was_deleted_fails() {
    let project = Project::start().await;
    project.simulator.openai().habits.lost_after_restarts = true;
    for n in 0..25 {
        project.attached(&format!("{n}.md")).await;
    }
    let mut walk = project
        .client
        .walk_store_files(&project.store, &StoreFileQuery { limit: 10, ..StoreFileQuery::default() });
    let after = walk.next().await.unwrap().unwrap().after.unwrap();
    project.client.detach(&project.store, &after).await.unwrap();
    assert!(matches!(walk.next().await, Err(Error::Malformed { .. })));
}
