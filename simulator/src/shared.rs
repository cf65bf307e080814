//! What every handler, the control API and the library share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use actix_web::{HttpRequest, web};

use crate::calls::Ledger;
use crate::clock::Clock;
use crate::confluence::{App, Confluence};
use crate::faults::Switches;
use crate::openai::OpenAi;
use crate::options::Options;

/// The models, the clock, the ledger and the switches of one simulator.
#[derive(Debug)]
pub struct Shared {
    pub clock: Clock,
    pub ledger: Ledger,
    pub switches: Switches,
    pub options: Options,
    confluence: Mutex<Confluence>,
    openai: Mutex<OpenAi>,
    latency: AtomicU64,
    origin: OnceLock<String>,
}

impl Shared {
    pub(crate) fn new(mut options: Options) -> Self {
        let mut confluence = Confluence::new(options.first_id);
        confluence.grants.register(App {
            client_id: options.client_id.clone(),
            client_secret: options.client_secret.clone(),
            redirect_uri: options.redirect_uri.clone(),
            scopes: options.scopes.clone(),
        });
        confluence.add_account(&options.account_email, &options.account_name, &options.api_token);
        let openai = OpenAi::new(&options.openai_key, options.retained_text);
        let shared = Self {
            clock: std::mem::take(&mut options.clock),
            ledger: Ledger::default(),
            switches: Switches::default(),
            confluence: Mutex::new(confluence),
            openai: Mutex::new(openai),
            latency: AtomicU64::new(0),
            origin: OnceLock::new(),
            options,
        };
        shared.set_latency(shared.options.latency);
        shared
    }

    /// The simulator that serves a request; there is one in every app.
    pub(crate) fn of(request: &HttpRequest) -> Arc<Self> {
        #[expect(clippy::expect_used, reason = "every app is built with it")]
        let shared = request.app_data::<web::Data<Self>>().expect("the app has its simulator");
        Arc::clone(shared)
    }

    pub fn confluence(&self) -> MutexGuard<'_, Confluence> {
        self.confluence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn openai(&self) -> MutexGuard<'_, OpenAi> {
        self.openai.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_latency(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_micros(self.latency.load(Ordering::Relaxed))
    }

    pub(crate) fn set_origin(&self, origin: String) {
        self.origin.get_or_init(|| origin);
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn origin(&self) -> &str {
        self.origin.get().map_or("", String::as_str)
    }

    /// The base URL of a site, as `accessible-resources` names it.
    #[must_use]
    pub fn site_url(&self, site: &str) -> String {
        format!("{}/sites/{site}", self.origin())
    }
}
