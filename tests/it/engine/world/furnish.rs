//! What a world is furnished with: settings without pauses, and the rows that people would have made.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use simulator::{Simulator, SiteHandle};
use tidegate::{
    app::App,
    config::{AllowedHosts, Atlassian, AtlassianApp, EncryptionKey, OpenAi, Settings, Timing},
    connections::{self, Callback, Landing, NewConnection, tokens::ApiToken},
    entity::{
        Metadata, RestrictedPages, SourceOptions,
        connection::{self, ConnectionAuth, ConnectionStatus},
        connection_site,
        knowledge_base::{self, KnowledgeBaseStatus, StoreOrigin},
        source::{self, SourceStatus},
        workspace::{self, WorkspaceStatus},
    },
    ids::{ConnectionId, KnowledgeBaseId, SourceId, WorkspaceId},
    openai,
};

use crate::database::TestDatabase;

/// What a story refers to.
pub struct Furniture {
    pub knowledge_base: KnowledgeBaseId,
    pub source: SourceId,
    pub store: String,
}

pub fn settings(simulator: &Simulator, database: &TestDatabase) -> Settings {
    let none = Duration::ZERO;
    Settings {
        database_url: database.url().into(),
        encryption_keys: vec![EncryptionKey { id: "test".to_owned(), secret: vec![7; 32].into() }],
        confluence_allowed_hosts: AllowedHosts::parse(["127.0.0.1"]).unwrap(),
        atlassian: Atlassian {
            app: Some(AtlassianApp {
                client_id: simulator.options().client_id.clone(),
                client_secret: simulator.options().client_secret.clone().into(),
            }),
            auth_url: simulator.auth_url().parse().unwrap(),
            api_url: simulator.api_url().parse().unwrap(),
            ..Settings::default().atlassian
        },
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
            attaches_per_minute: 0,
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
pub async fn furnish(app: &App, simulator: &Simulator, site: &SiteHandle) -> Furniture {
    let workspace = workspace(app).await;
    let connection = connect(app, simulator, site, workspace).await;
    let (knowledge_base, store) = knowledge_base(app, workspace).await;
    let source = source(app, workspace, knowledge_base, connection, site).await;
    Furniture { knowledge_base, source, store }
}

/// A workspace of its own.
pub async fn workspace(app: &App) -> WorkspaceId {
    let now = app.clock.now();
    let id = WorkspaceId::new();
    let row = workspace::ActiveModel {
        id: Set(id),
        name: Set("Acme".to_owned()),
        status: Set(WorkspaceStatus::Active),
        external_id: Set(None),
        metadata: Set(Metadata::default()),
        created_at: Set(now),
        updated_at: Set(now),
    };
    workspace::Entity::insert(row).exec_without_returning(app.db.write()).await.unwrap();
    id
}

/// A new knowledge base of a workspace, with a new vector store.
pub async fn knowledge_base(app: &App, workspace: WorkspaceId) -> (KnowledgeBaseId, String) {
    let now = app.clock.now();
    let openai = openai::Client::new(
        app.http.clone(),
        app.settings.openai.base_url.clone(),
        "sk-simulated".into(),
        app.settings.timing.clients(),
    );
    let store = openai.create_store("Handbook", &BTreeMap::new()).await.unwrap().id;
    let id = KnowledgeBaseId::new();
    let row = knowledge_base::ActiveModel {
        id: Set(id),
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
        last_reconciled_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    knowledge_base::Entity::insert(row).exec_without_returning(app.db.write()).await.unwrap();
    (id, store)
}

/// A source that selects nothing yet.
pub async fn source(
    app: &App,
    workspace: WorkspaceId,
    knowledge_base: KnowledgeBaseId,
    connection: ConnectionId,
    site: &SiteHandle,
) -> SourceId {
    let now = app.clock.now();
    let id = SourceId::new();
    let row = source::ActiveModel {
        id: Set(id),
        workspace_id: Set(workspace),
        knowledge_base_id: Set(knowledge_base),
        connection_id: Set(Some(connection)),
        account_id: Set(None),
        cloud_id: Set(site.cloud_id().to_owned()),
        site_url: Set(site.url()),
        name: Set(site.name().to_owned()),
        status: Set(SourceStatus::Active),
        problem: Set(None),
        options: Set(SourceOptions::default()),
        interval_seconds: Set(300),
        selections_revision: Set(1),
        documents_revision: Set(0),
        keep_documents: Set(false),
        fence: Set(0),
        lease_holder: Set(None),
        lease_until: Set(None),
        last_run_at: Set(None),
        next_sync_at: Set(now),
        last_checked_at: Set(None),
        last_sync_id: Set(None),
        external_id: Set(None),
        metadata: Set(Metadata::default()),
        revision: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    source::Entity::insert(row).exec_without_returning(app.db.write()).await.unwrap();
    id
}

/// A source that takes restricted pages, too.
pub fn with_restricted() -> SourceOptions {
    SourceOptions { restricted_pages: RestrictedPages::Include, ..SourceOptions::default() }
}

/// Gives a source other options.
pub async fn set_options(app: &App, source: SourceId, options: SourceOptions) {
    let update = source::Entity::update_many()
        .col_expr(source::Column::Options, Expr::value(serde_json::to_value(options).unwrap()));
    update.filter(source::Column::Id.eq(source)).exec(app.db.write()).await.unwrap();
}

/// A connection of a workspace to a site, by an API token.
pub async fn connect(
    app: &App,
    simulator: &Simulator,
    site: &SiteHandle,
    workspace: WorkspaceId,
) -> ConnectionId {
    let (now, db) = (app.clock.now(), app.db.write());
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
        account_id: Set(Some(simulator.account_id())),
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
        name: Set(site.name().to_owned()),
        url: Set(site.url()),
    };
    connection_site::Entity::insert(row).exec_without_returning(db).await.unwrap();
    connection
}

/// A connection of a workspace to a site, through OAuth.
pub async fn connect_by_oauth(
    app: &App,
    simulator: &Simulator,
    site: &SiteHandle,
    workspace: WorkspaceId,
) -> ConnectionId {
    let begun = connections::begin(app, new_connection(workspace), None).await.unwrap();
    let back: url::Url = simulator.accept(begun.authorize_url.as_str(), None, &[]).unwrap().parse().unwrap();
    let parameter = |name: &str| {
        let found = back.query_pairs().find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned().into())
    };
    let callback = Callback { state: parameter("state"), code: parameter("code"), error: None };
    let Landing::Authorized { code, .. } = connections::land(app, callback).await.unwrap() else {
        panic!("the callback did not land");
    };
    let id = begun.connection.id;
    connections::confirm(app, id, "ada", &code, Some(&[site.cloud_id().to_owned()])).await.unwrap();
    id
}

pub fn new_connection(workspace_id: WorkspaceId) -> NewConnection {
    NewConnection { workspace_id, owner: "ada".to_owned(), external_id: None, metadata: Metadata::default() }
}
