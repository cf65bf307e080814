//! Faults as switches: which calls they hit, how often, and what they do to them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::calls::Vendor;

/// What happens to a call that a [`Fault`] hits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Waits before the call is handled.
    Latency { milliseconds: u64 },
    /// Answers this instead of handling the call.
    Respond {
        status: u16,
        #[serde(default)]
        headers: Vec<(String, String)>,
        #[serde(default)]
        body: String,
    },
    /// Handles the call, then answers this instead of the true answer.
    RespondAfter {
        status: u16,
        #[serde(default)]
        headers: Vec<(String, String)>,
        #[serde(default)]
        body: String,
    },
    /// Closes the connection without an answer; nothing has happened.
    DropBefore,
    /// Handles the call, then closes the connection without an answer.
    DropAfter,
    /// Sends this many bytes of the true answer, then closes the connection.
    Truncate { bytes: usize },
    /// Sends the first half of the true answer as if it were whole: HTTP is right, the JSON is not.
    Malformed,
    /// Every access token issued so far is expired from now on; the call goes on.
    ExpireTokens,
    /// Every grant is revoked; the call goes on.
    RevokeGrants,
    /// The site leaves every grant; the call goes on.
    LoseSite { site: String },
    /// The listing's next cursor leads to the same page again.
    NextLoop,
    /// The listing has a `next` link that carries no cursor.
    NextWithoutCursor,
    /// The listing's `next` link is absolute and names this host.
    ForeignNext { host: String },
    /// The call waits at the gate until the test lets it through.
    #[serde(skip)]
    Hold(Gate),
    /// Runs a function of the test, then the call goes on.
    #[serde(skip)]
    Run(Hook),
}

impl Action {
    /// The word the call log uses.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Latency { milliseconds } => format!("latency {milliseconds} ms"),
            Self::Respond { status, .. } => format!("respond {status}"),
            Self::RespondAfter { status, .. } => format!("respond {status} after the effect"),
            Self::DropBefore => "drop before the effect".to_owned(),
            Self::DropAfter => "drop after the effect".to_owned(),
            Self::Truncate { bytes } => format!("truncate at {bytes}"),
            Self::Malformed => "malformed".to_owned(),
            Self::ExpireTokens => "expire tokens".to_owned(),
            Self::RevokeGrants => "revoke grants".to_owned(),
            Self::LoseSite { site } => format!("lose site {site}"),
            Self::NextLoop => "next loop".to_owned(),
            Self::NextWithoutCursor => "next without cursor".to_owned(),
            Self::ForeignNext { host } => format!("next at {host}"),
            Self::Hold(_) => "hold".to_owned(),
            Self::Run(_) => "run".to_owned(),
        }
    }
}

/// A door in front of a call: the test learns that a call has come, and decides when it goes on.
#[derive(Debug, Clone)]
pub struct Gate {
    arrivals: Arc<Semaphore>,
    passes: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { arrivals: Arc::new(Semaphore::new(0)), passes: Arc::new(Semaphore::new(0)) }
    }
}

impl Gate {
    /// Waits until a call stands at the gate; each arrival is reported once.
    pub async fn arrived(&self) {
        if let Ok(arrival) = self.arrivals.acquire().await {
            arrival.forget();
        }
    }

    /// Lets one call through, now or when it comes.
    pub fn release(&self) {
        self.passes.add_permits(1);
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        self.passes.close();
    }

    pub(crate) async fn pass(&self) {
        self.arrivals.add_permits(1);
        if let Ok(pass) = self.passes.acquire().await {
            pass.forget();
        }
    }
}

/// A function of the test that runs when the fault hits, before the call is handled.
#[derive(Clone)]
pub struct Hook(Arc<dyn Fn() + Send + Sync>);

impl Hook {
    pub(crate) fn run(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// A switch: hits calls that match all its conditions, after `skip` of them, at most `times` of them.
///
/// ```
/// use simulator::Fault;
/// let second_listing_fails = Fault::on("GET", "/wiki/api/v2/pages").skip(1).times(1).status(503);
/// let one_upload_in_ten_is_lost = Fault::on("POST", "/v1/files").probability(0.1, 7).drop_after();
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    #[serde(default)]
    pub vendor: Option<Vendor>,
    #[serde(default)]
    pub method: Option<String>,
    /// The path below the vendor's base, or the documented route; `*` stands for any characters.
    #[serde(default = "anything")]
    pub path: String,
    /// Text the query must contain.
    #[serde(default)]
    pub query: Option<String>,
    /// The page of a cursor listing, from 1.
    #[serde(default)]
    pub page: Option<u32>,
    #[serde(default)]
    pub skip: u32,
    #[serde(default)]
    pub times: Option<u32>,
    #[serde(default)]
    pub probability: Option<f64>,
    #[serde(default)]
    pub seed: u64,
    #[serde(flatten)]
    pub action: Action,
}

fn anything() -> String {
    "*".to_owned()
}

impl Fault {
    /// A fault for calls of this method and path (see [`Fault::path`]); `*` as method means any.
    #[must_use]
    pub fn on(method: &str, path: &str) -> Self {
        Self {
            vendor: None,
            method: (method != "*").then(|| method.to_owned()),
            path: path.to_owned(),
            query: None,
            page: None,
            skip: 0,
            times: None,
            probability: None,
            seed: 0,
            action: Action::Latency { milliseconds: 0 },
        }
    }

