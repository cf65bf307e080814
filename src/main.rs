//! The command line: serve, migrate, openapi, convert, workspaces, keys, secrets, new-installation.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use tidegate::{
    app::{App, Clock, Db, StartError},
    auth::{self, KeyOrder, NewKey, Scope},
    config::{EncryptionKey, InvalidSettings, KeyFileError, Settings},
    convert,
    entity::{Metadata, workspace},
    http,
    ids::{ApiKeyId, WorkspaceId},
    installation::store::{
        self as installation,
        proof::{self, ProofError},
    },
    server, telemetry, workspaces,
};

/// Keeps chosen Confluence Cloud pages in an OpenAI vector store, true within minutes.
///
/// Settings are read from the environment and from `.env`; README.md lists them.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Migrates the database, serves the API and keeps the sources in step.
    Serve,
    /// Brings the database to this version and ends.
    Migrate,
    /// Prints the OpenAPI document. Needs no settings.
    Openapi,
    /// Prints the Markdown of a page in Confluence's storage format. Needs no settings.
    Convert(Conversion),
    /// Makes and lists workspaces.
    #[command(subcommand)]
    Workspaces(WorkspaceCommand),
    /// Makes, lists and revokes API keys.
    #[command(subcommand)]
    Keys(KeyCommand),
    /// Makes what the settings need. Needs no settings.
    #[command(subcommand)]
    Secrets(SecretCommand),
    /// Makes this copy of a database an installation of its own.
    ///
    /// For a database that was copied, say to a test system: forgets the files, the vector stores' contents and the
    /// Confluence credentials of the original, and pauses all sources, so that the two never touch each other's files.
    NewInstallation,
}

#[derive(Debug, Args)]
struct Conversion {
    /// The page's body in storage format: a file, or - for the standard input.
    file: PathBuf,
    /// Prints what was met and what was lost, as JSON, instead of the Markdown.
    #[arg(long)]
    report: bool,
    /// The page's title, which opens the text.
    #[arg(long, default_value = "")]
    title: String,
    /// The base of the site's links.
    #[arg(long, default_value = "https://example.atlassian.net/wiki")]
    site_url: String,
    /// The key of the page's space.
    #[arg(long, default_value = "")]
    space_key: String,
    /// The page's id.
    #[arg(long, default_value = "")]
    page_id: String,
}

#[derive(Debug, Subcommand)]
enum WorkspaceCommand {
    /// Makes a workspace and prints its id.
    Create {
        /// A name for people.
        #[arg(long)]
        name: String,
        /// Your own id for it.
        #[arg(long)]
        external_id: Option<String>,
    },
    /// Lists the workspaces: id, status, external id, name.
    List,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Makes an API key and prints its secret, which cannot be shown again.
    Create(CreateKey),
    /// Lists the living API keys of a workspace: id, beginning, scopes, end, name.
    List {
        /// The workspace: its id or its external id.
        #[arg(long, default_value = "default")]
        workspace: String,
    },
    /// Revokes an API key.
    Revoke {
        /// The key's id.
        id: ApiKeyId,
    },
}

#[derive(Debug, Args)]
struct CreateKey {
    /// The workspace: its id or its external id.
    #[arg(long, default_value = "default")]
    workspace: String,
    /// A name for people.
    #[arg(long)]
    name: String,
    /// What it may do: read, content, sync, manage, admin, operator.
    #[arg(long, required = true, value_delimiter = ',')]
    scopes: Vec<Scope>,
    /// After how long it ends, such as 30d; without it, never.
    #[arg(long, value_parser = humantime::parse_duration)]
    expires_in: Option<Duration>,
}

#[derive(Debug, Subcommand)]
enum SecretCommand {
    /// Prints a new encryption key and a new bootstrap key as lines for `.env`.
    Generate,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("tidegate: {error:#}"));
            let wrong_settings = error.is::<InvalidSettings>()
                || error.is::<KeyFileError>()
                || matches!(error.downcast_ref(), Some(StartError::Proof(ProofError::WrongKeys(_))));
            if wrong_settings { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn start(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start")?;
    let result = runtime.block_on(run(command));
    // What has not ended by now was told to and had its time.
    runtime.shutdown_background();
    result
}

#[expect(clippy::print_stderr, reason = "a person reads it")]
fn complain(text: fmt::Arguments) {
    eprintln!("{text}");
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve => serve(Settings::from_env()?).await,
        Command::Migrate => open().await.map(drop),
        Command::Openapi => {
            print!("{}", http::docs::render(&http::openapi())?);
            Ok(())
        }
        Command::Convert(wanted) => convert_page(&wanted),
        Command::Workspaces(command) => run_workspaces(command).await,
        Command::Keys(command) => run_keys(command).await,
        Command::Secrets(SecretCommand::Generate) => {
            print_secrets();
            Ok(())
        }
        Command::NewInstallation => {
            let id = installation::begin_anew(&open().await?, now()).await?;
            println!(
                "This is the installation {id} now. Its sources are paused and its connections must be authorized again."
            );
            Ok(())
        }
    }
}

