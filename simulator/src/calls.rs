//! What was asked of the vendors: counters per operation, a log of calls, points and concurrency.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock::{Millis, rfc3339};

/// How many calls the log remembers; counters are exact beyond it.
const LOG_CAPACITY: usize = 100_000;

/// Whose service a call went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// The authorization server and the account-level API: tokens, sites, identity.
    Atlassian,
    /// v2 and v1 of one site, through the gateway or directly.
    Confluence,
    /// Files and vector stores.
    OpenAi,
}

/// One answered (or dropped) call.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    pub at: String,
    pub vendor: Vendor,
    /// Method and route as the vendor documents it: `GET /wiki/api/v2/pages/{id}`, `POST /v1/files`.
    pub operation: String,
    pub path: String,
    /// The query with long repetitions counted: `id=×250`.
    pub query: String,
    /// 0 when the connection was dropped.
    pub status: u16,
    /// What the call costs in Confluence points: 1 and 1 per object.
    pub points: u64,
    /// Objects in the answer.
    pub results: u64,
    /// Names of the faults that hit it.
    pub faults: Vec<String>,
    pub duration_ms: u64,
}

/// Totals since the start or the last reset.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Calls per operation, as `GET /wiki/api/v2/pages`.
    pub operations: BTreeMap<String, u64>,
    pub vendors: BTreeMap<Vendor, u64>,
    /// Most calls under way at once.
    pub peak_in_flight: BTreeMap<Vendor, u64>,
    /// Page listings and reads that carried bodies.
    pub body_requests: u64,
    /// Pages whose body was sent.
    pub bodies: u64,
    /// Points per app since the last reset, whatever the hour. API-token calls count under `api-token`.
    pub points: BTreeMap<String, u64>,
}

impl Totals {
    /// Calls of one operation, 0 when there was none.
    #[must_use]
    pub fn of(&self, operation: &str) -> u64 {
        self.operations.get(operation).copied().unwrap_or(0)
    }

    #[must_use]
    pub fn vendor(&self, vendor: Vendor) -> u64 {
        self.vendors.get(&vendor).copied().unwrap_or(0)
    }

    #[must_use]
    pub fn confluence(&self) -> u64 {
        self.vendor(Vendor::Confluence)
    }

    #[must_use]
    pub fn openai(&self) -> u64 {
        self.vendor(Vendor::OpenAi)
    }

    #[must_use]
    pub fn peak(&self, vendor: Vendor) -> u64 {
        self.peak_in_flight.get(&vendor).copied().unwrap_or(0)
    }
}

#[derive(Debug, Default)]
struct Books {
    totals: Totals,
    in_flight: BTreeMap<Vendor, u64>,
    log: VecDeque<Call>,
}

/// The ledger all calls are entered in.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Books>);

/// What the handlers report about a call.
#[derive(Debug, Clone, Default)]
pub struct Cost {
    pub points: u64,
    pub results: u64,
    pub bodies: Option<u64>,
    pub app: Option<String>,
}

impl Ledger {
    /// Notes that a call has begun; each is followed by one [`Ledger::end`].
    pub fn begin(&self, vendor: Vendor) {
        let mut books = self.books();
        let now = books.in_flight.entry(vendor).or_default();
        *now += 1;
        let now = *now;
        let peak = books.totals.peak_in_flight.entry(vendor).or_default();
        *peak = now.max(*peak);
    }

    pub fn end(&self, call: Call, cost: &Cost) {
        let mut books = self.books();
        if let Some(count) = books.in_flight.get_mut(&call.vendor) {
            *count = count.saturating_sub(1);
        }
        let totals = &mut books.totals;
        *totals.vendors.entry(call.vendor).or_default() += 1;
        match totals.operations.get_mut(&call.operation) {
            Some(count) => *count += 1,
            None => {
                totals.operations.insert(call.operation.clone(), 1);
            }
        }
        if let Some(bodies) = cost.bodies {
            totals.body_requests += 1;
            totals.bodies += bodies;
        }
        if let Some(app) = &cost.app {
            *totals.points.entry(app.clone()).or_default() += cost.points;
        }
        if books.log.len() == LOG_CAPACITY {
            books.log.pop_front();
        }
        books.log.push_back(call);
    }

    #[must_use]
    pub fn totals(&self) -> Totals {
        self.books().totals.clone()
    }

    /// The remembered calls, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<Call> {
        self.books().log.iter().cloned().collect()
    }

    pub fn reset(&self) {
        let mut books = self.books();
        books.totals = Totals::default();
        books.log.clear();
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    #[must_use]
    pub fn new(vendor: Vendor, operation: String, path: String, query: &str, at: Millis) -> Self {
        Self {
            at: rfc3339(at),
            vendor,
            operation,
            path,
            query: compact(query),
            status: 0,
            points: 0,
            results: 0,
            faults: Vec::new(),
            duration_ms: 0,
        }
    }
}

/// Keeps a query readable: a key repeated more than three times is written once with its count.
fn compact(query: &str) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let pairs = || query.split('&').filter(|pair| !pair.is_empty());
    for pair in pairs() {
        *counts.entry(pair.split('=').next().unwrap_or(pair)).or_default() += 1;
    }
    let mut written: Vec<&str> = Vec::new();
    let mut parts = Vec::new();
    for pair in pairs() {
        let key = pair.split('=').next().unwrap_or(pair);
        let count = counts.get(key).copied().unwrap_or(1);
        if count <= 3 {
            parts.push(pair.to_owned());
        } else if !written.contains(&key) {
            written.push(key);
            parts.push(format!("{key}=×{count}"));
        }
    }
    parts.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_with_many_ids_is_written_short() {
        assert_eq!(compact("id=1&id=2&id=3&id=4&limit=250"), "id=×4&limit=250");
        assert_eq!(
            compact("space-id=1&space-id=2&sort=-modified-date"),
            "space-id=1&space-id=2&sort=-modified-date"
        );
        assert_eq!(compact(""), "");
    }
}