    /// A fault for every call to this vendor.
    #[must_use]
    pub fn at(vendor: Vendor) -> Self {
        Self { vendor: Some(vendor), ..Self::on("*", "*") }
    }

    #[must_use]
    pub fn query(self, contains: &str) -> Self {
        Self { query: Some(contains.to_owned()), ..self }
    }

    /// Only page `page` (from 1) of a cursor listing.
    #[must_use]
    pub fn page(self, page: u32) -> Self {
        Self { page: Some(page), ..self }
    }

    #[must_use]
    pub fn skip(self, calls: u32) -> Self {
        Self { skip: calls, ..self }
    }

    #[must_use]
    pub fn times(self, calls: u32) -> Self {
        Self { times: Some(calls), ..self }
    }

    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Hits each matching call with this probability, the same way for the same seed.
    #[must_use]
    pub fn probability(self, probability: f64, seed: u64) -> Self {
        Self { probability: Some(probability), seed, ..self }
    }

    #[must_use]
    pub fn action(self, action: Action) -> Self {
        Self { action, ..self }
    }

    #[must_use]
    pub fn latency(self, latency: Duration) -> Self {
        let milliseconds = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.action(Action::Latency { milliseconds })
    }

    /// Answers this status with a body in the vendor's error shape.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        self.respond(status, &[], "")
    }

    /// Answers this; an empty body becomes the vendor's error shape.
    #[must_use]
    pub fn respond(self, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = owned(headers);
        self.action(Action::Respond { status, headers, body: body.to_owned() })
    }

    /// As [`Fault::respond`], after the call has had its effect.
    #[must_use]
    pub fn respond_after(self, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = owned(headers);
        self.action(Action::RespondAfter { status, headers, body: body.to_owned() })
    }

    /// 429, with `Retry-After` in seconds if given.
    #[must_use]
    pub fn rate_limited(self, retry_after: Option<u64>) -> Self {
        match retry_after {
            Some(seconds) => self.respond(429, &[("retry-after", &seconds.to_string())], ""),
            None => self.status(429),
        }
    }

    #[must_use]
    pub fn drop_before(self) -> Self {
        self.action(Action::DropBefore)
    }

    #[must_use]
    pub fn drop_after(self) -> Self {
        self.action(Action::DropAfter)
    }

    #[must_use]
    pub fn truncate(self, bytes: usize) -> Self {
        self.action(Action::Truncate { bytes })
    }

    #[must_use]
    pub fn malformed(self) -> Self {
        self.action(Action::Malformed)
    }

    #[must_use]
    pub fn next_loop(self) -> Self {
        self.action(Action::NextLoop)
    }

    #[must_use]
    pub fn next_without_cursor(self) -> Self {
        self.action(Action::NextWithoutCursor)
    }

    #[must_use]
    pub fn foreign_next(self, host: &str) -> Self {
        self.action(Action::ForeignNext { host: host.to_owned() })
    }

    /// The call waits at the gate.
    #[must_use]
    pub fn hold(self, gate: &Gate) -> Self {
        self.action(Action::Hold(gate.clone()))
    }

    /// Runs `function` before the call is handled, for instance an edit in the middle of a walk.
    #[must_use]
    pub fn run(self, function: impl Fn() + Send + Sync + 'static) -> Self {
        self.action(Action::Run(Hook(Arc::new(function))))
    }

    fn matches(&self, call: &Arriving<'_>) -> bool {
        self.vendor.is_none_or(|vendor| vendor == call.vendor)
            && self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(call.method))
            && (glob(&self.path, call.path) || glob(&self.path, call.route))
            && self.query.as_deref().is_none_or(|text| call.query.contains(text))
            && self.page.is_none_or(|page| page == call.page)
    }
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What a fault does to the next link of one listing page.
#[derive(Debug, Clone)]
pub(crate) enum ListingFault {
    NextLoop,
    NextWithoutCursor,
    ForeignNext(String),
}

/// A call as the switches see it.
#[derive(Debug)]
pub(crate) struct Arriving<'a> {
    pub vendor: Vendor,
    pub method: &'a str,
    pub path: &'a str,
    pub route: &'a str,
    pub query: &'a str,
    pub page: u32,
}

