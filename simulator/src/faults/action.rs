//! What a fault does to a call.

use serde::{Deserialize, Serialize};

use super::{Gate, Hook};

/// What happens to a call that a [`Fault`](super::Fault) hits.
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
    /// Sends the whole true answer, then closes the connection without having said so.
    CloseAfter,
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
    /// Handles the call, then its answer waits at the gate.
    #[serde(skip)]
    HoldAnswer(Gate),
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
            Self::CloseAfter => "close after the answer".to_owned(),
            Self::Malformed => "malformed".to_owned(),
            Self::ExpireTokens => "expire tokens".to_owned(),
            Self::RevokeGrants => "revoke grants".to_owned(),
            Self::LoseSite { site } => format!("lose site {site}"),
            Self::NextLoop => "next loop".to_owned(),
            Self::NextWithoutCursor => "next without cursor".to_owned(),
            Self::ForeignNext { host } => format!("next at {host}"),
            Self::Hold(_) => "hold".to_owned(),
            Self::HoldAnswer(_) => "hold the answer".to_owned(),
            Self::Run(_) => "run".to_owned(),
        }
    }
}
