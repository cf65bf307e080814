//! The authorization server and the account-level API: consent, tokens, sites, identity.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::authorization::Decision;
use super::consent;
use super::grants::{Bearer, Grant, Pair, TokenRefused};
use super::refusal::Refusal;
use crate::shared::Shared;

/// Routes of the authorization server.
pub fn configure_auth(routes: &mut web::ServiceConfig) {
    routes
        .route("/authorize", web::get().to(authorize))
        .route("/authorize", web::post().to(decide))
        .route("/oauth/token", web::post().to(token));
}

/// Account-level routes of the API host.
pub fn configure_api(routes: &mut web::ServiceConfig) {
    routes
        .route("/oauth/token/accessible-resources", web::get().to(accessible_resources))
        .route("/me", web::get().to(me));
}

fn refuse_page(message: &str) -> HttpResponse {
    HttpResponse::BadRequest().content_type("text/html; charset=utf-8").body(consent::error_page(message))
}

fn redirect(to: Result<String, String>) -> HttpResponse {
    match to {
        Ok(to) => HttpResponse::Found().insert_header((LOCATION, to)).finish(),
        Err(message) => refuse_page(&message),
    }
}

/// Shows the consent page; `simulate=accept|cancel` (with `simulate_account`, `simulate_site`) decides at once.
async fn authorize(request: HttpRequest) -> HttpResponse {
    let shared = Shared::of(&request);
    let ask = match shared.check_ask(request.query_string()) {
        Ok(ask) => ask,
        Err(message) => return refuse_page(&message),
    };
    let mut simulate = shared.options.auto_consent.then(|| "accept".to_owned());
    let (mut account, mut sites) = (None, Vec::new());
    for (key, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
        match key.as_ref() {
            "simulate" => simulate = Some(value.into_owned()),
            "simulate_account" => account = Some(value.into_owned()),
            "simulate_site" => sites.push(value.into_owned()),
            _ => {}
        }
    }
    match simulate.as_deref() {
        Some("accept") => match shared.usual_decision(account.as_deref(), &sites) {
            Some(decision) => redirect(shared.decide(&ask, decision)),
            None => refuse_page("Unknown account"),
        },
        Some("cancel") => redirect(shared.decide(&ask, Decision { account: None, sites: BTreeSet::new() })),
        Some(_) => refuse_page("simulate is accept or cancel"),
        None => {
            let page = consent::page(&ask, &shared.confluence());
            HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page)
        }
    }
}

/// Takes the form of the consent page.
async fn decide(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let shared = Shared::of(&request);
    let mut fields = BTreeMap::new();
    let mut sites = BTreeSet::new();
    for (key, value) in url::form_urlencoded::parse(&body).into_owned() {
        if key == "site" {
            sites.insert(value);
        } else {
            fields.insert(key, value);
        }
    }
    let ask = match shared.check_ask(fields.get("ask").map_or("", String::as_str)) {
        Ok(ask) => ask,
        Err(message) => return refuse_page(&message),
    };
    let accepted = fields.get("decision").is_some_and(|decision| decision == "accept");
    let account = fields.remove("account").filter(|_| accepted);
    redirect(shared.decide(&ask, Decision { account, sites }))
}

fn token_error(status: StatusCode, error: &str, description: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({"error": error, "error_description": description}))
}

async fn token(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let shared = Shared::of(&request);
    let Some(fields) = token_fields(&request, &body) else {
        return token_error(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "The body is neither JSON nor a form",
        );
    };
    let field = |key: &str| fields.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let missing = |key: &str| {
        let description = format!("Missing required parameter: {key}");
        token_error(StatusCode::FORBIDDEN, "invalid_request", &description)
    };
    let Some(grant_type) = field("grant_type") else { return missing("grant_type") };
    let Some(client_id) = field("client_id") else { return missing("client_id") };
    let secret = field("client_secret").unwrap_or_default();
    let now = shared.clock.now();
    let mut cloud = shared.confluence();
    let pair = match grant_type {
        "authorization_code" => {
            let Some(code) = field("code") else { return missing("code") };
            let Some(redirect_uri) = field("redirect_uri") else { return missing("redirect_uri") };
            let checked = cloud.grants.check_client(client_id, secret);
            checked.and_then(|()| cloud.grants.exchange(client_id, code, redirect_uri, now))
        }
        "refresh_token" => {
            let Some(token) = field("refresh_token") else { return missing("refresh_token") };
            let checked = cloud.grants.check_client(client_id, secret);
            checked.and_then(|()| cloud.grants.rotate(client_id, token, now))
        }
        _ => {
            let description = format!("Grant type '{grant_type}' not allowed for the client.");
            return token_error(StatusCode::FORBIDDEN, "unauthorized_client", &description);
        }
    };
    answer_pair(pair)
}

