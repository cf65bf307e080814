//! OpenAI: files, vector stores, batches and search.

mod attributes;
mod batches;
mod caller;
mod entries;
mod entry;
mod error;
mod files;
mod habits;
mod list;
mod model;
mod search;
mod store;
mod stores;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use serde_json::json;

pub use attributes::{Attributes, Filter};
pub use entry::{Entry, Outcome, State};
pub use habits::{BatchSupport, Habits};
pub use model::{File, IndexingRule, OpenAi, Project};
pub use store::{Batch, Counts, Store};

pub(crate) use error::{ApiError, body as error_body};
pub(crate) use files::shape as file_shape;

/// The routes below `/v1`.
pub(crate) fn configure(routes: &mut web::ServiceConfig) {
    files::configure(routes);
    stores::configure(routes);
    entries::configure(routes);
    batches::configure(routes);
    routes.route("/models", web::get().to(list_models));
    routes.default_service(web::to(no_route));
}

async fn list_models(_: caller::Caller) -> web::Json<serde_json::Value> {
    let model =
        json!({"id": "gpt-simulated", "object": "model", "created": 1_700_000_000, "owned_by": "simulator"});
    web::Json(json!({"object": "list", "data": [model]}))
}

async fn no_route(request: HttpRequest) -> caller::Answer {
    let message = format!("Invalid URL ({} {})", request.method(), request.path());
    Err(ApiError { status: StatusCode::NOT_FOUND, ..ApiError::invalid(message, None) })
}
