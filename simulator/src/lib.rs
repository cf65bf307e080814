//! Stateful models of Confluence Cloud and OpenAI over HTTP, with every fault as a switch.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use simulator::{Fault, Options, Simulator};
//!
//! let simulator = Simulator::start(Options::default())?;
//! let site = simulator.add_site("acme");
//! let space = site.add_space("ENG", "Engineering")?;
//! let page = site.add_page(space, "Runbook", "<p>Turn it off and on.</p>")?;
//! site.edit(page, "<p>Turn it on.</p>")?;
//! simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").once().status(503));
//! assert_eq!(simulator.calls().of("GET /wiki/api/v2/pages"), 0);
//! # Ok(())
//! # }
//! ```

mod calls;
mod clock;
mod control;
mod faults;
mod handle;
mod options;
mod random;
mod server;
mod shared;
mod traffic;

pub mod confluence;
pub mod openai;
pub mod worlds;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

pub use calls::{Call, Totals, Vendor};
pub use clock::{Clock, Millis};
pub use confluence::{Body, Confluence, Id, Kind, Place, Refused, Status};
pub use faults::{Action, Fault, Gate, Hook};
pub use handle::SiteHandle;
pub use openai::{BatchSupport, IndexingRule, OpenAi, Outcome, State};
pub use options::Options;
use shared::Shared;

/// A running simulator; dropping it stops it.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    server: server::Running,
}

impl Simulator {
    /// Binds 127.0.0.1 and serves from a thread of its own, whatever runtime the caller is in.
    pub fn start(options: Options) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(options));
        let server = server::start(&shared)?;
        Ok(Self { shared, server })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn origin(&self) -> &str {
        self.shared.origin()
    }

    /// What stands for `https://auth.atlassian.com`.
    #[must_use]
    pub fn auth_url(&self) -> String {
        format!("{}{}", self.origin(), traffic::AUTH_BASE)
    }

    /// What stands for `https://api.atlassian.com`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("{}{}", self.origin(), traffic::API_BASE)
    }

    /// What stands for `https://{site}.atlassian.net`.
    #[must_use]
    pub fn site_url(&self, site: &str) -> String {
        self.shared.site_url(site)
    }

    /// What stands for `https://api.openai.com/v1`.
    #[must_use]
    pub fn openai_url(&self) -> String {
        format!("{}{}", self.origin(), traffic::OPENAI_BASE)
    }

    /// The port, for allow-lists of hosts.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.address.port()
    }

    #[must_use]
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Locks the model of Confluence: no call is handled meanwhile.
    pub fn confluence(&self) -> MutexGuard<'_, Confluence> {
        self.shared.confluence()
    }

    /// Locks the model of OpenAI.
    pub fn openai(&self) -> MutexGuard<'_, OpenAi> {
        self.shared.openai()
    }

    /// Adds a site (or finds it) that every account can enter.
    #[must_use]
    pub fn add_site(&self, name: &str) -> SiteHandle {
        let cloud_id = self.confluence().add_site(name);
        SiteHandle::new(Arc::clone(&self.shared), name, cloud_id)
    }

    /// A site there is.
    pub fn site(&self, name: &str) -> Result<SiteHandle, Refused> {
        let cloud_id = self.confluence().site(name)?.cloud_id.clone();
        Ok(SiteHandle::new(Arc::clone(&self.shared), name, cloud_id))
    }

    /// The account that tests and auto-consent use: the one of [`Options`].
    #[must_use]
    pub fn account_id(&self) -> String {
        let cloud = self.confluence();
        let email = &self.options().account_email;
        let found = cloud.accounts.values().find(|account| account.email == *email);
        found.map(|account| account.id.clone()).unwrap_or_default()
    }

    /// Presses Accept on the consent page of an authorization URL, for these sites (none: all); answers where the browser
    /// is sent.
    pub fn accept(
        &self,
        authorize_url: &str,
        account: Option<&str>,
        sites: &[&str],
    ) -> Result<String, String> {
        let ask = self.ask(authorize_url)?;
        let sites: Vec<String> = sites.iter().map(|site| (*site).to_owned()).collect();
        let decision = self.shared.usual_decision(account, &sites).ok_or("unknown account")?;
        self.shared.decide(&ask, decision)
    }

    /// Presses Cancel; answers where the browser is sent.
    pub fn cancel(&self, authorize_url: &str) -> Result<String, String> {
        let ask = self.ask(authorize_url)?;
        self.shared.decide(&ask, confluence::Decision { account: None, sites: BTreeSet::new() })
    }

    fn ask(&self, authorize_url: &str) -> Result<confluence::Ask, String> {
        let url = url::Url::parse(authorize_url).map_err(|error| error.to_string())?;
        if !authorize_url.starts_with(&format!("{}/authorize?", self.auth_url())) {
            return Err(format!("{authorize_url} is not an address of this authorization server"));
        }
        self.shared.check_ask(url.query().unwrap_or_default())
    }

    /// Puts a fault in force; the number removes it and tells its hits.
    #[expect(clippy::must_use_candidate, reason = "most faults are never looked at again")]
    pub fn fault(&self, fault: Fault) -> u64 {
        self.shared.switches.set(fault)
    }

    /// Calls a fault has hit so far.
    #[must_use]
    pub fn hits(&self, fault: u64) -> u32 {
        self.shared.switches.hits(fault)
    }

    /// Switches one fault off; false when there is none of this number.
    #[expect(clippy::must_use_candidate, reason = "a fault may be gone already")]
    pub fn remove_fault(&self, fault: u64) -> bool {
        self.shared.switches.remove(fault)
    }

    pub fn clear_faults(&self) {
        self.shared.switches.clear();
    }

    /// Waited before every call from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.set_latency(latency);
    }

    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Moves the model's clock on.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    /// Counters since the start or the last reset.
    #[must_use]
    pub fn calls(&self) -> Totals {
        self.shared.ledger.totals()
    }

    /// The last 100,000 calls, oldest first.
    #[must_use]
    pub fn call_log(&self) -> Vec<Call> {
        self.shared.ledger.log()
    }

    pub fn reset_calls(&self) {
        self.shared.ledger.reset();
    }

    /// Every access token given out is expired from now on.
    pub fn expire_tokens(&self) {
        let now = self.clock().now();
        self.confluence().grants.expire_access_tokens(now);
    }

    /// Every grant is revoked.
    pub fn revoke_grants(&self) {
        self.confluence().grants.revoke(None);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.stop();
    }
}
