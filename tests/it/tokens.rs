//! Tokens: what a person's browser holds in the place of an API key.

use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tidegate::{
    auth::{
        Scope,
        token::{AUDIENCE, PURPOSE},
    },
    config::EncryptionKey,
    http,
    seal::Sealer,
};

use crate::harness::{Answer, Client, TestApp};

async fn token(caller: &Client, end_user: &str, scopes: Value) -> Answer {
    let body = json!({ "end_user": end_user, "scopes": scopes, "expires_in_seconds": 600 });
    caller.post("/v1/tokens", body).await.expect(200)
}

async fn as_person(tidegate: &TestApp, caller: &Client, end_user: &str) -> Client {
    let made = token(caller, end_user, json!(["read", "manage"])).await;
    tidegate.api.with_key(made.str("token"))
}

#[tokio::test]
async fn a_token_speaks_for_one_person_with_no_more_than_it_was_given() {
    let tidegate = TestApp::start().await;
    let backend = tidegate.caller(&[Scope::Read, Scope::Content, Scope::Admin]).await;

    let made = token(&backend, "Zoë / 4711", json!(["read", "admin"])).await;

    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!((made.str("token_type"), made.str("end_user")), ("Bearer", "Zoë / 4711"));
    let zoe = tidegate.api.with_key(made.str("token"));
    let me = zoe.get("/v1/me").await.expect(200).body;
    let own = backend.get("/v1/me").await.expect(200).body;
    assert_eq!(me["principal"]["kind"], "token");
    assert_eq!(me["principal"]["end_user"], "Zoë / 4711");
    assert_eq!(me["principal"]["expires_at"], made.body["expires_at"]);
    assert_eq!(me["principal"]["api_key_id"], own["principal"]["api_key_id"]);
    assert_eq!((&me["workspace"], &me["scopes"]), (&own["workspace"], &json!(["read", "admin"])));
    zoe.get("/v1/sources").await.expect(200);
    let refused = zoe.post("/v1/knowledge-bases", json!({ "name": "x" })).await.refused(403, "forbidden");
    assert_eq!(refused.body["required_scope"], "manage");
}

#[tokio::test]
async fn a_token_makes_neither_tokens_nor_keys() {
    let tidegate = TestApp::start().await;
    let made = token(&tidegate.api, "zoe", json!(["read", "admin"])).await;
    let zoe = tidegate.api.with_key(made.str("token"));
    let body = json!({ "end_user": "zoe", "scopes": ["read"] });
    zoe.post("/v1/tokens", body).await.refused(403, "forbidden");
    zoe.post("/v1/api-keys", json!({ "name": "x", "scopes": ["read"] })).await.refused(403, "forbidden");
}

