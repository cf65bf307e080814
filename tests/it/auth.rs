//! Who is let in, what for, and how keys live and end.

use serde_json::{Value, json};
use tidegate::auth::Scope;

use crate::harness::{OPERATOR_KEY, TestApp, nobody};

#[tokio::test]
async fn only_a_living_key_opens_anything() {
    let tidegate = TestApp::start().await;
    let missing = tidegate.api.without_key().get("/v1/me").await.refused(401, "unauthorized");
    assert_eq!(missing.header("www-authenticate"), r#"Bearer realm="tidegate""#);
    let unknown = tidegate.api.with_key("tg_unknown").get("/v1/me").await.refused(401, "unauthorized");
    assert!(unknown.header("www-authenticate").contains("invalid_token"));
    let basic = [("Authorization", "Basic dTpw")];
    tidegate.api.without_key().send("GET", "/v1/me", None, &basic).await.refused(401, "unauthorized");
    tidegate.api.with_key(&"x".repeat(4_000)).get("/v1/me").await.refused(401, "unauthorized");
    let me = tidegate.api.get("/v1/me").await.expect(200);
    assert_eq!(me.body["workspace"]["id"], tidegate.workspace.to_string());
    assert_eq!(me.body["capabilities"], json!({ "oauth": true, "server_openai_key": true }));
    assert_eq!(me.body["atlassian"]["redirect_uri"], "http://tidegate.test/v1/oauth/callback");
}

#[tokio::test]
async fn a_bad_key_is_told_before_a_bad_body() {
    let tidegate = TestApp::start().await;
    let unknown = tidegate.api.with_key("tg_unknown");
    unknown.post("/v1/workspaces", json!({ "nonsense": 1 })).await.refused(401, "unauthorized");
    let reader = tidegate.caller(&[Scope::Read]).await;
    reader.post("/v1/workspaces", json!({ "nonsense": 1 })).await.refused(403, "forbidden");
}

#[tokio::test]
async fn a_key_without_the_scope_is_told_which() {
    let tidegate = TestApp::start().await;
    let reader = tidegate.caller(&[Scope::Read, Scope::Manage]).await;
    let refused = reader.get("/v1/api-keys").await.refused(403, "forbidden");
    assert_eq!(refused.body["required_scope"], "admin");
    assert!(refused.header("www-authenticate").contains(r#"scope="admin""#));
}

#[tokio::test]
async fn a_key_is_shown_once_works_and_ends() {
    let tidegate = TestApp::start().await;
    let body = json!({ "name": "backend", "scopes": ["read", "sync"], "external_id": "b-1", "metadata": { "team": "x" } });
    let made = tidegate.api.post("/v1/api-keys", body).await.expect(201);
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(made.header("location"), format!("/v1/api-keys/{}", made.id()));
    let caller = tidegate.api.with_key(made.str("secret"));
    assert_eq!(caller.get("/v1/me").await.expect(200).body["scopes"], json!(["read", "sync"]));
    let listed = tidegate.api.get("/v1/api-keys?external_id=b-1").await.expect(200);
    let [row] = listed.items() else { panic!("{}", listed.text) };
    assert_eq!((&row["id"], &row["metadata"]), (&made.body["id"], &json!({ "team": "x" })));
    assert!(made.str("secret").starts_with(row["prefix"].as_str().unwrap()));
    assert!(!listed.text.contains(made.str("secret")));
    assert!(row["last_used_at"].is_string(), "{row}");
    tidegate.api.delete(&format!("/v1/api-keys/{}", made.id())).await.expect(204);
    caller.get("/v1/me").await.refused(401, "unauthorized");
    tidegate.api.delete(&format!("/v1/api-keys/{}", made.id())).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_key_ends_at_its_time() {
    let tidegate = TestApp::start().await;
    let end = tidegate.now() + chrono::TimeDelta::hours(1);
    let body = json!({ "name": "brief", "scopes": ["read"], "expires_at": end });
    let made = tidegate.api.post("/v1/api-keys", body.clone()).await.expect(201);
    let caller = tidegate.api.with_key(made.str("secret"));
    caller.get("/v1/me").await.expect(200);
    tidegate.pass(chrono::TimeDelta::hours(1));
    caller.get("/v1/me").await.refused(401, "unauthorized");
    let late = tidegate.api.post("/v1/api-keys", body).await.refused(422, "validation_failed");
    assert_eq!(late.errors(), [("/expires_at", "invalid")]);
}

#[tokio::test]
async fn a_key_cannot_make_one_that_may_do_more() {
    let tidegate = TestApp::start().await;
    let admin = tidegate.caller(&[Scope::Admin, Scope::Read]).await;
    let wanted = |scopes: Value| json!({ "name": "x", "scopes": scopes });
    let refused =
        admin.post("/v1/api-keys", wanted(json!(["read", "content"]))).await.refused(403, "forbidden");
    assert_eq!(refused.body["required_scope"], "content");
    admin.post("/v1/api-keys", wanted(json!(["read"]))).await.expect(201);
    let none = admin.post("/v1/api-keys", wanted(json!([]))).await.refused(422, "validation_failed");
    assert_eq!(none.errors(), [("/scopes", "required")]);
    let unknown = admin.post("/v1/api-keys", wanted(json!(["fly"]))).await.refused(422, "validation_failed");
    assert_eq!(unknown.errors(), [("/scopes/0", "invalid")]);
}

#[tokio::test]
async fn keys_of_another_workspace_do_not_exist() {
    let tidegate = TestApp::start().await;
    let mine =
        tidegate.api.post("/v1/api-keys", json!({ "name": "mine", "scopes": ["read"] })).await.expect(201);
    let stranger = tidegate.stranger().await;
    assert_eq!(stranger.get("/v1/api-keys").await.expect(200).items().len(), 1, "only its own");
    stranger.delete(&format!("/v1/api-keys/{}", mine.id())).await.refused(404, "not_found");
    stranger.get("/v1/workspaces").await.refused(403, "forbidden");
    tidegate.api.with_key(mine.str("secret")).get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn a_changed_bootstrap_key_replaces_the_old_one() {
    let tidegate = TestApp::start().await;
    let mut app = tidegate.app.clone();
    let mut settings = (*app.settings).clone();
    let new = "another-key-of-the-operator-0123456789";
    settings.bootstrap_api_key = Some(new.into());
    app.settings = settings.into();
    tidegate::auth::bootstrap(&app, false).await.unwrap();
    tidegate.api.with_key(OPERATOR_KEY).get("/v1/me").await.refused(401, "unauthorized");
    tidegate.api.with_key(new).get("/v1/workspaces").await.expect(200);
    tidegate::auth::bootstrap(&tidegate.app, false).await.unwrap();
    tidegate.api.with_key(OPERATOR_KEY).get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn a_workspace_is_made_found_and_erased() {
    let tidegate = TestApp::start().await;
    let api = &tidegate.api;
    let body = json!({ "name": "Acme", "external_id": "acme", "metadata": { "plan": "gold" } });
    let made = api.post("/v1/workspaces", body.clone()).await.expect(201);
    api.post("/v1/workspaces", body).await.refused(409, "already_exists");
    assert_eq!(api.get(made.header("location")).await.expect(200).body, made.body);
    assert_eq!(
        api.get("/v1/workspaces?external_id=acme").await.expect(200).items(),
        std::slice::from_ref(&made.body)
    );
    let path = format!("/v1/workspaces/{}", made.id());
    let ending = api.delete(&path).await.expect(202);
    assert_eq!(ending.str("status"), "deleting");
    assert_eq!(tidegate::workspaces::store::erase_emptied(&tidegate.app.db).await.unwrap(), 1);
    api.get(&path).await.refused(404, "not_found");
    api.delete(&format!("/v1/workspaces/{}", nobody("ws"))).await.refused(404, "not_found");
    api.delete(&format!("/v1/workspaces/{}", tidegate.workspace)).await.refused(409, "conflict");
}
