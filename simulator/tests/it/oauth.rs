//! Consent, tokens, sites and the gateway.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use simulator::Options;

use crate::{Reply, World, reply};

const REDIRECT: &str = "http://localhost:8080/v1/oauth/callback";
const SCOPES: &str = "offline_access read:me read:space:confluence read:page:confluence";

fn authorize_url(world: &World, extra: &str) -> String {
    let scope = SCOPES.replace(' ', "%20");
    format!(
        "{}/authorize?audience=api.atlassian.com&client_id=simulated-client&scope={scope}&redirect_uri={REDIRECT}&state=s1\
         &response_type=code&prompt=consent{extra}",
        world.simulator.auth_url()
    )
}

fn query_of(url: &str) -> BTreeMap<String, String> {
    url::Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

async fn post_token(world: &World, fields: Value) -> Reply {
    reply(world.http.post(format!("{}/oauth/token", world.simulator.auth_url())).json(&fields)).await.unwrap()
}

fn exchange(code: &str) -> Value {
    json!({"grant_type": "authorization_code", "client_id": "simulated-client", "client_secret": "simulated-secret",
           "code": code, "redirect_uri": REDIRECT})
}

fn refresh(token: &str) -> Value {
    json!({"grant_type": "refresh_token", "client_id": "simulated-client", "client_secret": "simulated-secret",
           "refresh_token": token})
}

async fn connect(world: &World) -> (String, String) {
    let back = world.simulator.accept(&authorize_url(world, ""), None, &[]).unwrap();
    let pair = post_token(world, exchange(&query_of(&back)["code"])).await;
    let text = |key: &str| pair.json[key].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

async fn bearer(world: &World, token: &str, path: &str) -> Reply {
    reply(world.http.get(format!("{}{path}", world.simulator.api_url())).bearer_auth(token)).await.unwrap()
}

fn gateway(world: &World, path: &str) -> String {
    format!("/ex/confluence/{}{path}", world.site.cloud_id())
}

#[actix_web::test]
async fn the_consent_page_is_answered_with_its_form() {
    let world = World::new();
    let page = world.http.get(authorize_url(&world, "")).send().await.unwrap().text().await.unwrap();
    assert!(
        page.contains("name=\"site\" value=\"acme\"") && page.contains("Accept") && page.contains("Cancel")
    );
    let hidden =
        page.split("name=\"ask\" value=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let account = world.simulator.account_id();
    let form = [("ask", hidden.as_str()), ("account", &account), ("site", "acme"), ("decision", "accept")];
    let url = format!("{}/authorize", world.simulator.auth_url());
    let reply = reply(world.http.post(&url).form(&form)).await.unwrap();
    assert_eq!(reply.status, StatusCode::FOUND);
    let back = query_of(reply.header("location").unwrap());
    assert_eq!(back["state"], "s1");
    assert_eq!(post_token(&world, exchange(&back["code"])).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn consent_can_be_simulated_and_cancelled() {
    let world = World::new();
    let accepted = reply(world.http.get(authorize_url(&world, "&simulate=accept"))).await.unwrap();
    assert!(query_of(accepted.header("location").unwrap()).contains_key("code"));
    let cancelled = reply(world.http.get(authorize_url(&world, "&simulate=cancel"))).await.unwrap();
    assert_eq!(query_of(cancelled.header("location").unwrap())["error"], "access_denied");
    let automatic = World::with(Options { auto_consent: true, ..Options::default() });
    let accepted = reply(automatic.http.get(authorize_url(&automatic, ""))).await.unwrap();
    assert_eq!(accepted.status, StatusCode::FOUND);
}

#[actix_web::test]
async fn an_authorization_request_must_be_complete_and_registered() {
    let options = Options { redirect_uri: Some(REDIRECT.to_owned()), ..Options::default() };
    let world = World::with(options);
    let good = authorize_url(&world, "");
    assert_eq!(reply(world.http.get(&good)).await.unwrap().status, StatusCode::OK);
    for bad in [
        good.replace("audience=api.atlassian.com", "audience=elsewhere"),
        good.replace("&prompt=consent", ""),
        good.replace("simulated-client", "stranger"),
        good.replace("callback", "elsewhere"),
        good.replace("&state=s1", ""),
    ] {
        assert_eq!(reply(world.http.get(&bad)).await.unwrap().status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[actix_web::test]
async fn tokens_are_given_out_for_json_and_forms() {
    let world = World::new();
    let back = world.simulator.accept(&authorize_url(&world, ""), None, &["acme"]).unwrap();
    let code = query_of(&back)["code"].clone();
    let pair = post_token(&world, exchange(&code)).await;
    assert_eq!(pair.json["expires_in"], 3600);
    assert_eq!(pair.json["token_type"], "Bearer");
    assert!(pair.json["access_token"].as_str().unwrap().len() >= 2_000);
    let again = post_token(&world, exchange(&code)).await;
    assert_eq!((again.status, again.json["error"].clone()), (StatusCode::FORBIDDEN, "invalid_grant".into()));
    let token = pair.json["refresh_token"].as_str().unwrap().to_owned();
    let url = format!("{}/oauth/token", world.simulator.auth_url());
    let form: BTreeMap<String, Value> = serde_json::from_value(refresh(&token)).unwrap();
    let rotated = reply(world.http.post(&url).form(&form)).await.unwrap();
    assert_eq!(rotated.status, StatusCode::OK);
    assert_ne!(rotated.json["refresh_token"], token);
}

#[actix_web::test]
async fn the_token_endpoint_refuses_with_the_measured_errors() {
    let world = World::new();
    let (_, token) = connect(&world).await;
    let mut wrong_secret = refresh(&token);
    wrong_secret["client_secret"] = "wrong".into();
    let error = |reply: &Reply| (reply.status.as_u16(), reply.json["error"].as_str().unwrap().to_owned());
    let answer = post_token(&world, wrong_secret).await;
    assert_eq!(error(&answer), (401, "access_denied".to_owned()));
    assert_eq!(answer.json["error_description"], "Unauthorized");
    let unknown = post_token(&world, refresh("never-given")).await;
    assert_eq!(error(&unknown), (403, "unauthorized_client".to_owned()));
    assert_eq!(unknown.json["error_description"], "refresh_token is invalid");
    world.simulator.advance(Duration::from_hours(91 * 24));
    let expired = post_token(&world, refresh(&token)).await;
    assert_eq!(error(&expired), (403, "invalid_grant".to_owned()));
    assert_eq!(expired.json["error_description"], "Unknown or invalid refresh token.");
}

#[actix_web::test]
async fn late_reuse_kills_the_family() {
    let world = World::new();
    let (_, first) = connect(&world).await;
    let second = post_token(&world, refresh(&first)).await.json["refresh_token"].as_str().unwrap().to_owned();
    world.simulator.advance(Duration::from_mins(9));
    assert_eq!(post_token(&world, refresh(&first)).await.status, StatusCode::OK, "within the leeway");
    world.simulator.advance(Duration::from_mins(2));
    assert_eq!(post_token(&world, refresh(&first)).await.status, StatusCode::FORBIDDEN);
    assert_eq!(post_token(&world, refresh(&second)).await.json["error"], "unauthorized_client");
}

#[actix_web::test]
async fn sites_and_identity_follow_the_grant() {
    let world = World::new();
    let other = world.simulator.add_site("globex");
    let back = world.simulator.accept(&authorize_url(&world, ""), None, &["acme"]).unwrap();
    let pair = post_token(&world, exchange(&query_of(&back)["code"])).await;
    let token = pair.json["access_token"].as_str().unwrap().to_owned();
    let sites = bearer(&world, &token, "/oauth/token/accessible-resources").await;
    assert_eq!(sites.json.as_array().unwrap().len(), 1);
    assert_eq!(sites.json[0]["id"], world.site.cloud_id());
    assert_eq!(sites.json[0]["url"], world.site.url());
    let path = format!("/ex/confluence/{}/wiki/api/v2/spaces", other.cloud_id());
    assert_eq!(bearer(&world, &token, &path).await.status, StatusCode::NOT_FOUND);
    world.simulator.accept(&authorize_url(&world, ""), None, &["globex"]).unwrap();
    assert_eq!(bearer(&world, &token, &path).await.status, StatusCode::OK, "one grant, additive over sites");
    assert_eq!(bearer(&world, &token, "/me").await.json["account_id"], world.simulator.account_id());
    world.simulator.confluence().grants.lose_site("globex");
    assert_eq!(bearer(&world, &token, &path).await.status, StatusCode::NOT_FOUND);
    world.simulator.revoke_grants();
    assert_eq!(bearer(&world, &token, "/me").await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn the_gateway_hides_expiry_and_names_missing_scopes() {
    let world = World::new();
    let (token, _) = connect(&world).await;
    let spaces = gateway(&world, "/wiki/api/v2/spaces");
    assert_eq!(bearer(&world, &token, &spaces).await.status, StatusCode::OK);
    let tree = bearer(&world, &token, &gateway(&world, "/wiki/api/v2/pages/1/direct-children")).await;
    assert_eq!(tree.status, StatusCode::UNAUTHORIZED);
    assert_eq!(tree.json["message"], "Unauthorized; scope does not match");
    assert_eq!(bearer(&world, "garbage", &spaces).await.status, StatusCode::UNAUTHORIZED);
    world.simulator.expire_tokens();
    assert_eq!(bearer(&world, &token, &spaces).await.status, StatusCode::NOT_FOUND);
    let v1 = gateway(&world, "/wiki/rest/api/user/current");
    assert_eq!(bearer(&world, &token, &v1).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        bearer(&world, &token, "/oauth/token/accessible-resources").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[actix_web::test]
async fn the_direct_site_takes_api_tokens_only() {
    let world = World::new();
    let (token, _) = connect(&world).await;
    let url = format!("{}/wiki/api/v2/spaces", world.site.url());
    assert_eq!(
        reply(world.http.get(&url).bearer_auth(&token)).await.unwrap().status,
        StatusCode::UNAUTHORIZED
    );
    let wrong = world.http.get(&url).basic_auth("ada@example.com", Some("wrong"));
    assert_eq!(reply(wrong).await.unwrap().status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.get("/wiki/api/v2/spaces").await.status, StatusCode::OK);
    let info = reply(world.http.get(format!("{}/_edge/tenant_info", world.site.url()))).await.unwrap();
    assert_eq!(info.json["cloudId"], world.site.cloud_id());
}

#[actix_web::test]
async fn points_are_counted_and_walled_per_app_and_hour() {
    let world = World::new();
    let (token, _) = connect(&world).await;
    for key in ["A", "B", "C"] {
        world.site.add_space(key, key).unwrap();
    }
    let spaces = gateway(&world, "/wiki/api/v2/spaces");
    world.simulator.confluence().habits.points_per_hour = Some(8);
    let first = bearer(&world, &token, &spaces).await;
    assert_eq!(first.header("x-ratelimit-remaining"), Some("4"));
    assert_eq!(first.header("ratelimit"), None, "r appears only near the wall");
    let second = bearer(&world, &token, &spaces).await;
    assert_eq!((second.status, second.header("x-ratelimit-nearlimit")), (StatusCode::OK, Some("true")));
    let third = bearer(&world, &token, &spaces).await;
    assert_eq!(third.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(third.header("retry-after").unwrap().parse::<u64>().unwrap() <= 3_600);
    assert_eq!(world.simulator.calls().points["simulated-client"], 8);
    world.simulator.advance(Duration::from_hours(1));
    let (token, _) = connect(&world).await;
    assert_eq!(bearer(&world, &token, &spaces).await.status, StatusCode::OK);
}
