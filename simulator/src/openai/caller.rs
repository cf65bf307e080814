//! Whose project a call works on, and how its query and body are read.

use std::future::{Ready, ready};
use std::sync::{Arc, MutexGuard};

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::model::OpenAi;
use crate::calls::Cost;
use crate::shared::Shared;

pub type Answer = Result<HttpResponse, ApiError>;

/// A caller with a key that works.
#[derive(Debug)]
pub struct Caller {
    pub shared: Arc<Shared>,
    pub project: usize,
    pub key: String,
    pub request: HttpRequest,
}

impl Caller {
    pub fn openai(&self) -> MutexGuard<'_, OpenAi> {
        self.shared.openai()
    }

    /// A part of the path.
    #[must_use]
    pub fn part(&self, name: &str) -> &str {
        self.request.match_info().get(name).unwrap_or_default()
    }

    /// The pairs of the query, which may hold only documented parameters.
    pub fn query(&self, documented: &[&str]) -> Result<Vec<(String, String)>, ApiError> {
        let pairs = url::form_urlencoded::parse(self.request.query_string().as_bytes()).into_owned();
        let pairs: Vec<(String, String)> = pairs.collect();
        match pairs.iter().find(|(key, _)| !documented.contains(&key.as_str())) {
            Some((key, _)) => Err(ApiError::invalid(format!("Unknown parameter: '{key}'."), Some(key))),
            None => Ok(pairs),
        }
    }

    /// Notes how many objects the answer holds.
    pub fn report(&self, results: usize) {
        self.request.extensions_mut().insert(Cost { results: results as u64, ..Cost::default() });
    }
}

/// Reads a JSON body, refusing unknown fields as the vendor does.
pub fn read_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        let message = if error.is_data() {
            format!("Invalid request: {error}.")
        } else {
            "We could not parse the JSON body of your request.".to_owned()
        };
        ApiError::invalid(message, None)
    })
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(identify(request))
    }
}

fn identify(request: &HttpRequest) -> Result<Caller, ApiError> {
    let shared = Shared::of(request);
    let header = request.headers().get(AUTHORIZATION).or_else(|| request.headers().get("api-key"));
    let header = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = header.strip_prefix("Bearer ").unwrap_or(header).to_owned();
    let project = {
        let openai = shared.openai();
        let project = openai.project_of(&key)?;
        if openai.out_of_quota {
            return Err(ApiError::out_of_quota());
        }
        project
    };
    Ok(Caller { shared, project, key, request: request.clone() })
}
