//! Control of the simulator itself: addresses, calls, faults, clock, latency, habits, grants and accounts.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Problem, done, part, read, shared};
use crate::clock::rfc3339;
use crate::faults::Fault;
use crate::traffic::{API_BASE, AUTH_BASE, OPENAI_BASE};

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("", web::get().to(overview))
        .route("/calls", web::get().to(read_calls))
        .route("/calls", web::delete().to(reset_calls))
        .route("/calls/log", web::get().to(read_log))
        .route("/faults", web::get().to(list_faults))
        .route("/faults", web::post().to(set_fault))
        .route("/faults", web::delete().to(clear_faults))
        .route("/faults/{id}", web::delete().to(remove_fault))
        .route("/clock", web::get().to(read_clock))
        .route("/clock", web::post().to(change_clock))
        .route("/latency", web::put().to(set_latency))
        .route("/habits", web::get().to(read_habits))
        .route("/habits", web::patch().to(change_habits))
        .route("/cursors/expire", web::post().to(expire_cursors))
        .route("/accounts", web::post().to(add_account))
        .route("/grants/{verb}", web::post().to(change_grants));
}

async fn overview(request: HttpRequest) -> Answer {
    let shared = shared(&request);
    let (origin, options) = (shared.origin(), &shared.options);
    let cloud = shared.confluence();
    let sites: Vec<Value> = cloud
        .sites()
        .iter()
        .map(|site| json!({"name": site.name, "cloud_id": site.cloud_id, "url": shared.site_url(&site.name)}))
        .collect();
    let accounts: Vec<Value> = cloud
        .accounts
        .values()
        .map(|account| json!({"id": account.id, "email": account.email, "api_token": account.api_token, "sites": account.sites}))
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "auth_url": format!("{origin}{AUTH_BASE}"),
        "api_url": format!("{origin}{API_BASE}"),
        "openai_url": format!("{origin}{OPENAI_BASE}"),
        "client_id": options.client_id,
        "client_secret": options.client_secret,
        "openai_key": options.openai_key,
        "sites": sites,
        "accounts": accounts,
    })))
}

async fn read_calls(request: HttpRequest) -> Answer {
    Ok(HttpResponse::Ok().json(shared(&request).ledger.totals()))
}

async fn reset_calls(request: HttpRequest) -> Answer {
    shared(&request).ledger.reset();
    Ok(done())
}

#[derive(Debug, Deserialize)]
struct Last {
    last: Option<usize>,
}

async fn read_log(request: HttpRequest, query: web::Query<Last>) -> Answer {
    let log = shared(&request).ledger.log();
    let skip = query.last.map_or(0, |last| log.len().saturating_sub(last));
    Ok(HttpResponse::Ok().json(&log[skip..]))
}

async fn list_faults(request: HttpRequest) -> Answer {
    Ok(shared(&request).switches.read(|armed| HttpResponse::Ok().json(armed)))
}

async fn set_fault(request: HttpRequest, body: web::Bytes) -> Answer {
    let fault: Fault = read(&body)?;
    let id = shared(&request).switches.set(fault);
    Ok(HttpResponse::Created().json(json!({"id": id})))
}

async fn clear_faults(request: HttpRequest) -> Answer {
    shared(&request).switches.clear();
    Ok(done())
}

async fn remove_fault(request: HttpRequest) -> Answer {
    let id = part(&request, "id").parse().map_err(Problem::bad)?;
    if shared(&request).switches.remove(id) {
        Ok(done())
    } else {
        Err(Problem::missing(format!("there is no fault {id}")))
    }
}

async fn read_clock(request: HttpRequest) -> Answer {
    Ok(HttpResponse::Ok().json(json!({"now": rfc3339(shared(&request).clock.now())})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    set: Option<DateTime<Utc>>,
    advance_seconds: Option<u64>,
    #[serde(default)]
    freeze: bool,
}

async fn change_clock(request: HttpRequest, body: web::Bytes) -> Answer {
    let change: ClockChange = read(&body)?;
    let shared = shared(&request);
    if change.freeze {
        shared.clock.freeze();
    }
    if let Some(to) = change.set {
        shared.clock.set(to);
    }
    if let Some(seconds) = change.advance_seconds {
        shared.clock.advance(Duration::from_secs(seconds));
    }
    Ok(HttpResponse::Ok().json(json!({"now": rfc3339(shared.clock.now())})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Latency {
    milliseconds: u64,
}

async fn set_latency(request: HttpRequest, body: web::Bytes) -> Answer {
    let latency: Latency = read(&body)?;
    shared(&request).set_latency(Duration::from_millis(latency.milliseconds));
    Ok(done())
}

async fn read_habits(request: HttpRequest) -> Answer {
    let shared = shared(&request);
    let (confluence, openai) = (shared.confluence().habits.clone(), shared.openai().habits.clone());
    Ok(HttpResponse::Ok().json(json!({"confluence": confluence, "openai": openai})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HabitChanges {
    confluence: Option<serde_json::Map<String, Value>>,
    openai: Option<serde_json::Map<String, Value>>,
}

async fn change_habits(request: HttpRequest, body: web::Bytes) -> Answer {
    let changes: HabitChanges = read(&body)?;
    {
        let shared = shared(&request);
        let (mut confluence, mut openai) = (shared.confluence(), shared.openai());
        let new_confluence = merged(&confluence.habits, changes.confluence)?;
        openai.habits = merged(&openai.habits, changes.openai)?;
        confluence.habits = new_confluence;
    }
    read_habits(request).await
}

/// The old settings with the changes laid over them.
fn merged<T: serde::Serialize + serde::de::DeserializeOwned>(
    old: &T,
    changes: Option<serde_json::Map<String, Value>>,
) -> Result<T, Problem> {
    let mut value = serde_json::to_value(old).map_err(Problem::bad)?;
    for (key, change) in changes.into_iter().flatten() {
        let slot = value.get_mut(&key).ok_or_else(|| Problem::bad(format!("there is no habit {key}")))?;
        *slot = change;
    }
    serde_json::from_value(value).map_err(Problem::bad)
}

async fn expire_cursors(request: HttpRequest) -> Answer {
    shared(&request).confluence().expire_cursors();
    Ok(done())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    email: String,
    name: String,
    api_token: String,
}

async fn add_account(request: HttpRequest, body: web::Bytes) -> Answer {
    let new: NewAccount = read(&body)?;
    let id = shared(&request).confluence().add_account(&new.email, &new.name, &new.api_token);
    Ok(HttpResponse::Created().json(json!({"id": id})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantChange {
    account: Option<String>,
    site: Option<String>,
    scope: Option<String>,
}

async fn change_grants(request: HttpRequest, body: web::Bytes) -> Answer {
    let change: GrantChange = read(&body)?;
    let shared = shared(&request);
    let now = shared.clock.now();
    let grants = &mut shared.confluence().grants;
    let site = || change.site.as_deref().ok_or_else(|| Problem::bad("site is missing"));
    match part(&request, "verb") {
        "expire-tokens" => grants.expire_access_tokens(now),
        "revoke" => grants.revoke(change.account.as_deref()),
        "lose-site" => grants.lose_site(site()?),
        "regain-site" => grants.regain_site(site()?),
        "lose-scope" => {
            grants.lose_scope(change.scope.as_deref().ok_or_else(|| Problem::bad("scope is missing"))?);
        }
        other => return Err(Problem::missing(format!("grants have no verb {other}"))),
    }
    Ok(done())
}
