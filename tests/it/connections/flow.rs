//! From "connect" to an active connection, and all the ways in which it ends elsewhere.

use chrono::TimeDelta;
use serde_json::json;
use simulator::Fault;

use super::town::{RETURN_URL, Town, parameter, path};

#[tokio::test]
async fn a_person_connects_and_the_application_confirms_with_the_code() {
    let town = Town::start().await;
    let begun = town.begin().await;
    assert_eq!((begun["status"].as_str(), begun["auth"].as_str()), (Some("pending"), Some("oauth")));
    assert_eq!(begun["expires_at"], json!(town.now() + TimeDelta::minutes(10)));
    let landed = town.say_yes(&begun, &[]).await;
    assert_eq!(landed.status, 303);
    let location = landed.location();
    assert!(location.as_str().starts_with(RETURN_URL), "{location}");
    assert_eq!(parameter(&location, "connection_id").as_deref(), begun["id"].as_str());
    let authorized = town.connection(begun["id"].as_str().unwrap()).await;
    assert_eq!(authorized["status"], "authorized");
    assert_eq!(authorized["sites"], json!([]), "nothing is connected before the confirmation");
    let active = town.confirm(&begun, &parameter(&location, "code").unwrap()).await.expect(200);
    assert_eq!(active["status"], "active");
    assert_eq!(active["account"]["name"], town.simulator.options().account_name);
    assert_eq!(active["sites"][0]["id"], town.site.cloud_id());
    assert!(active["authorize_url"].is_null() && active["expires_at"].is_null());
    assert!(town.access(&active).await.prove_healthy(None).await.is_ok());
}

