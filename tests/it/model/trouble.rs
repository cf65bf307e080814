//! What goes wrong at the vendors, and how it is switched on.

use simulator::{Fault, Simulator};

/// What is done to the calls that trouble hits.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Status(u16),
    /// 429, with the seconds to wait.
    Limited(Option<u64>),
    DropBefore,
    DropAfter,
    StatusAfter(u16),
    Truncate(u8),
    Malformed,
    CloseAfter,
    NextLoop,
    NextWithoutCursor,
    ForeignNext,
    /// The account at OpenAI is out of quota.
    Quota,
}

/// What may be hit at Confluence and at the authorization server.
pub const OF_CONFLUENCE: [(&str, &str); 13] = [
    ("GET", "/wiki/*"),
    ("GET", "/wiki/*"),
    ("GET", "/wiki/*"),
    ("GET", "/wiki/api/v2/pages"),
    ("GET", "/wiki/api/v2/pages"),
    ("GET", "/wiki/api/v2/pages/*"),
    ("GET", "/wiki/api/v2/spaces"),
    ("GET", "/wiki/api/v2/spaces/*"),
    ("GET", "/wiki/api/v2/folders/*"),
    ("GET", "*/descendants"),
    ("GET", "*/ancestors"),
    ("GET", "/wiki/rest/api/*"),
    ("*", "/oauth/*"),
];

/// What may be hit at OpenAI.
pub const OF_OPENAI: [(&str, &str); 13] = [
    ("*", "/v1/*"),
    ("*", "/v1/*"),
    ("*", "/v1/*"),
    ("POST", "/v1/files"),
    ("POST", "/v1/files"),
    ("GET", "/v1/files"),
    ("DELETE", "/v1/files/*"),
    ("POST", "/v1/vector_stores/*/file_batches"),
    ("GET", "/v1/vector_stores/*/file_batches/*"),
    ("GET", "/v1/vector_stores/*/files"),
    ("POST", "/v1/vector_stores/*/files/*"),
    ("DELETE", "/v1/vector_stores/*/files/*"),
    ("GET", "/v1/vector_stores/*"),
];

/// Trouble with some of the calls of one operation.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    pub method: &'static str,
    pub path: &'static str,
    pub kind: Kind,
    pub skip: u8,
    /// How many calls it hits; 0: all, until the trouble is over.
    pub times: u8,
}

impl Trouble {
    pub fn begin(self, simulator: &Simulator) {
        let fault = Fault::on(self.method, self.path).skip(self.skip.into());
        let fault = if self.times == 0 { fault } else { fault.times(self.times.into()) };
        simulator.fault(match self.kind {
            Kind::Status(status) => fault.status(status),
            Kind::Limited(wait) => fault.rate_limited(wait),
            Kind::DropBefore => fault.drop_before(),
            Kind::DropAfter => fault.drop_after(),
            Kind::StatusAfter(status) => fault.respond_after(status, &[], ""),
            Kind::Truncate(bytes) => fault.truncate(bytes.into()),
            Kind::Malformed => fault.malformed(),
            Kind::CloseAfter => fault.close_after(),
            Kind::NextLoop => fault.next_loop(),
            Kind::NextWithoutCursor => fault.next_without_cursor(),
            Kind::ForeignNext => fault.foreign_next("elsewhere.example.com"),
            Kind::Quota => {
                let error = r#"{"error":{"message":"No quota.","type":"insufficient_quota","code":"insufficient_quota"}}"#;
                fault.respond(429, &[], error)
            }
        });
    }
}
