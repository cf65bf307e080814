//! The service under measurement: everything of Tidegate that syncs, on SQLite, with the usual timing.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, EntityTrait};
use tidegate::{
    app::{App, Clock},
    config::{AllowedHosts, EncryptionKey, OpenAi, Settings},
    connections::{self, ApiToken, NewConnection},
    engine::tick,
    entity::{
        Metadata, SourceOptions, connection, knowledge_base,
        selection::{self, SelectionKind, SelectionMode, SelectionStatus},
        source::{self, SourceStatus},
        workspace::{self, WorkspaceStatus},
    },
    ids::{SelectionId, SourceId, WorkspaceId},
    knowledge_bases, sources,
};

use crate::{process, wiki::Wiki};

/// The interval of the source.
const INTERVAL: Duration = Duration::from_mins(5);

/// A service with one source: a whole space of a wiki.
#[derive(Debug)]
pub struct Service {
    pub app: App,
    pub wiki: Wiki,
    pub knowledge_base: knowledge_base::Model,
    pub source: source::Model,
    _folder: tempfile::TempDir,
}

/// What one tick took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// When it began, in unix milliseconds.
    pub began_at: i64,
    pub time: Duration,
    /// CPU time of the service.
    pub cpu: Duration,
    /// CPU time of the simulator meanwhile.
    pub wiki_cpu: Duration,
}

impl Service {
    /// A service that has not synced yet, beside a wiki of so many pages.
    pub async fn start(pages: usize) -> anyhow::Result<Self> {
        let wiki = Wiki::start(pages)?;
        let folder = tempfile::tempdir()?;
        let app = App::open(settings(&wiki, &folder)?, Clock::manual(Clock::System.now())).await?;
        let (knowledge_base, source) = furnish(&app, &wiki).await?;
        wiki.calls().await?;
        Ok(Self { app, wiki, knowledge_base, source, _folder: folder })
    }

    /// Ticks once the interval has passed again.
    pub async fn tick_later(&self) -> anyhow::Result<Took> {
        self.wiki.advance(INTERVAL).await?;
        self.app.clock.set(self.app.clock.now() + TimeDelta::from_std(INTERVAL)?);
        self.tick().await
    }

    /// Ticks until every sync has come to its end.
    pub async fn tick(&self) -> anyhow::Result<Took> {
        let (began, began_at) = (Instant::now(), Clock::System.now().timestamp_millis());
        let (cpu, wiki_cpu) = (process::cpu("self")?, self.wiki.cpu()?);
        while tick::tick(&self.app).await? > 0 {}
        let time = began.elapsed();
        Ok(Took { began_at, time, cpu: process::cpu("self")? - cpu, wiki_cpu: self.wiki.cpu()? - wiki_cpu })
    }
}

fn settings(wiki: &Wiki, folder: &tempfile::TempDir) -> anyhow::Result<Settings> {
    let database = folder.path().join("tidegate.db");
    Ok(Settings {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        database_url: format!("sqlite://{}?mode=rwc", database.display()).into(),
        encryption_keys: vec![EncryptionKey { id: "bench".to_owned(), secret: vec![7; 32].into() }],
        confluence_allowed_hosts: AllowedHosts::parse(["127.0.0.1"]).map_err(|error| anyhow!("{error}"))?,
        openai: OpenAi {
            api_key: Some(wiki.at.openai_key.as_str().into()),
            base_url: wiki.at.openai_url.parse()?,
            uploads_per_minute: None,
            uploads_in_flight: 16,
        },
        ..Settings::default()
    })
}

/// A knowledge base of a new workspace, whose one source selects the whole space.
async fn furnish(app: &App, wiki: &Wiki) -> anyhow::Result<(knowledge_base::Model, source::Model)> {
    let workspace_id = WorkspaceId::new();
    let row = workspace::ActiveModel {
        id: Set(workspace_id),
        name: Set("Benchmark".to_owned()),
        status: Set(WorkspaceStatus::Active),
        external_id: Set(None),
        metadata: Set(Metadata::default()),
        created_at: Set(app.clock.now()),
        updated_at: Set(app.clock.now()),
    };
    workspace::Entity::insert(row).exec_without_returning(app.db.write()).await?;
    let new = NewConnection {
        workspace_id,
        owner: "benchmark".to_owned(),
        external_id: None,
        metadata: Metadata::default(),
    };
    let token = ApiToken { email: wiki.at.email.as_str().into(), token: wiki.at.api_token.as_str().into() };
    let connection = connections::connect_with_token(app, new, &wiki.at.site_url.parse()?, &token).await?;
    let new = knowledge_bases::New {
        workspace_id,
        name: "Benchmark".to_owned(),
        vector_store_id: None,
        openai_api_key: None,
        external_id: None,
        metadata: Metadata::default(),
    };
    let knowledge_base = knowledge_bases::create(app, new)
        .await
        .map_err(|problem| anyhow!("no knowledge base: {problem:?}"))?;
    let site = connections::store::sites(app.db.read(), connection.id).await?;
    let cloud_id = site.into_iter().next().context("no site")?.cloud_id;
    let source = source(app, &connection, &knowledge_base, cloud_id);
    let selection = selection(app, source.id, &wiki.at.space);
    let source = sources::store::insert(&app.db, source, vec![selection], app.clock.now()).await;
    let source = source.map_err(|error| anyhow!("no source: {error:?}"))?;
    Ok((knowledge_base, source))
}

fn source(
    app: &App,
    connection: &connection::Model,
    knowledge_base: &knowledge_base::Model,
    cloud_id: String,
) -> source::Model {
    let now = app.clock.now();
    source::Model {
        id: SourceId::new(),
        workspace_id: connection.workspace_id,
        knowledge_base_id: knowledge_base.id,
        connection_id: Some(connection.id),
        account_id: None,
        cloud_id,
        site_url: connection.site_url.clone().unwrap_or_default(),
        name: "Benchmark".to_owned(),
        status: SourceStatus::Active,
        problem: None,
        options: SourceOptions::default(),
        interval_seconds: i32::try_from(INTERVAL.as_secs()).unwrap_or(i32::MAX),
        selections_revision: 1,
        documents_revision: 0,
        keep_documents: false,
        fence: 0,
        lease_holder: None,
        lease_until: None,
        last_run_at: None,
        next_sync_at: now,
        last_checked_at: None,
        last_sync_id: None,
        external_id: None,
        metadata: Metadata::default(),
        revision: 1,
        created_at: now,
        updated_at: now,
    }
}

fn selection(app: &App, source_id: SourceId, space: &str) -> selection::Model {
    selection::Model {
        id: SelectionId::new(),
        source_id,
        kind: SelectionKind::Space,
        mode: SelectionMode::Include,
        external_id: space.to_owned(),
        title: "Synthetic".to_owned(),
        space_id: None,
        status: SelectionStatus::Ok,
        problem_since: None,
        verified_at: None,
        listing: None,
        created_at: app.clock.now(),
    }
}
