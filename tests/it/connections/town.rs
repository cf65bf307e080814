//! A running service with an OAuth app, a wiki behind it, and people who click.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use simulator::{Options, Simulator, SiteHandle};
use tidegate::{
    app::{App, Clock},
    auth::{self, KeyOrder, NewKey, Scope},
    config::{AllowedHosts, AtlassianApp, EncryptionKey, Settings},
    connections,
    entity::Metadata,
    ids::{ConnectionId, WorkspaceId},
    server, workspaces,
};
use url::Url;

use crate::database::TestDatabase;

const OPERATOR: &str = "an operator key of this test, long enough";
pub const RETURN_URL: &str = "https://app.example.com/connected?from=tidegate";

/// An answer: its status, its headers, and its body, whatever it is.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("{} is not JSON: {}", self.status, self.text))
    }

    /// The body, after the status has been looked at.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// The problem's code, after the status has been looked at.
    pub fn problem(self, status: u16) -> String {
        self.expect(status)["code"].as_str().unwrap().to_owned()
    }

    /// Where a redirect leads.
    pub fn location(&self) -> Url {
        self.headers[header::LOCATION].to_str().unwrap().parse().unwrap()
    }
}

/// The value of a query parameter.
pub fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub struct Town {
    pub simulator: Simulator,
    pub site: SiteHandle,
    pub app: App,
    base: String,
    http: reqwest::Client,
    _database: TestDatabase,
}

