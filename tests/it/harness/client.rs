//! A caller of the API, and what it is answered.

use std::net::SocketAddr;

use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap},
};
use serde_json::Value;

/// Calls the API with one key.
#[derive(Clone, Debug)]
pub struct Client {
    origin: String,
    key: Option<String>,
    http: reqwest::Client,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { origin: format!("http://{address}"), key: None, http }
    }

    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    pub fn without_key(&self) -> Self {
        Self { key: None, ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, &[]).await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request).await
    }

    /// A POST of a body that need not be JSON.
    pub async fn post_text(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.request("POST", path).header(CONTENT_TYPE, content_type).body(body)).await
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}{path}", self.origin));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// `null` if it is not JSON.
    pub body: Value,
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, body }
    }

    /// The answer, of which this status was expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// The answer, a problem of which this status and code were expected.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.body["code"], code, "{}", answer.text);
        assert_eq!(answer.body["status"], status);
        assert_eq!(answer.body["type"], format!("urn:tidegate:problem:{code}"));
        assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
        assert_eq!(answer.header("content-type"), "application/problem+json");
        answer
    }

    /// Where in the input the errors are, with their codes.
    pub fn errors(&self) -> Vec<(&str, &str)> {
        let place = |error: &'_ Value| if error["pointer"].is_null() { "parameter" } else { "pointer" };
        let errors = self.body["errors"].as_array().into_iter().flatten();
        errors.map(|e| (e[place(e)].as_str().unwrap(), e["code"].as_str().unwrap())).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A text of the body.
    #[track_caller]
    pub fn str(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", self.text))
    }

    #[track_caller]
    pub fn id(&self) -> &str {
        self.str("id")
    }

    pub fn items(&self) -> &[Value] {
        self.body["items"].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}
