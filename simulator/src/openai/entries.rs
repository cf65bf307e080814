//! `/v1/vector_stores/{store}/files`: attach, list, read, update attributes, detach, content.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::attributes::{Attributes, check};
use super::caller::{Answer, Caller, read_body};
use super::entry::{Entry, State, auto_chunking};
use super::error::ApiError;
use super::files::no_such_file;
use super::list::Window;
use super::model::OpenAi;
use super::stores::{STORE_LIMITS, no_such_store};
use crate::clock::Millis;

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/vector_stores/{store}/files", web::post().to(attach))
        .route("/vector_stores/{store}/files", web::get().to(list))
        .route("/vector_stores/{store}/files/{file}", web::get().to(read))
        .route("/vector_stores/{store}/files/{file}", web::post().to(update))
        .route("/vector_stores/{store}/files/{file}", web::delete().to(detach))
        .route("/vector_stores/{store}/files/{file}/content", web::get().to(content));
}

fn no_such_entry(store: &str, file: &str) -> ApiError {
    ApiError::missing(format!("No file found with id '{file}' in vector store '{store}'."))
}

/// Checks a chunking strategy: `auto`, or `static` with 100 to 4096 tokens and an overlap of at most half.
pub(super) fn check_chunking(strategy: &Value) -> Result<Value, ApiError> {
    let invalid = || ApiError::invalid("Invalid 'chunking_strategy'.", Some("chunking_strategy"));
    match strategy["type"].as_str() {
        Some("auto") => Ok(auto_chunking()),
        Some("static") => {
            let size = strategy["static"]["max_chunk_size_tokens"].as_u64().ok_or_else(invalid)?;
            let overlap = strategy["static"]["chunk_overlap_tokens"].as_u64().ok_or_else(invalid)?;
            let good = (100..=4_096).contains(&size) && overlap * 2 <= size;
            if good { Ok(strategy.clone()) } else { Err(invalid()) }
        }
        _ => Err(invalid()),
    }
}

