//! `/v1/files`: upload, list, read, delete.

use actix_multipart::{Field, Multipart};
use actix_web::{HttpResponse, web};
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use super::caller::{Answer, Caller};
use super::error::ApiError;
use super::list::{Limits, Window};
use super::model::File;
use crate::clock::Millis;

/// Largest file that is taken.
const MOST_BYTES: usize = 512 * 1024 * 1024;

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/files", web::post().to(upload))
        .route("/files", web::get().to(list))
        .route("/files/{file}", web::get().to(read))
        .route("/files/{file}", web::delete().to(delete))
        .route("/files/{file}/content", web::get().to(content));
}

/// A file as the API shows it.
#[must_use]
pub fn shape(file: &File) -> Value {
    json!({
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created_at.div_euclid(1_000),
        "expires_at": file.expires_at.map(|at| at.div_euclid(1_000)),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": null,
    })
}

pub(super) fn no_such_file(id: &str) -> ApiError {
    ApiError::missing(format!("No such File object: {id}"))
}

/// The fields of an upload form.
#[derive(Debug, Default)]
struct Form {
    content: Option<Vec<u8>>,
    filename: Option<String>,
    purpose: Option<String>,
    expires_after_seconds: Option<i64>,
    anchor: Option<String>,
}

async fn upload(caller: Caller, payload: web::Payload) -> Answer {
    let now = caller.shared.clock.now();
    {
        let mut openai = caller.openai();
        let limit = openai.habits.uploads_per_minute;
        openai.throttle(&format!("uploads of {}", caller.key), limit, now)?;
    }
    let form = read_form(Multipart::new(caller.request.headers(), payload)).await?;
    let content =
        form.content.ok_or_else(|| ApiError::invalid("Missing required parameter: 'file'.", Some("file")))?;
    let filename = form
        .filename
        .filter(|name| !name.is_empty())
        .ok_or_else(|| ApiError::invalid("The file has no file name.", Some("file")))?;
    let purpose = form
        .purpose
        .ok_or_else(|| ApiError::invalid("Missing required parameter: 'purpose'.", Some("purpose")))?;
    if !["assistants", "user_data", "batch", "fine-tune", "vision", "evals"].contains(&purpose.as_str()) {
        let message = format!(
            "'{purpose}' is not one of ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'] - 'purpose'"
        );
        return Err(ApiError::invalid(message, Some("purpose")));
    }
    if content.is_empty() {
        return Err(ApiError::invalid("File is empty.", Some("file")));
    }
    let expires_at = expiry(form.anchor.as_deref(), form.expires_after_seconds, now)?;
    let text = String::from_utf8(content)
        .map_err(|_| ApiError::invalid("The simulator takes files of UTF-8 text only.", Some("file")))?;
    let mut openai = caller.openai();
    let id = openai.add_file(caller.project, &filename, &text, now);
    let project = &mut openai.projects[caller.project];
    if let Some(file) = project.file_order.get(&id).and_then(|at| project.files.get_mut(at)) {
        (file.purpose, file.expires_at) = (purpose, expires_at);
    }
    let file = project.file(&id).ok_or_else(|| no_such_file(&id))?;
    Ok(HttpResponse::Ok().json(shape(file)))
}

fn expiry(anchor: Option<&str>, seconds: Option<i64>, now: Millis) -> Result<Option<Millis>, ApiError> {
    match (anchor, seconds) {
        (None, None) => Ok(None),
        (Some("created_at"), Some(seconds)) if (3_600..=2_592_000).contains(&seconds) => {
            Ok(Some(now + seconds * 1_000))
        }
        _ => Err(ApiError::invalid("Invalid 'expires_after'.", Some("expires_after"))),
    }
}

async fn read_form(mut parts: Multipart) -> Result<Form, ApiError> {
    let mut form = Form::default();
    let broken = |error: actix_multipart::MultipartError| {
        ApiError::invalid(format!("Could not parse multipart form: {error}"), None)
    };
    while let Some(mut field) = parts.try_next().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" => {
                let filename = field.content_disposition().and_then(|header| header.get_filename());
                form.filename = filename.map(ToOwned::to_owned);
                form.content = Some(read_field(&mut field).await?);
            }
            "purpose" => form.purpose = Some(read_text(&mut field).await?),
            "expires_after[anchor]" => form.anchor = Some(read_text(&mut field).await?),
            "expires_after[seconds]" => {
                let seconds = read_text(&mut field).await?.parse();
                form.expires_after_seconds = Some(seconds.unwrap_or(0));
            }
            other => return Err(ApiError::invalid(format!("Unknown parameter: '{other}'."), Some(other))),
        }
    }
    Ok(form)
}

async fn read_field(field: &mut Field) -> Result<Vec<u8>, ApiError> {
    let mut content = Vec::new();
    let broken = |error: actix_multipart::MultipartError| {
        ApiError::invalid(format!("Could not parse multipart form: {error}"), None)
    };
    while let Some(chunk) = field.try_next().await.map_err(broken)? {
        if content.len() + chunk.len() > MOST_BYTES {
            return Err(ApiError::invalid("File is too large. Maximum is 512 MB.", Some("file")));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

async fn read_text(field: &mut Field) -> Result<String, ApiError> {
    String::from_utf8(read_field(field).await?)
        .map_err(|_| ApiError::invalid("Could not parse multipart form: text is not UTF-8", None))
}

async fn list(caller: Caller) -> Answer {
    let query = caller.query(&["purpose", "limit", "order", "after"])?;
    let window = Window::read(&caller, &query, Limits { default: 10_000, most: 10_000 })?;
    let purpose = query.iter().find(|(key, _)| key == "purpose").map(|(_, value)| value.as_str());
    let openai = caller.openai();
    let project = &openai.projects[caller.project];
    let fits = |file: &File| purpose.is_none_or(|purpose| purpose == file.purpose);
    let order_of = |id: &str| project.file_order.get(id).copied();
    let answer = window.answer(&project.files, order_of, openai.habits.lost_after_restarts, fits, shape)?;
    caller.report(answer["data"].as_array().map_or(0, Vec::len));
    Ok(HttpResponse::Ok().json(answer))
}

async fn read(caller: Caller) -> Answer {
    let id = caller.part("file");
    let openai = caller.openai();
    let file = openai.projects[caller.project].file(id).ok_or_else(|| no_such_file(id))?;
    Ok(HttpResponse::Ok().json(shape(file)))
}

async fn content(caller: Caller) -> Answer {
    let id = caller.part("file");
    let openai = caller.openai();
    let file = openai.projects[caller.project].file(id).ok_or_else(|| no_such_file(id))?;
    if file.purpose == "assistants" {
        return Err(ApiError::invalid("Not allowed to download files of purpose: assistants", None));
    }
    let text = file.text.as_deref().unwrap_or_default().to_owned();
    Ok(HttpResponse::Ok().content_type("application/octet-stream").body(text))
}

async fn delete(caller: Caller) -> Answer {
    let id = caller.part("file");
    let now = caller.shared.clock.now();
    let mut openai = caller.openai();
    let cascades = openai.habits.delete_cascades;
    let removed = openai.projects[caller.project].remove_file(id).ok_or_else(|| no_such_file(id))?;
    if cascades {
        for store in &removed.stores {
            openai.detach(caller.project, store, id, now);
        }
    }
    Ok(HttpResponse::Ok().json(json!({"id": id, "object": "file", "deleted": true})))
}
