//! A POST that is sent twice with one `Idempotency-Key` creates once.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tidegate::{
    auth::Scope,
    http::store::{self, Slot, Taken},
};

use crate::harness::{Answer, Client, TestApp};

async fn create(api: &Client, key: &str, body: Value) -> Answer {
    api.send("POST", "/v1/api-keys", Some(body), &[("Idempotency-Key", key)]).await
}

fn order(name: &str) -> Value {
    json!({ "name": name, "scopes": ["read"] })
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_secret_included() {
    let tidegate = TestApp::start().await;
    let first = create(&tidegate.api, "k", order("a")).await.expect(201);
    let again = create(&tidegate.api, "k", order("a")).await.expect(201);
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    let other = create(&tidegate.api, "another", order("a")).await.expect(201);
    assert_ne!(other.id(), first.id());
}

#[tokio::test]
async fn another_request_with_the_key_is_a_conflict() {
    let tidegate = TestApp::start().await;
    create(&tidegate.api, "k", order("a")).await.expect(201);
    create(&tidegate.api, "k", order("b")).await.refused(409, "idempotency_key_reused");
    // Another principal's key is another key.
    let admin = tidegate.caller(&[Scope::Admin, Scope::Read]).await;
    create(&admin, "k", order("b")).await.expect(201);
}

#[tokio::test]
async fn a_refused_request_may_be_corrected_under_its_key() {
    let tidegate = TestApp::start().await;
    create(&tidegate.api, "k", order("")).await.refused(422, "validation_failed");
    create(&tidegate.api, "k", order("a")).await.expect(201);
    let long = "k".repeat(256);
    let refused = create(&tidegate.api, &long, order("a")).await.refused(422, "validation_failed");
    assert_eq!(refused.errors(), [("Idempotency-Key", "invalid")]);
}

#[tokio::test]
async fn after_a_day_the_key_is_new_again() {
    let tidegate = TestApp::start().await;
    let first = create(&tidegate.api, "k", order("a")).await.expect(201).id().to_owned();
    tidegate.pass(TimeDelta::hours(23));
    assert_eq!(create(&tidegate.api, "k", order("a")).await.expect(201).id(), first);
    tidegate.pass(TimeDelta::hours(2));
    assert_ne!(create(&tidegate.api, "k", order("b")).await.expect(201).id(), first);
    tidegate.pass(TimeDelta::hours(25));
    let app = &tidegate.app;
    assert_eq!(store::forget_old(app.db.write(), app.clock.now()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_request_that_is_still_being_answered_is_not_begun_again_unless_it_was_lost() {
    let tidegate = TestApp::start().await;
    let app = &tidegate.app;
    let slot = Slot {
        workspace_id: tidegate.workspace,
        principal: "somebody".to_owned(),
        route: "POST /v1/things".to_owned(),
        key: "k".to_owned(),
    };
    let take = async || store::take(&app.db, &slot, b"hash", app.clock.now()).await.unwrap();
    assert!(matches!(take().await, Taken::Ours));
    assert!(matches!(take().await, Taken::Theirs(row) if row.response.is_none()));
    tidegate.pass(TimeDelta::minutes(2));
    assert!(matches!(take().await, Taken::Ours));
}