impl OpenAi {
    /// Attaches a file; one that is attached already stays as it is.
    pub(super) fn attach(
        &mut self,
        project: usize,
        store: &str,
        file: &str,
        attributes: Attributes,
        chunking: Option<Value>,
        now: Millis,
    ) -> Result<(), ApiError> {
        let known = self.projects[project].store(store).ok_or_else(|| no_such_store(store))?;
        if known.entry(file).is_some() {
            return Ok(());
        }
        let mut entry = match self.entry(project, file, attributes, now) {
            Some(entry) => entry,
            None if self.habits.attaches_phantoms => Entry::phantom(self.order(), file, now),
            None => return Err(no_such_file(file)),
        };
        entry.chunking = chunking.unwrap_or(entry.chunking);
        let owner = &mut self.projects[project];
        if let Some(known) = owner.file_order.get(file).and_then(|at| owner.files.get_mut(at)) {
            known.stores.push(store.to_owned());
        }
        let store = owner.store_mut(store).ok_or_else(|| no_such_store(store))?;
        store.last_active_at = now;
        store.insert(entry);
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attach {
    file_id: String,
    attributes: Option<Attributes>,
    chunking_strategy: Option<Value>,
}

async fn attach(caller: Caller, body: web::Bytes) -> Answer {
    let asked: Attach = read_body(&body)?;
    let attributes = asked.attributes.unwrap_or_default();
    check(&attributes, "attributes")?;
    let chunking = asked.chunking_strategy.as_ref().map(check_chunking).transpose()?;
    let (now, store) = (caller.shared.clock.now(), caller.part("store"));
    let mut openai = caller.openai();
    openai.throttle_attach(store, now)?;
    openai.store_of(caller.project, store, now)?;
    openai.attach(caller.project, store, &asked.file_id, attributes, chunking, now)?;
    answer_entry(&openai, &caller, &asked.file_id)
}

fn answer_entry(openai: &OpenAi, caller: &Caller, file: &str) -> Answer {
    let store = caller.part("store");
    let found = openai.projects[caller.project].store(store).ok_or_else(|| no_such_store(store))?;
    let entry = found.entry(file).ok_or_else(|| no_such_entry(store, file))?;
    let mut response = HttpResponse::Ok();
    if let Some(pause) = openai.habits.poll_after_ms {
        response.insert_header(("openai-poll-after-ms", pause.to_string()));
    }
    Ok(response.json(entry.shape(store)))
}

/// The state a list may be filtered by.
pub(super) fn state_filter(query: &[(String, String)]) -> Result<Option<State>, ApiError> {
    let Some((_, value)) = query.iter().find(|(key, _)| key == "filter") else { return Ok(None) };
    let all = [State::InProgress, State::Completed, State::Failed, State::Cancelled];
    let state = all.into_iter().find(|state| state.name() == value);
    state.map(Some).ok_or_else(|| ApiError::invalid("Invalid value for 'filter'.", Some("filter")))
}

async fn list(caller: Caller) -> Answer {
    let query = caller.query(&["limit", "order", "after", "before", "filter"])?;
    let window = Window::read(&caller, &query, STORE_LIMITS)?;
    let filter = state_filter(&query)?;
    let (now, id) = (caller.shared.clock.now(), caller.part("store"));
    let mut openai = caller.openai();
    let restarts = openai.habits.lost_after_restarts;
    let store = openai.store_of(caller.project, id, now)?;
    let fits = |entry: &Entry| filter.is_none_or(|state| state == entry.state);
    let order_of = |file: &str| store.order_of(file);
    let answer = window.answer(store.by_order(), order_of, restarts, fits, |entry| entry.shape(id))?;
    caller.report(answer["data"].as_array().map_or(0, Vec::len));
    Ok(HttpResponse::Ok().json(answer))
}

async fn read(caller: Caller) -> Answer {
    let mut openai = caller.openai();
    openai.store_of(caller.project, caller.part("store"), caller.shared.clock.now())?;
    answer_entry(&openai, &caller, caller.part("file"))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    attributes: Option<Attributes>,
}

/// Replaces the whole map.
async fn update(caller: Caller, body: web::Bytes) -> Answer {
    let asked: Update = read_body(&body)?;
    let attributes = asked.attributes.unwrap_or_default();
    check(&attributes, "attributes")?;
    let (store, file) = (caller.part("store"), caller.part("file"));
    let mut openai = caller.openai();
    let found = openai.store_of(caller.project, store, caller.shared.clock.now())?;
    let entry = found.entry_mut(file).ok_or_else(|| no_such_entry(store, file))?;
    entry.attributes = attributes;
    answer_entry(&openai, &caller, file)
}

async fn detach(caller: Caller) -> Answer {
    let (store, file) = (caller.part("store"), caller.part("file"));
    let now = caller.shared.clock.now();
    let mut openai = caller.openai();
    openai.store_of(caller.project, store, now)?;
    if !openai.detach(caller.project, store, file, now) {
        return Err(no_such_entry(store, file));
    }
    Ok(HttpResponse::Ok().json(json!({"id": file, "object": "vector_store.file.deleted", "deleted": true})))
}

async fn content(caller: Caller) -> Answer {
    let (store, file) = (caller.part("store"), caller.part("file"));
    let mut openai = caller.openai();
    let found = openai.store_of(caller.project, store, caller.shared.clock.now())?;
    let entry = found.entry(file).ok_or_else(|| no_such_entry(store, file))?;
    let data: Vec<Value> =
        entry.text().map(|text| json!({"type": "text", "text": text})).into_iter().collect();
    Ok(HttpResponse::Ok().json(json!({
        "object": "vector_store.file_content.page",
        "data": data,
        "has_more": false,
        "next_page": null,
    })))
}
