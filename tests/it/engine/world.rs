//! A wiki, an OpenAI account and a Tidegate between them, all in this process, with one clock for all three.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use simulator::{Id, Options, Simulator, SiteHandle, State};
use tidegate::{
    app::{App, Clock},
    config::{AllowedHosts, EncryptionKey, OpenAi, Settings, Timing},
    connections::tokens::ApiToken,
    engine::tick,
    entity::{
        Metadata, SourceOptions,
        connection::{self, ConnectionAuth, ConnectionStatus},
        connection_site, document,
        knowledge_base::{self, KnowledgeBaseStatus, StoreOrigin},
        selection::{self, SelectionKind, SelectionMode, SelectionStatus},
        source::{self, SourceStatus},
        sync,
        workspace::{self, WorkspaceStatus},
    },
    ids::{ConnectionId, KnowledgeBaseId, SelectionId, SourceId, WorkspaceId},
    openai,
};

use crate::database::TestDatabase;

/// When the clocks of a world start.
fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_790_000_000_000).unwrap()
}

/// A simulator, an application and one source, which selects nothing yet.
pub struct World {
    pub simulator: Simulator,
    pub site: SiteHandle,
    pub app: App,
    pub source: SourceId,
    pub store: String,
    _database: TestDatabase,
}

impl World {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A world whose settings are changed before it starts.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let options = Options { clock: simulator::Clock::frozen(start()), ..Options::default() };
        let simulator = Simulator::start(options).unwrap();
        let site = simulator.add_site("acme");
        let database = TestDatabase::create().await;
        let mut settings = settings(&simulator, &database);
        change(&mut settings);
        let clock = Clock::manual(start());
        let app = App::open(settings, clock).await.unwrap();
        let (source, store) = furnish(&app, &simulator, &site).await;
        Self { simulator, site, app, source, store, _database: database }
    }

    /// The time that both clocks show.
    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// Moves all clocks and ticks.
    pub async fn tick_after(&self, by: TimeDelta) {
        self.simulator.advance(by.to_std().unwrap());
        tick::tick_at(&self.app, self.now() + by).await.unwrap();
    }

    /// The next interval's tick.
    pub async fn tick(&self) {
        self.tick_after(TimeDelta::minutes(5)).await;
    }

    /// Selects something from now on, as a person does who saves the selections.
    pub async fn select(&self, kind: SelectionKind, mode: SelectionMode, id: Id) -> SelectionId {
        let selection = SelectionId::new();
        let space = self.site.node(id).ok().map(|node| node.space.to_string());
        let row = selection::ActiveModel {
            id: Set(selection),
            source_id: Set(self.source),
            kind: Set(kind),
            mode: Set(mode),
            external_id: Set(id.to_string()),
            title: Set(format!("selection of {id}")),
            space_id: Set(space),
            status: Set(SelectionStatus::Ok),
            problem_since: Set(None),
            verified_at: Set(None),
            created_at: Set(self.now()),
        };
        selection::Entity::insert(row).exec_without_returning(self.app.db.write()).await.unwrap();
        selection
    }

    pub async fn include_space(&self, id: Id) -> SelectionId {
        self.select(SelectionKind::Space, SelectionMode::Include, id).await
    }

    /// What a reader of the store finds: the texts of our completed files, by page.
    pub fn store(&self) -> BTreeMap<String, Vec<String>> {
        let openai = self.simulator.openai();
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in openai.store(&self.store).unwrap().entries() {
            if entry.state == State::Completed {
                let page = entry.attributes["page_id"].as_str().unwrap().to_owned();
                texts.entry(page).or_default().push(entry.text().unwrap().to_owned());
            }
        }
        texts
    }

    /// An attribute of the one file of a page.
    pub fn attribute(&self, page: Id, name: &str) -> serde_json::Value {
        let openai = self.simulator.openai();
        let store = openai.store(&self.store).unwrap();
        let of_page = |entry: &&simulator::openai::Entry| entry.attributes["page_id"] == page.to_string();
        let entries: Vec<_> = store.entries().filter(of_page).collect();
        assert_eq!(entries.len(), 1, "page {page} has {} files", entries.len());
        entries[0].attributes[name].clone()
    }

    /// Asserts that the store holds exactly these pages, once each, and that no file is left over beside it.
    pub fn holds(&self, pages: &[Id]) {
        let mut wanted: Vec<String> = pages.iter().map(ToString::to_string).collect();
        wanted.sort();
        let store = self.store();
        assert_eq!(store.keys().cloned().collect::<Vec<_>>(), wanted, "pages in the store");
        for (page, texts) in &store {
            assert_eq!(texts.len(), 1, "page {page} is in the store {} times", texts.len());
        }
        let files: usize =
            self.simulator.openai().projects().iter().map(|project| project.files().count()).sum();
        assert_eq!(files, pages.len(), "files of the account");
    }

    /// The text of a page in the store.
    pub fn text(&self, page: Id) -> String {
        let mut texts = self.store().remove(&page.to_string()).unwrap_or_default();
        assert_eq!(texts.len(), 1, "page {page} is in the store {} times", texts.len());
        texts.remove(0)
    }

    pub async fn document(&self, page: Id) -> document::Model {
        let row = document::Entity::find()
            .filter(document::Column::SourceId.eq(self.source))
            .filter(document::Column::ExternalId.eq(page.to_string()))
            .one(self.app.db.read())
            .await;
        row.unwrap().unwrap_or_else(|| panic!("page {page} has no document"))
    }

    /// The syncs that are kept, oldest first.
    pub async fn syncs(&self) -> Vec<sync::Model> {
        sync::Entity::find().order_by_asc(sync::Column::Id).all(self.app.db.read()).await.unwrap()
    }

    pub async fn last_sync(&self) -> sync::Model {
        self.syncs().await.pop().expect("no sync is kept")
    }

    /// The calls of one vendor since the last time it was asked.
    pub fn calls(&self) -> simulator::Totals {
        let totals = self.simulator.calls();
        self.simulator.reset_calls();
        totals
    }
}