fn answer_pair(pair: Result<Pair, TokenRefused>) -> HttpResponse {
    let (status, error, description) = match pair {
        Ok(pair) => {
            let mut answer = json!({
                "access_token": pair.access_token,
                "expires_in": pair.expires_in,
                "scope": pair.scope,
                "token_type": "Bearer",
            });
            if let Some(token) = pair.refresh_token {
                answer["refresh_token"] = Value::String(token);
            }
            return HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(answer);
        }
        Err(TokenRefused::Client) => (StatusCode::UNAUTHORIZED, "access_denied", "Unauthorized"),
        Err(TokenRefused::Code) => (StatusCode::FORBIDDEN, "invalid_grant", "Invalid authorization code"),
        Err(TokenRefused::Refresh) => {
            (StatusCode::FORBIDDEN, "unauthorized_client", "refresh_token is invalid")
        }
        Err(TokenRefused::Expired) => {
            (StatusCode::FORBIDDEN, "invalid_grant", "Unknown or invalid refresh token.")
        }
    };
    token_error(status, error, description)
}

/// The fields of a token request, JSON or form; the client's credentials are among them.
fn token_fields(request: &HttpRequest, body: &[u8]) -> Option<BTreeMap<String, String>> {
    let kind = request.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    if kind.starts_with("application/json") {
        serde_json::from_slice(body).ok()
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        Some(url::form_urlencoded::parse(body).into_owned().collect())
    } else {
        None
    }
}

fn with_grant(
    request: &HttpRequest,
    answer: impl FnOnce(&Shared, &super::model::Confluence, &Grant) -> Result<Value, Refusal>,
) -> Result<HttpResponse, Refusal> {
    let shared = Shared::of(request);
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
    let token = header.strip_prefix("Bearer ").unwrap_or_default();
    let cloud = shared.confluence();
    match cloud.grants.bearer(token, shared.clock.now()) {
        Bearer::Valid(grant) => Ok(HttpResponse::Ok().json(answer(&shared, &cloud, grant)?)),
        Bearer::Expired | Bearer::Unknown => Err(Refusal::gateway(StatusCode::UNAUTHORIZED, "Unauthorized")),
    }
}

async fn accessible_resources(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    with_grant(&request, |shared, cloud, grant| {
        let enterable = cloud.accounts.get(&grant.account).map(|account| &account.sites);
        let listed =
            |name: &String| grant.sites.contains(name) && enterable.is_some_and(|all| all.contains(name));
        let scopes: Vec<&String> = grant.scopes.iter().filter(|scope| scope.contains("confluence")).collect();
        let sites = cloud.sites().iter().filter(|site| listed(&site.name)).map(|site| {
            let url = shared.site_url(&site.name);
            json!({
                "id": site.cloud_id,
                "name": site.title,
                "url": url,
                "scopes": scopes,
                "avatarUrl": format!("{url}/avatar.png"),
            })
        });
        Ok(sites.collect())
    })
}

async fn me(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    with_grant(&request, |_, cloud, grant| {
        if !grant.scopes.contains("read:me") {
            return Err(Refusal::gateway(StatusCode::FORBIDDEN, "Forbidden"));
        }
        let account = cloud.accounts.get(&grant.account);
        let account = account.ok_or_else(|| Refusal::gateway(StatusCode::UNAUTHORIZED, "Unauthorized"))?;
        Ok(json!({
            "account_type": "atlassian",
            "account_id": account.id,
            "account_status": "active",
            "email": account.email,
            "name": account.name,
            "nickname": account.name,
            "picture": "https://avatar.invalid/picture.png",
            "zoneinfo": "Europe/Berlin",
            "locale": "en-US",
            "extended_profile": {},
        }))
    })
}
