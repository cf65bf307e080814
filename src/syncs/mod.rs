//! Syncs: one piece of work on a source each, durable from trigger to finish.

pub mod store;