fn settings(simulator: &Simulator, database: &TestDatabase) -> Settings {
    let none = Duration::ZERO;
    Settings {
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
            batch_close_after: Duration::from_millis(5),
            confirm_wait: Duration::from_millis(20),
            poll_pause: Duration::from_millis(1),
            poll_pause_most: Duration::from_millis(1),
            deletes_per_second: 0,
            retry_budget: none,
            request_timeout: Duration::from_secs(5),
            upload_timeout: Duration::from_secs(5),
            ..Timing::default()
        },
        ..Settings::default()
    }
}

/// A workspace with a connection to the site, a knowledge base and a source.
async fn furnish(app: &App, simulator: &Simulator, site: &SiteHandle) -> (SourceId, String) {
    let (workspace, connection) = connect(app, simulator, site).await;
    let now = app.clock.now();
    let db = app.db.write();
    let openai = openai::Client::new(
        app.http.clone(),
        app.settings.openai.base_url.clone(),
        "sk-simulated".into(),
        app.settings.timing.clients(),
    );
    let store = openai.create_store("Handbook", &BTreeMap::new()).await.unwrap().id;
    let knowledge_base = KnowledgeBaseId::new();
    let row = knowledge_base::ActiveModel {
        id: Set(knowledge_base),
        workspace_id: Set(workspace),
        name: Set("Handbook".to_owned()),
        openai_base_url: Set(app.settings.openai.base_url.to_string()),
        vector_store_id: Set(Some(store.clone())),
        origin: Set(StoreOrigin::Created),
        status: Set(KnowledgeBaseStatus::Active),
        problem: Set(None),
        credential: Set(None),
        credential_last4: Set(None),
        delete_store: Set(false),
        forget: Set(false),
        external_id: Set(None),
        metadata: Set(Metadata::default()),
        revision: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    knowledge_base::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let source = SourceId::new();
    let row = source::ActiveModel {
        id: Set(source),
        workspace_id: Set(workspace),
        knowledge_base_id: Set(knowledge_base),
        connection_id: Set(Some(connection)),
        cloud_id: Set(site.cloud_id().to_owned()),
        site_url: Set(site.url()),
        name: Set("acme".to_owned()),
        status: Set(SourceStatus::Active),
        problem: Set(None),
        options: Set(SourceOptions::default()),
        interval_seconds: Set(300),
        selections_revision: Set(1),
        keep_documents: Set(false),
        fence: Set(0),
        lease_holder: Set(None),
        lease_until: Set(None),
        next_sync_at: Set(now),
        last_checked_at: Set(None),
        last_sync_id: Set(None),
        external_id: Set(None),
        metadata: Set(Metadata::default()),
        revision: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    source::Entity::insert(row).exec_without_returning(db).await.unwrap();
    (source, store)
}

async fn connect(app: &App, simulator: &Simulator, site: &SiteHandle) -> (WorkspaceId, ConnectionId) {
    let (now, db) = (app.clock.now(), app.db.write());
    let workspace = WorkspaceId::new();
    let row = workspace::ActiveModel {
        id: Set(workspace),
        name: Set("Acme".to_owned()),
        status: Set(WorkspaceStatus::Active),
        external_id: Set(None),
        metadata: Set(Metadata::default()),
        created_at: Set(now),
        updated_at: Set(now),
    };
    workspace::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let connection = ConnectionId::new();
    let options = simulator.options();
    let token =
        ApiToken { email: options.account_email.clone().into(), token: options.api_token.clone().into() };
    let row = connection::ActiveModel {
        id: Set(connection),
        workspace_id: Set(workspace),
        auth: Set(ConnectionAuth::ApiToken),
        status: Set(ConnectionStatus::Active),
        owner: Set("test".to_owned()),
        grant_id: Set(None),
        account_id: Set(None),
        account_name: Set(None),
        site_url: Set(Some(site.url())),
        credential: Set(Some(token.seal(&app.sealer, connection))),
        problem: Set(None),
        external_id: Set(None),
        metadata: Set(Metadata::default()),
        revision: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    connection::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let row = connection_site::ActiveModel {
        connection_id: Set(connection),
        cloud_id: Set(site.cloud_id().to_owned()),
        name: Set("acme".to_owned()),
        url: Set(site.url()),
    };
    connection_site::Entity::insert(row).exec_without_returning(db).await.unwrap();
    (workspace, connection)
}
