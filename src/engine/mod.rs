//! The sync engine: one straight line from what Confluence shows to what the vector store holds.
//!
//! `tick` claims what is due, `source` walks the line once: observe, plan, guard, fetch, convert, upload, attach,
//! confirm, swap, retire, record. The decisions in the middle (`scope`, `plan`, `guard`) are pure.

mod budget;
pub mod facts;
pub mod guard;
mod observe;
pub mod plan;
mod record;
pub mod run;
pub mod scope;
mod stop;
pub mod store;
