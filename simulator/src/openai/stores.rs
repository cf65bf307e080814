//! `/v1/vector_stores`: create, list, read, modify, delete, search.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::attributes::{Attributes, Filter, check};
use super::caller::{Answer, Caller, read_body};
use super::error::ApiError;
use super::list::{Limits, Window};
use super::model::OpenAi;
use super::search;
use super::store::Store;
use crate::clock::Millis;
use crate::random;

pub(super) const STORE_LIMITS: Limits = Limits { default: 20, most: 100 };
const MOST_INITIAL_FILES: usize = 500;

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/vector_stores", web::post().to(create))
        .route("/vector_stores", web::get().to(list))
        .route("/vector_stores/{store}", web::get().to(read))
        .route("/vector_stores/{store}", web::post().to(modify))
        .route("/vector_stores/{store}", web::delete().to(delete))
        .route("/vector_stores/{store}/search", web::post().to(find));
}

pub(super) fn no_such_store(id: &str) -> ApiError {
    ApiError::missing(format!("Vector store with id '{id}' not found."))
}

impl OpenAi {
    /// A store of a project, with the indexing settled whose time has come.
    pub(super) fn store_of(&mut self, project: usize, id: &str, now: Millis) -> Result<&mut Store, ApiError> {
        let store = self.projects[project].store_mut(id).ok_or_else(|| no_such_store(id))?;
        store.settle(now);
        Ok(store)
    }

