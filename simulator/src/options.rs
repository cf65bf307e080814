//! How a simulator is started.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Clock;

/// Settings of one simulator; the defaults suit tests.
#[derive(Debug)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Threads that answer.
    pub workers: usize,
    pub clock: Clock,
    pub client_id: String,
    pub client_secret: String,
    /// The app's one callback URL; `None` takes any.
    pub redirect_uri: Option<String>,
    /// Scopes the app may ask for; empty means any.
    pub scopes: BTreeSet<String>,
    /// `/authorize` accepts at once, for the first account and all its sites.
    pub auto_consent: bool,
    /// The first account.
    pub account_email: String,
    pub account_name: String,
    pub api_token: String,
    pub openai_key: String,
    /// Waited before every call to either vendor.
    pub latency: Duration,
    /// Uploaded texts up to this length are kept (they serve content and search), longer ones are only counted.
    pub retained_text: usize,
    /// The first id of every site; ids go up from here, and are the same on each site.
    pub first_id: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            workers: 1,
            clock: Clock::running(),
            client_id: "simulated-client".to_owned(),
            client_secret: "simulated-secret".to_owned(),
            redirect_uri: None,
            scopes: BTreeSet::new(),
            auto_consent: false,
            account_email: "ada@example.com".to_owned(),
            account_name: "Ada Example".to_owned(),
            api_token: "simulated-api-token".to_owned(),
            openai_key: "sk-simulated".to_owned(),
            latency: Duration::ZERO,
            retained_text: usize::MAX,
            first_id: 98_305,
        }
    }
}
