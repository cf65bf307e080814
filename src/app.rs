//! What every part of the service shares: settings, database, clock, secrets and the way out.

use std::{
    fs::File,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, SubsecRound, Utc};
use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ActiveValue::Set,
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sea_query::OnConflict,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

use secrecy::ExposeSecret;
use tokio::sync::Notify;

use crate::{
    auth::Known,
    config::Settings,
    confluence::Sites,
    connections::browse::Browsed,
    documents::Listed,
    entity::{installation, replica},
    ids::{InstallationId, ReplicaId},
    installation::store::proof::{self, ProofError},
    openai::Paces,
    seal::{SealError, Sealer},
    vendor::Replicas,
};

/// Everything the parts of the service share. Clones are cheap and are the same thing.
#[derive(Clone, Debug)]
pub struct App {
    /// The settings, read once.
    pub settings: Arc<Settings>,
    /// The database.
    pub db: Db,
    /// The one clock.
    pub clock: Clock,
    /// Seals what is secret at rest.
    pub sealer: Arc<Sealer>,
    /// The one HTTP client for calls to others. It follows no redirects.
    pub http: reqwest::Client,
    /// How fast OpenAI may be called, by credential and store.
    pub paces: Arc<Paces>,
    /// How many calls at once Confluence's sites get.
    pub sites: Arc<Sites>,
    /// How many processes share the vendors' limits.
    pub replicas: Replicas,
    /// This installation: every file it uploads carries the id.
    pub installation: InstallationId,
    /// This process.
    pub replica: ReplicaId,
    /// Who called a moment ago.
    pub known: Arc<Known>,
    /// Lists of documents as they were answered.
    pub listed: Arc<Listed>,
    /// What people browsed a moment ago.
    pub browsed: Arc<Browsed>,
    /// Makes the worker tick at once.
    pub wake: Arc<Notify>,
    /// Set when the process is to stop: a run then ends at its next safe point.
    pub stopping: Arc<AtomicBool>,
}

