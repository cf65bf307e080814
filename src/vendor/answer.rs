//! One answer of a vendor, read whole but never beyond a cap, and the three ways of getting none.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

use super::headers;

/// The vendor's own name for a request, to be quoted to its support.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestId(Option<Box<str>>);

impl RequestId {
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }

    fn from_headers(headers: &HeaderMap, names: &[&str]) -> Self {
        const LONGEST: usize = 128;
        let plain = |id: &&str| id.len() <= LONGEST && !id.is_empty();
        let found = names.iter().find_map(|name| headers.get(*name)?.to_str().ok().filter(plain));
        Self(found.map(Into::into))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(id) => write!(f, "request {id}"),
            None => f.write_str("request without an id"),
        }
    }
}

/// Why there is no answer. The variants differ in what is known about the request's effect.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// No connection was made, or the request could not be built: it had no effect.
    #[error("the request was not sent")]
    NotSent(#[source] reqwest::Error),
    /// Time ran out, or the connection broke, after sending may have begun: the effect is unknown.
    #[error("the connection broke or time ran out before the answer was complete")]
    AnswerLost(#[source] reqwest::Error),
    /// The answer is larger than the client reads: ask for less.
    #[error("the answer is larger than {cap} bytes")]
    TooLarge { cap: usize },
}

impl Lost {
    fn new(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_connect() || error.is_builder() { Self::NotSent(error) } else { Self::AnswerLost(error) }
    }
}

/// A complete answer, whatever its status.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub request_id: RequestId,
}

impl Answer {
    /// The vendor's clock when it answered.
    pub fn date(&self) -> Option<DateTime<Utc>> {
        headers::date(&self.headers)
    }

    /// How long the vendor asks to stay away. A rate limit may say so by its end alone.
    pub fn retry_after(&self) -> Option<Duration> {
        let limited = self.status == StatusCode::TOO_MANY_REQUESTS;
        headers::retry_after(&self.headers).or_else(|| headers::limit_end(&self.headers).filter(|_| limited))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        headers::text(&self.headers, name)
    }

    /// The body as `T`, or a sentence about what is wrong with it that holds none of its content.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            match error.classify() {
                serde_json::error::Category::Data => {
                    format!("unexpected shape at line {line}, column {column}")
                }
                _ => format!("not JSON at line {line}, column {column}"),
            }
        })
    }
}

/// Sends once and reads the whole answer, at most `cap` bytes of it.
pub(crate) async fn receive(
    request: RequestBuilder,
    id_headers: &[&str],
    cap: usize,
) -> Result<Answer, Lost> {
    let mut response = request.send().await.map_err(Lost::new)?;
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > cap) {
        return Err(Lost::TooLarge { cap });
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or(0).min(1024 * 1024));
    while let Some(chunk) = response.chunk().await.map_err(|error| Lost::AnswerLost(error.without_url()))? {
        if body.len() + chunk.len() > cap {
            return Err(Lost::TooLarge { cap });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status: response.status(),
        request_id: RequestId::from_headers(response.headers(), id_headers),
        headers: std::mem::take(response.headers_mut()),
        body: body.freeze(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &'static str) -> Answer {
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
            request_id: RequestId::default(),
        }
    }

    #[test]
    fn a_wrong_body_is_described_without_being_quoted() {
        let secret =
            answer(r#"{"id": "salaries of the board"}"#).json::<std::collections::BTreeMap<String, u8>>();
        assert_eq!(secret.unwrap_err(), "unexpected shape at line 1, column 30");
        assert_eq!(answer("<html>").json::<String>().unwrap_err(), "not JSON at line 1, column 1");
    }

    #[test]
    fn the_first_known_request_id_is_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("atl-request-id", "second".parse().unwrap());
        let names = ["atl-traceid", "atl-request-id"];
        assert_eq!(RequestId::from_headers(&headers, &names).as_str(), Some("second"));
        headers.insert("atl-traceid", "first".parse().unwrap());
        assert_eq!(RequestId::from_headers(&headers, &names).to_string(), "request first");
    }
}
