//! The simulator as a program: a wiki and a vector store to build and try things against.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::{fmt, io};

use clap::Parser;
use simulator::worlds::{LoadError, corpus, handbook, synthetic};
use simulator::{Options, Simulator};

/// Stateful models of Confluence Cloud and OpenAI on one port of 127.0.0.1.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address or port to listen on; port 0 takes a free one. Only 127.0.0.1 is served.
    #[arg(long, default_value = "127.0.0.1:9000", value_parser = parse_listen)]
    listen: SocketAddr,
    /// Name of the site.
    #[arg(long, default_value = "acme")]
    site: String,
    /// Pages from a file of JSON lines: {"id", "title", "storage"}.
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// A wiki from a directory instead of the built-in sample handbook.
    #[arg(long)]
    handbook: Option<PathBuf>,
    /// So many made-up pages in one space.
    #[arg(long)]
    synthetic: Option<usize>,
    /// Waited before every call, as 50ms or 1s.
    #[arg(long, default_value = "0ms", value_parser = humantime::parse_duration)]
    latency: Duration,
    /// How long OpenAI takes to index a file.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    indexing: Duration,
    #[arg(long, default_value = "simulated-client")]
    client_id: String,
    #[arg(long, default_value = "simulated-secret")]
    client_secret: String,
    /// The one callback URL of the app; without it any is taken.
    #[arg(long)]
    redirect_uri: Option<String>,
    /// Accept every consent at once, without the page.
    #[arg(long)]
    auto_consent: bool,
    #[arg(long, default_value = "ada@example.com")]
    email: String,
    #[arg(long, default_value = "simulated-api-token")]
    api_token: String,
    #[arg(long, default_value = "sk-simulated")]
    openai_key: String,
    /// Points an hour that an app has; without it there is no wall.
    #[arg(long)]
    points_per_hour: Option<u64>,
    /// Keep uploaded texts only up to this many bytes (search and content need them).
    #[arg(long)]
    retained_text: Option<usize>,
    /// Threads that answer.
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let text = if text.contains(':') { text.to_owned() } else { format!("127.0.0.1:{text}") };
    let address: SocketAddr = text.parse().map_err(|error| format!("{error}"))?;
    if address.ip() == std::net::Ipv4Addr::LOCALHOST {
        return Ok(address);
    }
    Err("the simulator listens on 127.0.0.1 only".to_owned())
}

#[derive(Debug)]
enum Failure {
    Start(io::Error),
    Load(LoadError),
    Print(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "the simulator cannot start: {error}"),
            Self::Load(error) => {
                write!(f, "{error}")?;
                let cause = std::error::Error::source(error);
                cause.map_or(Ok(()), |cause| write!(f, ": {cause}"))
            }
            Self::Print(error) => write!(f, "cannot print: {error}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let simulator = Simulator::start(Options {
        port: arguments.listen.port(),
        workers: arguments.workers,
        client_id: arguments.client_id.clone(),
        client_secret: arguments.client_secret.clone(),
        redirect_uri: arguments.redirect_uri.clone(),
        auto_consent: arguments.auto_consent,
        account_email: arguments.email.clone(),
        api_token: arguments.api_token.clone(),
        openai_key: arguments.openai_key.clone(),
        latency: arguments.latency,
        retained_text: arguments.retained_text.unwrap_or(usize::MAX),
        ..Options::default()
    })
    .map_err(Failure::Start)?;
    let pages = load(&simulator, arguments).map_err(Failure::Load)?;
    simulator.confluence().habits.points_per_hour = arguments.points_per_hour;
    simulator.openai().habits.indexing = arguments.indexing;
    print(&simulator, arguments, pages).map_err(Failure::Print)?;
    stopped().await.map_err(Failure::Start)
}

fn load(simulator: &Simulator, arguments: &Arguments) -> Result<usize, LoadError> {
    let now = simulator.clock().now();
    let mut cloud = simulator.confluence();
    let site = arguments.site.as_str();
    let mut pages = 0;
    if let Some(path) = &arguments.corpus {
        pages += corpus::load(&mut cloud, site, path, now)?.len();
    }
    if let Some(count) = arguments.synthetic {
        synthetic::load(&mut cloud, site, &synthetic::Plan::pages(count), now)?;
        pages += count;
    }
    match &arguments.handbook {
        Some(path) => pages += handbook::load(&mut cloud, site, path, now)?,
        None if pages == 0 => pages += handbook::load_sample(&mut cloud, site, now)?,
        None => {}
    }
    Ok(pages)
}

fn print(simulator: &Simulator, arguments: &Arguments, pages: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let port = simulator.port();
    writeln!(out, "# The simulator serves {pages} pages on {} until it is interrupted.", simulator.origin())?;
    writeln!(
        out,
        "# Site {}: e-mail {}, API token {}",
        simulator.site_url(&arguments.site),
        arguments.email,
        arguments.api_token
    )?;
    writeln!(
        out,
        "# Control: {0}/_control   Consent page: {1}/authorize",
        simulator.origin(),
        simulator.auth_url()
    )?;
    writeln!(out, "ATLASSIAN_AUTH_URL={}", simulator.auth_url())?;
    writeln!(out, "ATLASSIAN_API_URL={}", simulator.api_url())?;
    writeln!(out, "ATLASSIAN_CLIENT_ID={}", arguments.client_id)?;
    writeln!(out, "ATLASSIAN_CLIENT_SECRET={}", arguments.client_secret)?;
    writeln!(out, "CONFLUENCE_ALLOWED_HOSTS=127.0.0.1:{port}")?;
    writeln!(out, "OPENAI_BASE_URL={}", simulator.openai_url())?;
    writeln!(out, "OPENAI_API_KEY={}", arguments.openai_key)?;
    out.flush()
}

/// Waits for an interrupt or a termination.
async fn stopped() -> io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
