//! Log lines: readable on a terminal, JSON elsewhere, filtered by `RUST_LOG`.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt};

use crate::config::LogFormat;

/// Sends log lines to standard error for the rest of the process. Unset, the format follows the terminal.
pub fn start(format: Option<LogFormat>) {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    let on_terminal = io::stderr().is_terminal();
    let subscriber = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(on_terminal);
    match format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json }) {
        LogFormat::Text => subscriber.with_target(false).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).with_current_span(true).init(),
    }
}
