//! What stories need: a real Tidegate over HTTP, its own database, the simulator, and one clock for all.

mod client;
pub mod process;
pub mod wiki;

use std::{net::SocketAddr, thread::JoinHandle, time::Duration};

use actix_web::{dev::ServerHandle, rt::System};
use chrono::{DateTime, TimeDelta, Utc};
use simulator::{Options, Simulator};
use tidegate::{
    app::{App, Clock},
    auth::{self, KeyOrder, NewKey, Scope},
    config::{AllowedHosts, Atlassian, AtlassianApp, EncryptionKey, OpenAi, Settings, Timing},
    engine::tick,
    entity::Metadata,
    ids::WorkspaceId,
    server, workspaces,
};

pub use client::{Answer, Client};

use crate::database::TestDatabase;

/// The operator's key of every test.
pub const OPERATOR_KEY: &str = "tg_operator-key-of-the-tests-0123456789";

/// A number that says how much of the suite is run.
pub fn number(variable: &str) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how much of the suite is run is no setting of the service"
    )]
    let set = std::env::var(variable).ok()?;
    Some(set.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {set}")))
}

/// When the clocks start.
pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_790_000_000_000).unwrap()
}

/// An id as the API writes it, of nothing there is.
pub fn nobody(prefix: &str) -> String {
    format!("{prefix}_019ab2c4d5e67f8091a2b3c4d5e6f708")
}

/// A running service. Its `api` may do everything.
pub struct TestApp {
    pub app: App,
    pub simulator: Simulator,
    pub api: Client,
    pub workspace: WorkspaceId,
    _server: Serving,
    _database: TestDatabase,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A service whose settings are changed before it starts.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let options = Options { clock: simulator::Clock::frozen(start()), ..Options::default() };
        let simulator = Simulator::start(options).unwrap();
        let database = TestDatabase::create().await;
        let mut settings = settings(&simulator, &database);
        change(&mut settings);
        let app = App::open(settings, Clock::manual(start())).await.unwrap();
        auth::bootstrap(&app, false).await.unwrap();
        let workspace = workspaces::store::ensure_default(&app.db, start()).await.unwrap();
        let server = Serving::start(&app);
        let api = Client::new(server.address).with_key(OPERATOR_KEY);
        Self { app, simulator, api, workspace, _server: server, _database: database }
    }

    /// A caller with a key of the workspace `default` that may do only this.
    pub async fn caller(&self, scopes: &[Scope]) -> Client {
        self.caller_of(self.workspace, scopes).await
    }

    /// A caller of another workspace that may do everything but run the installation.
    pub async fn stranger(&self) -> Client {
        let row = workspaces::store::new("Other".to_owned(), None, Metadata::default(), self.now());
        let other = workspaces::store::insert(&self.app.db, row).await.unwrap();
        let scopes = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Operator);
        self.caller_of(other.id, &scopes.collect::<Vec<_>>()).await
    }

    async fn caller_of(&self, workspace: WorkspaceId, scopes: &[Scope]) -> Client {
        let order = KeyOrder {
            name: "test".to_owned(),
            scopes: scopes.iter().copied().collect(),
            expires_at: None,
            external_id: None,
            metadata: Metadata::default(),
        };
        let key = NewKey::make(workspace, order, self.now());
        auth::store::insert(&self.app.db, key.row).await.unwrap();
        self.api.with_key(secrecy::ExposeSecret::expose_secret(&key.secret))
    }

    /// The time that all clocks show.
    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// Moves all clocks.
    pub fn pass(&self, by: TimeDelta) {
        self.simulator.advance(by.to_std().unwrap());
        self.app.clock.set(self.now() + by);
    }

    /// Moves all clocks and lets the worker do one whole tick.
    pub async fn tick_after(&self, by: TimeDelta) {
        self.pass(by);
        tick::tick(&self.app).await.unwrap();
    }
}

/// The settings of a test: the simulator in the place of the vendors, and no waiting.
pub fn settings(simulator: &Simulator, database: &TestDatabase) -> Settings {
    let options = simulator.options();
    let default = Settings::default();
    Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        public_url: "http://tidegate.test".parse().unwrap(),
        database_url: database.url().into(),
        encryption_keys: vec![EncryptionKey { id: "test".to_owned(), secret: vec![7; 32].into() }],
        bootstrap_api_key: Some(OPERATOR_KEY.into()),
        confluence_allowed_hosts: AllowedHosts::parse(["127.0.0.1"]).unwrap(),
        atlassian: Atlassian {
            app: Some(AtlassianApp {
                client_id: options.client_id.clone(),
                client_secret: options.client_secret.clone().into(),
            }),
            auth_url: simulator.auth_url().parse().unwrap(),
            api_url: simulator.api_url().parse().unwrap(),
            ..default.atlassian
        },
        openai: OpenAi {
            api_key: Some(options.openai_key.clone().into()),
            base_url: simulator.openai_url().parse().unwrap(),
            uploads_per_minute: None,
            uploads_in_flight: 8,
        },
        timing: timing(),
        ..default
    }
}

fn timing() -> Timing {
    Timing {
        batch_close_after: Duration::from_millis(5),
        confirm_wait: Duration::from_millis(20),
        poll_pause: Duration::from_millis(1),
        poll_pause_most: Duration::from_millis(1),
        attaches_per_minute: 0,
        deletes_per_second: 0,
        retry_budget: Duration::ZERO,
        request_timeout: Duration::from_secs(5),
        upload_timeout: Duration::from_secs(5),
        http_threads: Some(1),
        ..Timing::default()
    }
}

/// The HTTP half on a thread of its own, until it is dropped.
struct Serving {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(app: &App) -> Self {
        let (to_test, from_thread) = std::sync::mpsc::channel();
        let app = app.clone();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                let (server, address) = server::bind(&app).unwrap();
                to_test.send((server.handle(), address)).unwrap();
                server.await.unwrap();
            });
        });
        let (handle, address) = from_thread.recv().unwrap();
        Self { address, handle, thread: Some(thread) }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The command is sent at once; the answer to it is the thread's end.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
