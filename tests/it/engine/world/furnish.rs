//! What a world is furnished with: settings without pauses, and the rows that people would have made.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{ActiveValue::Set, EntityTrait};
use simulator::{Simulator, SiteHandle};
use tidegate::{
    app::App,
    config::{AllowedHosts, Atlassian, AtlassianApp, EncryptionKey, OpenAi, Settings, Timing},
    connections::tokens::ApiToken,
    entity::{
        Metadata, SourceOptions,
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
#[expect(clippy::too_many_lines, reason = "rows are long and simple")]
pub async fn furnish(app: &App, simulator: &Simulator, site: &SiteHandle) -> Furniture {
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
        account_id: Set(None),
        cloud_id: Set(site.cloud_id().to_owned()),
        site_url: Set(site.url()),
        name: Set("acme".to_owned()),
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
    Furniture { knowledge_base, source, store }
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
        name: Set("acme".to_owned()),
        url: Set(site.url()),
    };
    connection_site::Entity::insert(row).exec_without_returning(db).await.unwrap();
    (workspace, connection)
}
