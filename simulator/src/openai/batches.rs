//! `/v1/vector_stores/{store}/file_batches`: attach many, poll, cancel, list.

use std::collections::{BTreeMap, HashSet};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::attributes::{Attributes, check};
use super::caller::{Answer, Caller, read_body};
use super::entries::{check_chunking, state_filter};
use super::entry::Entry;
use super::error::ApiError;
use super::files::no_such_file;
use super::habits::BatchSupport;
use super::list::Window;
use super::model::OpenAi;
use super::store::Batch;
use super::stores::{STORE_LIMITS, no_such_store};
use crate::clock::Millis;
use crate::random;

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/vector_stores/{store}/file_batches", web::post().to(create))
        .route("/vector_stores/{store}/file_batches/{batch}", web::get().to(read))
        .route("/vector_stores/{store}/file_batches/{batch}/cancel", web::post().to(cancel))
        .route("/vector_stores/{store}/file_batches/{batch}/files", web::get().to(list_files));
}

pub(super) fn too_long(param: &str, most: usize, given: usize) -> ApiError {
    let message = format!(
        "Invalid '{param}': array too long. Expected an array with maximum length {most}, but got an array with length \
         {given} instead."
    );
    ApiError { code: Some("array_above_max_length"), ..ApiError::invalid(message, Some(param)) }
}

impl OpenAi {
    /// Attach requests, single and in batches, share one limit per store.
    pub(super) fn throttle_attach(&mut self, store: &str, now: Millis) -> Result<(), ApiError> {
        let limit = self.habits.attaches_per_minute;
        self.throttle(&format!("attachments to {store}"), limit, now)
    }

    /// The batch and its store, if this server has batches.
    fn batch_of(&mut self, caller: &Caller, now: Millis) -> Result<Batch, ApiError> {
        self.batches_offered(caller)?;
        let (store, id) = (caller.part("store"), caller.part("batch"));
        self.store_of(caller.project, store, now)?;
        if !id.starts_with("vsfb_") {
            let message = format!("Invalid 'batch_id': '{id}'. Expected an ID that begins with 'vsfb_'.");
            return Err(ApiError::invalid(message, Some("batch_id")));
        }
        let batch = self.projects[caller.project].batches.get(id).filter(|batch| batch.store == store);
        batch.cloned().ok_or_else(|| {
            ApiError::missing(format!("No file batch found with id '{id}' in vector store '{store}'."))
        })
    }

    fn batches_offered(&self, caller: &Caller) -> Result<(), ApiError> {
        if self.habits.batches != BatchSupport::Missing {
            return Ok(());
        }
        let path = caller.request.path();
        let message = format!("Invalid URL ({} {path})", caller.request.method());
        Err(ApiError { status: StatusCode::NOT_FOUND, ..ApiError::invalid(message, None) })
    }

