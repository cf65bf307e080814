//! Why a run ends before its work does, sorted by what happens next. None of them is an error of the sync: the tick is
//! the retry.

use std::time::Duration;

use sea_orm::DbErr;

use super::store;
use crate::{confluence, connections::access::AccessError, entity::Problem, knowledge_bases, openai};

/// Why a run ends early.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Another process has the source now: not another call, not another write.
    #[error("the lease of the source is lost")]
    LeaseLost,
    /// The time of this run is up, or the process is to stop: a later run goes on at once.
    #[error("the run hands over")]
    HandOver,
    /// A person paused the source or cancelled the sync.
    #[error("a person stopped it")]
    Halted,
    /// A vendor is in trouble or asks for a pause: a later run goes on.
    #[error("a vendor asks for a pause: {}", .problem.code)]
    Pause {
        /// How long, if the vendor said so.
        wait: Option<Duration>,
        /// What to show meanwhile.
        problem: Problem,
    },
    /// The sync cannot go on until a person acts.
    #[error("a person must act: {}", .problem.code)]
    Failed {
        /// What to do.
        problem: Problem,
        /// Whether the knowledge base itself is lost.
        knowledge_base: bool,
    },
    /// The database failed.
    #[error("the database failed")]
    Db(#[from] DbErr),
}

impl Stop {
    /// A pause because a vendor does not answer as it should.
    #[must_use]
    pub fn pause(code: &str, message: impl Into<String>, wait: Option<Duration>) -> Self {
        let problem = Problem::new(code, message, "Nothing: the next run goes on by itself.");
        Self::Pause { wait, problem }
    }

    /// A failure that a person must mend at the source's connection.
    #[must_use]
    pub fn failed(problem: Problem) -> Self {
        Self::Failed { problem, knowledge_base: false }
    }
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::LeaseLost => Self::LeaseLost,
            store::Error::Db(error) => Self::Db(error),
        }
    }
}

impl From<AccessError> for Stop {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NeedsReconnect(problem)
            | AccessError::SiteGone(problem)
            | AccessError::Misconfigured(problem) => Self::failed(problem),
            AccessError::Unavailable { retry_after, .. } => {
                Self::pause("confluence_unavailable", "Atlassian does not answer.", retry_after)
            }
            AccessError::Db(error) => Self::Db(error),
        }
    }
}

impl From<confluence::Error> for Stop {
    /// What an error of a call means where the run cannot do without its answer.
    fn from(error: confluence::Error) -> Self {
        use confluence::Error as E;
        let wait = error.retry_after();
        match error {
            E::RateLimited { quota: true, .. } => {
                Self::pause("confluence_quota", "The hourly quota of Confluence points is used up.", wait)
            }
            E::RateLimited { .. } => {
                Self::pause("confluence_rate_limited", "Confluence asks for a pause.", wait)
            }
            E::ScopeMissing { .. } => Self::failed(Problem::new(
                "confluence_scope_missing",
                "The connection lacks a scope that the sync needs.",
                "Add the scopes that GET /v1/me lists to the Atlassian app, then reconnect.",
            )),
            E::Unauthorized { .. } | E::Forbidden { .. } | E::NotFound { .. } => Self::pause(
                "confluence_refused",
                "Confluence does not show the site's content to this connection at the moment.",
                wait,
            ),
            E::Unavailable { .. }
            | E::CursorExpired { .. }
            | E::Rejected { .. }
            | E::Malformed { .. }
            | E::Transport(_) => Self::pause(
                "confluence_unavailable",
                format!("Confluence does not answer as it should: {error}."),
                wait,
            ),
        }
    }
}

impl From<openai::Error> for Stop {
    /// What an error of a call means when it is about the key or the store, not about one file.
    fn from(error: openai::Error) -> Self {
        use openai::Error as E;
        if let Some(problem) = knowledge_bases::loss(&error) {
            return Self::Failed { problem, knowledge_base: true };
        }
        let wait = error.retry_after();
        match error {
            E::QuotaExhausted { code, .. } => Self::Pause {
                wait: Some(Duration::from_mins(15)),
                problem: Problem::new(
                    "openai_quota_exhausted",
                    format!("The OpenAI account is out of quota ({code})."),
                    "Add credit or raise the limit at OpenAI; the sync goes on by itself.",
                ),
            },
            E::RateLimited { .. } => Self::pause("openai_rate_limited", "OpenAI asks for a pause.", wait),
            error => Self::pause(
                "openai_unavailable",
                format!("OpenAI does not answer as it should: {error}."),
                wait,
            ),
        }
    }
}