async fn serve(mut settings: Settings) -> anyhow::Result<()> {
    telemetry::start(settings.log_format);
    let laptop = settings.is_laptop();
    if laptop {
        if settings.lacks_key_file() && proof::needs_its_keys(&open_of(&settings).await?).await? {
            return Err(KeyFileError::Gone(settings.key_file()).into());
        }
        settings.complete_encryption_keys()?;
    }
    let app = App::open(settings, Clock::System).await?;
    let made = auth::bootstrap(&app, laptop).await?;
    let (server, address) = server::bind(&app)?;
    tracing::info!(%address, "Tidegate serves; /docs explains the API");
    if let Some(key) = made {
        welcome(&format!("http://{address}/docs"), &key);
    }
    server::serve(app, server).await
}

/// Told once, at the first start on a laptop.
fn welcome(docs: &str, key: &SecretString) {
    println!(
        "\nWelcome to Tidegate.\n\n  Explore the API   {docs}\n  with this key     {}\n\n\
         The key may do everything and is not shown again; `tidegate keys create` makes others.\n",
        key.expose_secret()
    );
}

/// The database of the settings, migrated.
async fn open() -> anyhow::Result<Db> {
    open_of(&Settings::from_env()?).await
}

async fn open_of(settings: &Settings) -> anyhow::Result<Db> {
    let db = Db::open(settings.database_url.expose_secret(), settings.timing.transaction_idle).await?;
    db.migrate().await.context("the database cannot be migrated")?;
    Ok(db)
}

fn now() -> DateTime<Utc> {
    Clock::System.now()
}

/// Bytes that are no text are read as well as can be, like all else that is broken in a body.
fn convert_page(wanted: &Conversion) -> anyhow::Result<()> {
    let bytes = if wanted.file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(&wanted.file)
    };
    let bytes = bytes.with_context(|| format!("cannot read {}", wanted.file.display()))?;
    let rendering = convert::markdown(&convert::Page {
        title: &wanted.title,
        site_url: &wanted.site_url,
        space_key: &wanted.space_key,
        page_id: &wanted.page_id,
        storage: &String::from_utf8_lossy(&bytes),
    });
    let told = if wanted.report {
        serde_json::to_string_pretty(&rendering.report)? + "\n"
    } else {
        rendering.markdown
    };
    match io::stdout().write_all(told.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write"),
    }
}

async fn run_workspaces(command: WorkspaceCommand) -> anyhow::Result<()> {
    let db = open().await?;
    match command {
        WorkspaceCommand::Create { name, external_id } => {
            let workspace = workspaces::store::new(name, external_id, Metadata::default(), now());
            println!("{}", workspaces::store::insert(&db, workspace).await?.id);
        }
        WorkspaceCommand::List => {
            for row in workspaces::store::list(db.read(), None, None, u64::MAX >> 1).await? {
                let status = match row.status {
                    workspace::WorkspaceStatus::Active => "active",
                    workspace::WorkspaceStatus::Deleting => "deleting",
                };
                println!("{}\t{status}\t{}\t{}", row.id, row.external_id.as_deref().unwrap_or("-"), row.name);
            }
        }
    }
    Ok(())
}

async fn run_keys(command: KeyCommand) -> anyhow::Result<()> {
    let db = open().await?;
    let now = now();
    match command {
        KeyCommand::Create(wanted) => {
            let workspace = find_workspace(&db, &wanted.workspace).await?;
            let order = KeyOrder {
                name: wanted.name,
                scopes: wanted.scopes.into_iter().collect(),
                expires_at: wanted.expires_in.map(|length| now + length),
                external_id: None,
                metadata: Metadata::default(),
            };
            let key = NewKey::make(workspace, order, now);
            auth::store::insert(&db, key.row).await?;
            println!("{}", key.secret.expose_secret());
        }
        KeyCommand::List { workspace } => {
            let workspace = find_workspace(&db, &workspace).await?;
            for row in auth::store::list(db.read(), workspace, None, None, u64::MAX >> 1).await? {
                let scopes = auth::Scopes::of(&row).to_string();
                let end = row.expires_at.map_or_else(|| "-".to_owned(), |end| end.to_rfc3339());
                println!("{}\t{}\t{scopes}\t{end}\t{}", row.id, row.prefix, row.name);
            }
        }
        KeyCommand::Revoke { id } => {
            let key = auth::store::find(db.read(), id).await?;
            let Some(key) = key else { bail!("there is no living API key {id}") };
            auth::store::revoke(&db, key.workspace_id, id, now).await?;
        }
    }
    Ok(())
}

async fn find_workspace(db: &Db, name: &str) -> anyhow::Result<WorkspaceId> {
    let found = match name.parse() {
        Ok(id) => workspaces::store::find(db.read(), id).await?,
        Err(_) => workspaces::store::list(db.read(), Some(name), None, 1).await?.pop(),
    };
    found.map(|row| row.id).with_context(|| format!("there is no workspace {name}"))
}

fn print_secrets() {
    let encryption = EncryptionKey::generate(&format!("k{}", now().format("%Y%m%d")));
    let bootstrap = auth::random_secret();
    println!("TIDEGATE_ENCRYPTION_KEYS={}", encryption.to_setting().as_str());
    println!("TIDEGATE_BOOTSTRAP_API_KEY={}", bootstrap.expose_secret());
}
