//! The tables as SeaORM entities: data only, one file a table; the words are the design's vocabulary.

pub mod api_key;
pub mod batch;
pub mod change;
pub mod connection;
pub mod connection_attempt;
pub mod connection_site;
pub mod document;
pub mod file;
pub mod file_text;
pub mod finding;
pub mod grant;
pub mod held_removal;
pub mod hold;
pub mod idempotency_key;
pub mod installation;
pub mod kept_file;
pub mod knowledge_base;
pub mod lease;
pub mod node;
pub mod points;
pub mod reconcile;
pub mod replica;
pub mod restriction;
pub mod run;
pub mod selection;
pub mod source;
pub mod source_space;
pub mod sweep;
pub mod sync;
pub mod types;
pub mod workspace;

pub use types::{Cost, Counts, Evidence, EvidenceKind, Metadata, Problem, RestrictedPages, SourceOptions};