/// A fault in force, as the control API lists it.
#[derive(Debug, Serialize)]
pub struct Armed {
    pub id: u64,
    pub matched: u32,
    pub hits: u32,
    pub fault: Fault,
    #[serde(skip)]
    random: StdRng,
}

#[derive(Debug, Default)]
struct Board {
    last_id: u64,
    armed: Vec<Armed>,
}

/// All faults in force.
#[derive(Debug, Default)]
pub struct Switches(Mutex<Board>);

impl Switches {
    /// Puts a fault in force; the number switches it off again.
    pub fn set(&self, fault: Fault) -> u64 {
        let mut board = self.board();
        board.last_id += 1;
        let id = board.last_id;
        let random = StdRng::seed_from_u64(fault.seed);
        board.armed.push(Armed { id, matched: 0, hits: 0, fault, random });
        id
    }

    /// Switches one fault off; false when there is none of this number.
    pub fn remove(&self, id: u64) -> bool {
        let mut board = self.board();
        let before = board.armed.len();
        board.armed.retain(|armed| armed.id != id);
        board.armed.len() != before
    }

    pub fn clear(&self) {
        self.board().armed.clear();
    }

    /// How many calls a fault has hit.
    #[must_use]
    pub fn hits(&self, id: u64) -> u32 {
        self.board().armed.iter().find(|armed| armed.id == id).map_or(0, |armed| armed.hits)
    }

    /// Calls `read` with the faults in force.
    pub fn read<T>(&self, read: impl FnOnce(&[Armed]) -> T) -> T {
        read(&self.board().armed)
    }

    pub(crate) fn hit(&self, call: &Arriving<'_>) -> Vec<Action> {
        let mut board = self.board();
        if board.armed.is_empty() {
            return Vec::new();
        }
        board.armed.iter_mut().filter_map(|armed| armed.hit(call)).collect()
    }

    fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Armed {
    fn hit(&mut self, call: &Arriving<'_>) -> Option<Action> {
        if !self.fault.matches(call) {
            return None;
        }
        self.matched += 1;
        if self.matched <= self.fault.skip || self.fault.times.is_some_and(|times| self.hits >= times) {
            return None;
        }
        if let Some(probability) = self.fault.probability
            && !self.random.random_bool(probability.clamp(0.0, 1.0))
        {
            return None;
        }
        self.hits += 1;
        Some(self.fault.action.clone())
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(page: u32) -> Arriving<'static> {
        Arriving {
            vendor: Vendor::Confluence,
            method: "GET",
            path: "/wiki/api/v2/pages/12",
            route: "/wiki/api/v2/pages/{id}",
            query: "body-format=storage",
            page,
        }
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(glob("*", "/v1/files"));
        assert!(glob("/v1/files", "/v1/files"));
        assert!(!glob("/v1/files", "/v1/files/file-1"));
        assert!(glob("/v1/vector_stores/*/files", "/v1/vector_stores/vs_1/files"));
        assert!(!glob("/v1/vector_stores/*/files", "/v1/vector_stores/vs_1/file_batches"));
        assert!(glob("/v1/*", "/v1/files/file-1"));
    }

    #[test]
    fn a_fault_hits_after_skip_and_at_most_times() {
        let switches = Switches::default();
        let id = switches.set(Fault::on("GET", "/wiki/api/v2/pages/{id}").skip(1).times(2).status(503));
        let hits: Vec<bool> = (0..5).map(|_| !switches.hit(&listing(1)).is_empty()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert_eq!(switches.hits(id), 2);
    }

    #[test]
    fn every_condition_must_hold() {
        let hits = |fault: Fault| {
            let switches = Switches::default();
            switches.set(fault);
            !switches.hit(&listing(2)).is_empty()
        };
        assert!(hits(Fault::on("get", "/wiki/api/v2/pages/*").page(2).query("body-format").drop_before()));
        assert!(!hits(Fault::on("POST", "*").drop_before()));
        assert!(!hits(Fault::on("*", "*").page(1).drop_before()));
        assert!(!hits(Fault::on("*", "*").query("cursor").drop_before()));
        assert!(!hits(Fault::at(Vendor::OpenAi).drop_before()));
    }

    #[test]
    fn the_same_seed_hits_the_same_calls() {
        let pattern = |seed| {
            let switches = Switches::default();
            switches.set(Fault::at(Vendor::Confluence).probability(0.5, seed).drop_before());
            (0..64).map(|_| switches.hit(&listing(1)).len()).collect::<Vec<_>>()
        };
        assert_eq!(pattern(3), pattern(3));
        assert_ne!(pattern(3), pattern(4));
        let hits: usize = pattern(3).iter().sum();
        assert!((16..48).contains(&hits), "{hits} of 64");
    }
}
