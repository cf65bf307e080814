//! The control API below `/_control`: what a person, or a test in another process, does to the models.

mod openai;
mod service;
mod wiki;

use std::fmt;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::confluence::Refused;
use crate::shared::Shared;

pub(crate) fn configure(routes: &mut web::ServiceConfig) {
    routes.service(
        web::scope("/_control")
            .configure(service::configure)
            .configure(wiki::configure)
            .configure(openai::configure)
            .default_service(web::to(no_route)),
    );
}

/// Why the control API refuses; answered as `{"error": "…"}`.
#[derive(Debug)]
struct Problem {
    status: StatusCode,
    message: String,
}

type Answer = Result<HttpResponse, Problem>;

impl Problem {
    fn bad(message: impl fmt::Display) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.to_string() }
    }

    fn missing(message: impl fmt::Display) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.to_string() }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::NoSite(_) | Refused::NoSpace(_) | Refused::NoNode(_) | Refused::NoAccount(_) => {
                StatusCode::NOT_FOUND
            }
            Refused::TitleTaken(_) | Refused::KeyTaken(_) | Refused::Cycle | Refused::WrongState(_) => {
                StatusCode::CONFLICT
            }
        };
        Self { status, message: refused.to_string() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status).json(json!({"error": self.message}))
    }
}

async fn no_route(request: HttpRequest) -> Answer {
    Err(Problem::missing(format!("there is no {} {}", request.method(), request.path())))
}

fn shared(request: &HttpRequest) -> Arc<Shared> {
    Shared::of(request)
}

fn part<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.match_info().get(name).unwrap_or_default()
}

/// The JSON body, whatever content type it is sent with; none is an empty object.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(Problem::bad)
}

fn done() -> HttpResponse {
    HttpResponse::NoContent().finish()
}
