//! A Tidegate that is called over HTTP, between a wiki and an OpenAI account, with one clock for all three.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use simulator::{Id, Options, Simulator, SiteHandle};
use tidegate::{
    app::{App, Clock},
    auth::{self, KeyOrder, NewKey, Scope, Scopes},
    config::{AllowedHosts, EncryptionKey, OpenAi, Settings, Timing},
    engine::tick,
    entity::Metadata,
    ids::WorkspaceId,
    server, workspaces,
};

use crate::database::TestDatabase;

/// An id as the API writes it, of nothing there is.
pub fn nobody(prefix: &str) -> String {
    format!("{prefix}_019ab2c4d5e67f8091a2b3c4d5e6f708")
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_790_000_000_000).unwrap()
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
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
        assert_eq!(answer.header("content-type"), "application/problem+json");
        answer
    }

    /// Where in the body the errors are, with their codes.
    pub fn errors(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place =
            |e: &Value| if e["pointer"].is_null() { text(&e["parameter"]) } else { text(&e["pointer"]) };
        self.body["errors"].as_array().into_iter().flatten().map(|e| (place(e), text(&e["code"]))).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A text of the body.
    #[track_caller]
    pub fn str(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", self.text)).to_owned()
    }

    pub fn id(&self) -> String {
        self.str("id")
    }

    pub fn items(&self) -> &[Value] {
        self.body["items"].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}

/// The house. Its own caller may do everything.
pub struct House {
    pub simulator: Simulator,
    pub site: SiteHandle,
    pub app: App,
    pub space: Id,
    workspace: WorkspaceId,
    key: String,
    origin: String,
    client: reqwest::Client,
    server: ServerHandle,
    _database: TestDatabase,
}

impl House {
    pub async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// A house whose settings are changed before it opens.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let options = Options { clock: simulator::Clock::frozen(start()), ..Options::default() };
        let simulator = Simulator::start(options).unwrap();
        let site = simulator.add_site("acme");
        let space = site.add_space("HANDBOOK", "Handbook").unwrap();
        let database = TestDatabase::create().await;
        let mut settings = settings(&simulator, &database);
        change(&mut settings);
        let app = App::open(settings, Clock::manual(start())).await.unwrap();
        let workspace = workspaces::store::ensure_default(&app.db, start()).await.unwrap();
        let key = make_key(&app, workspace, &Scope::ALL).await;
        let (server, address) = server::bind(&app).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        let origin = format!("http://{address}");
        let client = reqwest::Client::new();
        Self {
            simulator,
            site,
            app,
            space,
            workspace,
            key,
            origin,
            client,
            server: handle,
            _database: database,
        }
    }

    /// A key of the same workspace that may do only this.
    pub async fn key_with(&self, scopes: &[Scope]) -> String {
        make_key(&self.app, self.workspace, scopes).await
    }

    /// A key of another workspace that may do everything but run the installation.
    pub async fn stranger(&self) -> String {
        let row = workspaces::store::new("Other".to_owned(), None, Metadata::default(), start());
        let other = workspaces::store::insert(&self.app.db, row).await.unwrap();
        let scopes = [Scope::Read, Scope::Content, Scope::Sync, Scope::Manage, Scope::Admin];
        make_key(&self.app, other.id, &scopes).await
    }

    pub async fn call_as(&self, key: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.send(key, method, path, body, &[]).await
    }

    pub async fn send(
        &self,
        key: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.origin)).bearer_auth(key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { status, headers, text, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call_as(&self.key, "GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call_as(&self.key, "POST", path, Some(body)).await
    }

    /// A POST that says everything by its path.
    pub async fn tell(&self, path: &str) -> Answer {
        self.call_as(&self.key, "POST", path, None).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call_as(&self.key, "PUT", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call_as(&self.key, "PATCH", path, Some(body)).await
    }

    pub async fn patch_if(&self, etag: &str, path: &str, body: Value) -> Answer {
        self.send(&self.key, "PATCH", path, Some(body), &[("If-Match", etag)]).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call_as(&self.key, "DELETE", path, None).await
    }

    /// Moves all clocks and lets the worker work.
    pub async fn tick_after(&self, by: TimeDelta) {
        self.simulator.advance(by.to_std().unwrap());
        tick::tick_at(&self.app, self.app.clock.now() + by).await.unwrap();
    }

    /// The worker's next pass, a moment later.
    pub async fn tick(&self) {
        self.tick_after(TimeDelta::seconds(1)).await;
    }

    /// An active connection to the site.
    pub async fn connect(&self) -> String {
        self.connect_as(&self.key).await
    }

    pub async fn connect_as(&self, key: &str) -> String {
        let options = self.simulator.options();
        self.connect_with(key, &options.account_email, &options.api_token).await
    }

    pub async fn connect_with(&self, key: &str, email: &str, token: &str) -> String {
        let body =
            json!({ "auth": "api_token", "site_url": self.site.url(), "email": email, "token": token });
        self.call_as(key, "POST", "/v1/connections", Some(body)).await.expect(201).id()
    }

    /// An active connection of another person to the site.
    pub async fn connect_another_account(&self) -> String {
        self.simulator.confluence().add_account("bo@example.com", "Bo Example", "token-of-bo");
        self.connect_with(&self.key, "bo@example.com", "token-of-bo").await
    }

    /// The site as this connection names it.
    pub async fn site_of(&self, connection: &str) -> String {
        let sites = self.get(&format!("/v1/connections/{connection}/sites")).await.expect(200);
        sites.items()[0]["id"].as_str().unwrap().to_owned()
    }

    pub async fn knowledge_base(&self) -> Answer {
        self.post("/v1/knowledge-bases", json!({ "name": "Handbook" })).await.expect(201)
    }

    /// A knowledge base and what a source of it needs, with these selections.
    pub async fn order(&self, selections: Value) -> (String, Value) {
        let connection = self.connect().await;
        let site = self.site_of(&connection).await;
        let path = format!("/v1/knowledge-bases/{}/sources", self.knowledge_base().await.id());
        (path, json!({ "connection_id": connection, "site_id": site, "selections": selections }))
    }

    /// A source with these selections.
    pub async fn source(&self, selections: Value) -> Answer {
        let (path, body) = self.order(selections).await;
        self.post(&path, body).await.expect(201)
    }

    /// A source of the whole space, synced.
    pub async fn synced(&self) -> String {
        let source = self.source(json!([{ "kind": "space", "id": self.space.to_string() }])).await.id();
        self.tick().await;
        source
    }

    pub fn pages(&self, count: usize) -> Vec<Id> {
        let page =
            |n| self.site.add_page(self.space, &format!("Page {n}"), format!("<p>Text {n}</p>")).unwrap();
        (0..count).map(page).collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn make_key(app: &App, workspace: WorkspaceId, scopes: &[Scope]) -> String {
    let order = KeyOrder {
        name: "test".to_owned(),
        scopes: scopes.iter().copied().collect::<Scopes>(),
        expires_at: None,
        external_id: None,
        metadata: Metadata::default(),
    };
    let key = NewKey::make(workspace, order, start());
    auth::store::insert(&app.db, key.row).await.unwrap();
    secrecy::ExposeSecret::expose_secret(&key.secret).to_owned()
}

fn settings(simulator: &Simulator, database: &TestDatabase) -> Settings {
    Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        database_url: database.url().into(),
        encryption_keys: vec![EncryptionKey { id: "test".to_owned(), secret: vec![7; 32].into() }],
        confluence_allowed_hosts: AllowedHosts::parse(["127.0.0.1"]).unwrap(),
        openai: OpenAi {
            api_key: Some("sk-simulated".into()),
            base_url: simulator.openai_url().parse().unwrap(),
            uploads_per_minute: None,
            uploads_in_flight: 8,
        },
        timing: Timing {
            http_threads: Some(1),
            batch_close_after: Duration::from_millis(5),
            confirm_wait: Duration::from_millis(20),
            poll_pause: Duration::from_millis(1),
            poll_pause_most: Duration::from_millis(1),
            attaches_per_minute: 0,
            deletes_per_second: 0,
            retry_budget: Duration::ZERO,
            request_timeout: Duration::from_secs(5),
            upload_timeout: Duration::from_secs(5),
            ..Timing::default()
        },
        ..Settings::default()
    }
}
