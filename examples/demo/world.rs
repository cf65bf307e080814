//! Starts the two halves of the demo: the simulated vendors, and the real service beside them.

use std::{net::TcpListener, path::Path, sync::atomic::Ordering, time::Duration};

use anyhow::{Context, anyhow};
use simulator::{
    Options, Simulator,
    worlds::{LoadError, corpus, handbook},
};
use tempfile::TempDir;
use tidegate::{
    app::{App, Clock},
    auth,
    config::{AllowedHosts, AtlassianApp, EncryptionKey, Settings},
    server,
};
use tokio::task::JoinHandle;

use crate::{
    api::{Api, paint, remark},
    wiki::Wiki,
};

const SITE: &str = "kestrel-works";
/// Long enough to be a bootstrap key, and plainly not a secret.
const API_KEY: &str = "demo-key-of-the-operator-of-kestrel-works";
/// Waited before every answer of the simulated vendors, so that there is progress to watch.
const LATENCY: Duration = Duration::from_millis(20);
/// How often a source is looked at; short, so that changes made by hand are soon seen.
const SYNC_INTERVAL: Duration = Duration::from_secs(10);

/// Everything that runs during the demo.
pub struct World {
    /// The service, called with the operator's key.
    pub api: Api,
    /// The simulated wiki.
    pub wiki: Wiki,
    /// Where the connect flow ends.
    pub return_url: String,
    origin: String,
    simulator: Simulator,
    app: App,
    service: JoinHandle<anyhow::Result<()>>,
    _folder: TempDir,
}

impl World {
    /// Starts the simulator with the handbook, or with the bodies of `file`, and the service on a database of its own.
    pub async fn start(port: u16, simulator_port: u16, file: Option<&Path>) -> anyhow::Result<Self> {
        let simulator = Simulator::start(Options {
            port: simulator_port,
            auto_consent: true,
            account_email: "robin@kestrel-works.example".to_owned(),
            account_name: "Robin Okafor".to_owned(),
            latency: LATENCY,
            ..Options::default()
        })
        .context("the simulator does not start")?;
        load(&simulator, file)?;

        let port = if port == 0 { free_port()? } else { port };
        let origin = format!("http://127.0.0.1:{port}");
        let return_url = format!("{origin}/docs/");
        let folder = tempfile::tempdir()?;
        let settings = settings(port, &return_url, folder.path(), &simulator)?;
        let app = App::open(settings, Clock::System).await?;
        auth::bootstrap(&app, false).await?;
        let (server, _) = server::bind(&app)?;
        let service = tokio::spawn(server::serve(app.clone(), server));
        Ok(Self {
            api: Api::new(origin.clone(), Some(API_KEY.to_owned()))?,
            wiki: Wiki::new(simulator.origin(), SITE)?,
            return_url,
            origin,
            simulator,
            app,
            service,
            _folder: folder,
        })
    }

    /// Says who is who.
    pub fn introduce(&self) {
        println!("{}", paint("1", "Tidegate, from end to end"));
        remark(&format!("service    {}", self.origin));
        remark(&format!("simulator  {} (stands for Confluence Cloud and OpenAI)", self.simulator.origin()));
        remark(&format!("API key    {API_KEY}"));
    }

    /// Says how to go on by hand.
    pub fn invite(&self) {
        remark(&format!("Swagger UI  {}/docs/", self.origin));
        remark(&format!("Authorize   {API_KEY}"));
        remark("Every call above can be repeated there, and the wiki changed with the simulator's:");
        let pages = format!("{}/_control/sites/{SITE}/pages", self.simulator.origin());
        remark(&format!("  curl {pages}"));
        remark(&format!("  curl {pages}/ID/edit -d '{{\"storage\": \"<p>New text</p>\"}}'"));
        remark("Within 10 seconds the change is in the store. Ctrl-C ends it all; nothing is kept.");
    }

    /// Waits until the service ends: it listens for Ctrl-C itself, and stops at its next safe point.
    pub async fn service_ends(&mut self) -> anyhow::Result<()> {
        (&mut self.service).await.context("the service panicked")?
    }
}

impl Drop for World {
    /// Ends what still runs: the worker would otherwise keep the process alive.
    fn drop(&mut self) {
        self.app.stopping.store(true, Ordering::SeqCst);
        self.app.wake.notify_one();
        self.service.abort();
    }
}

fn load(simulator: &Simulator, file: Option<&Path>) -> Result<(), LoadError> {
    let now = simulator.clock().now();
    let mut cloud = simulator.confluence();
    match file {
        Some(file) => corpus::load(&mut cloud, SITE, file, now).map(drop),
        None => handbook::load_sample(&mut cloud, SITE, now).map(drop),
    }
}

fn settings(port: u16, return_url: &str, folder: &Path, simulator: &Simulator) -> anyhow::Result<Settings> {
    let mut settings = Settings {
        listen: ([127, 0, 0, 1], port).into(),
        public_url: format!("http://127.0.0.1:{port}").parse()?,
        database_url: format!("sqlite://{}?mode=rwc", folder.join("demo.db").display()).into(),
        encryption_keys: vec![EncryptionKey::generate("demo")],
        bootstrap_api_key: Some(API_KEY.into()),
        sync_interval: SYNC_INTERVAL,
        min_source_interval: SYNC_INTERVAL,
        return_urls: vec![return_url.to_owned()],
        // The simulated vendors have no quota, so each tick may look at everything, and uploads need not wait.
        confluence_points_per_hour: u32::MAX,
        confluence_allowed_hosts: AllowedHosts::parse([format!("127.0.0.1:{}", simulator.port()).as_str()])
            .map_err(|message| anyhow!(message))?,
        ..Settings::default()
    };
    let options = simulator.options();
    settings.atlassian.app = Some(AtlassianApp {
        client_id: options.client_id.clone(),
        client_secret: options.client_secret.clone().into(),
    });
    settings.atlassian.auth_url = simulator.auth_url().parse()?;
    settings.atlassian.api_url = simulator.api_url().parse()?;
    settings.openai.api_key = Some(options.openai_key.clone().into());
    settings.openai.uploads_per_minute = None;
    settings.openai.base_url = simulator.openai_url().parse()?;
    Ok(settings)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
