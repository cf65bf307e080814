//! Connections with an e-mail address and an API token.

use serde_json::{Value, json};
use simulator::Fault;
use tidegate::connections::AccessError;

use super::town::{Town, path};

fn body(town: &Town, token: &str) -> Value {
    let options = town.simulator.options();
    json!({"auth": "api_token", "site_url": town.site.url(), "email": options.account_email, "token": token})
}

async fn connect(town: &Town) -> Value {
    let token = town.simulator.options().api_token.clone();
    town.post("/v1/connections", body(town, &token)).await.expect(201)
}

#[tokio::test]
async fn a_good_token_is_active_at_once_with_its_one_site() {
    let town = Town::start().await;
    let connection = connect(&town).await;
    assert_eq!(
        (connection["status"].as_str(), connection["auth"].as_str()),
        (Some("active"), Some("api_token"))
    );
    assert_eq!(
        connection["sites"],
        json!([{"id": town.site.cloud_id(), "name": "127.0.0.1", "url": town.site.url()}])
    );
    assert!(town.access(&connection).await.prove_healthy(None).await.is_ok());
    let answers = format!("{connection}{}", town.get("/v1/connections").await.text);
    assert!(!answers.contains("simulated-api-token") && !answers.contains("ada@example.com"), "{answers}");
}

#[tokio::test]
async fn a_wrong_token_is_refused_by_its_field() {
    let town = Town::start().await;
    let refused = town.post("/v1/connections", body(&town, "wrong")).await.expect(422);
    assert_eq!(
        (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
        (&json!("/token"), &json!("refused"))
    );
    assert_eq!(town.get("/v1/connections").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_never_called() {
    let town = Town::start().await;
    for host in
        ["https://evil.example", "http://acme.atlassian.net", "http://127.0.0.1.evil.example", "file:///etc"]
    {
        let mut body = body(&town, "x");
        body["site_url"] = json!(host);
        let refused = town.post("/v1/connections", body).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], "/site_url", "{host}");
    }
    assert_eq!(town.simulator.calls().confluence(), 0);
}

#[tokio::test]
async fn a_site_that_does_not_answer_is_tried_later() {
    let town = Town::start().await;
    town.simulator.fault(Fault::on("GET", "*").status(503));
    let answer = town.post("/v1/connections", body(&town, "x")).await;
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.problem(503), "vendor_unavailable");
}

#[tokio::test]
async fn a_token_that_was_revoked_needs_a_person_who_brings_another() {
    let town = Town::start().await;
    let connection = connect(&town).await;
    let access = town.access(&connection).await;
    let account = town.simulator.account_id();
    town.simulator.confluence().account_mut(&account).unwrap().api_token = "another".to_owned();
    assert!(matches!(access.refreshed().await, Err(AccessError::NeedsReconnect(_))));
    let dead = town.connection(connection["id"].as_str().unwrap()).await;
    assert_eq!(
        (dead["status"].as_str(), dead["problem"]["code"].as_str()),
        (Some("needs_reconnect"), Some("connection_needs_reconnect"))
    );
    let email = &town.simulator.options().account_email;
    let wrong = town.post(&path(&connection, "reconnect"), json!({"email": email, "token": "wrong"})).await;
    assert_eq!(wrong.expect(422)["errors"][0]["pointer"], "/token");
    let alive = town
        .post(&path(&connection, "reconnect"), json!({"email": email, "token": "another"}))
        .await
        .expect(200);
    assert_eq!((alive["status"].as_str(), alive["problem"].is_null()), (Some("active"), true));
    assert!(town.access(&connection).await.prove_healthy(None).await.is_ok());
}

#[tokio::test]
async fn nothing_secret_is_stored_readably() {
    use sea_orm::EntityTrait;
    use tidegate::entity::{connection, grant};
    let town = Town::start().await;
    connect(&town).await;
    town.connect().await;
    let connections = connection::Entity::find().all(town.app.db.read()).await.unwrap();
    let credential = connections[0].credential.clone().unwrap();
    let grants = grant::Entity::find().all(town.app.db.read()).await.unwrap();
    let contains =
        |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!contains(&credential, "simulated-api-token") && !contains(&credential, "ada@"));
    assert!(!contains(&grants[0].tokens, "access") && !contains(&grants[0].tokens, "refresh"));
}
