//! Faults as switches: which calls they hit, how often, and what they do to them.

mod action;
mod gate;
mod switches;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::calls::Vendor;

pub use action::Action;
pub use gate::{Gate, Hook};
pub use switches::Switches;

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

    /// Answers truly, then closes the connection that was to be kept alive.
    #[must_use]
    pub fn close_after(self) -> Self {
        self.action(Action::CloseAfter)
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

    /// The call has its effect, then its answer waits at the gate.
    #[must_use]
    pub fn hold_answer(self, gate: &Gate) -> Self {
        self.action(Action::HoldAnswer(gate.clone()))
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

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(glob("*", "/v1/files"));
        assert!(glob("/v1/files", "/v1/files"));
        assert!(!glob("/v1/files", "/v1/files/file-1"));
        assert!(glob("/v1/vector_stores/*/files", "/v1/vector_stores/vs_1/files"));
        assert!(!glob("/v1/vector_stores/*/files", "/v1/vector_stores/vs_1/file_batches"));
        assert!(glob("/v1/*", "/v1/files/file-1"));
    }
}