#[tokio::test]
async fn without_a_return_url_a_page_names_workspace_account_and_code() {
    let town = Town::start().await;
    let begun = town.post("/v1/connections", json!({"auth": "oauth"})).await.expect(201);
    let page = town.say_yes(&begun, &[]).await;
    assert_eq!(page.status, 200);
    let header = |name: &str| page.headers[name].to_str().unwrap();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert!(header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    assert_eq!((header("cache-control"), header("referrer-policy")), ("no-store", "no-referrer"));
    assert!(page.text.contains("default") && page.text.contains("Ada Example"), "{}", page.text);
    let code = page.text.split("<code aria-labelledby=\"label\">").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(town.confirm(&begun, code).await.expect(200)["status"], "active");
}

#[tokio::test]
async fn a_person_who_says_no_comes_back_with_the_reason() {
    let town = Town::start().await;
    let begun = town.begin().await;
    let back = town.simulator.cancel(begun["authorize_url"].as_str().unwrap()).unwrap();
    let landed = town.come_back(&back).await;
    assert_eq!(parameter(&landed.location(), "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&landed.location(), "code"), None);
    let failed = town.connection(begun["id"].as_str().unwrap()).await;
    assert_eq!(
        (failed["status"].as_str(), failed["problem"]["code"].as_str()),
        (Some("failed"), Some("access_denied"))
    );
    assert_eq!(town.token_calls(), 0);
}

#[tokio::test]
async fn an_error_of_the_query_reaches_nobody_unless_it_looks_like_one() {
    let town = Town::start().await;
    let begun = town.begin().await;
    let state = parameter(&begun["authorize_url"].as_str().unwrap().parse().unwrap(), "state").unwrap();
    let landed =
        town.come_back(&format!("http://x/v1/oauth/callback?state={state}&error=%3Cscript%3E")).await;
    assert_eq!(parameter(&landed.location(), "error").as_deref(), Some("authorization_failed"));
}

#[tokio::test]
async fn a_state_is_good_for_ten_minutes() {
    let town = Town::start().await;
    let begun = town.begin().await;
    town.later(TimeDelta::minutes(10));
    let landed = town.say_yes(&begun, &[]).await;
    assert_eq!(parameter(&landed.location(), "error").as_deref(), Some("expired"));
    let expired = town.connection(begun["id"].as_str().unwrap()).await;
    assert_eq!(
        (expired["status"].as_str(), expired["problem"]["code"].as_str()),
        (Some("expired"), Some("expired"))
    );
    assert_eq!(town.token_calls(), 0, "the code was not exchanged");
}

#[tokio::test]
async fn the_tick_ends_attempts_that_nobody_finished() {
    let town = Town::start().await;
    let (abandoned, unconfirmed) = (town.begin().await, town.begin().await);
    town.code(&unconfirmed, &[]).await;
    town.later(TimeDelta::minutes(9));
    let fresh = town.begin().await;
    town.later(TimeDelta::minutes(1));
    town.tend().await;
    for (connection, status) in [(&abandoned, "expired"), (&unconfirmed, "expired"), (&fresh, "pending")] {
        assert_eq!(town.connection(connection["id"].as_str().unwrap()).await["status"], status);
    }
}

#[tokio::test]
async fn a_state_is_good_once() {
    let town = Town::start().await;
    let begun = town.begin().await;
    let url = begun["authorize_url"].as_str().unwrap();
    let back = town.simulator.accept(url, None, &[]).unwrap();
    assert_eq!(town.come_back(&back).await.status, 303);
    let replayed = town.come_back(&back).await;
    assert!(replayed.text.contains("This link does not work"), "{}", replayed.text);
    assert_eq!(town.token_calls(), 1);
    for query in ["state=made-up&code=whatever", "code=whatever", "error=access_denied", "state=&unknown=1"] {
        let page = town.come_back(&format!("http://x/v1/oauth/callback?{query}")).await;
        assert!(page.text.contains("This link does not work"), "{query}: {}", page.text);
    }
}

#[tokio::test]
async fn a_wrong_client_secret_fails_the_attempt_and_blames_the_operator() {
    let town = Town::with(|settings| {
        settings.atlassian.app.as_mut().unwrap().client_secret = "wrong".into();
    })
    .await;
    let landed = town.say_yes(&town.begin().await, &[]).await;
    assert_eq!(parameter(&landed.location(), "error").as_deref(), Some("oauth_misconfigured"));
}

#[tokio::test]
async fn an_authorization_server_that_fails_ends_the_attempt() {
    let town = Town::start().await;
    town.simulator.fault(Fault::on("POST", "/oauth/token").once().status(503));
    let landed = town.say_yes(&town.begin().await, &[]).await;
    assert_eq!(parameter(&landed.location(), "error").as_deref(), Some("atlassian_unavailable"));
}

#[tokio::test]
async fn only_listed_return_urls_are_taken() {
    let town = Town::start().await;
    for url in ["https://evil.example/", "https://app.example.com/connected", &format!("{RETURN_URL}&more=1")]
    {
        let refused =
            town.post("/v1/connections", json!({"auth": "oauth", "return_url": url})).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], "/return_url");
    }
}

#[tokio::test]
async fn without_an_oauth_app_the_answer_says_so() {
    let town = Town::with(|settings| settings.atlassian.app = None).await;
    let answer = town.post("/v1/connections", json!({"auth": "oauth"})).await;
    assert_eq!(answer.problem(409), "oauth_not_configured");
}

#[tokio::test]
async fn a_connection_of_another_workspace_is_not_there() {
    let town = Town::start().await;
    let connection = town.connect().await;
    let stranger = town.stranger().await;
    for (method, what) in
        [("GET", ""), ("DELETE", ""), ("GET", "/sites"), ("POST", "/confirm"), ("POST", "/reconnect")]
    {
        let path = format!("/v1/connections/{}{what}", connection["id"].as_str().unwrap());
        let body =
            (method == "POST").then(|| if what == "/confirm" { json!({"code": "x"}) } else { json!({}) });
        let answer = town.send(method.parse().unwrap(), &path, Some(&stranger), body.as_ref()).await;
        assert_eq!(answer.problem(404), "not_found", "{method} {path}");
    }
}

#[tokio::test]
async fn a_list_can_be_narrowed() {
    let town = Town::start().await;
    let body = json!({"auth": "oauth", "external_id": "crm-7", "metadata": {"team": "blue"}});
    let mine = town.post("/v1/connections", body).await.expect(201);
    town.connect().await;
    let ids = |list: serde_json::Value| -> Vec<String> {
        list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(town.get("/v1/connections").await.expect(200)).len(), 2);
    let by_label = town.get("/v1/connections?external_id=crm-7").await.expect(200);
    assert_eq!(by_label["items"][0]["metadata"], json!({"team": "blue"}));
    assert_eq!(ids(by_label), [mine["id"].as_str().unwrap()]);
    assert_eq!(ids(town.get("/v1/connections?status=active").await.expect(200)).len(), 1);
}

#[tokio::test]
async fn no_mistake_in_a_body_goes_unnamed() {
    let town = Town::start().await;
    let body = json!({"auth": "api_token", "return_url": "x", "email": "nobody", "metadata": {"": "x"}});
    let refused = town.post("/v1/connections", body).await.expect(422);
    let pointers: Vec<_> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    for pointer in ["/metadata/", "/return_url", "/site_url", "/email", "/token"] {
        assert!(pointers.contains(&pointer), "{pointer} in {pointers:?}");
    }
    let unknown = town.post("/v1/connections", json!({"auth": "oauth", "retrun_url": "x"})).await.expect(422);
    assert_eq!(unknown["errors"][0]["pointer"], "/retrun_url");
    assert_eq!(
        town.post(&path(&town.begin().await, "confirm"), json!({})).await.problem(422),
        "validation_failed"
    );
}
