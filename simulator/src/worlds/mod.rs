//! Wikis to start with: a handbook from a directory, bodies from a file, or made-up pages.

pub mod corpus;
pub mod handbook;
pub mod synthetic;

use crate::confluence::Refused;

/// Why a world could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{path} cannot be read")]
    Unreadable { path: String, source: std::io::Error },
    #[error("{path}: {message}")]
    Malformed { path: String, message: String },
    #[error("the wiki refuses it")]
    Refused(#[from] Refused),
}

impl LoadError {
    fn malformed(path: impl Into<String>, message: impl std::fmt::Display) -> Self {
        Self::Malformed { path: path.into(), message: message.to_string() }
    }
}