    /// Takes an entry out of a store; search may find it a little longer.
    pub(super) fn detach(&mut self, project: usize, store: &str, file: &str, now: Millis) -> bool {
        let lag = Millis::try_from(self.habits.removal_lag.as_millis()).unwrap_or(0);
        let Some(store) = self.projects[project].store_mut(store) else { return false };
        let Some(entry) = store.remove(file) else { return false };
        if lag > 0 {
            store.haunt(entry, now + lag);
        }
        true
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpiresAfter {
    anchor: String,
    days: i64,
}

impl ExpiresAfter {
    fn days(&self) -> Result<i64, ApiError> {
        if self.anchor == "last_active_at" && (1..=365).contains(&self.days) {
            return Ok(self.days);
        }
        Err(ApiError::invalid("Invalid 'expires_after'.", Some("expires_after")))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStore {
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    metadata: Option<Attributes>,
    expires_after: Option<ExpiresAfter>,
    #[serde(default)]
    file_ids: Vec<String>,
    chunking_strategy: Option<Value>,
}

async fn create(caller: Caller, body: web::Bytes) -> Answer {
    let new: NewStore = read_body(&body)?;
    let metadata = new.metadata.unwrap_or_default();
    check_metadata(&metadata)?;
    if new.file_ids.len() > MOST_INITIAL_FILES {
        return Err(super::batches::too_long("file_ids", MOST_INITIAL_FILES, new.file_ids.len()));
    }
    if let Some(strategy) = &new.chunking_strategy {
        super::entries::check_chunking(strategy)?;
    }
    let now = caller.shared.clock.now();
    let mut store = Store::new(format!("vs_{}", random::text(32).to_lowercase()), now);
    store.name = new.name;
    store.description = new.description;
    store.metadata = metadata;
    store.expires_after_days = new.expires_after.map(|after| after.days()).transpose()?;
    let id = store.id.clone();
    let mut openai = caller.openai();
    let order = openai.order();
    let project = &mut openai.projects[caller.project];
    project.store_order.insert(id.clone(), order);
    project.stores.insert(order, store);
    for file in &new.file_ids {
        openai.attach(caller.project, &id, file, Attributes::new(), None, now)?;
    }
    let store = openai.projects[caller.project].store(&id).ok_or_else(|| no_such_store(&id))?;
    Ok(HttpResponse::Ok().json(store.shape(now)))
}

/// Metadata holds texts only.
fn check_metadata(metadata: &Attributes) -> Result<(), ApiError> {
    check(metadata, "metadata")?;
    match metadata.iter().find(|(_, value)| !value.is_string()) {
        Some((key, _)) => {
            let at = format!("metadata.{key}");
            Err(ApiError::invalid(format!("Invalid type for '{at}': expected a string."), Some(&at)))
        }
        None => Ok(()),
    }
}

async fn list(caller: Caller) -> Answer {
    let query = caller.query(&["limit", "order", "after", "before"])?;
    let window = Window::read(&caller, &query, STORE_LIMITS)?;
    let now = caller.shared.clock.now();
    let mut openai = caller.openai();
    let restarts = openai.habits.lost_after_restarts;
    let project = &mut openai.projects[caller.project];
    project.stores.values_mut().for_each(|store| store.settle(now));
    let order_of = |id: &str| project.store_order.get(id).copied();
    let answer = window.answer(&project.stores, order_of, restarts, |_| true, |store| store.shape(now))?;
    caller.report(answer["data"].as_array().map_or(0, Vec::len));
    Ok(HttpResponse::Ok().json(answer))
}

async fn read(caller: Caller) -> Answer {
    let now = caller.shared.clock.now();
    let mut openai = caller.openai();
    let store = openai.store_of(caller.project, caller.part("store"), now)?;
    Ok(HttpResponse::Ok().json(store.shape(now)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    name: Option<String>,
    metadata: Option<Attributes>,
    #[expect(clippy::option_option, reason = "three cases: absent, null, given")]
    #[serde(default, deserialize_with = "given")]
    expires_after: Option<Option<ExpiresAfter>>,
}

/// Tells `null` from absence.
#[expect(clippy::option_option, reason = "three cases: absent, null, given")]
fn given<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<ExpiresAfter>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

async fn modify(caller: Caller, body: web::Bytes) -> Answer {
    let changes: Changes = read_body(&body)?;
    if let Some(metadata) = &changes.metadata {
        check_metadata(metadata)?;
    }
    let now = caller.shared.clock.now();
    let mut openai = caller.openai();
    let store = openai.store_of(caller.project, caller.part("store"), now)?;
    if let Some(after) = changes.expires_after {
        store.expires_after_days = after.map(|after| after.days()).transpose()?;
    }
    if changes.name.is_some() {
        store.name = changes.name;
    }
    if let Some(metadata) = changes.metadata {
        store.metadata = metadata;
    }
    store.last_active_at = now;
    Ok(HttpResponse::Ok().json(store.shape(now)))
}

async fn delete(caller: Caller) -> Answer {
    let id = caller.part("store");
    let mut openai = caller.openai();
    let project = &mut openai.projects[caller.project];
    let order = project.store_order.remove(id).ok_or_else(|| no_such_store(id))?;
    project.stores.remove(&order);
    project.batches.retain(|_, batch| batch.store != id);
    Ok(HttpResponse::Ok().json(json!({"id": id, "object": "vector_store.deleted", "deleted": true})))
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Query {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RankingOptions {
    #[serde(rename = "ranker")]
    _ranker: Option<String>,
    #[serde(default)]
    score_threshold: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    query: Query,
    filters: Option<Filter>,
    max_num_results: Option<usize>,
    ranking_options: Option<RankingOptions>,
    #[serde(rename = "rewrite_query")]
    _rewrite_query: Option<bool>,
}

async fn find(caller: Caller, body: web::Bytes) -> Answer {
    let asked: Search = read_body(&body)?;
    let most = asked.max_num_results.unwrap_or(10);
    if !(1..=50).contains(&most) {
        let message = "Invalid 'max_num_results': expected a value between 1 and 50.";
        return Err(ApiError::invalid(message, Some("max_num_results")));
    }
    let queries = match asked.query {
        Query::One(query) => vec![query],
        Query::Many(queries) => queries,
    };
    if queries.iter().all(|query| query.trim().is_empty()) {
        return Err(ApiError::invalid("Invalid 'query': empty.", Some("query")));
    }
    let threshold = asked.ranking_options.map_or(0.0, |options| options.score_threshold);
    let now = caller.shared.clock.now();
    let mut openai = caller.openai();
    let sees_updates = openai.habits.filters_see_updates;
    let store = openai.store_of(caller.project, caller.part("store"), now)?;
    store.last_active_at = now;
    let accepted = store.findable().filter(|entry| {
        let attributes = if sees_updates { &entry.attributes } else { &entry.filtered_by };
        asked.filters.as_ref().is_none_or(|filter| filter.accepts(attributes))
    });
    let hits = search::rank(&queries.join(" "), accepted, most, threshold);
    let data: Vec<Value> = hits.iter().map(search::Hit::shape).collect();
    caller.report(data.len());
    Ok(HttpResponse::Ok().json(json!({
        "object": "vector_store.search_results.page",
        "search_query": queries,
        "data": data,
        "has_more": false,
        "next_page": null,
    })))
}
