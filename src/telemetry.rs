//! Log lines: readable on a terminal, JSON elsewhere, filtered by `RUST_LOG`.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt};

use crate::config::LogFormat;

/// Libraries that at finer levels write down paths, addresses or headers, which may hold secrets.
const QUIET: &[&str] = &[
    "actix_http=info",
    "actix_server=warn",
    "actix_web=info",
    "h2=info",
    "hyper=info",
    "hyper_util=info",
    "reqwest=info",
    "rustls=info",
    "sqlx=warn",
];

/// Sends log lines to standard error for the rest of the process. Unset, the format follows the terminal.
pub fn start(format: Option<LogFormat>) {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    let filter = QUIET.iter().filter_map(|quiet| quiet.parse().ok()).fold(filter, EnvFilter::add_directive);
    let on_terminal = io::stderr().is_terminal();
    let subscriber = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(on_terminal);
    match format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json }) {
        LogFormat::Text => subscriber.with_target(false).init(),
        LogFormat::Json => {
            subscriber.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
        }
    }
}