impl Town {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A town whose settings are changed before it starts.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let start = DateTime::from_timestamp_millis(1_790_000_000_000).unwrap();
        let simulator =
            Simulator::start(Options { clock: simulator::Clock::frozen(start), ..Options::default() })
                .unwrap();
        let site = simulator.add_site("acme");
        let database = TestDatabase::create().await;
        let mut settings = settings(&simulator, database.url());
        change(&mut settings);
        let app = App::open(settings, Clock::manual(start)).await.unwrap();
        auth::bootstrap(&app, false).await.unwrap();
        let (server, address) = server::bind(&app).unwrap();
        tokio::spawn(server);
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { simulator, site, app, base: format!("http://{address}"), http, _database: database }
    }

    pub async fn send(&self, method: Method, path: &str, key: Option<&str>, body: Option<&Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Some(OPERATOR), None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(OPERATOR), Some(&body)).await
    }

    pub async fn post_as(&self, key: &str, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(key), Some(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Some(OPERATOR), None).await
    }

    /// A key of the same workspace that is not an admin's.
    pub async fn key(&self) -> String {
        let scopes = json!(["read", "manage"]);
        let key = self.post("/v1/api-keys", json!({"name": "other", "scopes": scopes})).await.expect(201);
        key["secret"].as_str().unwrap().to_owned()
    }

    /// A key of a workspace of its own.
    pub async fn stranger(&self) -> String {
        let workspace = self.post("/v1/workspaces", json!({"name": "Globex"})).await.expect(201);
        let id: WorkspaceId = workspace["id"].as_str().unwrap().parse().unwrap();
        assert!(workspaces::store::find(self.app.db.read(), id).await.unwrap().is_some());
        let order = KeyOrder {
            name: "stranger".to_owned(),
            scopes: [Scope::Read, Scope::Manage, Scope::Admin].into_iter().collect(),
            expires_at: None,
            external_id: None,
            metadata: Metadata::default(),
        };
        let key = NewKey::make(id, order, self.now());
        auth::store::insert(&self.app.db, key.row).await.unwrap();
        key.secret.expose_secret().to_owned()
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// Moves all clocks.
    pub fn later(&self, by: TimeDelta) {
        self.simulator.advance(by.to_std().unwrap());
        self.app.clock.set(self.now() + by);
    }

    /// What the worker does for connections on each tick.
    pub async fn tend(&self) {
        connections::tend(&self.app, self.now()).await.unwrap();
    }

    pub async fn connection(&self, id: &str) -> Value {
        self.get(&format!("/v1/connections/{id}")).await.expect(200)
    }

    /// Begins an OAuth connection that comes back to the return URL.
    pub async fn begin(&self) -> Value {
        self.post("/v1/connections", json!({"auth": "oauth", "return_url": RETURN_URL})).await.expect(201)
    }

    /// The person says yes for these sites (none: all), and the browser comes back; answers where it is sent.
    pub async fn say_yes(&self, begun: &Value, sites: &[&str]) -> Answer {
        let back = self.simulator.accept(begun["authorize_url"].as_str().unwrap(), None, sites).unwrap();
        self.come_back(&back).await
    }

    /// The browser follows Atlassian's redirect to the callback.
    pub async fn come_back(&self, location: &str) -> Answer {
        let url: Url = location.parse().unwrap();
        assert_eq!(url.path(), "/v1/oauth/callback");
        self.send(Method::GET, &format!("{}?{}", url.path(), url.query().unwrap()), None, None).await
    }

    /// The code that the browser brings to the return URL.
    pub async fn code(&self, begun: &Value, sites: &[&str]) -> String {
        let landed = self.say_yes(begun, sites).await;
        assert_eq!(landed.status, 303, "{}", landed.text);
        parameter(&landed.location(), "code").unwrap()
    }

    pub async fn confirm(&self, begun: &Value, code: &str) -> Answer {
        self.post(&path(begun, "confirm"), json!({"code": code})).await
    }

    /// The whole way to an active connection.
    pub async fn connect(&self) -> Value {
        let begun = self.begin().await;
        let code = self.code(&begun, &[]).await;
        self.confirm(&begun, &code).await.expect(200)
    }

    /// A source that feeds from a connection's first site; answers its id.
    pub async fn feed(&self, connection: &Value) -> Value {
        let base = self.post("/v1/knowledge-bases", json!({"name": "Handbook"})).await.expect(201);
        let source = json!({
            "connection_id": connection["id"], "site_id": connection["sites"][0]["id"], "selections": [],
        });
        let path = format!("/v1/knowledge-bases/{}/sources", base["id"].as_str().unwrap());
        self.post(&path, source).await.expect(201)["id"].clone()
    }

    /// A connection as the engine holds it.
    pub async fn access(&self, connection: &Value) -> connections::Access {
        let id: ConnectionId = connection["id"].as_str().unwrap().parse().unwrap();
        connections::Access::open(&self.app, id, self.site.cloud_id()).await.unwrap()
    }

    /// How often tokens were asked for so far, with codes and refresh tokens.
    pub fn token_calls(&self) -> u64 {
        self.simulator.calls().of("POST /oauth/token")
    }
}

/// `/v1/connections/{id}/{what}`
pub fn path(connection: &Value, what: &str) -> String {
    format!("/v1/connections/{}/{what}", connection["id"].as_str().unwrap())
}

fn settings(simulator: &Simulator, database_url: &str) -> Settings {
    let mut settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        database_url: database_url.into(),
        encryption_keys: vec![EncryptionKey { id: "test".to_owned(), secret: vec![7; 32].into() }],
        bootstrap_api_key: Some(OPERATOR.into()),
        return_urls: vec![RETURN_URL.to_owned()],
        confluence_allowed_hosts: AllowedHosts::parse(["127.0.0.1"]).unwrap(),
        ..Settings::default()
    };
    let options = simulator.options();
    settings.atlassian.app = Some(AtlassianApp {
        client_id: options.client_id.clone(),
        client_secret: options.client_secret.clone().into(),
    });
    settings.openai.api_key = Some(options.openai_key.clone().into());
    settings.openai.base_url = simulator.openai_url().parse().unwrap();
    settings.atlassian.auth_url = simulator.auth_url().parse().unwrap();
    settings.atlassian.api_url = simulator.api_url().parse().unwrap();
    settings.timing.poll_pause = Duration::from_millis(1);
    settings.timing.request_timeout = Duration::from_secs(5);
    settings.timing.retry_budget = Duration::ZERO;
    settings.timing.http_threads = Some(1);
    settings
}
