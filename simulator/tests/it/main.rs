//! The simulator seen from outside: over HTTP, as strict as the vendors.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod control;
mod faults;
mod oauth;
mod openai;
mod v1;
mod v2;
mod worlds;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use simulator::{Options, Simulator, SiteHandle};

/// A simulator with one site and a client that knows its credentials.
struct World {
    simulator: Simulator,
    site: SiteHandle,
    http: Client,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    json: Value,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// One field of every item of `results` or `data`.
    fn column(&self, field: &str) -> Vec<String> {
        let items = self.json["results"].as_array().or_else(|| self.json["data"].as_array());
        let items = items.unwrap_or_else(|| panic!("no items in {}", self.json));
        items
            .iter()
            .map(|item| item[field].as_str().map_or_else(|| item[field].to_string(), ToOwned::to_owned))
            .collect()
    }
}

impl World {
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let simulator = Simulator::start(options).unwrap();
        let site = simulator.add_site("acme");
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { simulator, site, http }
    }

    /// GET on the site itself with e-mail and API token; `path` begins behind the site's base.
    async fn get(&self, path: &str) -> Reply {
        self.try_get(path).await.unwrap()
    }

    async fn try_get(&self, path: &str) -> reqwest::Result<Reply> {
        let options = self.simulator.options();
        let request = self.http.get(format!("{}{path}", self.site.url()));
        reply(request.basic_auth(&options.account_email, Some(&options.api_token))).await
    }

    async fn pages(&self, query: &str) -> Reply {
        self.get(&format!("/wiki/api/v2/pages?{query}")).await
    }

    /// A call to OpenAI with the first key.
    async fn openai(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.openai_as("sk-simulated", method, path, body).await
    }

    async fn openai_as(&self, key: &str, method: Method, path: &str, body: Option<Value>) -> Reply {
        let request = self.http.request(method, format!("{}{path}", self.simulator.openai_url()));
        let request = request.bearer_auth(key).header("openai-beta", "assistants=v2");
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        reply(request).await.unwrap()
    }

    async fn upload(&self, filename: &str, text: &str) -> Reply {
        let part = reqwest::multipart::Part::text(text.to_owned()).file_name(filename.to_owned());
        let form = reqwest::multipart::Form::new().text("purpose", "assistants").part("file", part);
        let request = self.http.post(format!("{}/files", self.simulator.openai_url()));
        reply(request.bearer_auth("sk-simulated").multipart(form)).await.unwrap()
    }

    async fn uploaded(&self, filename: &str, text: &str) -> String {
        let reply = self.upload(filename, text).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.json);
        reply.json["id"].as_str().unwrap().to_owned()
    }

    async fn store(&self) -> String {
        let reply =
            self.openai(Method::POST, "/vector_stores", Some(serde_json::json!({"name": "wiki"}))).await;
        reply.json["id"].as_str().unwrap().to_owned()
    }
}

async fn reply(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await?;
    Ok(Reply { status, headers, json: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}