#[tokio::test]
async fn what_is_asked_for_is_checked() {
    let tidegate = TestApp::start().await;
    let backend = tidegate.caller(&[Scope::Read]).await;
    let ask = async |body: Value| backend.post("/v1/tokens", body).await;
    let refused =
        ask(json!({ "end_user": "zoe", "scopes": ["read", "sync"] })).await.refused(403, "forbidden");
    assert_eq!(refused.body["required_scope"], "sync");
    let wrong = json!({ "end_user": " ", "scopes": [], "expires_in_seconds": 3_601 });
    let refused = ask(wrong).await.refused(422, "validation_failed");
    assert_eq!(
        refused.errors(),
        [("/end_user", "too_short"), ("/scopes", "required"), ("/expires_in_seconds", "out_of_range")]
    );
    ask(json!({ "end_user": "zoe" })).await.refused(422, "validation_failed");
    let longest = json!({ "end_user": "𝛀".repeat(255), "scopes": ["read"], "expires_in_seconds": 3_600 });
    let made = ask(longest).await.expect(200);
    tidegate.api.with_key(made.str("token")).get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn a_token_ends_at_its_time_and_with_its_key() {
    let tidegate = TestApp::start().await;
    let end = tidegate.now() + TimeDelta::minutes(5);
    let key = json!({ "name": "backend", "scopes": ["read", "sync"], "expires_at": end });
    let key = tidegate.api.post("/v1/api-keys", key).await.expect(201);
    let backend = tidegate.api.with_key(key.str("secret"));
    let [brief, long] = [60, 3_600].map(
        |seconds| json!({ "end_user": "zoe", "scopes": ["read", "sync"], "expires_in_seconds": seconds }),
    );
    let brief = backend.post("/v1/tokens", brief).await.expect(200).str("token").to_owned();
    let long = backend.post("/v1/tokens", long).await.expect(200).str("token").to_owned();
    let [brief, long] = [brief, long].map(|token| tidegate.api.with_key(&token));
    brief.get("/v1/me").await.expect(200);
    tidegate.pass(TimeDelta::seconds(60));
    brief.get("/v1/me").await.refused(401, "unauthorized");
    long.get("/v1/me").await.expect(200);
    tidegate.pass(TimeDelta::minutes(4));
    long.get("/v1/me").await.refused(401, "unauthorized");

    let other =
        tidegate.api.post("/v1/api-keys", json!({ "name": "b", "scopes": ["read"] })).await.expect(201);
    let zoe = token(&tidegate.api.with_key(other.str("secret")), "zoe", json!(["read"])).await;
    let zoe = tidegate.api.with_key(zoe.str("token"));
    zoe.get("/v1/me").await.expect(200);
    tidegate.api.delete(&format!("/v1/api-keys/{}", other.id())).await.expect(204);
    tidegate.pass(TimeDelta::seconds(10));
    zoe.get("/v1/me").await.refused(401, "unauthorized");
}

#[tokio::test]
async fn what_one_person_began_is_not_another_persons() {
    let tidegate = TestApp::start().await;
    let backend = tidegate.caller(&[Scope::Read, Scope::Manage]).await;
    let zoe = as_person(&tidegate, &backend, "zoe").await;
    let bo = as_person(&tidegate, &backend, "bo").await;

    let made = zoe.post("/v1/connections", json!({ "auth": "oauth" })).await.expect(201);
    assert!(made.str("owner").ends_with("/zoe"), "{}", made.text);
    let path = format!("/v1/connections/{}", made.id());
    let for_bo = json!({ "auth": "oauth", "end_user": "bo" });
    let refused = zoe.post("/v1/connections", for_bo).await.refused(422, "validation_failed");
    assert_eq!(refused.errors(), [("/end_user", "not_allowed")]);
    bo.delete(&path).await.refused(403, "forbidden");
    zoe.delete(&path).await.expect(200);

    let key = [("Idempotency-Key", "one")];
    let body = Some(json!({ "auth": "oauth" }));
    let hers = zoe.send("POST", "/v1/connections", body.clone(), &key).await.expect(201);
    let his = bo.send("POST", "/v1/connections", body, &key).await.expect(201);
    assert_ne!(hers.id(), his.id(), "answers are kept for each person");
}

#[tokio::test]
async fn forged_foreign_and_late_tokens_open_nothing() {
    let tidegate = TestApp::start().await;
    let now = tidegate.now().timestamp();
    let me = tidegate.api.get("/v1/me").await.expect(200).body;
    let claims = json!({
        "iss": tidegate.app.installation, "aud": AUDIENCE, "sub": "zoe", "azp": me["principal"]["api_key_id"],
        "scope": "read manage admin operator", "iat": now, "exp": now + 600,
    });
    let kid = tidegate.app.sealer.key_ids().next().unwrap().to_owned();
    let key = tidegate.app.sealer.derive(&kid, PURPOSE).unwrap();
    let sign = |algorithm, kid: &str, claims: &Value, key: &[u8]| {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) };
        encode(&header, claims, &EncodingKey::from_secret(key)).unwrap()
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        sign(Algorithm::HS256, &kid, &claims, &*key)
    };
    let good = sign(Algorithm::HS256, &kid, &claims, &*key);
    tidegate.api.with_key(&good).get("/v1/me").await.expect(200);

    let part = |text: &str| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, text);
    let unsigned =
        format!("{}.{}.", part(&format!(r#"{{"alg":"none","kid":"{kid}"}}"#)), part(&claims.to_string()));
    let (body, _) = good.rsplit_once('.').unwrap();
    let bad = [
        unsigned,
        format!("{body}."),
        good[..good.len() - 2].to_owned(),
        sign(Algorithm::HS256, &kid, &claims, &[0; 32]),
        sign(Algorithm::HS384, &kid, &claims, &*key),
        sign(Algorithm::HS256, "another", &claims, &*key),
        with("aud", json!("another")),
        with("iss", json!("another")),
        with("azp", json!("key_00000000000070008000000000000000")),
        with("exp", json!(now)),
        with("exp", json!(now + 86_400)),
        with("sub", Value::Null),
    ];
    let document = serde_json::to_value(http::openapi()).unwrap();
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["security"] == json!([]) || operation["security"] == json!([{}]) {
                continue;
            }
            for bad in &bad {
                let caller = tidegate.api.with_key(bad);
                let path = path.replace(['{', '}'], "");
                let answer = caller.send(&method.to_uppercase(), &path, None, &[]).await;
                assert_eq!(answer.status, 401, "{method} {path} with {bad}: {}", answer.text);
                tried += 1;
            }
        }
    }
    assert!(tried > 30 * bad.len(), "only {tried} were tried");
}

#[tokio::test]
async fn tokens_outlive_a_rotation_of_the_encryption_key_as_long_as_it_is_listed() {
    let tidegate = TestApp::start().await;
    let made = token(&tidegate.api, "zoe", json!(["read"])).await;
    let read = |keys: &[EncryptionKey]| {
        let mut app = tidegate.app.clone();
        app.sealer = Sealer::new(keys).unwrap().into();
        tidegate::auth::Token::read(&app, made.str("token"), tidegate.now())
    };
    let old = tidegate.app.settings.encryption_keys.clone();
    let new = EncryptionKey { id: "new".to_owned(), secret: vec![9; 32].into() };
    let both: Vec<_> = std::iter::once(new.clone()).chain(old).collect();
    assert_eq!(read(&both).unwrap().end_user, "zoe");
    assert_eq!(read(&[new]), None);
}
