//! Control of OpenAI's side: what is in the stores, how indexing ends, keys, and things that get lost.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Problem, done, part, read, shared};
use crate::openai::{Entry, IndexingRule, Outcome, file_shape};

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/openai", web::get().to(overview))
        .route("/openai/stores/{store}", web::get().to(read_store))
        .route("/openai/stores/{store}", web::delete().to(lose_store))
        .route("/openai/stores/{store}/files/{file}", web::delete().to(lose_entry))
        .route("/openai/files/{file}", web::delete().to(lose_file))
        .route("/openai/indexing", web::post().to(add_rule))
        .route("/openai/indexing", web::delete().to(clear_rules))
        .route("/openai/quota", web::put().to(set_quota))
        .route("/openai/keys", web::post().to(add_key))
        .route("/openai/keys/{key}", web::delete().to(kill_key));
}

async fn overview(request: HttpRequest) -> Answer {
    let shared = shared(&request);
    let now = shared.clock.now();
    let openai = shared.openai();
    let projects: Vec<Value> = openai
        .projects()
        .iter()
        .map(|project| {
            json!({
                "stores": project.stores().map(|store| store.shape(now)).collect::<Vec<_>>(),
                "files": project.files().map(file_shape).collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({"projects": projects})))
}

async fn read_store(request: HttpRequest) -> Answer {
    let (shared, id) = (shared(&request), part(&request, "store"));
    let openai = shared.openai();
    let store = openai.store(id).ok_or_else(|| Problem::missing(format!("there is no store {id}")))?;
    let entry = |entry: &Entry| {
        let mut shape = entry.shape(id);
        shape["filename"] = entry.filename.as_str().into();
        shape["text"] = entry.text().into();
        shape
    };
    let files: Vec<Value> = store.entries().map(entry).collect();
    Ok(HttpResponse::Ok().json(json!({"store": store.shape(shared.clock.now()), "files": files})))
}

fn lost(found: bool, what: &str) -> Answer {
    if found { Ok(done()) } else { Err(Problem::missing(format!("there is no {what}"))) }
}

async fn lose_store(request: HttpRequest) -> Answer {
    let id = part(&request, "store");
    lost(shared(&request).openai().lose_store(id), id)
}

async fn lose_entry(request: HttpRequest) -> Answer {
    let (store, file) = (part(&request, "store"), part(&request, "file"));
    lost(shared(&request).openai().lose_entry(store, file), file)
}

async fn lose_file(request: HttpRequest) -> Answer {
    let id = part(&request, "file");
    lost(shared(&request).openai().lose_file(id), id)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Text in the file name or an attribute; absent matches all.
    #[serde(default)]
    matching: String,
    outcome: RuleOutcome,
    #[serde(default = "server_error")]
    code: String,
    #[serde(default)]
    message: String,
    times: Option<u32>,
    delay_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RuleOutcome {
    Completed,
    Failed,
    Stuck,
}

fn server_error() -> String {
    "server_error".to_owned()
}

async fn add_rule(request: HttpRequest, body: web::Bytes) -> Answer {
    let rule: Rule = read(&body)?;
    let outcome = match rule.outcome {
        RuleOutcome::Completed => Outcome::Completed,
        RuleOutcome::Failed => Outcome::Failed { code: rule.code, message: rule.message },
        RuleOutcome::Stuck => Outcome::Stuck,
    };
    let delay = rule.delay_seconds.map(Duration::from_secs);
    shared(&request).openai().indexing(IndexingRule {
        matching: rule.matching,
        times: rule.times,
        outcome,
        delay,
    });
    Ok(done())
}

async fn clear_rules(request: HttpRequest) -> Answer {
    shared(&request).openai().clear_indexing();
    Ok(done())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotaState {
    exhausted: bool,
}

async fn set_quota(request: HttpRequest, body: web::Bytes) -> Answer {
    let state: QuotaState = read(&body)?;
    shared(&request).openai().out_of_quota = state.exhausted;
    Ok(done())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    key: String,
    /// A key whose project it shares; absent makes a project of its own.
    like: Option<String>,
}

async fn add_key(request: HttpRequest, body: web::Bytes) -> Answer {
    let new: NewKey = read(&body)?;
    let shared = shared(&request);
    let mut openai = shared.openai();
    if let Some(known) = &new.like {
        return lost(openai.add_key_like(&new.key, known), known);
    }
    openai.add_key(&new.key);
    Ok(done())
}

async fn kill_key(request: HttpRequest) -> Answer {
    shared(&request).openai().kill_key(part(&request, "key"));
    Ok(done())
}