    fn answer_batch(&self, project: usize, batch: &Batch) -> Answer {
        let store = self.projects[project].store(&batch.store).ok_or_else(|| no_such_store(&batch.store))?;
        let mut response = HttpResponse::Ok();
        if let Some(pause) = self.habits.poll_after_ms {
            response.insert_header(("openai-poll-after-ms", pause.to_string()));
        }
        Ok(response.json(batch.shape(store)))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchFile {
    file_id: String,
    attributes: Option<Attributes>,
    chunking_strategy: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBatch {
    file_ids: Option<Vec<String>>,
    files: Option<Vec<BatchFile>>,
    attributes: Option<Attributes>,
    chunking_strategy: Option<Value>,
}

impl NewBatch {
    /// The files to attach, each with its attributes; global ones count only for `file_ids`.
    fn files(self, most: usize) -> Result<Vec<BatchFile>, ApiError> {
        let (param, files) = match (self.file_ids, self.files) {
            (Some(_), Some(_)) => {
                return Err(ApiError::invalid(
                    "Provide either 'file_ids' or 'files', not both.",
                    Some("files"),
                ));
            }
            (None, None) => {
                return Err(ApiError::invalid("Missing required parameter: 'file_ids'.", Some("file_ids")));
            }
            (None, Some(files)) => ("files", files),
            (Some(ids), None) => {
                let file = |file_id| BatchFile {
                    file_id,
                    attributes: self.attributes.clone(),
                    chunking_strategy: self.chunking_strategy.clone(),
                };
                ("file_ids", ids.into_iter().map(file).collect())
            }
        };
        if files.is_empty() {
            let message = format!("Invalid '{param}': empty array. Expected an array with minimum length 1.");
            return Err(ApiError::invalid(message, Some(param)));
        }
        if files.len() > most {
            return Err(too_long(param, most, files.len()));
        }
        for file in &files {
            if let Some(attributes) = &file.attributes {
                check(attributes, "attributes")?;
            }
        }
        Ok(files)
    }
}

async fn create(caller: Caller, body: web::Bytes) -> Answer {
    let (now, store) = (caller.shared.clock.now(), caller.part("store").to_owned());
    let mut openai = caller.openai();
    openai.batches_offered(&caller)?;
    let asked: NewBatch = read_body(&body)?;
    openai.throttle_attach(&store, now)?;
    openai.store_of(caller.project, &store, now)?;
    let ignores = openai.habits.batches == BatchSupport::IgnoresFiles && asked.file_ids.is_none();
    let files = if ignores { Vec::new() } else { asked.files(openai.habits.batch_limit)? };
    let project = &openai.projects[caller.project];
    let unknown = files.iter().find(|file| project.file(&file.file_id).is_none());
    if let Some(unknown) = unknown.filter(|_| !openai.habits.attaches_phantoms) {
        return Err(no_such_file(&unknown.file_id));
    }
    let mut batch = Batch {
        id: format!("vsfb_{}", random::text(32).to_lowercase()),
        store: store.clone(),
        created_at: now,
        cancelled: false,
        files: Vec::with_capacity(files.len()),
    };
    let mut seen = HashSet::new();
    for file in files {
        if !seen.insert(file.file_id.clone()) {
            continue;
        }
        let chunking = file.chunking_strategy.as_ref().map(check_chunking).transpose()?;
        let attributes = file.attributes.unwrap_or_default();
        openai.attach(caller.project, &store, &file.file_id, attributes, chunking, now)?;
        batch.files.push(file.file_id);
    }
    caller.report(batch.files.len());
    openai.projects[caller.project].batches.insert(batch.id.clone(), batch.clone());
    openai.answer_batch(caller.project, &batch)
}

async fn read(caller: Caller) -> Answer {
    let mut openai = caller.openai();
    let batch = openai.batch_of(&caller, caller.shared.clock.now())?;
    openai.answer_batch(caller.project, &batch)
}

async fn cancel(caller: Caller) -> Answer {
    let now = caller.shared.clock.now();
    let mut openai = caller.openai();
    let mut batch = openai.batch_of(&caller, now)?;
    let store = openai.store_of(caller.project, &batch.store, now)?;
    for file in &batch.files {
        store.cancel(file);
    }
    batch.cancelled = true;
    openai.projects[caller.project].batches.insert(batch.id.clone(), batch.clone());
    openai.answer_batch(caller.project, &batch)
}

async fn list_files(caller: Caller) -> Answer {
    let query = caller.query(&["limit", "order", "after", "before", "filter"])?;
    let window = Window::read(&caller, &query, STORE_LIMITS)?;
    let filter = state_filter(&query)?;
    let mut openai = caller.openai();
    let batch = openai.batch_of(&caller, caller.shared.clock.now())?;
    let restarts = openai.habits.lost_after_restarts;
    let project = &openai.projects[caller.project];
    let store = project.store(&batch.store).ok_or_else(|| no_such_store(&batch.store))?;
    let entries: BTreeMap<u64, &Entry> =
        batch.files.iter().filter_map(|file| store.entry(file)).map(|entry| (entry.order, entry)).collect();
    let fits = |entry: &&Entry| filter.is_none_or(|state| state == entry.state);
    let order_of = |file: &str| store.order_of(file);
    let answer = window.answer(&entries, order_of, restarts, fits, |entry| entry.shape(&store.id))?;
    caller.report(answer["data"].as_array().map_or(0, Vec::len));
    Ok(HttpResponse::Ok().json(json!(answer)))
}
