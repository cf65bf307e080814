//! The sync engine: one straight line from what Confluence shows to what the vector store holds.
//!
//! `tick` claims what is due, `source` walks the line once: observe, plan, guard, fetch, convert, upload, attach,
//! confirm, swap, retire, record. The decisions in the middle (`scope`, `plan`, `guard`) are pure.

mod approved;
mod attach;
mod attributes;
mod budget;
mod confirm;
mod cost;
mod erase;
pub mod facts;
mod file_name;
pub mod guard;
mod metadata;
mod observe;
mod pieces;
mod pipeline;
pub mod plan;
mod planned;
pub mod reconcile;
mod record;
mod render;
mod restrictions;
mod retention;
mod retire;
mod run;
pub mod scope;
mod settle;
mod source;
mod stop;
pub mod store;
mod swap;
pub mod tick;

pub use source::sync;
