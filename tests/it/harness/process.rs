//! The program itself, as a person starts it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use secrecy::ExposeSecret;
use tidegate::config::Settings;

use super::OPERATOR_KEY;

/// The program in a folder of its own, with no setting but a free port.
pub fn tidegate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.current_dir(folder).env_clear().env("TIDEGATE_LISTEN", "127.0.0.1:0");
    command
}

/// The program with settings of this process, a lease of [`LEASE`], and only warnings in its log.
pub fn with_settings(folder: &Path, settings: &Settings) -> Command {
    let mut command = tidegate(folder);
    let app = settings.atlassian.app.as_ref().unwrap();
    let key = settings.openai.api_key.as_ref().unwrap();
    command
        .env("RUST_LOG", "error")
        .env("TIDEGATE_LEASE", format!("{}s", LEASE.as_secs()))
        .env("TIDEGATE_BOOTSTRAP_API_KEY", OPERATOR_KEY)
        .env("TIDEGATE_ENCRYPTION_KEYS", settings.encryption_keys[0].to_setting().as_str())
        .env("DATABASE_URL", settings.database_url.expose_secret())
        .env("ATLASSIAN_CLIENT_ID", &app.client_id)
        .env("ATLASSIAN_CLIENT_SECRET", app.client_secret.expose_secret())
        .env("ATLASSIAN_AUTH_URL", settings.atlassian.auth_url.as_str())
        .env("ATLASSIAN_API_URL", settings.atlassian.api_url.as_str())
        .env("CONFLUENCE_ALLOWED_HOSTS", "127.0.0.1")
        .env("OPENAI_API_KEY", key.expose_secret())
        .env("OPENAI_BASE_URL", settings.openai.base_url.as_str());
    command
}

/// How long the lease of a process lasts that was started [`with_settings`].
pub const LEASE: Duration = Duration::from_secs(3);

/// A serving process; it is killed with the test.
pub struct Process(Child);

impl Process {
    /// Lets a command of [`tidegate`] serve.
    pub fn serve(command: &mut Command) -> Self {
        Self(command.arg("serve").spawn().unwrap())
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Kills it (SIGKILL): it does nothing from now on.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Tells it to stop; answers the code with which it ends.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        self.0.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A process that was started for the first time.
pub struct Service {
    process: Process,
    /// Where its API is explored, as it tells a person at its first start.
    pub docs: String,
    /// The key that it tells with that.
    pub key: String,
}

impl Service {
    /// Lets a command of [`tidegate`] serve for the first time.
    pub fn start(command: &mut Command) -> Self {
        let mut process = Process::serve(command.stdout(Stdio::piped()));
        let mut told = BufReader::new(process.0.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut after = |words: &str| told.find_map(|line| Some(line.strip_prefix(words)?.trim().to_owned()));
        let docs = after("  Explore the API   ").expect("no address was told");
        let key = after("  with this key     ").expect("no key was told");
        Self { process, docs, key }
    }

    /// Tells it to stop; answers the code with which it ends.
    pub fn stop(self) -> Option<i32> {
        self.process.stop()
    }
}

/// Looks until something has come about, for a minute and a half at most.
pub async fn until(what: &str, mut came: impl FnMut() -> bool) {
    let begun = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    while !came() {
        assert!(begun.elapsed() < Duration::from_secs(90), "still not as it should be: {what}");
        pause.tick().await;
    }
}