/// The application could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The encryption keys cannot be used.
    #[error("the encryption keys cannot be used")]
    Seal(#[from] SealError),
    /// The HTTP client could not be built.
    #[error("the HTTP client cannot be built")]
    Http(#[from] reqwest::Error),
    /// The encryption keys are not those of the database.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database could not be prepared.
    #[error("the database cannot be prepared")]
    Db(#[from] DbErr),
}

impl App {
    /// Opens and migrates the database and registers this process.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Self, StartError> {
        let sealer = Sealer::new(&settings.encryption_keys)?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.timing.connect_timeout)
            .build()?;
        let db = Db::open(settings.database_url.expose_secret(), settings.timing.transaction_idle).await?;
        db.migrate().await?;
        let installation = installation(&db, clock.now()).await?;
        proof::prove(&db, &sealer).await?;
        let replica = register(&db, clock.now()).await?;
        let replicas = Replicas::default();
        Ok(Self {
            db,
            clock,
            sealer: Arc::new(sealer),
            http,
            paces: Arc::new(Paces::new(settings.openai_limits(), replicas.clone())),
            sites: Arc::new(Sites::new(replicas.clone())),
            replicas,
            installation,
            replica,
            settings: Arc::new(settings),
            known: Arc::default(),
            listed: Arc::default(),
            browsed: Arc::default(),
            wake: Arc::new(Notify::new()),
            stopping: Arc::new(AtomicBool::new(false)),
        })
    }

    /// When this process last ticked.
    pub async fn last_tick(&self) -> Result<Option<DateTime<Utc>>, DbErr> {
        let row = replica::Entity::find_by_id(self.replica).one(self.db.read()).await?;
        Ok(row.and_then(|row| row.last_tick_at))
    }

    /// Whether the process is to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// The installation's id, made at the first start.
async fn installation(db: &Db, now: DateTime<Utc>) -> Result<InstallationId, DbErr> {
    let row = installation::ActiveModel {
        singleton: Set(1),
        id: Set(InstallationId::new()),
        created_at: Set(now),
        key_proof: Set(None),
    };
    let keep = OnConflict::column(installation::Column::Singleton).do_nothing().to_owned();
    installation::Entity::insert(row).on_conflict(keep).exec_without_returning(db.write()).await?;
    let row = installation::Entity::find().one(db.write()).await?;
    row.map(|row| row.id).ok_or_else(|| DbErr::RecordNotFound("installation".to_owned()))
}

async fn register(db: &Db, now: DateTime<Utc>) -> Result<ReplicaId, DbErr> {
    let id = ReplicaId::new();
    let row = replica::ActiveModel { id: Set(id), started_at: Set(now), last_tick_at: Set(None) };
    replica::Entity::insert(row).exec_without_returning(db.write()).await?;
    Ok(id)
}

/// The database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has this SQLite database open; several replicas need PostgreSQL.
    #[error("{} is in use by another process; several processes need PostgreSQL", .0.display())]
    InUse(PathBuf),
    /// The lock file beside the database could not be made.
    #[error("cannot lock {}", .0.display())]
    Lock(PathBuf, #[source] std::io::Error),
    /// The database refused.
    #[error("cannot open the database")]
    Db(#[from] DbErr),
}

/// The database: on SQLite one writer and several readers, on PostgreSQL one pool.
#[derive(Clone, Debug)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    _lock: Option<Arc<File>>,
}

impl Db {
    /// Opens the database at `url`. On SQLite the process becomes its only one until the last clone is dropped; on
    /// PostgreSQL a transaction that waits for this process for `transaction_idle` is rolled back.
    pub async fn open(url: &str, transaction_idle: Duration) -> Result<Self, OpenError> {
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url).await
        } else {
            Self::open_postgres(url, transaction_idle).await
        }
    }

    async fn open_sqlite(url: &str) -> Result<Self, OpenError> {
        let lock = sqlite_path(url).map(lock_beside).transpose()?;
        let options = |connections: u32| {
            let mut options = ConnectOptions::new(url);
            // A file does not go away: there is nothing to test before each use.
            options.max_connections(connections).test_before_acquire(false);
            options.sqlx_logging(false).map_sqlx_sqlite_opts(|options| {
                options
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_secs(10))
            });
            options
        };
        let write = Database::connect(options(1)).await?;
        let read = Database::connect(options(4)).await?;
        Ok(Self { read, write, _lock: lock.map(Arc::new) })
    }

    async fn open_postgres(url: &str, transaction_idle: Duration) -> Result<Self, OpenError> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(20).acquire_timeout(Duration::from_secs(10)).sqlx_logging(false);
        // A process that is suspended in a transaction would keep its rows from all others for as long as it sleeps.
        options.map_sqlx_postgres_opts(move |options| {
            options.options([("idle_in_transaction_session_timeout", transaction_idle.as_millis())])
        });
        let pool = Database::connect(options).await?;
        Ok(Self { read: pool.clone(), write: pool, _lock: None })
    }

    /// Brings the schema to the newest version.
    pub async fn migrate(&self) -> Result<(), DbErr> {
        Migrator::up(&self.write, None).await
    }

    /// For statements that only read.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// For single statements that write.
    #[must_use]
    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// A transaction that writes. On SQLite it takes the write lock at once, so it never has to be tried again.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.write
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: self.is_sqlite().then_some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await
    }

    /// Whether this is the embedded database.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.write.get_database_backend() == DbBackend::Sqlite
    }
}

/// The file of a SQLite URL; `None` for a database in memory.
#[must_use]
pub fn sqlite_path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.split('?').next().unwrap_or_default().trim_start_matches("//");
    (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(path))
}

fn lock_beside(database: PathBuf) -> Result<File, OpenError> {
    let mut path = database.clone().into_os_string();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = File::create(&path).map_err(|error| OpenError::Lock(path.clone(), error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(database)),
        Err(std::fs::TryLockError::Error(error)) => Err(OpenError::Lock(path, error)),
    }
}

/// Where the time comes from: the machine, or a hand that sets it.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Stands still until it is set; unix milliseconds.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `start` until it is set.
    #[must_use]
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.timestamp_millis())))
    }

    /// The time now, in whole milliseconds: both databases keep that much.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
            Self::System => Utc::now().trunc_subsecs(3),
            Self::Manual(millis) => {
                DateTime::from_timestamp_millis(millis.load(Ordering::SeqCst)).unwrap_or(DateTime::UNIX_EPOCH)
            }
        }
    }

    /// Sets a manual clock; the machine's clock is left alone.
    pub fn set(&self, now: DateTime<Utc>) {
        if let Self::Manual(millis) = self {
            millis.store(now.timestamp_millis(), Ordering::SeqCst);
        }
    }
}
